//! One row per hypothesis, no row looks at another: greedy search, and sampling.
//!
//! Responsible for: taking the best token of each row, the lowest id among equals, until it ends.
//! Invariant: a row is out of the batch as soon as it has ended. Leaves the drawing of tokens to `sample`.

use anyhow::Result;

use super::guard::{Divergence, Fork, GUARD, repetitions};
use super::logits::Candidates;
use super::sample::Sampler;
use super::{Found, Head, Hypothesis, Item, Method, SearchOptions, no_choice, normalized};

/// One item's search: greedy, or sampling of `n_best` hypotheses.
pub(super) struct Greedy<'a> {
    options: &'a SearchOptions,
    open: Vec<Row>,
    ended: Vec<Hypothesis>,
    divergence: Divergence,
}

/// One hypothesis under way.
struct Row {
    head: Head,
    /// `None` takes the best.
    sampler: Option<Sampler>,
}

impl<'a> Greedy<'a> {
    pub fn new(item: &Item, options: &'a SearchOptions) -> Self {
        let sampler = |sample| options.sampling.map(|sampling| Sampler::new(sampling, item.place, sample));
        let forked = item.fork().and_then(|fork| fork.open.first()).map(|(head, _)| head.clone());
        let head = forked.unwrap_or_else(|| Head::new(&options.start));
        let row = |sample| Row { head: head.clone(), sampler: sampler(sample) };
        let open = (0..options.n_best as u64).map(row).collect();
        Self { options, open, ended: Vec::new(), divergence: Divergence::begin(item.is_watched(options)) }
    }

    /// Remembers how things stand if a guard would ban anything: that makes all other tokens more likely.
    fn look(&mut self) {
        let Self { open, divergence, .. } = self;
        let differs = || open.iter().any(|row| repetitions(&row.head.history, GUARD).next().is_some());
        let branch = |row: &Row| (row.head.clone(), 0.0);
        divergence.look(differs, || Fork { open: open.iter().map(branch).collect(), finished: Vec::new() });
    }
}

impl Method for Greedy<'_> {
    fn heads(&self) -> Vec<&Head> {
        self.open.iter().map(|row| &row.head).collect()
    }

    fn heads_mut(&mut self) -> Vec<&mut Head> {
        self.open.iter_mut().map(|row| &mut row.head).collect()
    }

    fn advance(&mut self, candidates: &[Candidates]) -> Result<Option<Found>> {
        self.look();
        for mut row in std::mem::take(&mut self.open) {
            let candidates = &candidates[row.head.row];
            if row.advance(candidates, self.options)? {
                self.open.push(row);
            } else {
                self.ended.push(row.end(candidates.cut, self.options));
            }
        }
        if !self.open.is_empty() {
            return Ok(None);
        }
        self.ended.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(Some(Found {
            hypotheses: std::mem::take(&mut self.ended),
            divergence: std::mem::take(&mut self.divergence),
        }))
    }
}

impl Row {
    /// Takes the next token; whether the row goes on. Where the rules leave none, it ends as it is.
    fn advance(&mut self, candidates: &Candidates, options: &SearchOptions) -> Result<bool> {
        let chosen = match &mut self.sampler {
            Some(sampler) => sampler.draw(&candidates.best)?,
            None => candidates.best.first().map(|&(token, x)| (token, (f64::from(x) - candidates.log_sum) as f32)),
        };
        let Head { history, token_scores, .. } = &mut self.head;
        let Some((token, score)) = chosen else {
            return if token_scores.is_empty() { Err(no_choice()) } else { Ok(false) };
        };
        history.push(token);
        token_scores.push(score);
        Ok(!options.eos.contains(&token) && token_scores.len() < options.max_new_tokens)
    }

    /// The hypothesis that ended with the last token; `cut` when that was forced on the model.
    fn end(self, cut: bool, options: &SearchOptions) -> Hypothesis {
        let tokens = self.head.tokens(options);
        let truncated = cut || tokens.last().is_none_or(|last| !options.eos.contains(last));
        let token_scores = self.head.token_scores;
        let score = normalized(token_scores.iter().sum(), tokens.len(), options.length_penalty);
        Hypothesis { tokens, score, token_scores, truncated, missing: 0 }
    }
}
