//! Greedy search and sampling: one row per hypothesis, and no hypothesis depends on another.
//!
//! Responsible for taking the best token of each row, the lowest id among equals, until it ends. Drawing tokens belongs
//! to `sample`.
//! Invariant: a row leaves the batch as soon as it has ended.

use anyhow::Result;

use super::guard::{GUARD, ResumePoint, SearchState, repetitions};
use super::logits::Candidates;
use super::sample::Sampler;
use super::{Hypothesis, Prefix, SearchOptions, SearchResult, Sequence, Strategy, no_choice, normalized};

/// The search of one sequence: greedy, or sampling of `n_best` hypotheses.
pub(super) struct Greedy<'a> {
    options: &'a SearchOptions,
    running: Vec<RunningHypothesis>,
    ended: Vec<Hypothesis>,
    resume_point: ResumePoint,
}

/// A running hypothesis.
struct RunningHypothesis {
    prefix: Prefix,
    /// Draws the tokens; `None`: the best token is taken.
    sampler: Option<Sampler>,
}

impl<'a> Greedy<'a> {
    pub fn new(sequence: &Sequence, options: &'a SearchOptions) -> Self {
        let sampler = |sample| options.sampling.map(|sampling| Sampler::new(sampling, sequence.index, sample));
        let resumed = sequence.resume_state().and_then(|state| state.running.first()).map(|(prefix, _)| prefix.clone());
        let prefix = resumed.unwrap_or_else(|| Prefix::new(&options.start));
        let row = |sample| RunningHypothesis { prefix: prefix.clone(), sampler: sampler(sample) };
        let running = (0..options.n_best as u64).map(row).collect();
        Self { options, running, ended: Vec::new(), resume_point: ResumePoint::begin(sequence.is_watched(options)) }
    }

    /// Records the state at the first step where a guard would ban a token, which would make all other tokens more
    /// likely.
    fn watch(&mut self) {
        let Self { running, resume_point, .. } = self;
        let differs = || running.iter().any(|row| repetitions(&row.prefix.history, GUARD).next().is_some());
        let branch = |row: &RunningHypothesis| (row.prefix.clone(), 0.0);
        resume_point
            .watch(differs, || SearchState { running: running.iter().map(branch).collect(), finished: Vec::new() });
    }
}

impl Strategy for Greedy<'_> {
    fn prefixes(&self) -> Vec<&Prefix> {
        self.running.iter().map(|row| &row.prefix).collect()
    }

    fn prefixes_mut(&mut self) -> Vec<&mut Prefix> {
        self.running.iter_mut().map(|row| &mut row.prefix).collect()
    }

    fn advance(&mut self, candidates: &[Candidates]) -> Result<Option<SearchResult>> {
        self.watch();
        for mut row in std::mem::take(&mut self.running) {
            let candidates = &candidates[row.prefix.row];
            if row.advance(candidates, self.options)? {
                self.running.push(row);
            } else {
                self.ended.push(row.end(candidates.cut, self.options));
            }
        }
        if !self.running.is_empty() {
            return Ok(None);
        }
        self.ended.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(Some(SearchResult {
            hypotheses: std::mem::take(&mut self.ended),
            resume_point: std::mem::take(&mut self.resume_point),
        }))
    }
}

impl RunningHypothesis {
    /// Takes the next token; returns whether the hypothesis continues. If the rules leave no token, it ends as it is.
    fn advance(&mut self, candidates: &Candidates, options: &SearchOptions) -> Result<bool> {
        let chosen = match &mut self.sampler {
            Some(sampler) => sampler.draw(&candidates.best)?,
            None => candidates.best.first().map(|&(token, x)| (token, (f64::from(x) - candidates.log_sum) as f32)),
        };
        let Prefix { history, token_scores, .. } = &mut self.prefix;
        let Some((token, score)) = chosen else {
            return if token_scores.is_empty() { Err(no_choice()) } else { Ok(false) };
        };
        history.push(token);
        token_scores.push(score);
        Ok(!options.eos.contains(&token) && token_scores.len() < options.max_new_tokens)
    }

    /// The hypothesis, which ended with the last token; `cut`: whether a rule forced that token on the model.
    fn end(self, cut: bool, options: &SearchOptions) -> Hypothesis {
        let tokens = self.prefix.tokens(options);
        let truncated = cut || tokens.last().is_none_or(|last| !options.eos.contains(last));
        let token_scores = self.prefix.token_scores;
        let score = normalized(token_scores.iter().sum(), tokens.len(), options.length_penalty);
        Hypothesis { tokens, score, token_scores, truncated, missing: 0 }
    }
}
