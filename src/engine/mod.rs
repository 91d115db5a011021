//! Texts to texts with one model: tokenizer, batches, encoder, search, and back.
//!
//! Invariant: what a text becomes does not depend on the texts beside it, their number or their order (on a card, but
//! for the rounding of sums). A source that the model cannot take is an error, never cut. How articles are divided into texts belongs to
//! `translate` and `summarize`.

mod batching;
mod checkpoint;
mod required;
pub mod settings;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use candle_core::Tensor;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::batch::{Batch, TokenId};
use crate::device::Placement;
use crate::files::ModelFiles;
use crate::model::{DecoderState, Seq2Seq, Weights};
use crate::search::{self, Edges, Item, Required, SearchOptions, Step};
use crate::tokenizer::{Languages, Tokenizer};

pub use checkpoint::{Checkpoint, Settled};

use batching::{Limits, Room};
use settings::{Caller, Overrides, Settings};

/// Rows with which one thread is busier computing than reading weights.
const ROWS_PER_THREAD: usize = 12;

/// Where a model repeats itself, sequences of so many tokens are kept from occurring twice.
pub const GUARD: usize = 3;

/// A loaded checkpoint.
pub struct Engine {
    checkpoint: Checkpoint,
    model: Seq2Seq,
    parameters: usize,
    placement: Placement,
    room: Room,
    load: Duration,
    gauge: Gauge,
    /// Where words may begin and end, once anybody asks.
    edges: OnceLock<Edges>,
}

/// Where the time went so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// Loading the model.
    pub load: Duration,
    /// Computing memories of sources.
    pub encode: Duration,
    /// Everything between a memory and its text.
    pub decode: Duration,
    /// Source tokens encoded, specials included, padding not.
    pub source_tokens: usize,
    /// Tokens of the texts that came out, n-best alternatives not counted.
    pub generated_tokens: usize,
    /// Texts.
    pub texts: usize,
    /// Source tokens of all that was asked for so far, done or not.
    pub asked_tokens: usize,
    /// Source tokens of the batch under way.
    pub batch_tokens: usize,
    /// Tokens generated for the batch under way; not yet among the others.
    pub pending_tokens: usize,
}

impl Work {
    /// Source tokens that are dealt with. Of the batch under way that is a guess, from the tokens generated for it.
    #[must_use]
    pub fn progress(&self) -> usize {
        self.source_tokens + self.pending_tokens.min(self.batch_tokens - self.batch_tokens / 16)
    }

    /// Tokens that were generated, those of the batch under way too.
    #[must_use]
    pub fn generated(&self) -> usize {
        self.generated_tokens + self.pending_tokens
    }
}

/// The work of an engine, to be read from another thread while it goes on.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Mutex<Work>>);

impl Gauge {
    /// Where the time went so far, and how far the work is.
    #[must_use]
    pub fn read(&self) -> Work {
        *self.work()
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What somebody wants from a model; everything left out is settled by the checkpoint.
#[derive(Clone, Debug)]
pub struct Request {
    /// From the command line.
    pub flags: Overrides,
    /// From the user's config file.
    pub user: Overrides,
    /// The catalogue's settings of an alias.
    pub catalogue: Option<Value>,
    /// A task of `task_specific_params`, such as `summarization`.
    pub task: Option<String>,
    /// Who decodes.
    pub caller: Caller,
    /// Language of the source.
    pub from: Option<String>,
    /// Language of the target.
    pub to: Option<String>,
    /// Text before every source; `None` takes that of the task, if it has one.
    pub prefix: Option<String>,
    /// Padded source tokens per batch; `None` takes what suits the device.
    pub batch_tokens: Option<usize>,
}

impl Request {
    /// Nothing but the checkpoint's own settings.
    #[must_use]
    pub fn new(caller: Caller) -> Self {
        Self {
            flags: Overrides::default(),
            user: Overrides::default(),
            catalogue: None,
            task: None,
            caller,
            from: None,
            to: None,
            prefix: None,
            batch_tokens: None,
        }
    }
}

/// An engine with everything settled that a request left open.
pub struct Session<'a> {
    engine: &'a Engine,
    settled: Settled,
    batch_tokens: Option<usize>,
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

impl Engine {
    /// Loads a checkpoint as it lies.
    ///
    /// # Errors
    /// When a file is missing, damaged, or of another model than its neighbours.
    pub fn load(files: &ModelFiles, placement: &Placement) -> Result<Self> {
        let begin = Instant::now();
        let checkpoint = Checkpoint::open(files)?;
        let loaded = || -> Result<_> {
            let weights = Weights::open(files)?;
            let spec = checkpoint.spec.clone();
            let placement = if spec.wide_range { placement.with_wide_range()? } else { placement.clone() };
            let model = if placement.int8 {
                Seq2Seq::load_int8(spec, &weights, stored(files, &placement).as_deref())?
            } else {
                Seq2Seq::load(spec, &weights, &placement.device, placement.dtype)?
            };
            Ok((model, weights.parameters(), placement))
        };
        let (model, parameters, placement) =
            loaded().with_context(|| format!("cannot load the model `{}`", files.name()))?;
        let room = Room::on(&placement.device);
        Ok(Self {
            checkpoint,
            model,
            parameters,
            room,
            placement,
            load: begin.elapsed(),
            gauge: Gauge::default(),
            edges: OnceLock::new(),
        })
    }

    /// `name@revision`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.checkpoint.name
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.checkpoint.tokenizer
    }

    /// The transformer.
    #[must_use]
    pub fn model(&self) -> &Seq2Seq {
        &self.model
    }

    /// Where and in which type it computes; not always what was asked for, see [`Placement::with_wide_range`].
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// What has to be said about the work since the last time, a line each.
    #[must_use]
    pub fn take_notices(&self) -> Vec<String> {
        self.room.take_notices()
    }

    /// Parameters in the weights' files.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Most source tokens, specials included, that the model was made for.
    #[must_use]
    pub fn window(&self) -> usize {
        self.checkpoint.window()
    }

    /// Where the time went so far.
    #[must_use]
    pub fn work(&self) -> Work {
        Work { load: self.load, ..self.gauge.read() }
    }

    /// The same for another thread, while this one generates.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }

    /// Settles a request.
    ///
    /// # Errors
    /// When a setting is impossible, or the model does not know a language.
    pub fn session(&self, request: &Request) -> Result<Session<'_>> {
        let settled = self.checkpoint.settle(request)?;
        Ok(Session { engine: self, settled, batch_tokens: request.batch_tokens })
    }

    /// The sentences that each thread decodes on its own: it then waits for no other. Only on the CPU, and
    /// where every part has rows enough that computing, not reading the weights, takes the time.
    fn parts(&self, sentences: usize, rows: usize) -> Vec<Range<usize>> {
        let threads = if self.model.device().is_cpu() { rayon::current_num_threads() } else { 1 };
        let parts = (rows / ROWS_PER_THREAD).clamp(1, threads).min(sentences.max(1));
        (0..parts).map(|part| part * sentences / parts..(part + 1) * sentences / parts).collect()
    }

    fn begin_batch(&self, source_tokens: usize) {
        let mut work = self.gauge.work();
        (work.batch_tokens, work.pending_tokens) = (source_tokens, 0);
    }

    /// The name of the checkpoint's settings for a task: those for this language where it has some.
    #[must_use]
    pub fn task(&self, name: &str, language: &str) -> String {
        self.checkpoint.task(name, language)
    }

    /// The hypotheses of each sequence of a batch; `required` says by its place what one must contain.
    fn decode_batch<'r>(
        &self,
        batch: &Batch,
        options: &SearchOptions,
        required: &dyn Fn(usize) -> Option<Required<'r>>,
    ) -> Result<Vec<Vec<search::Hypothesis>>> {
        let begin = Instant::now();
        let source_tokens = batch.ids.iter().map(Vec::len).sum();
        self.begin_batch(source_tokens);
        let memory = self.model.encode(batch)?;
        let encoded = Instant::now();
        let items = batch.ids.iter().zip(&batch.order);
        let items: Vec<Item> =
            items.map(|(ids, &place)| Item { source: ids, place: place as u64, required: required(place) }).collect();
        let parts = self.parts(items.len(), items.len() * options.num_beams);
        let decode = |sentences: Range<usize>| {
            let state = self.model.start(&memory.part(sentences.clone())?)?;
            let mut decoding = Decoding { model: &self.model, state, gauge: &self.gauge, beams: options.num_beams };
            search::search(&mut decoding, &items[sentences], options)
        };
        let found = parts.into_par_iter().map(decode).collect::<Result<Vec<_>>>()?.concat();
        let mut work = self.gauge.work();
        (work.batch_tokens, work.pending_tokens) = (0, 0);
        work.encode += encoded - begin;
        work.decode += encoded.elapsed();
        work.source_tokens += source_tokens;
        work.generated_tokens +=
            found.iter().filter_map(|best| best.first()).map(|best| best.tokens.len()).sum::<usize>();
        work.texts += items.len();
        Ok(found)
    }
}

impl Session<'_> {
    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.engine
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
        let positions = self.engine.checkpoint.spec.capacity();
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
        self.decode(sources, &self.settled.settings.options)
    }

    /// As [`Self::generate`], but no sequence of [`GUARD`] tokens occurs twice in a text; none where the
    /// settings say so already, or draw by chance.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_guarded(&self, texts: &[&str]) -> Result<Option<Vec<Generation>>> {
        let options = &self.settled.settings.options;
        if (1..=GUARD).contains(&options.no_repeat_ngram_size) || options.sampling.is_some() {
            return Ok(None);
        }
        let sources = texts.iter().map(|text| self.encode(text)).collect::<Result<Vec<_>>>()?;
        let guarded = SearchOptions { no_repeat_ngram_size: GUARD, ..options.clone() };
        self.decode(sources, &guarded).map(Some)
    }

    fn decode(&self, sources: Vec<Vec<TokenId>>, options: &SearchOptions) -> Result<Vec<Generation>> {
        if let Some(window) = self.engine.model.spec().capacity()
            && let Some(index) = sources.iter().position(|source| source.len() > window)
        {
            return Err(SourceTooLong { index, tokens: sources[index].len(), window }.into());
        }
        let mut generations = vec![Generation::default(); sources.len()];
        self.search(sources, options, &|_| None, |place, source_tokens, hypotheses| {
            generations[place] = self.generation(source_tokens, hypotheses)?;
            Ok(())
        })?;
        Ok(generations)
    }

    /// The hypotheses of each source, given to `take` with the source's place and its tokens.
    fn search<'r>(
        &self,
        sources: Vec<Vec<TokenId>>,
        options: &SearchOptions,
        required: &dyn Fn(usize) -> Option<Required<'r>>,
        mut take: impl FnMut(usize, usize, Vec<search::Hypothesis>) -> Result<()>,
    ) -> Result<()> {
        let engine = self.engine;
        engine.gauge.work().asked_tokens += sources.iter().map(Vec::len).sum::<usize>();
        let limits = self.limits(options);
        let decode = |batch: &Batch| engine.decode_batch(batch, options, required);
        engine.room.each_batch(sources, &limits, decode, |batch, found| {
            for ((place, source), hypotheses) in batch.order.iter().zip(&batch.ids).zip(found) {
                take(*place, source.len(), hypotheses)?;
            }
            Ok(())
        })
    }

    fn limits(&self, options: &SearchOptions) -> Limits {
        let engine = self.engine;
        engine.room.limits(engine.model.spec(), engine.placement.dtype, options, self.batch_tokens)
    }

    fn generation(&self, source_tokens: usize, hypotheses: Vec<search::Hypothesis>) -> Result<Generation> {
        let tokenizer = self.engine.tokenizer();
        let candidates = if hypotheses.len() > 1 {
            hypotheses.iter().map(|h| Candidate { text: tokenizer.decode(&h.tokens), score: h.score }).collect()
        } else {
            Vec::new()
        };
        let best = hypotheses.into_iter().next().context("the search found no hypothesis")?;
        Ok(Generation {
            text: tokenizer.decode(&best.tokens),
            score: best.score,
            source_tokens,
            target_tokens: best.tokens.len(),
            truncated: best.truncated,
            token_scores: best.token_scores,
            tokens: best.tokens,
            hypotheses: candidates,
        })
    }
}

/// Where the eight-bit weights of a model in a folder are stored.
fn stored(files: &ModelFiles, placement: &Placement) -> Option<PathBuf> {
    let place = files.path("config.json")?.canonicalize().ok()?;
    let name = Sha256::digest(place.as_os_str().as_encoded_bytes());
    Some(placement.cache.as_ref()?.join(format!("{name:x}.int8")))
}

/// A model under way, as the search sees it.
struct Decoding<'a> {
    model: &'a Seq2Seq,
    state: DecoderState,
    gauge: &'a Gauge,
    beams: usize,
}

impl Step for Decoding<'_> {
    fn step(&mut self, tokens: &[TokenId]) -> Result<Tensor> {
        // Several beams are rows of one text; at its first step a text has one row only.
        self.gauge.work().pending_tokens += tokens.len().div_ceil(self.beams);
        self.model.step(&mut self.state, tokens)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.model.select(&mut self.state, rows)
    }
}
