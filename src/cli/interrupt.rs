//! Ctrl-C: the program ends at once, and nothing half-written stays.
//!
//! Invariant: while a result is being written to standard output, an interruption waits for it; the
//! part file of an output that no later run could go on with is removed.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

/// Exit code of a run that was interrupted.
#[cfg(unix)]
const INTERRUPTED: i32 = 130;

/// The part file to remove. Held while something is written.
static PART: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Elsewhere Ctrl-C ends the program as the system does it.
#[cfg(not(unix))]
pub fn catch() -> Result<()> {
    Ok(())
}

/// From now on Ctrl-C ends the program cleanly.
#[cfg(unix)]
pub fn catch() -> Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_none() {
            return;
        }
        let part = writing();
        if let Some(part) = part.as_deref() {
            // It is hidden and the next run overwrites it, so nothing depends on this.
            let _ = std::fs::remove_file(part);
        }
        eprintln!("\ninterrupted; complete results are kept");
        std::process::exit(INTERRUPTED);
    });
    Ok(())
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
