//! An engine with the resolved settings of a request: texts in, generations out.
//!
//! Invariant: generations come in the order of their texts. When each text goes through the model belongs to `decoding`.

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

/// An engine with a resolved request.
pub struct Session<'a> {
    pub(super) engine: &'a Engine,
    pub(super) resolved: ResolvedRequest,
    pub(super) batch_tokens: Option<usize>,
}

/// What a model made of one text.
#[derive(Clone, Debug, Default)]
pub struct Generation {
    /// The text.
    pub text: String,
    /// How likely the model finds the text.
    pub score: f32,
    /// How many tokens the source has, specials included.
    pub source_tokens: usize,
    /// How many tokens the text has, the end included.
    pub target_tokens: usize,
    /// Whether the text was cut at the longest length allowed.
    pub truncated: bool,
    /// The log-probability of each token.
    pub token_scores: Vec<f32>,
    /// The generated tokens.
    pub tokens: Vec<TokenId>,
    /// The best hypotheses, this one first, where more than one was requested.
    pub hypotheses: Vec<Alternative>,
    /// How many tokens of required terms the generation lacks.
    pub missing: usize,
    /// Where a search with a guard against repetition resumes this one.
    pub resume_point: ResumePoint,
}

/// One of the n best generations of a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    /// The text.
    #[serde(rename = "target")]
    pub text: String,
    /// How likely the model finds the text.
    pub score: f32,
}

/// A source that is longer than the model's positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTooLong {
    /// The source's key, which is its index among the inputs of a call.
    pub index: usize,
    /// How many tokens the source has, specials included.
    pub tokens: usize,
    /// The most tokens that the model takes.
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

    /// The request with everything that the checkpoint decided.
    #[must_use]
    pub fn resolved(&self) -> &ResolvedRequest {
        &self.resolved
    }

    /// The decode settings in effect, with where they come from.
    #[must_use]
    pub fn settings(&self) -> &DecodeSettings {
        &self.resolved.settings
    }

    /// The languages in effect.
    #[must_use]
    pub fn languages(&self) -> &LanguageTokens {
        &self.resolved.languages
    }

    /// Which source tokens have global attention.
    #[must_use]
    pub fn global_attention(&self) -> GlobalAttention {
        self.resolved.global_attention
    }

    /// What stands before every source.
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

    /// The fewest new tokens an output can have.
    #[must_use]
    pub fn least_tokens(&self) -> usize {
        let options = &self.resolved.settings.options;
        options.min_new_tokens.max(options.min_length.saturating_sub(options.start.len()))
    }

    /// Whether `sources` sources, the longest of `longest` tokens, go through the model at once. A caller with waiting texts
    /// can use it to give one batch at a time.
    #[must_use]
    pub fn is_one_batch(&self, sources: usize, longest: usize) -> bool {
        self.limits(&self.resolved.settings.options).fits(sources, longest)
    }

    /// The source tokens of a text, prefix and specials included.
    ///
    /// # Errors
    /// When the tokenizer cannot represent the text.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>> {
        let ResolvedRequest { languages, prefix, .. } = &self.resolved;
        let tokenizer = self.engine.tokenizer();
        if prefix.is_empty() {
            tokenizer.encode(text, languages)
        } else {
            tokenizer.encode(&format!("{prefix}{text}"), languages)
        }
    }

    /// The source tokens of a text. What is longer than the checkpoint's tokenizer allows is cut off before the specials that
    /// end a source, as transformers' `truncation=True` does.
    ///
    /// # Errors
    /// When the tokenizer cannot represent the text.
    pub fn encode_truncated(&self, text: &str) -> Result<Vec<TokenId>> {
        let mut tokens = self.encode(text)?;
        let end = self.resolved.languages.source_suffix.len();
        if let Some(most) = self.engine.tokenizer().max_length().filter(|most| (end..tokens.len()).contains(most)) {
            tokens.drain(most - end..tokens.len() - end);
        }
        Ok(tokens)
    }

    /// A text with substitutes for characters that the vocabulary lacks, see [`crate::tokenizer::Tokenizer::substituted`].
    #[must_use]
    pub fn substituted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.engine.tokenizer().substituted(text)
    }

    /// A generation's text in which unknown tokens are replaced by what its source has there, see
    /// [`crate::tokenizer::Tokenizer::decode_copying_unknowns`].
    #[must_use]
    pub fn with_unknowns_copied(&self, text: &str, generation: &Generation) -> Option<String> {
        self.engine.tokenizer().decode_copying_unknowns(&generation.tokens, text)
    }

    /// One generation for each input, in their order. There may be any number of inputs: they are sorted by length and batched.
    /// Where a generation lacks one of its input's constraints, a second search with beams looks for all of them; the caller
    /// checks what is lacking then. When outputs are drawn by chance, constraints have no effect.
    ///
    /// # Errors
    /// [`SourceTooLong`] when a text does not fit the model's positions; when the model or device fails.
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

    /// One generation for each source, in their order, from source tokens as they are.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_tokens(&self, sources: Vec<Vec<TokenId>>) -> Result<Vec<Generation>> {
        let sources = sources.into_iter().enumerate().map(|(key, tokens)| Source { key, tokens, guard: None });
        self.search(sources.collect(), &self.resolved.settings.options, &[])
    }

    /// Whether a guard against repetition makes a difference: not where the settings have one already, or draw by chance.
    #[must_use]
    pub fn can_guard(&self) -> bool {
        self.resolved.settings.options.can_guard()
    }

    /// Decodes the sources of a scheduler until none waits: a source is admitted as soon as there is room beside the running ones
    /// (on a GPU, with the next batch). Its generation is that of [`Self::generate`]; for outputs drawn by chance, only where its
    /// key is its index there.
    ///
    /// # Errors
    /// When a source is too long, or the model or device fails; what was taken and is not done is then lost.
    pub fn run(&self, scheduler: &dyn Scheduler) -> Result<()> {
        let options = &self.resolved.settings.options;
        self.engine.decode(scheduler, &self.decode_options(options, &[]))
    }

    /// The generation of each source, whose keys are their indices; `required` is empty or says by key what the generation
    /// must contain.
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

    fn limits(&self, options: &SearchOptions) -> BatchLimits {
        let engine = self.engine;
        engine.budget.limits(engine.model.spec(), engine.placement.dtype, options, self.batch_tokens)
    }
}
