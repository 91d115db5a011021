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

/// Elsewhere Ctrl-C ends the program as the system does it.
#[cfg(not(unix))]
pub fn catch(_hint: Option<&'static str>) -> Result<()> {
    Ok(())
}

/// From now on Ctrl-C ends the program cleanly; `hint` says how to go on. A second one waits for nothing: whoever reads
/// our output may have stopped reading.
#[cfg(unix)]
pub fn catch(hint: Option<&'static str>) -> Result<()> {
    use std::io::Read;

    // A pipe and no pair of sockets, so that nobody who counts sockets finds one.
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

/// Ends the program when nothing is being written.
#[cfg(unix)]
fn end(hint: Option<&str>) {
    let part = writing();
    if let Some(part) = part.as_deref() {
        // It is hidden and the next run overwrites it, so nothing depends on this.
        let _ = std::fs::remove_file(part);
    }
    let said = Error::from("interrupted; complete results are kept");
    eprintln!("\n{}", hint.into_iter().fold(said, Error::with_hint));
    std::process::exit(INTERRUPTED);
}

/// Nobody ends the program while this is held.
pub fn writing() -> MutexGuard<'static, Option<PathBuf>> {
    PART.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This part file is worth nothing if the run ends now.
pub fn began(part: &Path) {
    *writing() = Some(part.to_owned());
}

/// There is no such part file any more.
pub fn ended() {
    *writing() = None;
}
