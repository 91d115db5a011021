//! Sentences side by side on the threads of the CPU.
//!
//! Every thread decodes sentences of its own, in a *lane*: it waits for no other thread, and when enough of its sentences
//! are over, others take their places at once (continuous batching; Orca, Yu et al. 2022,
//! <https://www.usenix.org/conference/osdi22/presentation/yu>). A lane without sentences rests, and its thread helps those
//! that have some; when there is more to do again all begin a new *shift*, with what they have under way. What waits then
//! is dealt out, so that all have about as much to do; and where nothing waits, a lane that rests takes over half of what
//! another has under way.
//!
//! Invariant: what a source becomes depends neither on the lane nor on what else is in it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Engine;
use super::batching::{Limits, ROWS_PER_THREAD};
use super::decoding::{DecodeOptions, Decoding, Scheduler, Source, generated};
use crate::batch::Batch;
use crate::model::spec::GlobalAttention;
use crate::model::{DecoderState, threads};
use crate::search::{Item, Required, Search, SearchOptions};

/// Tokens of padding whose encoding takes longer than to begin another batch.
const PADDING: usize = 16;
/// Tokens beyond which sources gain nothing by being encoded together, and only take memory.
const TOGETHER: usize = 8192;

impl Engine {
    /// Decodes what waits until nothing does, a lane on each thread.
    pub(super) fn decode_in_lanes(&self, scheduler: &dyn Scheduler, options: &DecodeOptions) -> Result<()> {
        let begin = Instant::now();
        let lanes = options.limits.lanes(scheduler.longest(), rayon::current_num_threads());
        let lane = |_| Ok(Mutex::new(Lane::new(self, options, lanes)?));
        let mut lanes: Vec<Mutex<Lane>> = (0..lanes).map(lane).collect::<Result<_>>()?;
        loop {
            self.deal(&mut lanes, scheduler, &options.limits)?;
            level(&mut lanes)?;
            let shift = Shift { lanes: lanes.len(), ..Shift::default() };
            let worked = rayon::broadcast(|thread| match lanes.get(thread.index()) {
                Some(lane) => shift.work(&mut lane.lock().unwrap_or_else(PoisonError::into_inner), scheduler),
                None => Ok(()),
            });
            worked.into_iter().collect::<Result<()>>()?;
            if !shift.is_over() {
                break;
            }
        }
        // The lanes' times lie side by side: the time that passed is theirs in proportion.
        let (mut encode, mut decode) = <(Duration, Duration)>::default();
        for lane in lanes {
            let Lane { spent, mut decoding, .. } = lane.into_inner().unwrap_or_else(PoisonError::into_inner);
            (encode, decode) = (encode + spent.0, decode + spent.1);
            decoding.state.clear();
            self.rested().push(decoding.state);
        }
        let whole = begin.elapsed();
        let encode = whole.mul_f64(encode.as_secs_f64() / (encode + decode).as_secs_f64().max(f64::MIN_POSITIVE));
        self.gauge.spent(encode, whole.saturating_sub(encode));
        Ok(())
    }

    /// Gives idle lanes what waits, as much as there is room for.
    fn deal(&self, lanes: &mut [Mutex<Lane>], scheduler: &dyn Scheduler, limits: &Limits) -> Result<()> {
        let all = lanes.len();
        let lanes = lanes.iter_mut().map(|lane| lane.get_mut().unwrap_or_else(PoisonError::into_inner));
        let mut idle: Vec<&mut Lane> = lanes.filter(|lane| lane.is_idle()).collect();
        let room = limits.share(idle.len(), all);
        let mut sources = self.take(scheduler, &|more, longest| room.fits(more, longest))?;
        sources.sort_by_key(|source| (usize::MAX - source.tokens.len(), source.key));
        idle.truncate(limits.lanes_for(sources.len()));
        let lengths: Vec<usize> = sources.iter().map(|source| source.tokens.len()).collect();
        let (hands, mut sources) = (hands(&lengths, idle.len()), sources.into_iter());
        for (lane, count) in idle.into_iter().zip(hands) {
            lane.hand = sources.by_ref().take(count).collect();
        }
        Ok(())
    }

    fn rested(&self) -> MutexGuard<'_, Vec<DecoderState>> {
        self.rested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives idle lanes half of what another has under way, as long as that is enough for two.
fn level(lanes: &mut [Mutex<Lane>]) -> Result<()> {
    let lanes = lanes.iter_mut().map(|lane| lane.get_mut().unwrap_or_else(PoisonError::into_inner));
    let (mut idle, mut busy): (Vec<&mut Lane>, Vec<&mut Lane>) = lanes.partition(|lane| lane.is_idle());
    while let (Some(fullest), Some(other)) = (busy.iter_mut().max_by_key(|lane| lane.open.len()), idle.pop()) {
        if !fullest.is_enough_for_two() {
            break;
        }
        fullest.halve(other)?;
        busy.push(other);
    }
    Ok(())
}

/// How many sources of these `lengths` each lane gets, one after the other, so that all have about as many tokens.
fn hands(mut lengths: &[usize], lanes: usize) -> Vec<usize> {
    let mut left: usize = lengths.iter().sum();
    let hand = |lane: usize| {
        let share = left / (lanes - lane);
        let mut tokens = 0;
        let fits = |length: &&usize| {
            let fits = tokens == 0 || tokens + **length / 2 <= share;
            tokens += if fits { **length } else { 0 };
            fits
        };
        let count = lengths.iter().take_while(fits).count();
        lengths = &lengths[count..];
        left -= tokens;
        count
    };
    (0..lanes).map(hand).collect()
}

/// How many sources of these `lengths`, the longest first, are best encoded together: those that come after would need so
/// much padding beside them that a batch of their own takes less time, or are too many.
fn alike(lengths: &[usize]) -> usize {
    let padding = |&(place, length): &(usize, &usize)| {
        let padded = 4 * length <= 3 * lengths[0] && (lengths[0] - length) * (lengths.len() - place) >= PADDING;
        padded || (place > 0 && (place + 1) * lengths[0] > TOGETHER)
    };
    lengths.iter().enumerate().find(padding).map_or(lengths.len(), |(place, _)| place)
}

/// A time during which lanes work side by side.
#[derive(Default)]
struct Shift {
    /// How many lanes there are, whether they have something to do or not.
    lanes: usize,
    /// It ends before the work does.
    over: AtomicBool,
    /// How many lanes have nothing to do.
    resting: AtomicUsize,
}

impl Shift {
    /// Has a lane work until it has nothing to do, or the shift is over.
    fn work(&self, lane: &mut Lane, scheduler: &dyn Scheduler) -> Result<()> {
        let alarm = Alarm(self);
        while !self.is_over() && threads::work(self.all_work(), || lane.fill(scheduler))? {
            // What still waits would be done sooner by those that rest, and so would half of much.
            if self.resting.load(Ordering::Relaxed) > 0 && (scheduler.waiting() > 0 || lane.is_enough_for_two()) {
                self.end();
            } else {
                threads::work(self.all_work(), || lane.advance(scheduler))?;
            }
        }
        let before = self.resting.fetch_add(1, Ordering::Relaxed);
        std::mem::forget(alarm);
        self.help(before);
        Ok(())
    }

    /// Takes its share of the kernels of those that work. To wake a thread takes longer than most kernels do, so one stays awake for
    /// each lane that works: this one, if no more than so many rested `before` it.
    fn help(&self, before: usize) {
        while !self.is_over() && before + self.resting.load(Ordering::Relaxed) < self.lanes {
            if rayon::yield_now() != Some(rayon::Yield::Executed) {
                std::thread::yield_now();
            }
        }
    }

    /// Whether no thread could help another: each has a lane that works.
    fn all_work(&self) -> bool {
        self.lanes == rayon::current_num_threads() && self.resting.load(Ordering::Relaxed) == 0
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Ends the shift wherever a lane leaves its work with an error, or in a panic. The others would go on as long as
/// anything waits.
struct Alarm<'a>(&'a Shift);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What one thread decodes.
struct Lane<'e, 'r> {
    decoding: Decoding<'e>,
    engine: &'e Engine,
    options: &'r SearchOptions,
    required: &'r [Required<'r>],
    /// Which tokens of a source see everything.
    global: GlobalAttention,
    /// Whether punctuation of a target is drawn to the word before it.
    clean_up: Option<bool>,
    limits: Limits,
    lanes: usize,
    search: Search<'r>,
    /// What it was dealt.
    hand: Vec<Source>,
    /// What is under way, by how many had joined before it.
    open: HashMap<usize, Source>,
    joined: usize,
    /// How many were under way when the last had joined.
    full: usize,
    /// Encoding, and decoding.
    spent: (Duration, Duration),
}

impl<'e, 'r> Lane<'e, 'r> {
    fn new(engine: &'e Engine, options: &DecodeOptions<'r>, lanes: usize) -> Result<Self> {
        let state = engine.rested().pop().unwrap_or_else(|| engine.model.idle());
        Ok(Self {
            decoding: Decoding::new(engine, state, options.search),
            engine,
            options: options.search,
            required: options.required,
            global: options.global,
            clean_up: options.clean_up,
            limits: options.limits.share(1, lanes),
            lanes,
            search: Search::new(options.search)?,
            hand: Vec::new(),
            open: HashMap::new(),
            joined: 0,
            full: 0,
            spent: Default::default(),
        })
    }

    /// Has others join if it is time; whether any are under way then.
    fn fill(&mut self, scheduler: &dyn Scheduler) -> Result<bool> {
        let begin = Instant::now();
        let hand = std::mem::take(&mut self.hand);
        if !hand.is_empty() {
            self.join(hand)?;
        } else if self.has_room() {
            self.join(self.take(scheduler)?)?;
        }
        self.spent.0 += begin.elapsed();
        Ok(!self.open.is_empty())
    }

    /// One more token for each that is under way.
    fn advance(&mut self, scheduler: &dyn Scheduler) -> Result<()> {
        let begin = Instant::now();
        for (number, found) in self.search.advance(&mut self.decoding)? {
            let source = self.open.remove(&number).context("a sentence ended that had not begun")?;
            self.engine.gauge.done(source.tokens.len(), generated(&found));
            self.engine.done(scheduler, &source, found, self.clean_up)?;
        }
        self.spent.1 += begin.elapsed();
        Ok(())
    }

    /// Whether it has nothing to do. What it was dealt in a shift that was over too soon it still has.
    fn is_idle(&self) -> bool {
        self.open.is_empty() && self.hand.is_empty()
    }

    /// Whether it has so much under way that another lane is worth its while.
    fn is_enough_for_two(&self) -> bool {
        self.limits.lanes_for(self.open.len()) > 1
    }

    /// Gives every second source under way to another lane.
    fn halve(&mut self, other: &mut Self) -> Result<()> {
        let (rows, numbers) = self.search.halve(&mut other.search);
        self.engine.model.receive(&mut other.decoding.state, &self.decoding.state, &rows)?;
        other.joined += numbers.len();
        for (mine, theirs) in numbers {
            let source = self.open.remove(&mine).context("a sentence went that had not begun")?;
            other.open.insert(theirs, source);
        }
        (self.full, other.full) = (self.open.len(), other.open.len());
        Ok(())
    }

    /// Whether it is time for others to join: a quarter of the places is free, since encoding takes less time for
    /// several at once, or there are so few rows that any more cost next to nothing.
    fn has_room(&self) -> bool {
        4 * self.open.len() <= 3 * self.full || self.open.len() * self.options.num_beams < ROWS_PER_THREAD
    }

    /// The next sources, as many as there is room for beside those under way; no more than this lane's share, unless
    /// these are too few to be worth another lane.
    fn take(&self, scheduler: &dyn Scheduler) -> Result<Vec<Source>> {
        let least = ROWS_PER_THREAD.div_ceil(self.options.num_beams.max(self.options.n_best));
        let share = scheduler.waiting().div_ceil(self.lanes).max(least);
        let (open, longest) = (self.open.len(), self.open.values().map(|source| source.tokens.len()).max());
        let fits = |more: usize, longer: usize| {
            more <= share && self.limits.fits(open + more, longer.max(longest.unwrap_or(0)))
        };
        self.engine.take(scheduler, &fits)
    }

    fn join(&mut self, mut sources: Vec<Source>) -> Result<()> {
        sources.sort_by_key(|source| (usize::MAX - source.tokens.len(), source.key));
        while !sources.is_empty() {
            let lengths: Vec<usize> = sources.iter().map(|source| source.tokens.len()).collect();
            let others = sources.split_off(alike(&lengths));
            let batch = Batch {
                ids: sources.iter().map(|source| source.tokens.clone()).collect(),
                order: sources.iter().map(|source| source.key).collect(),
            };
            let memory = self.engine.model.encode(&batch, self.global)?;
            let items: Vec<Item> = sources.iter().map(|source| source.item(self.required)).collect();
            let fed: Vec<_> = items.iter().map(Item::fed).collect();
            self.engine.gauge.stepped(fed.iter().map(|rows| rows[0].len()).sum());
            self.engine.model.join(&mut self.decoding.state, &memory, &fed)?;
            self.search.join(&items)?;
            for source in std::mem::replace(&mut sources, others) {
                self.engine.gauge.begun(source.tokens.len());
                self.open.insert(self.joined, source);
                self.joined += 1;
            }
            self.full = self.open.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_together_needs_little_padding() {
        assert_eq!(alike(&[25, 24, 11, 3]), 2);
        assert_eq!(alike(&[11, 3]), 2);
        assert_eq!(alike(&[40, 3]), 1);
        assert_eq!(alike(&[40, 39, 38, 31]), 4);
        assert_eq!(alike(&[40; 9]), 9);
        assert_eq!((alike(&[1024; 12]), alike(&[5000; 2]), alike(&[16_000])), (8, 1, 1));
        let lengths: Vec<usize> = (1..=60).rev().collect();
        assert_eq!(alike(&lengths), 15);
    }

    #[test]
    fn hands_are_about_alike_and_hold_all() {
        assert_eq!(hands(&[20, 18, 15, 12, 10, 8], 2), [2, 4]);
        assert_eq!(hands(&[9, 9, 9, 9], 2), [2, 2]);
        assert_eq!(hands(&[100, 2, 2], 3), [1, 1, 1]);
        assert_eq!(hands(&[7], 2), [1, 0]);
        assert_eq!(hands(&[], 2), [0, 0]);
        assert_eq!(hands(&[], 0), [0; 0]);
        for count in 1..40 {
            let lengths: Vec<usize> = (0..count).map(|i| 60 - i).collect();
            for lanes in 1..=8.min(count) {
                let hands = hands(&lengths, lanes);
                let mut rest = lengths.iter();
                let tokens: Vec<usize> = hands.iter().map(|&hand| rest.by_ref().take(hand).sum()).collect();
                assert!(rest.next().is_none(), "{count} on {lanes}");
                let share = lengths.iter().sum::<usize>() / lanes;
                assert!(tokens.iter().all(|&tokens| tokens.abs_diff(share) <= 60), "{tokens:?}, each {share}");
            }
        }
    }
}
