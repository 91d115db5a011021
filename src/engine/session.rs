//! An engine told what is wanted from it: the settings are settled, texts become generations.
//!
//! Invariant: generations come in the order of their texts. What goes through the model when belongs to `decoding`.

use std::borrow::Cow;
use std::fmt;

use anyhow::Result;
use serde::Serialize;

use super::batching::Limits;
use super::decoding::{DecodeOptions, LongestFirst, Scheduler, Source};
use super::input::Input;
use super::settings::Settings;
use super::{Engine, GlobalAttention, Settled};
use crate::batch::TokenId;
use crate::search::{Divergence, Required, SearchOptions};
use crate::tokenizer::Languages;

/// An engine with everything settled that a request left open.
pub struct Session<'a> {
    pub(super) engine: &'a Engine,
    pub(super) settled: Settled,
    pub(super) batch_tokens: Option<usize>,
}

/// What a model made of one text.
#[derive(Clone, Debug, Default)]
pub struct Generation {
    /// The text.
    pub text: String,
    /// How likely the model finds it.
    pub score: f32,
    /// How many tokens the source has, specials included.
    pub source_tokens: usize,
    /// How many tokens the text has, the end included.
    pub target_tokens: usize,
    /// Whether it was cut at the longest length allowed.
    pub truncated: bool,
    /// The log-probability of each token.
    pub token_scores: Vec<f32>,
    /// The tokens.
    pub tokens: Vec<TokenId>,
    /// The best hypotheses, this one first, where more than one was asked for.
    pub hypotheses: Vec<Candidate>,
    /// How many tokens of required terms it lacks.
    pub missing: usize,
    /// Where a guard against repetition would first have made a difference.
    pub divergence: Divergence,
}

/// One of several generations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The text.
    #[serde(rename = "target")]
    pub text: String,
    /// How likely the model finds it.
    pub score: f32,
}

/// A source that is longer than the model's positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTooLong {
    /// Its key, which is its place among the inputs of a call.
    pub index: usize,
    /// Its tokens, specials included.
    pub tokens: usize,
    /// The most that the model takes.
    pub window: usize,
}

impl fmt::Display for SourceTooLong {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "the source has {} tokens, but the model takes {} at most\n\
             hint: split it; `kortom translate` does so by itself",
            self.tokens, self.window
        )
    }
}

impl std::error::Error for SourceTooLong {}

impl Session<'_> {
    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.engine
    }

    /// All that a request and the checkpoint settled.
    #[must_use]
    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    /// The decode settings in effect, with where they come from.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settled.settings
    }

    /// The languages in effect.
    #[must_use]
    pub fn languages(&self) -> &Languages {
        &self.settled.languages
    }

    /// Which tokens of a source see everything.
    #[must_use]
    pub fn global_attention(&self) -> GlobalAttention {
        self.settled.global_attention
    }

    /// What stands before every source.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.settled.prefix
    }

    /// The same, but every output has at least and at most so many new tokens, as far as the decoder's positions go.
    #[must_use]
    pub fn with_room(&self, least: usize, most: usize) -> Self {
        let mut settled = self.settled.clone();
        let start = settled.settings.options.start.len();
        let positions = self.engine.checkpoint.spec.target_capacity();
        let room = positions.map_or(most, |positions| (positions + 1).saturating_sub(start).min(most));
        settled.settings.take_room(least, room);
        Self { engine: self.engine, settled, batch_tokens: self.batch_tokens }
    }

    /// The fewest new tokens an output can have.
    #[must_use]
    pub fn least_tokens(&self) -> usize {
        let options = &self.settled.settings.options;
        options.min_new_tokens.max(options.min_length.saturating_sub(options.start.len()))
    }

    /// Whether so many sources, the longest of so many tokens, go through the model at once. Whoever has texts waiting can
    /// so give it one batch at a time.
    #[must_use]
    pub fn is_one_batch(&self, sources: usize, longest: usize) -> bool {
        self.limits(&self.settled.settings.options).fits(sources, longest)
    }

    /// The source tokens of a text, prefix and specials included.
    ///
    /// # Errors
    /// When the tokenizer cannot represent the text.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>> {
        let Settled { languages, prefix, .. } = &self.settled;
        let tokenizer = self.engine.tokenizer();
        if prefix.is_empty() {
            tokenizer.encode(text, languages)
        } else {
            tokenizer.encode(&format!("{prefix}{text}"), languages)
        }
    }

    /// As [`Self::encode`], but what is longer than the checkpoint's tokenizer allows is cut off before the specials that
    /// end a source, as transformers' `truncation=True` does.
    ///
    /// # Errors
    /// When the tokenizer cannot represent the text.
    pub fn encode_truncated(&self, text: &str) -> Result<Vec<TokenId>> {
        let mut tokens = self.encode(text)?;
        let end = self.settled.languages.source_suffix.len();
        if let Some(most) = self.engine.tokenizer().max_length().filter(|most| (end..tokens.len()).contains(most)) {
            tokens.drain(most - end..tokens.len() - end);
        }
        Ok(tokens)
    }

    /// A text with other signs for those that the vocabulary lacks, see [`crate::tokenizer::Tokenizer::spelled`].
    #[must_use]
    pub fn spelled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.engine.tokenizer().spelled(text)
    }

    /// What a generation says with what its text has in the place of tokens for what the vocabulary lacks, see
    /// [`crate::tokenizer::Tokenizer::decode_restoring`].
    #[must_use]
    pub fn restored(&self, text: &str, generation: &Generation) -> Option<String> {
        self.engine.tokenizer().decode_restoring(&generation.tokens, text)
    }

    /// One generation for each input, in their order. Any number of inputs: they are sorted by length and batched. Where a
    /// generation lacks one of its input's constraints, the input is searched again with beams for all of them; what is then
    /// still lacking is for the caller to see. When outputs are drawn by chance, constraints are left to chance.
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
        let mut generations = self.search(sources, &self.settled.settings.options, &[])?;
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
        self.search(sources.collect(), &self.settled.settings.options, &[])
    }

    /// Whether a guard against repetition makes a difference: not where the settings have one already, or draw by chance.
    #[must_use]
    pub fn can_guard(&self) -> bool {
        self.settled.settings.options.can_guard()
    }

    /// Decodes what a scheduler has until nothing waits there any more: a source enters as soon as there is room beside those
    /// in flight (on a GPU, with the next batch). Each becomes what [`Self::generate`] makes of it; of outputs drawn by chance
    /// that is said only for texts of the same place.
    ///
    /// # Errors
    /// When a source is too long, or the model or device fails; what was taken and is not done is then lost.
    pub fn run(&self, scheduler: &dyn Scheduler) -> Result<()> {
        let options = &self.settled.settings.options;
        self.engine.decode(scheduler, &self.decode_options(options, &[]))
    }

    /// The generation of each source, whose keys are their places; `required` is empty or says by key what the generation
    /// must contain.
    pub(super) fn search(
        &self,
        sources: Vec<Source>,
        options: &SearchOptions,
        required: &[Required],
    ) -> Result<Vec<Generation>> {
        sources.iter().try_for_each(|source| self.engine.check_length(source))?;
        let queue = LongestFirst::new(sources);
        self.engine.gauge.asked(queue.source_tokens());
        self.engine.decode(&queue, &self.decode_options(options, required))?;
        queue.into_generations()
    }

    fn decode_options<'r>(&self, search: &'r SearchOptions, required: &'r [Required<'r>]) -> DecodeOptions<'r> {
        let Settled { global_attention: global, clean_up, .. } = self.settled;
        DecodeOptions { search, required, global, clean_up, limits: self.limits(search) }
    }

    fn limits(&self, options: &SearchOptions) -> Limits {
        let engine = self.engine;
        engine.room.limits(engine.model.spec(), engine.placement.dtype, options, self.batch_tokens)
    }
}
