//! A session: an engine with the resolved settings of a request, from texts to generations.
//!
//! Invariant: generations come in the order of their texts. When each text goes through the model is decided in
//! `decoding`.

use std::borrow::Cow;
use std::fmt;

use anyhow::Result;
use serde::Serialize;

use super::batching::BatchLimits;
use super::decoding::{LongestFirst, RunOptions, Scheduler, Source};
use super::input::Input;
use super::settings::DecodeSettings;
use super::{Engine, GlobalAttention, ResolvedRequest};
use crate::batch::TokenId;
use crate::error::{Error, ErrorKind};
use crate::search::{Required, ResumePoint, SearchOptions};
use crate::tokenizer::LanguageTokens;

/// An engine with a resolved request, ready to generate.
pub struct Session<'a> {
    pub(super) engine: &'a Engine,
    pub(super) resolved: ResolvedRequest,
    pub(super) batch_tokens: Option<usize>,
}

/// The output of a model for one text.
#[derive(Clone, Debug, Default)]
pub struct Generation {
    /// The generated text.
    pub text: String,
    /// The score of the best hypothesis: the sum of its token scores, divided by its length to the power of the length
    /// penalty.
    pub score: f32,
    /// Number of tokens of the source, special ones included.
    pub source_tokens: usize,
    /// Number of tokens of the generated text, the end included.
    pub target_tokens: usize,
    /// Whether the text was cut at the maximum length.
    pub truncated: bool,
    /// The log-probability of each generated token.
    pub token_scores: Vec<f32>,
    /// The generated tokens.
    pub tokens: Vec<TokenId>,
    /// The best hypotheses, this one first, if more than one was requested.
    pub hypotheses: Vec<Alternative>,
    /// Number of tokens of required terms that the generation lacks.
    pub missing: usize,
    /// The step at which a search with a guard against repetition resumes this one.
    pub resume_point: ResumePoint,
}

/// One of the n best generations of a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    /// The generated text.
    #[serde(rename = "target")]
    pub text: String,
    /// The score of the hypothesis.
    pub score: f32,
}

/// The error for a source that is longer than the model's positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTooLong {
    /// The source's key, which is its index among the inputs of a call.
    pub index: usize,
    /// Number of tokens of the source, special ones included.
    pub tokens: usize,
    /// The most tokens that the model can take.
    pub window: usize,
}

impl fmt::Display for SourceTooLong {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "the source has {} tokens, but the model takes {} at most", self.tokens, self.window)
    }
}

impl std::error::Error for SourceTooLong {}

impl From<SourceTooLong> for Error {
    fn from(error: SourceTooLong) -> Self {
        let hint = "split it; `kortom translate` does so by itself";
        Self::typed(error, hint.to_owned(), ErrorKind::Input)
    }
}

impl Session<'_> {
    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.engine
    }

    /// The resolved request: everything that was left open is decided.
    #[must_use]
    pub fn resolved(&self) -> &ResolvedRequest {
        &self.resolved
    }

    /// The decode settings in effect, with the origin of each.
    #[must_use]
    pub fn settings(&self) -> &DecodeSettings {
        &self.resolved.settings
    }

    /// The tokens of the languages in effect.
    #[must_use]
    pub fn language_tokens(&self) -> &LanguageTokens {
        &self.resolved.language_tokens
    }

    /// Which source tokens have global attention.
    #[must_use]
    pub fn global_attention(&self) -> GlobalAttention {
        self.resolved.global_attention
    }

    /// Text before every source.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.resolved.prefix
    }

    /// A session whose outputs have `least` to `most` new tokens each, as far as the decoder's positions allow.
    #[must_use]
    pub fn with_length_limits(&self, least: usize, most: usize) -> Self {
        let mut resolved = self.resolved.clone();
        let start = resolved.settings.options.start.len();
        let positions = self.engine.checkpoint.spec.target_capacity();
        let most_possible = positions.map_or(most, |positions| (positions + 1).saturating_sub(start).min(most));
        resolved.settings.set_length_limits(least, most_possible);
        Self { engine: self.engine, resolved, batch_tokens: self.batch_tokens }
    }

    /// The fewest new tokens that an output can have.
    #[must_use]
    pub fn least_tokens(&self) -> usize {
        let options = &self.resolved.settings.options;
        options.min_new_tokens.max(options.min_length.saturating_sub(options.start.len()))
    }

    /// Whether `sources` sources, the longest of `longest` tokens, go through the model as one batch. A caller with many
    /// texts can use this to pass one batch at a time.
    #[must_use]
    pub fn is_one_batch(&self, sources: usize, longest: usize) -> bool {
        self.limits(&self.resolved.settings.options).fits(sources, longest)
    }

    /// The source tokens of a text, with prefix and special tokens.
    ///
    /// # Errors
    /// When the tokenizer cannot represent the text.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>> {
        let ResolvedRequest { language_tokens, prefix, .. } = &self.resolved;
        let tokenizer = self.engine.tokenizer();
        if prefix.is_empty() {
            tokenizer.encode(text, language_tokens)
        } else {
            tokenizer.encode(&format!("{prefix}{text}"), language_tokens)
        }
    }

    /// The source tokens of a text, cut to the length that the checkpoint's tokenizer allows. Tokens are cut before the
    /// special ones at the end, as by transformers' `truncation=True`.
    ///
    /// # Errors
    /// When the tokenizer cannot represent the text.
    pub fn encode_truncated(&self, text: &str) -> Result<Vec<TokenId>> {
        let mut tokens = self.encode(text)?;
        let end = self.resolved.language_tokens.source_suffix.len();
        if let Some(most) = self.engine.tokenizer().max_length().filter(|most| (end..tokens.len()).contains(most)) {
            tokens.drain(most - end..tokens.len() - end);
        }
        Ok(tokens)
    }

    /// A text in which characters that the vocabulary lacks are replaced by similar ones, see
    /// [`crate::tokenizer::Tokenizer::substituted`].
    #[must_use]
    pub fn substituted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.engine.tokenizer().substituted(text)
    }

    /// A generation's text in which unknown tokens are replaced by what the source `text` has in their place, see
    /// [`crate::tokenizer::Tokenizer::decode_copying_unknowns`].
    #[must_use]
    pub fn with_unknowns_copied(&self, text: &str, generation: &Generation) -> Option<String> {
        self.engine.tokenizer().decode_copying_unknowns(&generation.tokens, text)
    }

    /// Generates one text for each input, in their order. There may be any number of inputs: they are sorted by length
    /// and batched. If a generation lacks one of its input's constraints, a second search with beams tries to place all
    /// of them. The caller must check what is still missing. With sampling, constraints have no effect.
    ///
    /// # Errors
    /// [`SourceTooLong`] when a text exceeds the model's positions; others when the model or device fails.
    pub fn generate<'i, I: Copy + Into<Input<'i>>>(&self, inputs: &[I]) -> Result<Vec<Generation>> {
        let inputs: Vec<Input> = inputs.iter().map(|&input| input.into()).collect();
        let guards = self.can_guard();
        let source = |(key, input): (usize, &Input)| {
            let guard = input.guard.filter(|_| guards).cloned();
            Ok(Source { key, tokens: self.encode(input.text)?, guard })
        };
        let sources = inputs.iter().enumerate().map(source).collect::<Result<_>>()?;
        let mut generations = self.search(sources, &self.resolved.settings.options, &[])?;
        if inputs.iter().any(|input| !input.constraints.is_empty()) {
            self.constrain(&inputs, &mut generations)?;
        }
        Ok(generations)
    }

    /// Generates one text for each source, in their order, from source tokens as they are.
    ///
    /// # Errors
    /// [`SourceTooLong`] when a source exceeds the model's positions; others when the model or device fails.
    pub fn generate_tokens(&self, sources: Vec<Vec<TokenId>>) -> Result<Vec<Generation>> {
        let sources = sources.into_iter().enumerate().map(|(key, tokens)| Source { key, tokens, guard: None });
        self.search(sources.collect(), &self.resolved.settings.options, &[])
    }

    /// Whether a guard against repetition can change a generation: not if the settings include one already, and not with
    /// sampling.
    #[must_use]
    pub fn can_guard(&self) -> bool {
        self.resolved.settings.options.can_guard()
    }

    /// Decodes the sources of a scheduler until none waits. On the CPU a source is admitted as soon as there is room
    /// beside the running ones, on a GPU with the next batch. Its generation equals that of [`Self::generate`]; with
    /// sampling, only if its key equals its index there.
    ///
    /// # Errors
    /// When a source is too long, or the model or device fails; sources that were taken but are not done are lost.
    pub fn run(&self, scheduler: &dyn Scheduler) -> Result<()> {
        let options = &self.resolved.settings.options;
        self.engine.decode(scheduler, &self.decode_options(options, &[]))
    }

    /// The generation of each source; keys of sources are their indices. `required` is empty, or lists by key what the
    /// generation must contain.
    pub(super) fn search(
        &self,
        sources: Vec<Source>,
        options: &SearchOptions,
        required: &[Required],
    ) -> Result<Vec<Generation>> {
        sources.iter().try_for_each(|source| self.engine.check_length(source))?;
        let queue = LongestFirst::new(sources);
        self.engine.stats.asked(queue.source_tokens());
        self.engine.decode(&queue, &self.decode_options(options, required))?;
        queue.into_generations()
    }

    fn decode_options<'r>(&self, search: &'r SearchOptions, required: &'r [Required<'r>]) -> RunOptions<'r> {
        let ResolvedRequest { global_attention: global, clean_up, .. } = self.resolved;
        RunOptions { search, required, global, clean_up, limits: self.limits(search) }
    }

    pub(super) fn limits(&self, options: &SearchOptions) -> BatchLimits {
        let engine = self.engine;
        engine.budget.limits(engine.model.spec(), engine.placement.dtype, options, self.batch_tokens)
    }
}
