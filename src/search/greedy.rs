//! One row per hypothesis, no row looks at another: greedy search, and sampling.
//!
//! Responsible for: taking the best token of each row, the lowest id among equals, until it ends.
//! Invariant: a row is out of the batch as soon as it has ended. Leaves the drawing of tokens to `sample`.

use anyhow::Result;
use candle_core::Tensor;

use super::logits::{Candidates, Domain, Rules};
use super::sample::Sampler;
use super::{Hypothesis, Item, SearchOptions, Step, arrange, no_choice, normalized};
use crate::batch::TokenId;

/// One hypothesis under way.
struct Row {
    item: usize,
    /// The start token and all since.
    history: Vec<TokenId>,
    token_scores: Vec<f32>,
    /// `None` takes the best.
    sampler: Option<Sampler>,
}

/// Greedy search, or sampling of `n_best` hypotheses, from the first `logits` `[items, v]`.
pub(super) fn search(
    model: &mut dyn Step,
    mut logits: Tensor,
    items: &[Item],
    options: &SearchOptions,
) -> Result<Vec<Vec<Hypothesis>>> {
    let (_, v) = logits.dims2()?;
    let rules = Rules::new(options, items, Domain::Logits, v);
    let k = options.sampling.map_or(1, |sampling| if sampling.top_k == 0 { v } else { sampling.top_k });
    let mut rows = fresh_rows(items, options);
    if rows.len() > items.len() {
        let repeated: Vec<usize> = rows.iter().map(|row| row.item).collect();
        model.select(&repeated)?;
        let index: Vec<u32> = repeated.iter().map(|&item| item as u32).collect();
        logits = logits.index_select(&Tensor::new(index, logits.device())?, 0)?;
    }
    let mut found: Vec<Vec<Hypothesis>> = vec![Vec::new(); items.len()];
    loop {
        let histories: Vec<_> = rows.iter().map(|row| (row.item, row.history.as_slice())).collect();
        let candidates = rules.candidates(&logits, k, &histories)?;
        let before = rows.len();
        let (mut kept, mut open) = (Vec::with_capacity(before), Vec::with_capacity(before));
        for (at, (mut row, candidates)) in rows.into_iter().zip(&candidates).enumerate() {
            if row.advance(candidates, options)? {
                kept.push(at);
                open.push(row);
            } else {
                found[row.item].push(row.end(candidates.cut, options));
            }
        }
        if open.is_empty() {
            break;
        }
        arrange(model, &kept, before)?;
        rows = open;
        logits = model.step(&rows.iter().map(Row::last).collect::<Vec<_>>())?;
    }
    for hypotheses in &mut found {
        hypotheses.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    Ok(found)
}

/// One row per item, or per sample of an item, in the order of the items.
fn fresh_rows(items: &[Item], options: &SearchOptions) -> Vec<Row> {
    let mut rows = Vec::with_capacity(items.len() * options.n_best);
    for (item, Item { place, .. }) in items.iter().enumerate() {
        for sample in 0..options.n_best as u64 {
            let sampler = options.sampling.map(|sampling| Sampler::new(sampling, *place, sample));
            rows.push(Row { item, history: options.start.clone(), token_scores: Vec::new(), sampler });
        }
    }
    rows
}

impl Row {
    fn last(&self) -> TokenId {
        self.history[self.history.len() - 1]
    }

    /// Takes the next token; whether the row goes on. Where the rules leave none, it ends as it is.
    fn advance(&mut self, candidates: &Candidates, options: &SearchOptions) -> Result<bool> {
        let chosen = match &mut self.sampler {
            Some(sampler) => sampler.draw(&candidates.best)?,
            None => candidates.best.first().map(|&(token, x)| (token, (f64::from(x) - candidates.log_sum) as f32)),
        };
        let Some((token, score)) = chosen else {
            return if self.token_scores.is_empty() { Err(no_choice()) } else { Ok(false) };
        };
        self.history.push(token);
        self.token_scores.push(score);
        Ok(!options.eos.contains(&token) && self.token_scores.len() < options.max_new_tokens)
    }

    /// The hypothesis that ended with the last token; `cut` when that was forced on the model.
    fn end(self, cut: bool, options: &SearchOptions) -> Hypothesis {
        let truncated = cut || !options.eos.contains(&self.last());
        let tokens = self.history[options.start.len()..].to_vec();
        let sum = self.token_scores.iter().sum();
        let score = normalized(sum, tokens.len(), options.length_penalty);
        Hypothesis { tokens, score, token_scores: self.token_scores, truncated, missing: 0 }
    }
}
