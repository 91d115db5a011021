//! Ctrl-C: the program ends at once, and nothing half-written stays.
//!
//! Invariant: while a result is being written to standard output, an interruption waits for it; the
//! part file of an output that no later run could go on with is removed. What is on standard output is closed, so that an
//! array of JSON is valid.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use kortom::error::{Error, WithHint};
use kortom::platform;

/// Exit code of a run that was interrupted.
const INTERRUPTED: i32 = 130;

/// What an interruption has to bring to an end. Held while something is written.
static UNFINISHED: Mutex<Unfinished> = Mutex::new(Unfinished { part: None, close: "" });

/// An output that is not finished.
pub struct Unfinished {
    /// The part file to remove.
    part: Option<PathBuf>,
    /// The text that closes what is on standard output, such as the end of an array.
    pub close: &'static str,
}

/// Makes Ctrl-C end the program cleanly from now on; `hint` says how to resume. A second Ctrl-C ends it at once,
/// because a write may be blocked by a reader that has stopped reading.
pub fn catch(hint: Option<&'static str>) -> Result<()> {
    let mut asked = false;
    platform::on_interrupt(move || {
        if asked {
            std::process::exit(INTERRUPTED);
        }
        asked = true;
        std::thread::spawn(move || end(hint));
    })?;
    Ok(())
}

/// Waits until nothing is being written, and ends the program.
fn end(hint: Option<&str>) {
    let unfinished = writing();
    if let Some(part) = &unfinished.part {
        // If this fails no harm is done: the part file is hidden, and the next run overwrites it.
        let _ = std::fs::remove_file(part);
    }
    let mut stdout = io::stdout().lock();
    // If nobody reads the output any more, nobody misses its end.
    let _ = stdout.write_all(unfinished.close.as_bytes()).and_then(|()| stdout.flush());
    let said = Error::from("interrupted; complete results are kept");
    eprintln!("\n{}", hint.into_iter().fold(said, Error::with_hint));
    std::process::exit(INTERRUPTED);
}

/// A guard that keeps Ctrl-C from ending the program while it is held.
pub fn writing() -> MutexGuard<'static, Unfinished> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers a part file that is removed if the run is interrupted.
pub fn began(part: &Path) {
    writing().part = Some(part.to_owned());
}

/// Clears the part file that would be removed.
pub fn ended() {
    writing().part = None;
}
