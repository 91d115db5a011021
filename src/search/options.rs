//! The decoding options, as plain data.
//!
//! Responsible for the options themselves, and for refusing combinations that have no meaning. Names and meanings are
//! those of transformers' generation options, except where stated. Invariant: options that pass [`SearchOptions::check`]
//! are safe for any model. Where the values come from belongs to `engine`.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::batch::TokenId;
use crate::error::WithHint;

/// When the beam search of a sentence ends, once there are as many finished hypotheses as beams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EarlyStopping {
    /// At once.
    True,
    /// When the best running beam, at its current length, is not better than the worst finished hypothesis.
    #[default]
    False,
    /// When no running beam could become better than the worst finished hypothesis at any length.
    Never,
}

/// Options of sampling: each token is drawn at random instead of taking the best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sampling {
    /// Divisor of the logits, above 0.
    pub temperature: f64,
    /// Number of best tokens to draw from; 0: all.
    pub top_k: usize,
    /// Draw from the smallest set of best tokens whose probabilities add up to this; 1: all.
    pub top_p: f64,
    /// Seed of the random numbers: the same seed gives the same tokens.
    pub seed: u64,
}

/// All decoding options.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchOptions {
    /// Number of beams per sentence; 1 is greedy search, or sampling.
    pub num_beams: usize,
    /// Number of hypotheses to return per sentence (`num_return_sequences`).
    pub n_best: usize,
    /// A hypothesis' score is its sum divided by its length to this power; above 0 favours longer ones.
    pub length_penalty: f64,
    /// When a beam search ends.
    pub early_stopping: EarlyStopping,
    /// The most new tokens, the end-of-sentence token included (`max_new_tokens`). transformers' `max_length` counts the
    /// start token too, so it is one more.
    pub max_new_tokens: usize,
    /// The fewest tokens of a hypothesis, start token included; before that it cannot end.
    pub min_length: usize,
    /// The fewest new tokens of a hypothesis, end-of-sentence token not included; before that it cannot end.
    pub min_new_tokens: usize,
    /// Length of token sequences that must not occur twice, start token included; 0: no such rule.
    pub no_repeat_ngram_size: usize,
    /// Length of token sequences that must not be copied from the source; 0: no such rule.
    pub encoder_no_repeat_ngram_size: usize,
    /// Factor by which tokens that have occurred, the start token included, are made less likely.
    pub repetition_penalty: f64,
    /// Token sequences that must not occur.
    pub bad_words: Vec<Vec<TokenId>>,
    /// Token that must be the first new one.
    pub forced_bos: Option<TokenId>,
    /// Tokens of which one must be the last when the maximum length is reached.
    pub forced_eos: Vec<TokenId>,
    /// Tokens that must not occur; unlike bad words, not even when forced.
    pub suppress: Vec<TokenId>,
    /// Tokens that must not be the first unforced one.
    pub begin_suppress: Vec<TokenId>,
    /// Whether probabilities are renormalised after all rules.
    pub renormalize: bool,
    /// Tokens that end a hypothesis.
    pub eos: Vec<TokenId>,
    /// The padding token; nothing in the search depends on it.
    pub pad: Option<TokenId>,
    /// Tokens that the decoder is fed first; nearly always one.
    pub start: Vec<TokenId>,
    /// Options of sampling; needs one beam. `None`: tokens are not drawn at random.
    pub sampling: Option<Sampling>,
}

impl SearchOptions {
    /// Greedy search without any rule: transformers' class defaults, for a model with these tokens.
    #[must_use]
    pub fn greedy(start: TokenId, eos: TokenId, max_new_tokens: usize) -> Self {
        Self {
            num_beams: 1,
            n_best: 1,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::False,
            max_new_tokens,
            min_length: 0,
            min_new_tokens: 0,
            no_repeat_ngram_size: 0,
            encoder_no_repeat_ngram_size: 0,
            repetition_penalty: 1.0,
            bad_words: Vec::new(),
            forced_bos: None,
            forced_eos: Vec::new(),
            suppress: Vec::new(),
            begin_suppress: Vec::new(),
            renormalize: false,
            eos: vec![eos],
            pad: None,
            start: vec![start],
            sampling: None,
        }
    }

    /// Refuses values and combinations that have no meaning.
    ///
    /// # Errors
    /// The error names the option at fault and the remedy.
    pub fn check(&self) -> Result<()> {
        ensure!(self.num_beams > 0, "`num_beams` is 0".with_hint("1 is greedy search"));
        ensure!(self.max_new_tokens > 0, "`max_new_tokens` is 0".with_hint("allow one new token at least"));
        ensure!(
            !self.start.is_empty(),
            "no decoder start token".with_hint("set `decoder_start_token_id` in the checkpoint")
        );
        ensure!(
            self.length_penalty.is_finite(),
            format!("`length_penalty` is {}", self.length_penalty).with_hint("give a number")
        );
        ensure!(
            self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0,
            format!("`repetition_penalty` is {}", self.repetition_penalty).with_hint("it must be above 0; 1 is none")
        );
        ensure!(
            self.bad_words.iter().all(|word| !word.is_empty()),
            "`bad_words_ids` has an empty sequence".with_hint("remove it")
        );
        self.check_forced()?;
        self.check_sampling()?;
        self.check_n_best()
    }

    /// The highest token that any rule names, with the name of the option.
    pub(super) fn highest_token(&self) -> Option<(&'static str, TokenId)> {
        let bad: Vec<TokenId> = self.bad_words.concat();
        let forced_bos: Vec<TokenId> = self.forced_bos.into_iter().collect();
        let named = [
            ("bad_words_ids", &bad),
            ("forced_bos_token_id", &forced_bos),
            ("forced_eos_token_id", &self.forced_eos),
            ("decoder_start_token_id", &self.start),
        ];
        named.into_iter().filter_map(|(name, tokens)| Some((name, *tokens.iter().max()?))).max_by_key(|named| named.1)
    }

    fn check_forced(&self) -> Result<()> {
        let lost = |forced: &[TokenId]| !forced.is_empty() && forced.iter().all(|token| self.suppress.contains(token));
        ensure!(
            !lost(self.forced_bos.as_slice()) && !lost(&self.forced_eos),
            "every forced token is also in `suppress_tokens`".with_hint("remove it from one of the two")
        );
        Ok(())
    }

    fn check_sampling(&self) -> Result<()> {
        let Some(sampling) = self.sampling else { return Ok(()) };
        ensure!(
            sampling.temperature.is_finite() && sampling.temperature > 0.0,
            format!("`temperature` is {}", sampling.temperature)
                .with_hint("it must be above 0; leave sampling out for the likeliest tokens")
        );
        ensure!(
            (0.0..=1.0).contains(&sampling.top_p),
            format!("`top_p` is {}", sampling.top_p).with_hint("it must be between 0 and 1")
        );
        ensure!(
            self.num_beams == 1,
            format!("sampling with {} beams is not supported", self.num_beams).with_hint("use one beam")
        );
        Ok(())
    }

    fn check_n_best(&self) -> Result<()> {
        ensure!(self.n_best > 0, "`num_return_sequences` is 0".with_hint("ask for one hypothesis at least"));
        if self.sampling.is_some() || self.n_best <= self.num_beams {
            return Ok(());
        }
        if self.num_beams == 1 {
            bail!(
                format!("greedy search finds one hypothesis, not {}", self.n_best)
                    .with_hint("use more beams, or sampling")
            );
        }
        bail!(
            format!("{} beams cannot give {} hypotheses", self.num_beams, self.n_best)
                .with_hint(format!("use {} beams or more", self.n_best))
        )
    }
}
