//! Where an engine's time goes, and how far its work is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where the time went so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// Loading the model.
    pub load: Duration,
    /// Computing memories of sources.
    pub encode: Duration,
    /// Everything between a memory and its text.
    pub decode: Duration,
    /// Source tokens encoded, specials included, padding not.
    pub source_tokens: usize,
    /// Tokens of the texts that came out, n-best alternatives not counted.
    pub generated_tokens: usize,
    /// Texts.
    pub texts: usize,
    /// Source tokens of all that was asked for so far, done or not.
    pub asked_tokens: usize,
    /// Source tokens of what is under way.
    pub batch_tokens: usize,
    /// Tokens generated for what is under way; not yet among the others.
    pub pending_tokens: usize,
}

impl Work {
    /// Source tokens that are dealt with. Of what is under way that is a guess, from the tokens
    /// generated for it.
    #[must_use]
    pub fn progress(&self) -> usize {
        self.source_tokens + self.pending_tokens.min(self.batch_tokens - self.batch_tokens / 16)
    }

    /// Tokens that were generated, those for what is under way too.
    #[must_use]
    pub fn generated(&self) -> usize {
        self.generated_tokens + self.pending_tokens
    }
}

/// The work of an engine, to be read from another thread while it goes on.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Mutex<Work>>);

impl Gauge {
    /// Where the time went so far, and how far the work is.
    #[must_use]
    pub fn read(&self) -> Work {
        *self.work()
    }

    /// So many source tokens are asked for.
    pub(super) fn asked(&self, source_tokens: usize) {
        self.work().asked_tokens += source_tokens;
    }

    /// A source is under way.
    pub(super) fn begun(&self, source_tokens: usize) {
        let mut work = self.work();
        work.batch_tokens += source_tokens;
        // What comes to a scheduler later is asked for when it begins.
        work.asked_tokens = work.asked_tokens.max(work.source_tokens + work.batch_tokens);
    }

    /// Tokens were generated for what is under way.
    pub(super) fn stepped(&self, tokens: usize) {
        self.work().pending_tokens += tokens;
    }

    /// A source is done, and became so many tokens.
    pub(super) fn done(&self, source_tokens: usize, generated_tokens: usize) {
        let mut work = self.work();
        work.batch_tokens = work.batch_tokens.saturating_sub(source_tokens);
        work.pending_tokens = work.pending_tokens.saturating_sub(generated_tokens);
        if work.batch_tokens == 0 {
            work.pending_tokens = 0;
        }
        work.source_tokens += source_tokens;
        work.generated_tokens += generated_tokens;
        work.texts += 1;
    }

    /// Sources are no longer under way, and not done.
    pub(super) fn abandoned(&self) {
        let mut work = self.work();
        (work.batch_tokens, work.pending_tokens) = (0, 0);
    }

    /// What the time was spent on.
    pub(super) fn spent(&self, encode: Duration, decode: Duration) {
        let mut work = self.work();
        work.encode += encode;
        work.decode += decode;
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
