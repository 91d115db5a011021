//! From a model that says what may come next to the sentences it most likely means.
//!
//! The loop, for all sentences (*items*) of a batch at once:
//!
//! 1. feed the start token, one row per item; get a row of logits for each (`Step::step`);
//! 2. write down what the rules change in each row: tokens banned, made less likely, forced (`logits`);
//! 3. take each row's best tokens and its sum of exponentials in one go (`kernels::topk`), and apply the
//!    changes to them;
//! 4. choose: the best token of each row (`greedy`), a token by chance (`sample`), or the best
//!    continuations of all rows of an item (`beam`); hypotheses that end are put aside;
//! 5. leave out the rows of finished items, and put those of beams in their new order (`Step::select`);
//! 6. feed the chosen tokens, one per row; go on at 2 until no row is left.
//!
//! Responsible for: tokens and scores equal to those of transformers 5.23's `generate`. Invariant: what an
//! item gets does not depend on the other items of its batch, in no bit. Items with terms that their target must
//! contain (`required`) are searched by beams of which each bank has its share; transformers has nothing like it.
//! Leaves to others: what a row of
//! logits is made from (`model`), and where the options come from (`engine`).

mod beam;
mod greedy;
mod logits;
mod options;
mod required;
mod sample;

use anyhow::{Result, ensure};
use candle_core::Tensor;

use crate::batch::TokenId;

pub use options::{EarlyStopping, Sampling, SearchOptions};
pub use required::{Edges, LEAST_BEAMS, Required};

/// All that a search knows of a model. A fresh one has one row per item.
pub trait Step {
    /// Feeds one token per row; the logits of the next token, `[rows, v]`, in the model's type on its device.
    ///
    /// # Errors
    /// When the model cannot compute them.
    fn step(&mut self, tokens: &[TokenId]) -> Result<Tensor>;

    /// Keeps these rows in this order; a row may repeat (beams) or be left out (finished).
    ///
    /// # Errors
    /// When the model cannot rearrange its state.
    fn select(&mut self, rows: &[usize]) -> Result<()>;
}

/// One sentence to find hypotheses for, as far as a search must know it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Item<'a> {
    /// Its source tokens, unpadded, for `encoder_no_repeat_ngram_size`.
    pub source: &'a [TokenId],
    /// Its place among all that the caller wants, in whatever batches: sampling draws by seed and place.
    pub place: u64,
    /// What its target must contain, if anything; needs beams.
    pub required: Option<Required<'a>>,
}

/// One way to go on from the start token to an end.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The new tokens: with the end-of-sentence token where there is one, without the start token.
    pub tokens: Vec<TokenId>,
    /// Sum of the token scores over length to the power of the length penalty. For beams this is what
    /// transformers calls `sequences_scores`.
    pub score: f32,
    /// The log-probability of each token after all rules, as the search added it up.
    pub token_scores: Vec<f32>,
    /// Whether the maximum ended it and not the model: there is no end-of-sentence token, or a rule forced
    /// one there that was not the token the model would have taken.
    pub truncated: bool,
    /// How many tokens of required terms it lacks.
    pub missing: usize,
}

/// Finds the hypotheses of each item, best first: `n_best` of them, or fewer where the rules leave no more.
///
/// # Errors
/// When the options have no meaning, name a token that the model does not have, or allow no token to begin with;
/// and when the model fails. Where they allow none later on, the hypothesis ends there, truncated.
pub fn search(model: &mut dyn Step, items: &[Item], options: &SearchOptions) -> Result<Vec<Vec<Hypothesis>>> {
    options.check()?;
    if items.is_empty() {
        return Ok(Vec::new());
    }
    ensure!(
        options.num_beams > 1 || items.iter().all(|item| item.required.is_none()),
        "required terms cannot be searched for with one beam\nhint: use {LEAST_BEAMS} beams"
    );
    let logits = prompt(model, items.len(), &options.start)?;
    check_vocabulary(&logits, options)?;
    if options.num_beams > 1 {
        beam::search(model, logits, items, options)
    } else {
        greedy::search(model, logits, items, options)
    }
}

/// Feeds the start tokens; the logits of the first new token, `[items, v]`.
fn prompt(model: &mut dyn Step, items: usize, start: &[TokenId]) -> Result<Tensor> {
    let mut logits = None;
    for &token in start {
        logits = Some(model.step(&vec![token; items])?);
    }
    logits
        .ok_or_else(|| anyhow::anyhow!("no decoder start token\nhint: set `decoder_start_token_id` in the checkpoint"))
}

fn check_vocabulary(logits: &Tensor, options: &SearchOptions) -> Result<()> {
    let (_, v) = logits.dims2()?;
    if let Some((name, token)) = options.highest_token() {
        ensure!(
            (token as usize) < v,
            "`{name}` names token {token}, but the model has {v} tokens\n\
             hint: the settings and the weights are of different checkpoints"
        );
    }
    Ok(())
}

/// Keeps these of the model's `rows` rows, in this order.
fn arrange(model: &mut dyn Step, kept: &[usize], rows: usize) -> Result<()> {
    if kept.iter().copied().eq(0..rows) { Ok(()) } else { model.select(kept) }
}

/// What a caller hears when the rules ban every first token.
fn no_choice() -> anyhow::Error {
    anyhow::anyhow!("the decoding rules leave no token to begin with\nhint: suppress or ban fewer tokens")
}

/// The score of a hypothesis of `length` new tokens whose scores add up to `sum`.
fn normalized(sum: f32, length: usize, length_penalty: f64) -> f32 {
    // The power in f64 and the division in f32, as transformers does.
    sum / (length as f64).powf(length_penalty) as f32
}
