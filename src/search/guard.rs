//! A guard against repetition, and where it first makes a difference.
//!
//! Responsible for: not searching twice for what is the same with the guard and without. As long as the guard bans
//! nothing that is looked at, both searches go the same way; so the one without it remembers where that ends, and the
//! one with it goes on from there. Invariant: no token before a fork would have been another with the guard.

use std::sync::Arc;

use super::{Head, Hypothesis, Item, SearchOptions};
use crate::batch::TokenId;

/// Under the guard no sequence of so many tokens occurs twice.
pub const GUARD: usize = 3;

/// Where a search with the guard parts from one without.
#[derive(Clone, Debug, Default)]
pub enum Divergence {
    /// Nobody looked.
    #[default]
    Unknown,
    /// Nowhere: both find the same.
    Never,
    /// Here, so that the search with the guard can begin here.
    At(Arc<Fork>),
}

/// How far a search had come at some step.
#[derive(Debug)]
pub struct Fork {
    /// The open hypotheses, all of one length, and the sum of each one's token scores.
    pub(super) open: Vec<(Head, f32)>,
    /// What each hypothesis that had ended is worth, and the hypothesis.
    pub(super) finished: Vec<(f32, Hypothesis)>,
}

impl Divergence {
    /// Before the first token of a search that is watched, or not.
    pub(super) fn begin(watched: bool) -> Self {
        if watched { Self::Never } else { Self::Unknown }
    }

    /// Looks at another step, of which all is as the guard would have it but this `differs`.
    pub(super) fn look(&mut self, differs: impl FnOnce() -> bool, fork: impl FnOnce() -> Fork) {
        if matches!(self, Self::Never) && differs() {
            *self = Self::At(Arc::new(fork()));
        }
    }

    fn fork(&self) -> Option<&Fork> {
        if let Self::At(fork) = self { Some(fork) } else { None }
    }
}

impl SearchOptions {
    /// Whether the guard makes a difference: not where these options have one already, or draw by chance.
    #[must_use]
    pub fn can_guard(&self) -> bool {
        !(1..=GUARD).contains(&self.no_repeat_ngram_size) && self.sampling.is_none()
    }
}

impl<'s> Item<'s, '_> {
    /// Its rows when it joins: of each, the tokens that the model must have been fed. Nothing, but where it goes on from a
    /// fork.
    #[must_use]
    pub fn fed(&self) -> Vec<&'s [TokenId]> {
        let fed = |(head, _): &'s (Head, f32)| &head.history[..head.history.len() - 1];
        self.fork().map_or_else(|| vec![&[][..]], |fork| fork.open.iter().map(fed).collect())
    }

    /// Where its search begins, if not at the start.
    pub(super) fn fork(&self) -> Option<&'s Fork> {
        self.guard.and_then(Divergence::fork)
    }

    /// Whether to look where its search would part from one with the guard.
    pub(super) fn is_watched(&self, options: &SearchOptions) -> bool {
        self.guard.is_none() && self.required.is_none() && options.can_guard()
    }
}

/// What may not come next if no `n` tokens may occur twice in a row.
pub(super) fn repetitions(history: &[TokenId], n: usize) -> impl Iterator<Item = TokenId> {
    let last = &history[(history.len() + 1).saturating_sub(n)..];
    let known = history.windows(n).filter(move |window| window[..n - 1] == *last);
    known.map(move |window| window[n - 1])
}
