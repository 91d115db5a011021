//! Ctrl-C: the program ends at once, and nothing half-written stays.
//!
//! Invariant: while a result is being written to standard output, an interruption waits for it; the
//! part file of an output that no later run could go on with is removed.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use kortom::error::{Error, WithHint};

/// Exit code of a run that was interrupted.
#[cfg(unix)]
const INTERRUPTED: i32 = 130;

/// The part file to remove. Held while something is written.
static PART: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Does nothing: on other systems Ctrl-C ends the program in the system's own way.
#[cfg(not(unix))]
pub fn catch(_hint: Option<&'static str>) -> Result<()> {
    Ok(())
}

/// Makes Ctrl-C end the program cleanly from now on; `hint` says how to resume. A second Ctrl-C ends it at once,
/// because a write may be blocked by a reader that has stopped reading.
#[cfg(unix)]
pub fn catch(hint: Option<&'static str>) -> Result<()> {
    use std::io::Read;

    // A pipe and no pair of sockets, so that `--offline` can be checked by counting sockets.
    let (mut signals, writer) = std::io::pipe()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGINT, writer)?;
    std::thread::spawn(move || {
        for asked in 0.. {
            if signals.read_exact(&mut [0]).is_err() {
                return;
            }
            if asked > 0 {
                std::process::exit(INTERRUPTED);
            }
            std::thread::spawn(move || end(hint));
        }
    });
    Ok(())
}

/// Waits until nothing is being written, and ends the program.
#[cfg(unix)]
fn end(hint: Option<&str>) {
    let part = writing();
    if let Some(part) = part.as_deref() {
        // If this fails no harm is done: the part file is hidden, and the next run overwrites it.
        let _ = std::fs::remove_file(part);
    }
    let said = Error::from("interrupted; complete results are kept");
    eprintln!("\n{}", hint.into_iter().fold(said, Error::with_hint));
    std::process::exit(INTERRUPTED);
}

/// A guard that keeps Ctrl-C from ending the program while it is held.
pub fn writing() -> MutexGuard<'static, Option<PathBuf>> {
    PART.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers a part file that is removed if the run is interrupted.
pub fn began(part: &Path) {
    *writing() = Some(part.to_owned());
}

/// Clears the part file that would be removed.
pub fn ended() {
    *writing() = None;
}
