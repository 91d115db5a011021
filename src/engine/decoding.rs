//! Sources to hypotheses: what goes through the model, and when.
//!
//! On the CPU sentences take the places of others that are over (`lanes`); on a card one batch follows another.
//!
//! Invariant: every source that was taken is done once, or the whole fails. What a source becomes does not depend on what
//! is under way beside it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};

use super::batching::Limits;
use super::{Candidate, Engine, Gauge, Generation, SourceTooLong};
use crate::batch::{Batch, TokenId};
use crate::model::spec::GlobalAttention;
use crate::model::{DecoderState, Seq2Seq};
use crate::search::{self, Divergence, Found, Item, Logits, Required, SearchOptions, Step};

/// Source tokens to be decoded.
#[derive(Clone, Debug)]
pub struct Source {
    /// What its scheduler knows it by; outputs drawn by chance depend on it.
    pub key: usize,
    /// The tokens, as [`super::Session::encode`] gives them.
    pub tokens: Vec<TokenId>,
    /// A guard against repetition, see [`super::Input::guard`].
    pub guard: Option<Divergence>,
}

impl Source {
    /// What a search must know of it; `required` says by key what its target must contain.
    pub(super) fn item<'r>(&self, required: &[Required<'r>]) -> Item<'_, 'r> {
        let required = required.get(self.key).copied();
        Item { source: &self.tokens, place: self.key as u64, required, guard: self.guard.as_ref() }
    }
}

/// Decides which sources are decoded next, and takes what becomes of them. More may come while others are in flight.
pub trait Scheduler: Sync {
    /// How many sources wait now.
    fn waiting(&self) -> usize;

    /// The tokens of the longest source that waits now.
    fn longest(&self) -> usize;

    /// Takes the next sources, as many as `fits` (of a number of sources and the tokens of the longest) allows; none when none
    /// wait.
    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<Source>;

    /// Hears what became of the source with a key.
    fn done(&self, key: usize, generation: Generation);
}

/// How sources are decoded.
pub(super) struct DecodeOptions<'r> {
    pub search: &'r SearchOptions,
    /// By key, what targets must contain; empty where nothing is required.
    pub required: &'r [Required<'r>],
    /// Which tokens of a source see everything.
    pub global: GlobalAttention,
    /// Whether English punctuation of a target is drawn to the word before it; none leaves that to the checkpoint.
    pub clean_up: Option<bool>,
    pub limits: Limits,
}

/// A scheduler of sources that are all there from the beginning, the longest first: there is little padding, and the greatest
/// need of memory is met first.
pub(super) struct LongestFirst(Mutex<Sources>);

struct Sources {
    waiting: VecDeque<Source>,
    /// By key.
    done: Vec<Option<Generation>>,
}

impl LongestFirst {
    /// Of sources whose keys are their places.
    pub fn new(mut sources: Vec<Source>) -> Self {
        let done = vec![None; sources.len()];
        sources.sort_by_key(|source| (usize::MAX - source.tokens.len(), source.key));
        Self(Mutex::new(Sources { waiting: sources.into(), done }))
    }

    /// The tokens of all sources that wait.
    pub fn source_tokens(&self) -> usize {
        self.sources().waiting.iter().map(|source| source.tokens.len()).sum()
    }

    /// All generations, by key.
    pub fn into_generations(self) -> Result<Vec<Generation>> {
        let done = self.0.into_inner().unwrap_or_else(PoisonError::into_inner).done;
        done.into_iter().map(|generation| generation.context("a source was not decoded")).collect()
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scheduler for LongestFirst {
    fn waiting(&self) -> usize {
        self.sources().waiting.len()
    }

    fn longest(&self) -> usize {
        self.sources().waiting.front().map_or(0, |source| source.tokens.len())
    }

    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<Source> {
        let longest = self.longest();
        let mut sources = self.sources();
        let count = (1..=sources.waiting.len()).take_while(|&count| fits(count, longest)).count();
        sources.waiting.drain(..count).collect()
    }

    fn done(&self, key: usize, generation: Generation) {
        self.sources().done[key] = Some(generation);
    }
}

impl Engine {
    /// Decodes what a scheduler has until nothing waits there.
    pub(super) fn decode(&self, scheduler: &dyn Scheduler, options: &DecodeOptions) -> Result<()> {
        let decoded = if self.model.joins() {
            self.decode_in_lanes(scheduler, options)
        } else {
            self.decode_in_batches(scheduler, options)
        };
        decoded.inspect_err(|_| self.gauge.abandoned())
    }

    pub(super) fn check_length(&self, source: &Source) -> Result<()> {
        let tokens = source.tokens.len();
        match self.model.spec().source_capacity() {
            Some(window) if tokens > window => Err(SourceTooLong { index: source.key, tokens, window }.into()),
            _ => Ok(()),
        }
    }

    /// The next sources of a scheduler, as many as `fits` allows.
    pub(super) fn take(&self, scheduler: &dyn Scheduler, fits: &dyn Fn(usize, usize) -> bool) -> Result<Vec<Source>> {
        let sources = scheduler.take(fits);
        sources.iter().try_for_each(|source| self.check_length(source))?;
        Ok(sources)
    }

    /// Tells a scheduler what was found for a source.
    pub(super) fn done(
        &self,
        scheduler: &dyn Scheduler,
        source: &Source,
        found: Found,
        clean_up: Option<bool>,
    ) -> Result<()> {
        scheduler.done(source.key, self.generation(source, found, clean_up)?);
        Ok(())
    }

    /// What was found for a source, in words.
    fn generation(&self, source: &Source, found: Found, clean_up: Option<bool>) -> Result<Generation> {
        let (tokenizer, Found { mut hypotheses, divergence }) = (self.tokenizer(), found);
        let decode = |tokens: &[TokenId]| match clean_up {
            Some(clean_up) => tokenizer.decode_cleaning(tokens, clean_up),
            None => tokenizer.decode(tokens),
        };
        if hypotheses.iter().any(|hypothesis| hypothesis.missing == 0) {
            hypotheses.retain(|hypothesis| hypothesis.missing == 0);
        }
        let candidates = if hypotheses.len() > 1 {
            hypotheses.iter().map(|h| Candidate { text: decode(&h.tokens), score: h.score }).collect()
        } else {
            Vec::new()
        };
        let best = hypotheses.into_iter().next().context("the search found no hypothesis")?;
        Ok(Generation {
            text: decode(&best.tokens),
            score: best.score,
            source_tokens: source.tokens.len(),
            target_tokens: best.tokens.len(),
            truncated: best.truncated,
            token_scores: best.token_scores,
            tokens: best.tokens,
            hypotheses: candidates,
            missing: best.missing,
            divergence,
        })
    }

    fn decode_in_batches(&self, scheduler: &dyn Scheduler, options: &DecodeOptions) -> Result<()> {
        let limits = &options.limits;
        loop {
            let taken = self.take(scheduler, &|sources, longest| self.room.within(limits).fits(sources, longest))?;
            if taken.is_empty() {
                return Ok(());
            }
            let sequences = taken.iter().map(|source| source.tokens.clone()).collect();
            let mut taken: Vec<Option<Source>> = taken.into_iter().map(Some).collect();
            let mut done = Vec::with_capacity(taken.len());
            let decode = |batch: &Batch| {
                let sources: Vec<&Source> = batch.order.iter().filter_map(|&index| taken[index].as_ref()).collect();
                // Half of them may be begun again.
                self.decode_batch(batch, &sources, options).inspect_err(|_| self.gauge.abandoned())
            };
            self.room.each_batch(sequences, limits, decode, |batch, found| {
                done.extend(batch.order.iter().copied().zip(found));
                Ok(())
            })?;
            for (index, found) in done {
                let source = taken[index].take().context("a source was decoded twice")?;
                self.done(scheduler, &source, found, options.clean_up)?;
            }
        }
    }

    /// What is found for each sequence of a batch. All begin at the start.
    fn decode_batch(&self, batch: &Batch, sources: &[&Source], options: &DecodeOptions) -> Result<Vec<Found>> {
        let begin = Instant::now();
        for source in sources {
            self.gauge.begun(source.tokens.len());
        }
        let memory = self.model.encode(batch, options.global)?;
        let encoded = Instant::now();
        let mut decoding = Decoding::new(self, self.model.start(&memory)?, options.search);
        let from_start = |source: &Source| source.guard.as_ref().map(|_| &Divergence::Unknown);
        let items = sources.iter().map(|source| Item { guard: from_start(source), ..source.item(options.required) });
        let items: Vec<Item> = items.collect();
        let found = search::search(&mut decoding, &items, options.search)?;
        self.gauge.spent(encoded - begin, encoded.elapsed());
        for (source, found) in sources.iter().zip(&found) {
            self.gauge.done(source.tokens.len(), generated(found));
        }
        Ok(found)
    }
}

/// How many tokens the best hypothesis has.
pub(super) fn generated(found: &Found) -> usize {
    found.hypotheses.first().map_or(0, |best| best.tokens.len())
}

/// A model under way, as the search sees it.
pub(super) struct Decoding<'a> {
    model: &'a Seq2Seq,
    pub state: DecoderState,
    gauge: &'a Gauge,
    beams: usize,
}

impl<'a> Decoding<'a> {
    pub fn new(engine: &'a Engine, state: DecoderState, options: &SearchOptions) -> Self {
        Self { model: &engine.model, state, gauge: &engine.gauge, beams: options.num_beams }
    }
}

impl Step for Decoding<'_> {
    fn step(&mut self, tokens: &[TokenId]) -> Result<Logits> {
        // Several beams are rows of one text; at its first step a text has one row only.
        self.gauge.stepped(tokens.len().div_ceil(self.beams));
        self.model.predict(&mut self.state, tokens)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.model.select(&mut self.state, rows)
    }
}
