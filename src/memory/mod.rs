//! Translations that are kept over runs, and corrections that win over any model, in one `SQLite` file.
//!
//! Invariant: what is recalled under a key was kept under that key, whole. Corrections are known by languages and source
//! alone. Several processes may use a file at once; one that is killed loses what it was writing, and nothing else. A file that
//! fails while a run goes on costs the run its memory and no result: what is wrong is told once. Strings only: what a key
//! consists of belongs to `pipeline`, what a kept text means to `translate` and `summarize`.

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

/// A memory: an open file.
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
    /// After a fault the file is left alone.
    is_faulty: bool,
}

/// How often a memory was asked, and how often it knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecallCounts {
    /// Texts that were looked for.
    pub asked: usize,
    /// Those that were kept.
    pub kept: usize,
    /// Those that had a correction.
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
    /// Opens the memory in a file, which is made if there is none, readable by its owner alone.
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
    /// When there is no file, it cannot be written, is damaged, or is not a memory of this version.
    pub fn open_existing(path: &Path) -> Result<Self> {
        let connection = file::open(path)?;
        let state = MemoryState { connection, counts: RecallCounts::default(), fault: None, is_faulty: false };
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Ok(Self { path: path.to_owned(), state: Mutex::new(state), day: (seconds / 86_400) as i64 })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How often it was asked so far.
    #[must_use]
    pub fn counts(&self) -> RecallCounts {
        self.state().counts
    }

    /// What went wrong with the file since it was opened; told once.
    #[must_use]
    pub fn take_fault(&self) -> Option<Error> {
        self.state().fault.take()
    }

    fn state(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `ask` gets from the file, or nothing where the file fails.
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

    /// What `ask` gets from the file.
    fn must<T>(&self, ask: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        ask(&mut self.state().connection).map_err(|error| faults::told(&self.path, &error).into())
    }

    /// What is said of all of the file that other outputs may depend on: which corrections it has. Empty without any.
    ///
    /// # Errors
    /// When the file fails.
    pub fn edition(&self) -> Result<String> {
        self.must(|connection| corrections::edition(connection))
    }
}

/// The code that a memory knows a language by: `nl` for `nl-BE` and `nld` too.
fn language(code: &str) -> String {
    Code::parse(code).short().to_owned()
}

/// A text as a memory knows it: on one line, with single spaces.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
