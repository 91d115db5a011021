//! Everything that decides how the next tokens are chosen, as plain data.
//!
//! Responsible for: the options themselves, and refusing combinations that have no meaning. Names and
//! meanings are those of transformers' generation options, except where said. Invariant: options that
//! passed `check` are safe for any model. Where the values come from belongs to `engine`.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::batch::TokenId;
use crate::error::WithHint;

/// When a beam search of one sentence is over, once it has as many finished hypotheses as beams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EarlyStopping {
    /// At once.
    True,
    /// When the best open beam, at its present length, is not better than the worst finished one.
    #[default]
    False,
    /// When no open beam could become better than the worst finished one at any length.
    Never,
}

/// Draw each token by chance instead of taking the best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sampling {
    /// Logits are divided by this; above 0.
    pub temperature: f64,
    /// Draw from this many best tokens; 0 for all.
    pub top_k: usize,
    /// Draw from the fewest best tokens whose probabilities add up to this; 1 for all.
    pub top_p: f64,
    /// The same seed gives the same tokens.
    pub seed: u64,
}

/// All decoding options.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchOptions {
    /// Beams per sentence; 1 is greedy search, or sampling.
    pub num_beams: usize,
    /// Hypotheses wanted per sentence (`num_return_sequences`).
    pub n_best: usize,
    /// A hypothesis' score is divided by its length to this power: above 0 favours longer ones.
    pub length_penalty: f64,
    /// When a beam search is over.
    pub early_stopping: EarlyStopping,
    /// Most new tokens, the end-of-sentence token included (`max_new_tokens`). transformers' `max_length`
    /// counts the start token too: this is that less one.
    pub max_new_tokens: usize,
    /// No end while a hypothesis, start token included, is shorter than this.
    pub min_length: usize,
    /// No end before this many new tokens: the end-of-sentence token can be the next one after them.
    pub min_new_tokens: usize,
    /// No sequence of this many tokens occurs twice; 0 for no such rule. The start token counts.
    pub no_repeat_ngram_size: usize,
    /// No sequence of this many tokens is copied from the source; 0 for no such rule.
    pub encoder_no_repeat_ngram_size: usize,
    /// Tokens that occurred already, the start token among them, are made this many times less likely.
    pub repetition_penalty: f64,
    /// Token sequences that never occur.
    pub bad_words: Vec<Vec<TokenId>>,
    /// The first new token.
    pub forced_bos: Option<TokenId>,
    /// The last token, when the maximum is reached: one of these.
    pub forced_eos: Vec<TokenId>,
    /// Tokens that never occur; unlike bad words, not even when forced.
    pub suppress: Vec<TokenId>,
    /// Tokens that are not the first free one.
    pub begin_suppress: Vec<TokenId>,
    /// Make probabilities add up to 1 again after all rules.
    pub renormalize: bool,
    /// Tokens that end a hypothesis.
    pub eos: Vec<TokenId>,
    /// The padding token; nothing in the search depends on it.
    pub pad: Option<TokenId>,
    /// What the decoder is fed first; nearly always one token.
    pub start: Vec<TokenId>,
    /// Draw by chance; needs one beam.
    pub sampling: Option<Sampling>,
}

impl SearchOptions {
    /// Greedy search without any rule: transformers' class defaults for a model with these tokens.
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
    /// Names the option at fault and the remedy.
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

    /// The highest token that any rule names.
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
