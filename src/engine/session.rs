//! An engine told what is wanted from it: the settings are settled, texts become generations.
//!
//! Invariant: generations come in the order of their texts. What goes through the model when belongs to `decoding`.

use std::borrow::Cow;
use std::fmt;

use anyhow::{Context, Result};
use serde::Serialize;

use super::batching::Limits;
use super::decoding::{Line, Source, Waiting};
use super::settings::Settings;
use super::{Engine, GlobalAttention, Settled};
use crate::batch::TokenId;
use crate::search::{Divergence, Found, SearchOptions};
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
    /// Its place among the texts of the call.
    pub index: usize,
    /// Its tokens, specials included.
    pub tokens: usize,
    /// The most that the model takes.
    pub window: usize,
}

/// A text on its way into a model.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What its flow knows it by.
    pub key: usize,
    /// Its source tokens, as [`Session::encode`] gives them.
    pub tokens: Vec<TokenId>,
    /// With this it is generated as [`Session::generate_guarded`] does.
    pub guard: Option<Divergence>,
}

/// Texts of which more may come while others are under way, for [`Session::follow`].
pub trait Flow: Sync {
    /// How many wait now.
    fn waiting(&self) -> usize;

    /// The tokens of the longest that waits now.
    fn longest(&self) -> usize;

    /// The next ones, as many as `fits` (of a number of sources and the tokens of the longest) allows; none when none wait.
    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<Incoming>;

    /// What became of the one with a key.
    fn done(&self, key: usize, generation: Generation);
}

/// A flow on its way through a session.
struct Followed<'a> {
    session: &'a Session<'a>,
    flow: &'a dyn Flow,
}

impl<'r> Waiting<'r> for Followed<'_> {
    fn len(&self) -> usize {
        self.flow.waiting()
    }

    fn longest(&self) -> usize {
        self.flow.longest()
    }

    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Result<Vec<Source<'r>>> {
        let taken = self.flow.take(fits).into_iter();
        taken
            .map(|Incoming { key, tokens, guard }| {
                self.session.check_length(key, &tokens)?;
                self.session.engine.gauge.asked(tokens.len());
                Ok(Source { place: key, tokens, required: None, guard })
            })
            .collect()
    }

    fn done(&self, source: Source<'r>, found: Found) -> Result<()> {
        self.flow.done(source.place, self.session.generation(source.tokens.len(), found)?);
        Ok(())
    }
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

    /// One generation for each text, in their order. Any number of texts: they are sorted by length and
    /// batched.
    ///
    /// # Errors
    /// [`SourceTooLong`] when a text does not fit the model's positions; when the model or device fails.
    pub fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        let sources = texts.iter().map(|text| self.encode(text)).collect::<Result<Vec<_>>>()?;
        self.generate_tokens(sources)
    }

    /// As [`Self::generate`], from source tokens as they are.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_tokens(&self, sources: Vec<Vec<TokenId>>) -> Result<Vec<Generation>> {
        self.generate_sources(sources.into_iter().map(|tokens| (tokens, None)).collect())
    }

    fn generate_sources(&self, sources: Vec<(Vec<TokenId>, Option<Divergence>)>) -> Result<Vec<Generation>> {
        sources.iter().enumerate().try_for_each(|(index, (tokens, _))| self.check_length(index, tokens))?;
        let sources = sources.into_iter().enumerate();
        let sources = sources.map(|(place, (tokens, guard))| Source { place, tokens, required: None, guard });
        let made = self.search(sources, &self.settled.settings.options)?;
        made.into_iter().map(|(source_tokens, found)| self.generation(source_tokens, found)).collect()
    }

    /// Whether a guard against repetition makes a difference: not where the settings have one already, or draw by chance.
    #[must_use]
    pub fn can_guard(&self) -> bool {
        self.settled.settings.options.can_guard()
    }

    /// As [`Self::generate`], but no sequence of [`super::GUARD`] tokens occurs twice in a text; none where that makes no
    /// difference, see [`Self::can_guard`]. With each text comes the divergence of what this session made of it without a
    /// guard. If that is known, the search goes on from there; from the start it finds the same, but for the last digits of
    /// scores.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_guarded(&self, texts: &[(&str, &Divergence)]) -> Result<Option<Vec<Generation>>> {
        if !self.can_guard() {
            return Ok(None);
        }
        let source = |&(text, divergence): &(&str, &Divergence)| Ok((self.encode(text)?, Some(divergence.clone())));
        self.generate_sources(texts.iter().map(source).collect::<Result<_>>()?).map(Some)
    }

    /// Decodes what comes until nothing waits any more: a source enters as soon as there is room beside those under way
    /// (on a card, with the next batch). Each becomes what [`Self::generate`] makes of it; of outputs drawn by chance that is
    /// said only for texts of the same place.
    ///
    /// # Errors
    /// When a source is too long, or the model or device fails; what was taken and is not done is then lost.
    pub fn follow(&self, flow: &dyn Flow) -> Result<()> {
        let options = &self.settled.settings.options;
        let global = self.settled.global_attention;
        self.engine.decode(&Followed { session: self, flow }, options, &self.limits(options), global)
    }

    /// What is found for each source, in the order of their places, with the number of its tokens.
    pub(super) fn search<'r>(
        &self,
        sources: impl Iterator<Item = Source<'r>>,
        options: &'r SearchOptions,
    ) -> Result<Vec<(usize, Found)>> {
        let line = Line::new(sources.collect());
        self.engine.gauge.asked(line.source_tokens());
        self.engine.decode(&line, options, &self.limits(options), self.settled.global_attention)?;
        Ok(line.into_found())
    }

    fn check_length(&self, index: usize, source: &[TokenId]) -> Result<()> {
        match self.engine.model.spec().source_capacity() {
            Some(window) if source.len() > window => Err(SourceTooLong { index, tokens: source.len(), window }.into()),
            _ => Ok(()),
        }
    }

    fn limits(&self, options: &SearchOptions) -> Limits {
        let engine = self.engine;
        engine.room.limits(engine.model.spec(), engine.placement.dtype, options, self.batch_tokens)
    }

    pub(super) fn generation(&self, source_tokens: usize, found: Found) -> Result<Generation> {
        let (tokenizer, Found { hypotheses, divergence }) = (self.engine.tokenizer(), found);
        let decode = |tokens: &[TokenId]| match self.settled.clean_up {
            Some(clean_up) => tokenizer.decode_cleaning(tokens, clean_up),
            None => tokenizer.decode(tokens),
        };
        let candidates = if hypotheses.len() > 1 {
            hypotheses.iter().map(|h| Candidate { text: decode(&h.tokens), score: h.score }).collect()
        } else {
            Vec::new()
        };
        let best = hypotheses.into_iter().next().context("the search found no hypothesis")?;
        Ok(Generation {
            text: decode(&best.tokens),
            score: best.score,
            source_tokens,
            target_tokens: best.tokens.len(),
            truncated: best.truncated,
            token_scores: best.token_scores,
            tokens: best.tokens,
            hypotheses: candidates,
            divergence,
        })
    }
}
