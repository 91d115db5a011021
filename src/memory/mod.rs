//! Memory: outputs of models that are kept over runs, and corrections that are used in place of them, in one `SQLite`
//! file.
//!
//! Invariant: an output is recalled only under the key under which it was kept, and unchanged. A correction is found
//! by its languages and its source alone. Several processes may use a file at a time; one that is killed loses only
//! what it was writing. If the file fails during a run, the run goes on without it, loses no result, and reports the
//! fault once. Strings only: the contents of keys belong to `pipeline`, the meaning of kept texts to `translate` and
//! `summarize`.

mod corrections;
mod exchange;
mod faults;
mod file;
mod kept;
mod scope;
mod near;
mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use rusqlite::Connection;
use serde::Serialize;

use crate::error::Error;
use crate::language::Code;

pub use corrections::Imported;
pub use exchange::{ExchangeFormat, Units};
pub use kept::{Kept, Recalled};
pub use near::Similar;
pub use scope::{MemoryScope, TextKey};
pub use upkeep::{Forget, MemoryStats, ModelShare, Prune};

/// A memory, as an open file.
pub struct Memory {
    path: PathBuf,
    state: Mutex<MemoryState>,
    /// Today, in days since 1970.
    day: i64,
}

struct MemoryState {
    connection: Connection,
    counts: RecallCounts,
    fault: Option<Error>,
    /// Whether the file has failed; it is not used any more then.
    is_faulty: bool,
}

/// Numbers of look-ups in a memory, and of their results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecallCounts {
    /// Texts that were looked up.
    pub asked: usize,
    /// Texts for which an output was kept.
    pub kept: usize,
    /// Texts that had a correction.
    pub corrected: usize,
}

/// A source and its translation, with the codes of their languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TranslationUnit {
    /// The code of the source's language.
    pub from: String,
    /// The code of the translation's language.
    pub to: String,
    /// The source, on one line.
    pub source: String,
    /// The translation.
    pub target: String,
    /// Whether a person gave the translation.
    pub corrected: bool,
}

impl Memory {
    /// Opens the memory in a file. If there is no file, one is made that only its owner can read.
    ///
    /// # Errors
    /// When the file cannot be made or written, is damaged, or is not a memory of this version.
    pub fn open(path: &Path) -> Result<Self> {
        file::make_if_absent(path)?;
        Self::open_existing(path)
    }

    /// Opens the memory in a file that exists.
    ///
    /// # Errors
    /// When there is no such file, or it cannot be written, is damaged, or is not a memory of this version.
    pub fn open_existing(path: &Path) -> Result<Self> {
        let connection = file::open(path)?;
        let state = MemoryState { connection, counts: RecallCounts::default(), fault: None, is_faulty: false };
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Ok(Self { path: path.to_owned(), state: Mutex::new(state), day: (seconds / 86_400) as i64 })
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The numbers of look-ups and of their results so far.
    #[must_use]
    pub fn counts(&self) -> RecallCounts {
        self.state().counts
    }

    /// The bytes of the file and of its log.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        [self.path.as_path(), Path::new(&log)].iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum()
    }

    /// The fault of the file since it was opened; returned once.
    #[must_use]
    pub fn take_fault(&self) -> Option<Error> {
        self.state().fault.take()
    }

    fn state(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of `ask` on the file, or the default value if the file fails now or has failed before.
    fn attempt<T: Default>(&self, ask: impl FnOnce(&mut MemoryState) -> rusqlite::Result<T>) -> T {
        let mut state = self.state();
        if state.is_faulty {
            return T::default();
        }
        ask(&mut state).unwrap_or_else(|error| {
            state.is_faulty = true;
            state.fault = Some(faults::during_run(&self.path, &error));
            T::default()
        })
    }

    /// The result of `ask` on the file.
    fn must<T>(&self, ask: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        ask(&mut self.state().connection).map_err(|error| faults::told(&self.path, &error).into())
    }

    /// A name of the current set of corrections, on which outputs depend; empty without corrections.
    ///
    /// # Errors
    /// When the file fails.
    pub fn edition(&self) -> Result<String> {
        self.must(|connection| corrections::edition(connection))
    }
}

/// The code by which a memory stores a language: `nl` also for `nl-BE` and `nld`.
fn language(code: &str) -> String {
    Code::parse(code).short().to_owned()
}

/// A text in the form in which corrections are stored: on one line, with single spaces.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
