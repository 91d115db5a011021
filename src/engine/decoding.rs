//! Sources to hypotheses: what goes through the model, when, and on which thread.
//!
//! On the CPU every thread decodes sentences of its own, in a *lane*: it waits for no other thread, and when enough of
//! its sentences are over, others take their places at once (continuous batching; Orca, Yu et al. 2022,
//! <https://www.usenix.org/conference/osdi22/presentation/yu>). On a card one batch follows another.
//!
//! Invariant: every source that was taken is done once, or the whole fails. What a source becomes depends neither on the
//! lane nor on what else is in it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::batching::{Limits, ROWS_PER_THREAD};
use super::{Engine, Gauge};
use crate::batch::{Batch, TokenId};
use crate::model::{DecoderState, Seq2Seq};
use crate::search::{self, Hypothesis, Item, Logits, Required, Search, SearchOptions, Step};

/// A source that waits to be decoded.
pub(super) struct Source<'r> {
    /// Its place among all that the caller wants.
    pub place: usize,
    pub tokens: Vec<TokenId>,
    /// What its target must contain.
    pub required: Option<Required<'r>>,
}

impl<'r> Source<'r> {
    fn item(&self) -> Item<'_, 'r> {
        Item { source: &self.tokens, place: self.place as u64, required: self.required }
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
    fn done(&self, source: Source<'r>, hypotheses: Vec<Hypothesis>) -> Result<()>;
}

/// Sources in a line, the longest first: there is little padding, and the greatest need of memory is met first.
pub(super) struct Line<'r>(Mutex<Places<'r>>);

struct Places<'r> {
    waiting: VecDeque<Source<'r>>,
    /// By place: how many tokens the source has, and its hypotheses.
    found: Vec<(usize, Vec<Hypothesis>)>,
}

impl<'r> Line<'r> {
    /// Of all sources from place 0 on.
    pub fn new(mut sources: Vec<Source<'r>>) -> Self {
        let found = vec![(0, Vec::new()); sources.len()];
        sources.sort_by_key(|source| (usize::MAX - source.tokens.len(), source.place));
        Self(Mutex::new(Places { waiting: sources.into(), found }))
    }

    /// The tokens of all that wait.
    pub fn source_tokens(&self) -> usize {
        self.places().waiting.iter().map(|source| source.tokens.len()).sum()
    }

    /// By place: how many tokens the source has, and its hypotheses.
    pub fn into_found(self) -> Vec<(usize, Vec<Hypothesis>)> {
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

    fn done(&self, source: Source<'r>, hypotheses: Vec<Hypothesis>) -> Result<()> {
        self.places().found[source.place] = (source.tokens.len(), hypotheses);
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
    ) -> Result<()> {
        let decoded = if self.model.joins() {
            self.decode_in_lanes(waiting, options, limits)
        } else {
            self.decode_in_batches(waiting, options, limits)
        };
        decoded.inspect_err(|_| self.gauge.abandoned())
    }

    fn decode_in_lanes<'r>(
        &self,
        waiting: &dyn Waiting<'r>,
        options: &'r SearchOptions,
        limits: &Limits,
    ) -> Result<()> {
        let begin = Instant::now();
        let failed = AtomicBool::new(false);
        let lanes = limits.lanes(waiting.longest(), rayon::current_num_threads());
        let lanes = rayon::broadcast(|thread| {
            if thread.index() >= lanes {
                return Ok(<(Duration, Duration)>::default());
            }
            let alarm = Alarm(&failed);
            let mut lane = Lane::new(self, options, limits, lanes)?;
            lane.run(waiting, &failed)?;
            std::mem::forget(alarm);
            Ok(lane.spent)
        });
        let lanes = lanes.into_iter().collect::<Result<Vec<_>>>()?;
        // The lanes' times lie side by side: the time that passed is theirs in proportion.
        let (encode, decode): (Duration, Duration) =
            (lanes.iter().map(|spent| spent.0).sum(), lanes.iter().map(|spent| spent.1).sum());
        let whole = begin.elapsed();
        let encode = whole.mul_f64(encode.as_secs_f64() / (encode + decode).as_secs_f64().max(f64::MIN_POSITIVE));
        self.gauge.spent(encode, whole.saturating_sub(encode));
        Ok(())
    }

    fn decode_in_batches<'r>(
        &self,
        waiting: &dyn Waiting<'r>,
        options: &'r SearchOptions,
        limits: &Limits,
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
                self.decode_batch(batch, &sources, options).inspect_err(|_| self.gauge.abandoned())
            };
            self.room.each_batch(sequences, limits, decode, |batch, found| {
                done.extend(batch.order.iter().copied().zip(found));
                Ok(())
            })?;
            for (index, hypotheses) in done {
                waiting.done(taken[index].take().context("a source was decoded twice")?, hypotheses)?;
            }
        }
    }

    /// The hypotheses of each sequence of a batch.
    fn decode_batch(
        &self,
        batch: &Batch,
        sources: &[&Source],
        options: &SearchOptions,
    ) -> Result<Vec<Vec<Hypothesis>>> {
        let begin = Instant::now();
        for source in sources {
            self.gauge.begun(source.tokens.len());
        }
        let memory = self.model.encode(batch)?;
        let encoded = Instant::now();
        let mut decoding = Decoding::new(self, self.model.start(&memory)?, options);
        let items: Vec<Item> = sources.iter().map(|source| source.item()).collect();
        let found = search::search(&mut decoding, &items, options)?;
        self.gauge.spent(encoded - begin, encoded.elapsed());
        for (source, hypotheses) in sources.iter().zip(&found) {
            self.gauge.done(source.tokens.len(), generated(hypotheses));
        }
        Ok(found)
    }
}

fn generated(hypotheses: &[Hypothesis]) -> usize {
    hypotheses.first().map_or(0, |best| best.tokens.len())
}

/// Tells the other lanes, wherever this one leaves its work: with an error, or in a panic. They would go on as long as
/// anything waits.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What one thread decodes.
struct Lane<'e, 'r> {
    decoding: Decoding<'e>,
    engine: &'e Engine,
    options: &'r SearchOptions,
    limits: Limits,
    lanes: usize,
    search: Search<'r>,
    /// What is under way, by how many had joined before it.
    open: HashMap<usize, Source<'r>>,
    joined: usize,
    /// How many were under way when the last had joined.
    full: usize,
    /// Encoding, and decoding.
    spent: (Duration, Duration),
}

impl<'e, 'r> Lane<'e, 'r> {
    fn new(engine: &'e Engine, options: &'r SearchOptions, limits: &Limits, lanes: usize) -> Result<Self> {
        Ok(Self {
            decoding: Decoding::new(engine, engine.model.idle(), options),
            engine,
            options,
            limits: limits.share(lanes),
            lanes,
            search: Search::new(options)?,
            open: HashMap::new(),
            joined: 0,
            full: 0,
            spent: Default::default(),
        })
    }

    /// Decodes until nothing waits, or another lane has failed.
    fn run(&mut self, waiting: &dyn Waiting<'r>, failed: &AtomicBool) -> Result<()> {
        while !failed.load(Ordering::Relaxed) {
            let begin = Instant::now();
            if self.has_room() {
                self.join(self.take(waiting)?)?;
            }
            let encoded = Instant::now();
            if self.open.is_empty() {
                break;
            }
            for (number, hypotheses) in self.search.advance(&mut self.decoding)? {
                let source = self.open.remove(&number).context("a sentence ended that had not begun")?;
                self.engine.gauge.done(source.tokens.len(), generated(&hypotheses));
                waiting.done(source, hypotheses)?;
            }
            self.spent.0 += encoded - begin;
            self.spent.1 += encoded.elapsed();
        }
        Ok(())
    }

    /// Whether it is time for others to join: a quarter of the places is free, since encoding takes less time for
    /// several at once, or there are so few rows that any more cost next to nothing.
    fn has_room(&self) -> bool {
        4 * self.open.len() <= 3 * self.full || self.open.len() * self.options.num_beams < ROWS_PER_THREAD
    }

    /// The next sources, as many as there is room for beside those under way; no more than this lane's share, unless
    /// these are too few to be worth another lane.
    fn take(&self, waiting: &dyn Waiting<'r>) -> Result<Vec<Source<'r>>> {
        let least = ROWS_PER_THREAD.div_ceil(self.options.num_beams.max(self.options.n_best));
        let share = waiting.len().div_ceil(self.lanes).max(least);
        let (open, longest) = (self.open.len(), self.open.values().map(|source| source.tokens.len()).max());
        let fits = |more: usize, longer: usize| {
            more <= share && self.limits.fits(open + more, longer.max(longest.unwrap_or(0)))
        };
        waiting.take(&fits)
    }

    fn join(&mut self, sources: Vec<Source<'r>>) -> Result<()> {
        if sources.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            ids: sources.iter().map(|source| source.tokens.clone()).collect(),
            order: sources.iter().map(|source| source.place).collect(),
        };
        let memory = self.engine.model.encode(&batch)?;
        self.engine.model.join(&mut self.decoding.state, &memory)?;
        self.search.join(&sources.iter().map(Source::item).collect::<Vec<_>>())?;
        for source in sources {
            self.engine.gauge.begun(source.tokens.len());
            self.open.insert(self.joined, source);
            self.joined += 1;
        }
        self.full = self.open.len();
        Ok(())
    }
}

/// A model under way, as the search sees it.
struct Decoding<'a> {
    model: &'a Seq2Seq,
    state: DecoderState,
    gauge: &'a Gauge,
    beams: usize,
}

impl<'a> Decoding<'a> {
    fn new(engine: &'a Engine, state: DecoderState, options: &SearchOptions) -> Self {
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
