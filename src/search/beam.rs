//! Beam search as in transformers 5.23 (`GenerationMixin._beam_search`).
//!
//! Responsible for which continuations become beams, which hypotheses are kept, and when a sequence is finished.
//! Invariant: the beams and the finished hypotheses of a sequence are sorted by descending score, and there are at most
//! `num_beams` of either.
//!
//! Departure: transformers fills up missing beams with copies that score -1e9. Here there are only real beams, so the
//! first step has one row per sequence, and fewer than `n_best` hypotheses may come back. The hypotheses are the same
//! unless the rules leave fewer continuations than `num_beams`; there transformers continues its copies, even beyond an
//! end.

use anyhow::Result;

use super::guard::{GUARD, ResumePoint, SearchState, repetitions};
use super::logits::Candidates;
use super::required::{Required, interleave_banks};
use super::{
    EarlyStopping, Hypothesis, Prefix, SearchOptions, SearchResult, Sequence, Strategy, no_choice, normalized,
};
use crate::batch::TokenId;

/// A running hypothesis and the sum of its token scores.
struct Beam {
    prefix: Prefix,
    sum: f32,
}

/// A beam with one more token.
struct Continuation {
    beam: usize,
    token: TokenId,
    /// The log-probability of the token.
    value: f32,
    sum: f32,
    /// Whether a rule forced the token, see [`Candidates`].
    cut: bool,
    /// Number of tokens of required terms that are missing after it.
    missing: usize,
}

/// The beam search of one sequence.
pub(super) struct Beams<'a> {
    options: &'a SearchOptions,
    required: Option<Required<'a>>,
    running: Vec<Beam>,
    /// The finished hypotheses, each with the value that it is ranked by (see [`Beams::worth`]), best first.
    finished: Vec<(f32, Hypothesis)>,
    resume_point: ResumePoint,
}

/// Number of continuations of a sequence that are compared: enough for all beams to continue even if each could also end
/// with every end token.
pub(super) fn continuations(options: &SearchOptions) -> usize {
    (1 + options.eos.len()).max(2) * options.num_beams
}

impl Strategy for Beams<'_> {
    fn prefixes(&self) -> Vec<&Prefix> {
        self.running.iter().map(|beam| &beam.prefix).collect()
    }

    fn prefixes_mut(&mut self) -> Vec<&mut Prefix> {
        self.running.iter_mut().map(|beam| &mut beam.prefix).collect()
    }

    fn advance(&mut self, candidates: &[Candidates]) -> Result<Option<SearchResult>> {
        let new = 1 + self.running.first().map_or(0, |beam| beam.prefix.token_scores.len());
        self.take(candidates, new);
        if self.is_over(new) { self.found().map(Some) } else { Ok(None) }
    }
}

impl<'a> Beams<'a> {
    pub fn new(sequence: &Sequence<'_, 'a>, options: &'a SearchOptions) -> Self {
        let (running, finished) = match sequence.resume_state() {
            Some(SearchState { running, finished }) => (running.clone(), finished.clone()),
            None => (vec![(Prefix::new(&options.start), 0.0)], Vec::new()),
        };
        let running = running.into_iter().map(|(prefix, sum)| Beam { prefix, sum }).collect();
        let resume_point = ResumePoint::begin(sequence.is_watched(options));
        Self { options, required: sequence.required, running, finished, resume_point }
    }

    /// Takes the `new`-th token. Among the best continuations, those that end are finished hypotheses if they rank among
    /// the first `num_beams`, and are dropped otherwise. The best of the others are the new beams.
    fn take(&mut self, candidates: &[Candidates], new: usize) {
        let mut next = Vec::with_capacity(self.options.num_beams);
        let best = self.best(candidates);
        self.watch(candidates, &best);
        for (rank, continuation) in best.into_iter().enumerate() {
            let ends = self.options.eos.contains(&continuation.token);
            if !ends && new < self.options.max_new_tokens {
                if next.len() < self.options.num_beams {
                    next.push(self.running[continuation.beam].with(&continuation));
                }
            } else if rank < self.options.num_beams {
                self.finish(&continuation, new, continuation.cut || !ends);
            }
        }
        if next.is_empty() && self.finished.is_empty() && new > 1 {
            // The rules leave no token: the beams end as they are, truncated.
            let cut_off = |beam: &Beam| (self.worth(beam.sum, new - 1), beam.cut_off(self.options, self.required));
            self.finished = self.running.iter().map(cut_off).collect();
        }
        self.running = next;
    }

    /// The best continuations over all beams, best first. Among equals that of the better beam comes first, then the
    /// lower token. With required terms, banks (continuations that lack equally many tokens) are interleaved.
    fn best(&self, candidates: &[Candidates]) -> Vec<Continuation> {
        let mut all = Vec::new();
        for (index, beam) in self.running.iter().enumerate() {
            let Candidates { best, cut, wanted, missing, .. } = &candidates[beam.prefix.row];
            let continued = |(token, value, missing)| {
                let sum = value + beam.sum;
                Continuation { beam: index, token, value, sum, cut: *cut, missing }
            };
            let is_wanted = |token: TokenId| wanted.binary_search_by_key(&token, |wanted| wanted.0).is_ok();
            let others = best.iter().filter(|(token, _)| !is_wanted(*token));
            all.extend(others.map(|&(token, value)| continued((token, value, *missing))));
            all.extend(wanted.iter().copied().map(continued));
        }
        all.sort_by(|a, b| b.sum.total_cmp(&a.sum).then((a.beam, a.token).cmp(&(b.beam, b.token))));
        if self.required.is_some() {
            all = interleave_banks(all, |continuation| continuation.missing);
        }
        all.truncate(continuations(self.options));
        all
    }

    /// Records the state at the first step where a guard would change the best continuations, or would change whether one
    /// was forced.
    fn watch(&mut self, candidates: &[Candidates], best: &[Continuation]) {
        let Self { options, running, finished, resume_point, .. } = self;
        let differs = || {
            running.iter().enumerate().any(|(index, beam)| {
                let is_best = |token| best.iter().any(|other| (other.beam, other.token) == (index, token));
                // With renormalisation, a ban makes all other tokens more likely.
                candidates[beam.prefix.row].cut
                    || repetitions(&beam.prefix.history, GUARD).any(|token| options.renormalize || is_best(token))
            })
        };
        let branch = |beam: &Beam| (beam.prefix.clone(), beam.sum);
        resume_point.watch(differs, || SearchState {
            running: running.iter().map(branch).collect(),
            finished: finished.clone(),
        });
    }

    /// Inserts a hypothesis of `new` tokens among the finished ones, if it is one of the `num_beams` best.
    fn finish(&mut self, continuation: &Continuation, new: usize, truncated: bool) {
        let score = normalized(continuation.sum, new, self.options.length_penalty);
        let (worth, missing) = (self.worth(continuation.sum, new), continuation.missing);
        let place = self.finished.partition_point(|(other, hypothesis)| {
            hypothesis.missing < missing || hypothesis.missing == missing && *other >= worth
        });
        if place < self.options.num_beams {
            let prefix = self.running[continuation.beam].with(continuation).prefix;
            let (tokens, token_scores) = (prefix.tokens(self.options), prefix.token_scores);
            self.finished.insert(place, (worth, Hypothesis { tokens, score, token_scores, truncated, missing }));
            self.finished.truncate(self.options.num_beams);
        }
    }

    /// The value that hypotheses of `length` tokens are ranked by: their score, or with required terms
    /// [`Required::worth`].
    fn worth(&self, sum: f32, length: usize) -> f32 {
        match &self.required {
            Some(required) => required.worth(sum, length),
            None => normalized(sum, length, self.options.length_penalty),
        }
    }

    /// Whether the search is finished after `new` tokens. Like transformers it continues until there are `num_beams`
    /// finished hypotheses, even with beams that are worse than all of these. With required terms it ends when no beam
    /// can become better than the `n_best` finished hypotheses.
    fn is_over(&self, new: usize) -> bool {
        let Some(best) = self.running.iter().map(|beam| beam.sum).max_by(f32::total_cmp) else { return true };
        let enough = if self.required.is_some() { self.options.n_best } else { self.options.num_beams };
        let Some((worst, _)) = self.finished.get(enough - 1) else { return false };
        let length = match (&self.required, self.options.early_stopping) {
            (Some(required), _) => new.max(required.expected_length),
            (None, EarlyStopping::True) => return true,
            (None, EarlyStopping::Never) if self.options.length_penalty > 0.0 => self.options.max_new_tokens,
            (None, _) => new,
        };
        self.worth(best, length) <= *worst
    }

    fn found(&mut self) -> Result<SearchResult> {
        self.finished.truncate(self.options.n_best);
        let hypotheses: Vec<_> = std::mem::take(&mut self.finished).into_iter().map(|(_, found)| found).collect();
        let resume_point = std::mem::take(&mut self.resume_point);
        if hypotheses.is_empty() { Err(no_choice()) } else { Ok(SearchResult { hypotheses, resume_point }) }
    }
}

impl Beam {
    fn cut_off(&self, options: &SearchOptions, required: Option<Required>) -> Hypothesis {
        let tokens = self.prefix.tokens(options);
        let missing = required.map_or(0, |required| required.missing(&tokens));
        let score = normalized(self.sum, tokens.len(), options.length_penalty);
        Hypothesis { tokens, score, token_scores: self.prefix.token_scores.clone(), truncated: true, missing }
    }

    fn with(&self, continuation: &Continuation) -> Self {
        let Prefix { row, history, token_scores } = &self.prefix;
        let history = [history.as_slice(), &[continuation.token]].concat();
        let token_scores = [token_scores.as_slice(), &[continuation.value]].concat();
        Self { prefix: Prefix { row: *row, history, token_scores }, sum: continuation.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a search is over that has a beam of log-probability -10 after 2 of at most 10 tokens, and two finished
    /// hypotheses, the worse with this score.
    fn over(early_stopping: EarlyStopping, length_penalty: f64, worst: f32) -> bool {
        let options = SearchOptions { num_beams: 2, early_stopping, length_penalty, ..SearchOptions::greedy(0, 1, 10) };
        let finished = |score| {
            (score, Hypothesis { tokens: vec![1], score, token_scores: vec![score], truncated: false, missing: 0 })
        };
        let mut search = Beams::new(&Sequence::default(), &options);
        search.running[0].sum = -10.0;
        search.finished = vec![finished(worst + 1.0), finished(worst)];
        search.is_over(2)
    }

    /// With a guard the model might have ended there by itself.
    #[test]
    fn what_is_cut_is_cut_by_a_guard_only_perhaps() {
        let options = SearchOptions { num_beams: 2, ..SearchOptions::greedy(0, 1, 10) };
        for cut in [false, true] {
            let mut search = Beams::new(&Sequence::default(), &options);
            let best = vec![(1, -0.5), (2, -1.0)];
            let candidates = Candidates { best, log_sum: 0.0, cut, wanted: Vec::new(), missing: 0 };
            assert!(search.advance(&[candidates]).unwrap().is_none());
            assert_eq!(matches!(search.resume_point, ResumePoint::At(_)), cut);
        }
    }

    #[test]
    fn a_search_is_over_when_no_beam_can_become_better() {
        // At its length of 2 the beam is worth -5 with a penalty of 1, and could be worth -1 at a length of 10.
        for (stopping, worst, expected) in [
            (EarlyStopping::True, -90.0, true),
            (EarlyStopping::False, -5.5, false),
            (EarlyStopping::False, -5.0, true),
            (EarlyStopping::Never, -5.0, false),
            (EarlyStopping::Never, -1.0, true),
        ] {
            assert_eq!(over(stopping, 1.0, worst), expected, "{stopping:?} {worst}");
        }
        // Below 0 the score falls with the length: -20 now, -100 at the end.
        assert!(!over(EarlyStopping::Never, -1.0, -25.0));
        assert!(over(EarlyStopping::Never, -1.0, -20.0));
    }
}
