//! A guard against repetition, and where it first makes a difference.
//!
//! Responsible for: not searching twice for what is the same with the guard and without. As long as the guard bans none of
//! the tokens that the search compares, both searches choose alike. So the search without the guard records the step at which
//! that ends, and the search with the guard resumes there. Invariant: no token before a resume point would have been another
//! with the guard.

use std::sync::Arc;

use super::{Hypothesis, Prefix, SearchOptions, Sequence};
use crate::batch::TokenId;

/// Under the guard no sequence of this many tokens occurs twice.
pub const GUARD: usize = 3;

/// Where a search with the guard first chooses otherwise than a search without it.
#[derive(Clone, Debug, Default)]
pub enum ResumePoint {
    /// Not recorded: a search with the guard begins at the start.
    #[default]
    Unknown,
    /// Nowhere: both searches find the same.
    Never,
    /// At this state, which a search with the guard can begin with.
    At(Arc<SearchState>),
}

/// The hypotheses of one sequence at some step.
#[derive(Debug)]
pub struct SearchState {
    /// The running hypotheses, all of one length, and the sum of each one's token scores.
    pub(super) running: Vec<(Prefix, f32)>,
    /// What each hypothesis that had ended is worth, and the hypothesis.
    pub(super) finished: Vec<(f32, Hypothesis)>,
}

impl ResumePoint {
    /// The value before the first token of a search that is watched, or is not.
    pub(super) fn begin(watched: bool) -> Self {
        if watched { Self::Never } else { Self::Unknown }
    }

    /// Watches another step. When it is the first at which the guard would change a choice (`differs`), `state` is recorded.
    pub(super) fn watch(&mut self, differs: impl FnOnce() -> bool, state: impl FnOnce() -> SearchState) {
        if matches!(self, Self::Never) && differs() {
            *self = Self::At(Arc::new(state()));
        }
    }

    fn state(&self) -> Option<&SearchState> {
        if let Self::At(state) = self { Some(state) } else { None }
    }
}

impl SearchOptions {
    /// Whether the guard makes a difference: not where these options have one already, or draw by chance.
    #[must_use]
    pub fn can_guard(&self) -> bool {
        !(1..=GUARD).contains(&self.no_repeat_ngram_size) && self.sampling.is_none()
    }
}

impl<'s> Sequence<'s, '_> {
    /// The rows of a sequence when it is admitted: for each, the tokens that the model must have been fed before. One row
    /// without tokens, unless the search resumes another.
    #[must_use]
    pub fn prefill(&self) -> Vec<&'s [TokenId]> {
        let fed = |(prefix, _): &'s (Prefix, f32)| &prefix.history[..prefix.history.len() - 1];
        self.resume_state().map_or_else(|| vec![&[][..]], |state| state.running.iter().map(fed).collect())
    }

    /// The state that the search begins with, if not at the start.
    pub(super) fn resume_state(&self) -> Option<&'s SearchState> {
        self.guard.and_then(ResumePoint::state)
    }

    /// Whether the search records where one with the guard would choose otherwise.
    pub(super) fn is_watched(&self, options: &SearchOptions) -> bool {
        self.guard.is_none() && self.required.is_none() && options.can_guard()
    }
}

/// The tokens that may not come next if no sequence of `n` tokens may occur twice.
pub(super) fn repetitions(history: &[TokenId], n: usize) -> impl Iterator<Item = TokenId> {
    let last = &history[(history.len() + 1).saturating_sub(n)..];
    let known = history.windows(n).filter(move |window| window[..n - 1] == *last);
    known.map(move |window| window[n - 1])
}
