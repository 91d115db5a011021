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
use super::{Engine, Gauge};
use crate::batch::{Batch, TokenId};
use crate::model::spec::GlobalAttention;
use crate::model::{DecoderState, Seq2Seq};
use crate::search::{self, Divergence, Found, Item, Logits, Required, SearchOptions, Step};

/// A source that waits to be decoded.
pub(super) struct Source<'r> {
    /// Its place among all that the caller wants.
    pub place: usize,
    pub tokens: Vec<TokenId>,
    /// What its target must contain.
    pub required: Option<Required<'r>>,
    /// With this its target must not repeat itself.
    pub guard: Option<Divergence>,
}

impl<'r> Source<'r> {
    /// The same, as the search knows it.
    pub fn item(&self) -> Item<'_, 'r> {
        Item { source: &self.tokens, place: self.place as u64, required: self.required, guard: self.guard.as_ref() }
    }
}

/// Sources that wait, and whoever waits for what becomes of them.
pub(super) trait Waiting<'r>: Sync {
    /// How many wait now.
    fn len(&self) -> usize;

    /// The tokens of the longest that waits now.
    fn longest(&self) -> usize;

    /// The next ones, as many as `fits` (of a number of sources and the tokens of the longest) allows; none when none wait.
    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Result<Vec<Source<'r>>>;

    /// What became of one.
    fn done(&self, source: Source<'r>, found: Found) -> Result<()>;
}

/// Sources in a line, the longest first: there is little padding, and the greatest need of memory is met first.
pub(super) struct Line<'r>(Mutex<Places<'r>>);

struct Places<'r> {
    waiting: VecDeque<Source<'r>>,
    /// By place: how many tokens the source has, and what was found for it.
    found: Vec<(usize, Found)>,
}

impl<'r> Line<'r> {
    /// Of all sources from place 0 on.
    pub fn new(mut sources: Vec<Source<'r>>) -> Self {
        let found = vec![(0, Found::default()); sources.len()];
        sources.sort_by_key(|source| (usize::MAX - source.tokens.len(), source.place));
        Self(Mutex::new(Places { waiting: sources.into(), found }))
    }

    /// The tokens of all that wait.
    pub fn source_tokens(&self) -> usize {
        self.places().waiting.iter().map(|source| source.tokens.len()).sum()
    }

    /// By place: how many tokens the source has, and what was found for it.
    pub fn into_found(self) -> Vec<(usize, Found)> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).found
    }

    fn places(&self) -> MutexGuard<'_, Places<'r>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'r> Waiting<'r> for Line<'r> {
    fn len(&self) -> usize {
        self.places().waiting.len()
    }

    fn longest(&self) -> usize {
        self.places().waiting.front().map_or(0, |source| source.tokens.len())
    }

    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Result<Vec<Source<'r>>> {
        let longest = self.longest();
        let mut places = self.places();
        let count = (1..=places.waiting.len()).take_while(|&count| fits(count, longest)).count();
        Ok(places.waiting.drain(..count).collect())
    }

    fn done(&self, source: Source<'r>, found: Found) -> Result<()> {
        self.places().found[source.place] = (source.tokens.len(), found);
        Ok(())
    }
}

impl Engine {
    /// Decodes what waits until nothing does.
    pub(super) fn decode<'r>(
        &self,
        waiting: &dyn Waiting<'r>,
        options: &'r SearchOptions,
        limits: &Limits,
        global: GlobalAttention,
    ) -> Result<()> {
        let decoded = if self.model.joins() {
            self.decode_in_lanes(waiting, options, limits, global)
        } else {
            self.decode_in_batches(waiting, options, limits, global)
        };
        decoded.inspect_err(|_| self.gauge.abandoned())
    }

    fn decode_in_batches<'r>(
        &self,
        waiting: &dyn Waiting<'r>,
        options: &'r SearchOptions,
        limits: &Limits,
        global: GlobalAttention,
    ) -> Result<()> {
        loop {
            let taken = waiting.take(&|sources, longest| self.room.within(limits).fits(sources, longest))?;
            if taken.is_empty() {
                return Ok(());
            }
            let sequences = taken.iter().map(|source| source.tokens.clone()).collect();
            let mut taken: Vec<Option<Source>> = taken.into_iter().map(Some).collect();
            let mut done = Vec::with_capacity(taken.len());
            let decode = |batch: &Batch| {
                let sources: Vec<&Source> = batch.order.iter().filter_map(|&index| taken[index].as_ref()).collect();
                // Half of them may be begun again.
                self.decode_batch(batch, &sources, options, global).inspect_err(|_| self.gauge.abandoned())
            };
            self.room.each_batch(sequences, limits, decode, |batch, found| {
                done.extend(batch.order.iter().copied().zip(found));
                Ok(())
            })?;
            for (index, found) in done {
                waiting.done(taken[index].take().context("a source was decoded twice")?, found)?;
            }
        }
    }

    /// What is found for each sequence of a batch. All begin at the start.
    fn decode_batch(
        &self,
        batch: &Batch,
        sources: &[&Source],
        options: &SearchOptions,
        global: GlobalAttention,
    ) -> Result<Vec<Found>> {
        let begin = Instant::now();
        for source in sources {
            self.gauge.begun(source.tokens.len());
        }
        let memory = self.model.encode(batch, global)?;
        let encoded = Instant::now();
        let mut decoding = Decoding::new(self, self.model.start(&memory)?, options);
        let from_start = |source: &Source| source.guard.as_ref().map(|_| &Divergence::Unknown);
        let items = sources.iter().map(|source| Item { guard: from_start(source), ..source.item() });
        let items: Vec<Item> = items.collect();
        let found = search::search(&mut decoding, &items, options)?;
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
