//! From sources to hypotheses: which sources go through the model, and when.
//!
//! On the CPU, sentences are admitted in the places of finished ones (`workers`); on a GPU, one batch follows another.
//!
//! Invariant: every source that was taken is done exactly once, or the whole call fails. The generation of a source does
//! not depend on the sources that run beside it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};

use super::batching::BatchLimits;
use super::{Alternative, Engine, Generation, LiveStats, SourceTooLong};
use crate::batch::{Batch, TokenId};
use crate::error::Error;
use crate::model::spec::GlobalAttention;
use crate::model::{DecoderState, Seq2Seq};
use crate::search::{self, Logits, Required, ResumePoint, SearchOptions, SearchResult, Sequence, Step};

/// The tokens of one source, to be decoded.
#[derive(Clone, Debug)]
pub struct Source {
    /// The scheduler's key for the source; with sampling, the output depends on it.
    pub key: usize,
    /// The source tokens, as [`super::Session::encode`] returns them.
    pub tokens: Vec<TokenId>,
    /// A guard against repetition, see [`super::Input::guard`].
    pub guard: Option<ResumePoint>,
}

impl Source {
    /// The source as a sequence of a search; `required` lists by key what targets must contain.
    pub(super) fn sequence<'r>(&self, required: &[Required<'r>]) -> Sequence<'_, 'r> {
        let required = required.get(self.key).copied();
        Sequence { source: &self.tokens, index: self.key as u64, required, guard: self.guard.as_ref() }
    }
}

/// Decides which sources are decoded next, and receives their generations. Sources may arrive while others are running.
pub trait Scheduler: Sync {
    /// Number of sources that wait now.
    fn waiting(&self) -> usize;

    /// Number of tokens of the longest source that waits now.
    fn longest(&self) -> usize;

    /// Takes the next sources, as many as `fits` allows; none if none wait. The arguments of `fits` are a number of
    /// sources and the tokens of the longest.
    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<Source>;

    /// Receives the generation of the source with this key.
    fn done(&self, key: usize, generation: Generation);
}

/// Options for decoding the sources of one run.
pub(super) struct RunOptions<'r> {
    pub search: &'r SearchOptions,
    /// What the targets must contain, by key; empty if nothing is required.
    pub required: &'r [Required<'r>],
    /// Which source tokens have global attention.
    pub global: GlobalAttention,
    /// Whether spaces before English punctuation are removed from targets; `None`: the checkpoint decides.
    pub clean_up: Option<bool>,
    pub limits: BatchLimits,
}

/// A scheduler for sources that are all there from the beginning. It gives out the longest first: there is little
/// padding, and the greatest need of memory comes first.
pub(super) struct LongestFirst(Mutex<LongestFirstState>);

struct LongestFirstState {
    waiting: VecDeque<Source>,
    /// Generations by key.
    done: Vec<Option<Generation>>,
}

impl LongestFirst {
    /// A scheduler of sources whose keys are their indices.
    pub fn new(mut sources: Vec<Source>) -> Self {
        let done = vec![None; sources.len()];
        sources.sort_by_key(|source| (usize::MAX - source.tokens.len(), source.key));
        Self(Mutex::new(LongestFirstState { waiting: sources.into(), done }))
    }

    /// Number of tokens of all sources that wait.
    pub fn source_tokens(&self) -> usize {
        self.state().waiting.iter().map(|source| source.tokens.len()).sum()
    }

    /// All generations, by key.
    pub fn into_generations(self) -> Result<Vec<Generation>> {
        let done = self.0.into_inner().unwrap_or_else(PoisonError::into_inner).done;
        done.into_iter().map(|generation| generation.context("a source was not decoded")).collect()
    }

    fn state(&self) -> MutexGuard<'_, LongestFirstState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scheduler for LongestFirst {
    fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    fn longest(&self) -> usize {
        self.state().waiting.front().map_or(0, |source| source.tokens.len())
    }

    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<Source> {
        let longest = self.longest();
        let mut state = self.state();
        let count = (1..=state.waiting.len()).take_while(|&count| fits(count, longest)).count();
        state.waiting.drain(..count).collect()
    }

    fn done(&self, key: usize, generation: Generation) {
        self.state().done[key] = Some(generation);
    }
}

impl Engine {
    /// Decodes the sources of a scheduler until none waits.
    pub(super) fn decode(&self, scheduler: &dyn Scheduler, options: &RunOptions) -> Result<()> {
        let decoded = if self.model.can_admit() {
            self.decode_on_workers(scheduler, options)
        } else {
            self.decode_in_batches(scheduler, options)
        };
        decoded.inspect_err(|_| self.stats.abandoned())
    }

    pub(super) fn check_length(&self, source: &Source) -> Result<()> {
        let tokens = source.tokens.len();
        match self.model.spec().source_capacity() {
            Some(window) if tokens > window => {
                Err(Error::from(SourceTooLong { index: source.key, tokens, window }).into())
            }
            _ => Ok(()),
        }
    }

    /// Takes the next sources of a scheduler, as many as `fits` allows; fails if one is too long. A source without any
    /// token, as white space is in some families, is done at once with an empty generation: a model cannot read it.
    pub(super) fn take(&self, scheduler: &dyn Scheduler, fits: &dyn Fn(usize, usize) -> bool) -> Result<Vec<Source>> {
        loop {
            let taken = scheduler.take(fits);
            taken.iter().try_for_each(|source| self.check_length(source))?;
            let (empty, sources): (Vec<_>, Vec<_>) = taken.into_iter().partition(|source| source.tokens.is_empty());
            for source in &empty {
                self.stats.done(0, 0);
                scheduler.done(source.key, Generation::default());
            }
            if empty.is_empty() || !sources.is_empty() {
                return Ok(sources);
            }
        }
    }

    /// Passes the generation of a source to a scheduler.
    pub(super) fn done(
        &self,
        scheduler: &dyn Scheduler,
        source: &Source,
        found: SearchResult,
        clean_up: Option<bool>,
    ) -> Result<()> {
        scheduler.done(source.key, self.generation(source, found, clean_up)?);
        Ok(())
    }

    /// The generation of a source, with its tokens decoded to text.
    fn generation(&self, source: &Source, found: SearchResult, clean_up: Option<bool>) -> Result<Generation> {
        let (tokenizer, SearchResult { mut hypotheses, resume_point }) = (self.tokenizer(), found);
        let decode = |tokens: &[TokenId]| match clean_up {
            Some(clean_up) => tokenizer.decode_cleaning(tokens, clean_up),
            None => tokenizer.decode(tokens),
        };
        // A hypothesis that lacks a required term is kept only if all do.
        if hypotheses.iter().any(|hypothesis| hypothesis.missing == 0) {
            hypotheses.retain(|hypothesis| hypothesis.missing == 0);
        }
        let candidates = if hypotheses.len() > 1 {
            hypotheses.iter().map(|h| Alternative { text: decode(&h.tokens), score: h.score }).collect()
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
            resume_point,
        })
    }

    fn decode_in_batches(&self, scheduler: &dyn Scheduler, options: &RunOptions) -> Result<()> {
        let limits = &options.limits;
        loop {
            let taken = self.take(scheduler, &|sources, longest| self.budget.within(limits).fits(sources, longest))?;
            if taken.is_empty() {
                return Ok(());
            }
            let sequences = taken.iter().map(|source| source.tokens.clone()).collect();
            let mut taken: Vec<Option<Source>> = taken.into_iter().map(Some).collect();
            let mut done = Vec::with_capacity(taken.len());
            let decode = |batch: &Batch| {
                let sources: Vec<&Source> = batch.order.iter().filter_map(|&index| taken[index].as_ref()).collect();
                // When memory runs out, the halves of the batch are decoded from the start.
                self.decode_batch(batch, &sources, options).inspect_err(|_| self.stats.abandoned())
            };
            self.budget.each_batch(sequences, limits, decode, |batch, found| {
                done.extend(batch.order.iter().copied().zip(found));
                Ok(())
            })?;
            for (index, found) in done {
                let source = taken[index].take().context("a source was decoded twice")?;
                self.done(scheduler, &source, found, options.clean_up)?;
            }
        }
    }

    /// The search result of each sequence of a batch. Searches with a guard begin at the start here, since batches admit
    /// no prefill.
    fn decode_batch(&self, batch: &Batch, sources: &[&Source], options: &RunOptions) -> Result<Vec<SearchResult>> {
        let begin = Instant::now();
        for source in sources {
            self.stats.begun(source.tokens.len());
        }
        let encoded = self.model.encode(batch, options.global)?;
        let encode_end = Instant::now();
        let mut decoder = DecoderStep::new(self, self.model.start(&encoded)?, options.search);
        let from_start = |source: &Source| source.guard.as_ref().map(|_| &ResumePoint::Unknown);
        let sequences =
            sources.iter().map(|source| Sequence { guard: from_start(source), ..source.sequence(options.required) });
        let sequences: Vec<Sequence> = sequences.collect();
        let found = search::search(&mut decoder, &sequences, options.search)?;
        self.stats.spent(encode_end - begin, encode_end.elapsed());
        for (source, found) in sources.iter().zip(&found) {
            self.stats.done(source.tokens.len(), generated_tokens(found));
        }
        Ok(found)
    }
}

/// Number of tokens of the best hypothesis.
pub(super) fn generated_tokens(found: &SearchResult) -> usize {
    found.hypotheses.first().map_or(0, |best| best.tokens.len())
}

/// A model with the state of its decoder, as a [`Step`] for the search.
pub(super) struct DecoderStep<'a> {
    model: &'a Seq2Seq,
    pub state: DecoderState,
    stats: &'a LiveStats,
    beams: usize,
}

impl<'a> DecoderStep<'a> {
    pub fn new(engine: &'a Engine, state: DecoderState, options: &SearchOptions) -> Self {
        Self { model: &engine.model, state, stats: &engine.stats, beams: options.num_beams }
    }
}

impl Step for DecoderStep<'_> {
    fn step(&mut self, tokens: &[TokenId]) -> Result<Logits> {
        // Several beams are rows of one text; at its first step a text has only one row.
        self.stats.stepped(tokens.len().div_ceil(self.beams));
        self.model.predict(&mut self.state, tokens)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.model.select(&mut self.state, rows)
    }
}
