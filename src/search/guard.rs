//! A guard against repetition, and the step at which it first changes a search.
//!
//! Responsible for not repeating a search as far as it would be the same with the guard. As long as the guard bans none
//! of the tokens that the search compares, both searches choose alike. So the search without the guard records the first
//! step where that fails, and the search with the guard resumes there. Invariant: the guard would not have changed any
//! token before a resume point.

use std::sync::Arc;

use super::{Hypothesis, Prefix, SearchOptions, Sequence};
use crate::batch::TokenId;

/// With the guard, no sequence of this many tokens occurs twice.
pub const GUARD: usize = 3;

/// The step at which a search with the guard first chooses differently from the recorded search without it.
#[derive(Clone, Debug, Default)]
pub enum ResumePoint {
    /// Not recorded: a search with the guard begins at the start.
    #[default]
    Unknown,
    /// No step: both searches find the same hypotheses.
    Never,
    /// The state before that step, from which a search with the guard resumes.
    At(Arc<SearchState>),
}

/// The hypotheses of one sequence at one step.
#[derive(Debug)]
pub struct SearchState {
    /// The running hypotheses, all of one length, and the sum of each one's token scores.
    pub(super) running: Vec<(Prefix, f32)>,
    /// The finished hypotheses, each with the value that it is ranked by.
    pub(super) finished: Vec<(f32, Hypothesis)>,
}

impl ResumePoint {
    /// The value before the first token: `Never` until a difference is seen if the search is `watched`, else `Unknown`.
    pub(super) fn begin(watched: bool) -> Self {
        if watched { Self::Never } else { Self::Unknown }
    }

    /// Looks at one step. If it is the first at which the guard would change a choice (`differs`), `state` is recorded.
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
    /// Whether a guard can change the search: not if these options include one already, and not with sampling.
    #[must_use]
    pub fn can_guard(&self) -> bool {
        !(1..=GUARD).contains(&self.no_repeat_ngram_size) && self.sampling.is_none()
    }
}

impl<'s> Sequence<'s, '_> {
    /// For each row that a sequence has when it is admitted, the tokens that the model must have been fed. This is one
    /// row without tokens, unless the search resumes another.
    #[must_use]
    pub fn prefill(&self) -> Vec<&'s [TokenId]> {
        let fed = |(prefix, _): &'s (Prefix, f32)| &prefix.history[..prefix.history.len() - 1];
        self.resume_state().map_or_else(|| vec![&[][..]], |state| state.running.iter().map(fed).collect())
    }

    /// The state that the search resumes from; `None`: it begins at the start.
    pub(super) fn resume_state(&self) -> Option<&'s SearchState> {
        self.guard.and_then(ResumePoint::state)
    }

    /// Whether the search records the step at which one with the guard would choose differently.
    pub(super) fn is_watched(&self, options: &SearchOptions) -> bool {
        self.guard.is_none() && self.required.is_none() && options.can_guard()
    }
}

/// The tokens that must not come next if no sequence of `n` tokens may occur twice.
pub(super) fn repetitions(history: &[TokenId], n: usize) -> impl Iterator<Item = TokenId> {
    let last = &history[(history.len() + 1).saturating_sub(n)..];
    let known = history.windows(n).filter(move |window| window[..n - 1] == *last);
    known.map(move |window| window[n - 1])
}
