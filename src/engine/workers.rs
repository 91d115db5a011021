//! Continuous batching on the threads of the CPU.
//!
//! Each thread has one *worker* (a [`DecodeWorker`]) with a decoder and a search of its own, which decodes its own
//! sources. So no thread waits for another at every token. When enough sources of a worker are finished, others are
//! admitted in their places at once (Orca, Yu et al. 2022, <https://www.usenix.org/conference/osdi22/presentation/yu>).
//! The work proceeds in *rounds*:
//!
//! 1. idle workers are assigned waiting sources, with about equally many tokens each (`assign`);
//! 2. all workers decode side by side, and admit further sources as they have room (`Round::run`); the thread of an idle
//!    worker helps with the kernels of the others;
//! 3. the round ends when all workers are idle, or earlier, when an idle worker could be assigned waiting sources. Then the
//!    next round begins; running sources keep running.
//!
//! Invariant: the generation of a source depends neither on the worker nor on the sources beside it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Engine;
use super::batching::{BatchLimits, ROWS_PER_THREAD};
use super::decoding::{DecoderStep, RunOptions, Scheduler, Source, generated_tokens};
use crate::batch::Batch;
use crate::kernels::threads;
use crate::model::DecoderState;
use crate::model::spec::GlobalAttention;
use crate::search::{Required, Search, SearchOptions, Sequence};

/// Number of padding tokens whose encoding takes longer than starting another batch.
const MAX_PADDING: usize = 16;
/// Number of padded tokens beyond which encoding sources together gains nothing: states that do not fit in the caches only
/// take memory, and time.
const MAX_ENCODED_TOGETHER: usize = 1024;

impl Engine {
    /// Decodes the sources of a scheduler until none waits, with a worker on each thread.
    pub(super) fn decode_on_workers(&self, scheduler: &dyn Scheduler, options: &RunOptions) -> Result<()> {
        let begin = Instant::now();
        let count = options.limits.workers(scheduler.longest(), rayon::current_num_threads());
        let worker = |_| Ok(Mutex::new(DecodeWorker::new(self, options, count)?));
        let mut workers: Vec<Mutex<DecodeWorker>> = (0..count).map(worker).collect::<Result<_>>()?;
        loop {
            self.assign(&mut workers, scheduler, &options.limits)?;
            let round = Round { workers: workers.len(), ..Round::default() };
            let results = rayon::broadcast(|thread| match workers.get(thread.index()) {
                Some(worker) => round.run(&mut worker.lock().unwrap_or_else(PoisonError::into_inner), scheduler),
                None => Ok(()),
            });
            results.into_iter().collect::<Result<()>>()?;
            if !round.has_ended() {
                break;
            }
        }
        // The workers' times overlap, so the time that passed is divided in proportion to their sums.
        let (mut encode, mut decode) = <(Duration, Duration)>::default();
        for worker in workers {
            let DecodeWorker { encode_time, decode_time, mut decoder, .. } =
                worker.into_inner().unwrap_or_else(PoisonError::into_inner);
            (encode, decode) = (encode + encode_time, decode + decode_time);
            decoder.state.clear();
            self.free_states().push(decoder.state);
        }
        let whole = begin.elapsed();
        let encode = whole.mul_f64(encode.as_secs_f64() / (encode + decode).as_secs_f64().max(f64::MIN_POSITIVE));
        self.stats.spent(encode, whole.saturating_sub(encode));
        Ok(())
    }

    /// Assigns waiting sources to idle workers, as many as the limits allow.
    fn assign(
        &self,
        workers: &mut [Mutex<DecodeWorker>],
        scheduler: &dyn Scheduler,
        limits: &BatchLimits,
    ) -> Result<()> {
        let all = workers.len();
        let workers = workers.iter_mut().map(|worker| worker.get_mut().unwrap_or_else(PoisonError::into_inner));
        let mut idle: Vec<&mut DecodeWorker> = workers.filter(|worker| worker.is_idle()).collect();
        let limits_of_idle = limits.share(idle.len(), all);
        let mut sources = self.take(scheduler, &|more, longest| limits_of_idle.fits(more, longest))?;
        sources.sort_by_key(|source| (usize::MAX - source.tokens.len(), source.key));
        idle.truncate(limits.workers_for(sources.len()));
        let lengths: Vec<usize> = sources.iter().map(|source| source.tokens.len()).collect();
        let (shares, mut sources) = (shares(&lengths, idle.len()), sources.into_iter());
        for (worker, count) in idle.into_iter().zip(shares) {
            worker.assigned = sources.by_ref().take(count).collect();
        }
        Ok(())
    }

    fn free_states(&self) -> MutexGuard<'_, Vec<DecoderState>> {
        self.free_states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Number of sources, of these `lengths`, that each worker gets, one worker after another, so that all have about equally
/// many tokens.
fn shares(mut lengths: &[usize], workers: usize) -> Vec<usize> {
    let mut left: usize = lengths.iter().sum();
    let share = |worker: usize| {
        let wanted = left / (workers - worker);
        let mut tokens = 0;
        let fits = |length: &&usize| {
            // A source is included if at least half of its tokens are within the share; the first one always is.
            let fits = tokens == 0 || tokens + **length / 2 <= wanted;
            tokens += if fits { **length } else { 0 };
            fits
        };
        let count = lengths.iter().take_while(fits).count();
        lengths = &lengths[count..];
        left -= tokens;
        count
    };
    (0..workers).map(share).collect()
}

/// Number of sources, of these `lengths` in descending order, that are best encoded together. Later ones would need so
/// much padding that a batch of their own takes less time, or there are too many tokens.
fn encoded_together(lengths: &[usize]) -> usize {
    let ends_batch = |&(index, length): &(usize, &usize)| {
        let padded = 4 * length <= 3 * lengths[0] && (lengths[0] - length) * (lengths.len() - index) >= MAX_PADDING;
        padded || (index > 0 && (index + 1) * lengths[0] > MAX_ENCODED_TOGETHER)
    };
    lengths.iter().enumerate().find(ends_batch).map_or(lengths.len(), |(index, _)| index)
}

/// A round, in which workers decode side by side.
#[derive(Default)]
struct Round {
    /// Number of workers, idle or not.
    workers: usize,
    /// Whether the round ends before the work does.
    ended: AtomicBool,
    /// Number of idle workers.
    idle: AtomicUsize,
}

impl Round {
    /// Runs a worker until it is idle or the round has ended.
    fn run(&self, worker: &mut DecodeWorker, scheduler: &dyn Scheduler) -> Result<()> {
        let end_on_failure = EndOnDrop(self);
        while !self.has_ended() && threads::work(self.all_busy(), || worker.fill(scheduler))? {
            // Idle workers could take waiting sources, which would finish sooner.
            if self.idle.load(Ordering::Relaxed) > 0 && scheduler.waiting() > 0 {
                self.end();
            } else {
                threads::work(self.all_busy(), || worker.advance(scheduler))?;
            }
        }
        let idle_before = self.idle.fetch_add(1, Ordering::Relaxed);
        std::mem::forget(end_on_failure);
        self.help(idle_before);
        Ok(())
    }

    /// Helps with the kernels of busy workers. Waking a thread takes longer than most kernels do, so one idle thread
    /// stays awake for each busy worker: this one does, unless `idle_before` idle threads are enough for all of them.
    fn help(&self, idle_before: usize) {
        while !self.has_ended() && idle_before + self.idle.load(Ordering::Relaxed) < self.workers {
            if rayon::yield_now() != Some(rayon::Yield::Executed) {
                std::thread::yield_now();
            }
        }
    }

    /// Whether no thread is free to help another, because each has a busy worker.
    fn all_busy(&self) -> bool {
        self.workers == rayon::current_num_threads() && self.idle.load(Ordering::Relaxed) == 0
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Ends the round when it is dropped, because a worker failed or panicked. The other workers would continue as long as a
/// source waits.
struct EndOnDrop<'a>(&'a Round);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A worker: the decoder and the search of one thread.
struct DecodeWorker<'e, 'r> {
    decoder: DecoderStep<'e>,
    engine: &'e Engine,
    options: &'r SearchOptions,
    required: &'r [Required<'r>],
    /// Which source tokens have global attention.
    global: GlobalAttention,
    /// Whether spaces before English punctuation are removed from targets; `None`: the checkpoint decides.
    clean_up: Option<bool>,
    limits: BatchLimits,
    /// Number of workers.
    workers: usize,
    search: Search<'r>,
    /// Sources that the worker was assigned but has not admitted yet.
    assigned: Vec<Source>,
    /// Running sources by their number, which is the number of sources admitted before them.
    running: HashMap<usize, Source>,
    /// Number of sources admitted so far.
    admitted: usize,
    /// Number of sources that were running after the last one was admitted.
    full: usize,
    encode_time: Duration,
    decode_time: Duration,
}

impl<'e, 'r> DecodeWorker<'e, 'r> {
    fn new(engine: &'e Engine, options: &RunOptions<'r>, workers: usize) -> Result<Self> {
        let state = engine.free_states().pop().unwrap_or_else(|| engine.model.empty_state());
        Ok(Self {
            decoder: DecoderStep::new(engine, state, options.search),
            engine,
            options: options.search,
            required: options.required,
            global: options.global,
            clean_up: options.clean_up,
            limits: options.limits.share(1, workers),
            workers,
            search: Search::new(options.search)?,
            assigned: Vec::new(),
            running: HashMap::new(),
            admitted: 0,
            full: 0,
            encode_time: Duration::ZERO,
            decode_time: Duration::ZERO,
        })
    }

    /// Admits sources if it is time to; returns whether any source is running then.
    fn fill(&mut self, scheduler: &dyn Scheduler) -> Result<bool> {
        let begin = Instant::now();
        let assigned = std::mem::take(&mut self.assigned);
        if !assigned.is_empty() {
            self.admit(assigned)?;
        } else if self.has_room() {
            self.admit(self.take(scheduler)?)?;
        }
        self.encode_time += begin.elapsed();
        Ok(!self.running.is_empty())
    }

    /// Decodes one more token for each running source.
    fn advance(&mut self, scheduler: &dyn Scheduler) -> Result<()> {
        let begin = Instant::now();
        for (number, found) in self.search.advance(&mut self.decoder)? {
            let source = self.running.remove(&number).context("a sentence ended that had not begun")?;
            self.engine.stats.done(source.tokens.len(), generated_tokens(&found));
            self.engine.done(scheduler, &source, found, self.clean_up)?;
        }
        self.decode_time += begin.elapsed();
        Ok(())
    }

    /// Whether the worker has nothing to do. Sources assigned in a round that ended early still count.
    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.assigned.is_empty()
    }

    /// Whether it is time to admit sources: when a quarter of the slots is free, since encoding several sources at once
    /// is faster; or when there are so few rows that more of them cost next to nothing.
    fn has_room(&self) -> bool {
        4 * self.running.len() <= 3 * self.full || self.running.len() * self.options.num_beams < ROWS_PER_THREAD
    }

    /// The next sources, as many as fit beside the running ones. They are no more than this worker's share, unless the
    /// share is too small for one worker to be worthwhile.
    fn take(&self, scheduler: &dyn Scheduler) -> Result<Vec<Source>> {
        let worthwhile = ROWS_PER_THREAD.div_ceil(self.options.num_beams.max(self.options.n_best));
        let share = scheduler.waiting().div_ceil(self.workers).max(worthwhile);
        let (running, longest) = (self.running.len(), self.running.values().map(|source| source.tokens.len()).max());
        let fits = |more: usize, longer: usize| {
            more <= share && self.limits.fits(running + more, longer.max(longest.unwrap_or(0)))
        };
        self.engine.take(scheduler, &fits)
    }

    fn admit(&mut self, mut sources: Vec<Source>) -> Result<()> {
        sources.sort_by_key(|source| (usize::MAX - source.tokens.len(), source.key));
        while !sources.is_empty() {
            let lengths: Vec<usize> = sources.iter().map(|source| source.tokens.len()).collect();
            let others = sources.split_off(encoded_together(&lengths));
            let batch = Batch {
                ids: sources.iter().map(|source| source.tokens.clone()).collect(),
                order: sources.iter().map(|source| source.key).collect(),
            };
            let encoded = self.engine.model.encode(&batch, self.global)?;
            let sequences: Vec<Sequence> = sources.iter().map(|source| source.sequence(self.required)).collect();
            let prefill: Vec<_> = sequences.iter().map(Sequence::prefill).collect();
            self.engine.stats.stepped(prefill.iter().map(|rows| rows[0].len()).sum());
            self.engine.model.admit(&mut self.decoder.state, &encoded, &prefill)?;
            self.search.admit(&sequences)?;
            for source in std::mem::replace(&mut sources, others) {
                self.engine.stats.begun(source.tokens.len());
                self.running.insert(self.admitted, source);
                self.admitted += 1;
            }
            self.full = self.running.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_together_needs_little_padding() {
        assert_eq!(encoded_together(&[25, 24, 11, 3]), 2);
        assert_eq!(encoded_together(&[11, 3]), 2);
        assert_eq!(encoded_together(&[40, 3]), 1);
        assert_eq!(encoded_together(&[40, 39, 38, 31]), 4);
        assert_eq!(encoded_together(&[40; 9]), 9);
        assert_eq!(
            (encoded_together(&[1024; 12]), encoded_together(&[5000; 2]), encoded_together(&[16_000])),
            (1, 1, 1)
        );
        let lengths: Vec<usize> = (1..=60).rev().collect();
        assert_eq!(encoded_together(&lengths), 15);
    }

    #[test]
    fn shares_are_about_equal_and_hold_all() {
        assert_eq!(shares(&[20, 18, 15, 12, 10, 8], 2), [2, 4]);
        assert_eq!(shares(&[9, 9, 9, 9], 2), [2, 2]);
        assert_eq!(shares(&[100, 2, 2], 3), [1, 1, 1]);
        assert_eq!(shares(&[7], 2), [1, 0]);
        assert_eq!(shares(&[], 2), [0, 0]);
        assert_eq!(shares(&[], 0), [0; 0]);
        for count in 1..40 {
            let lengths: Vec<usize> = (0..count).map(|i| 60 - i).collect();
            for workers in 1..=8.min(count) {
                let shares = shares(&lengths, workers);
                let mut rest = lengths.iter();
                let tokens: Vec<usize> = shares.iter().map(|&share| rest.by_ref().take(share).sum()).collect();
                assert!(rest.next().is_none(), "{count} on {workers}");
                let equal = lengths.iter().sum::<usize>() / workers;
                assert!(tokens.iter().all(|&tokens| tokens.abs_diff(equal) <= 60), "{tokens:?}, each {equal}");
            }
        }
    }
}
