//! Statistics of an engine: time spent, and progress.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time and tokens so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Time to load the model.
    pub load: Duration,
    /// Time to encode sources.
    pub encode: Duration,
    /// Time to decode: everything between an encoded source and its text.
    pub decode: Duration,
    /// Number of source tokens encoded, special ones included, padding not.
    pub source_tokens: usize,
    /// Number of tokens of finished texts, n-best alternatives not counted.
    pub generated_tokens: usize,
    /// Number of finished texts.
    pub texts: usize,
    /// Number of source tokens of all texts requested so far, finished or not.
    pub asked_tokens: usize,
    /// Number of source tokens of running texts.
    pub batch_tokens: usize,
    /// Number of tokens generated for running texts, not counted in `generated_tokens` yet.
    pub pending_tokens: usize,
}

impl Stats {
    /// Number of source tokens translated so far. For running texts it is estimated from the tokens generated for them.
    #[must_use]
    pub fn progress(&self) -> usize {
        self.source_tokens + self.pending_tokens.min(self.batch_tokens - self.batch_tokens / 16)
    }

    /// Number of tokens generated so far, those of running texts included.
    #[must_use]
    pub fn generated(&self) -> usize {
        self.generated_tokens + self.pending_tokens
    }
}

/// The statistics of an engine, which another thread can read while it generates.
#[derive(Clone, Debug, Default)]
pub struct LiveStats(Arc<Mutex<Stats>>);

impl LiveStats {
    /// The current statistics.
    #[must_use]
    pub fn read(&self) -> Stats {
        *self.stats()
    }

    /// Counts source tokens of texts that were requested.
    pub(super) fn asked(&self, source_tokens: usize) {
        self.stats().asked_tokens += source_tokens;
    }

    /// Counts a source whose decoding begins.
    pub(super) fn begun(&self, source_tokens: usize) {
        let mut stats = self.stats();
        stats.batch_tokens += source_tokens;
        // A source that reaches a scheduler later counts as requested when its decoding begins.
        stats.asked_tokens = stats.asked_tokens.max(stats.source_tokens + stats.batch_tokens);
    }

    /// Counts tokens generated for running texts.
    pub(super) fn stepped(&self, tokens: usize) {
        self.stats().pending_tokens += tokens;
    }

    /// Counts a finished source and the tokens generated for it.
    pub(super) fn done(&self, source_tokens: usize, generated_tokens: usize) {
        let mut stats = self.stats();
        stats.batch_tokens = stats.batch_tokens.saturating_sub(source_tokens);
        stats.pending_tokens = stats.pending_tokens.saturating_sub(generated_tokens);
        if stats.batch_tokens == 0 {
            stats.pending_tokens = 0;
        }
        stats.source_tokens += source_tokens;
        stats.generated_tokens += generated_tokens;
        stats.texts += 1;
    }

    /// Forgets running sources that will not be finished.
    pub(super) fn abandoned(&self) {
        let mut stats = self.stats();
        (stats.batch_tokens, stats.pending_tokens) = (0, 0);
    }

    /// Adds to the time spent.
    pub(super) fn spent(&self, encode: Duration, decode: Duration) {
        let mut stats = self.stats();
        stats.encode += encode;
        stats.decode += decode;
    }

    fn stats(&self) -> MutexGuard<'_, Stats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
