//! A request as a client of the worker: it submits work items to the queue and receives their outcomes as they come.
//!
//! Invariant: an article has the same translation as on the command line, because both follow a [`Plan`].

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use kortom::engine::{Generation, ResumePoint, Session};
use kortom::error::WithHint;
use kortom::summarize::abstractive::{LengthLimits, SummaryWriter};
use kortom::translate::{Generate, Plan};

use super::models::{Pair, ServedModels, Task};
use super::queue::Queue;
use super::refusal::Refusal;
use super::request::{CancelToken, ItemOutput, Outcome, Submission, WorkItem};

/// The interval at which a waiting request checks whether it was cancelled.
const POLL: Duration = Duration::from_millis(500);
/// The `Retry-After` of a request that took too long.
const RETRY: Duration = Duration::from_secs(30);

/// The shared parts of the server that a request works with.
pub struct RequestContext<'a> {
    /// The queue of its work items.
    pub queue: &'a Queue,
    /// The models.
    pub models: &'a ServedModels,
    /// Whether the client still waits for the answer.
    pub cancel: Arc<CancelToken>,
}

/// The work items of a request that have no outcome yet.
struct Pending<'a> {
    context: &'a RequestContext<'a>,
    outcomes: (Sender<Outcome>, Receiver<Outcome>),
    count: usize,
}

impl<'a> Pending<'a> {
    fn new(context: &'a RequestContext<'a>) -> Self {
        Self { context, outcomes: mpsc::channel(), count: 0 }
    }

    /// Adds items to the queue of the worker.
    fn submit(&mut self, task: &Task, items: Vec<WorkItem>) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        self.count += items.len();
        let RequestContext { queue, cancel, .. } = self.context;
        let submission = Submission::new(task.clone(), items, self.outcomes.0.clone(), cancel.clone());
        if queue.add(submission) { Ok(()) } else { Err(timed_out().into()) }
    }

    /// Waits for the next generation, and returns it with the key of its item; `None` when no item is left.
    fn next_generation(&mut self) -> Result<Option<(usize, Generation)>> {
        match self.next()? {
            Some((key, ItemOutput::Generation(generation))) => Ok(Some((key, generation))),
            Some((_, ItemOutput::Alignment(_))) => bail!("an alignment came in the place of a generation"),
            None => Ok(None),
        }
    }

    /// Waits for what is made next, and returns it with the key of its item; `None` when no item is left.
    fn next(&mut self) -> Result<Option<(usize, ItemOutput)>> {
        if self.count == 0 {
            return Ok(None);
        }
        loop {
            match self.outcomes.1.recv_timeout(POLL.min(self.context.cancel.remaining())) {
                Ok((key, made)) => {
                    self.count -= 1;
                    return Ok(Some((key, made.map_err(|reason| anyhow!(reason))?)));
                }
                Err(RecvTimeoutError::Timeout) if !self.context.cancel.is_over() => {}
                Err(_) => return Err(timed_out().into()),
            }
        }
    }
}

fn timed_out() -> Refusal {
    Refusal::busy(
        "the request took too long".with_hint("send less at once, or come back when there is less to do"),
        RETRY,
    )
}

/// The worker's answers to the plan of a translation.
pub struct Answers<'a> {
    pending: Pending<'a>,
    session: &'a Session<'a>,
    pair: &'a Pair,
    /// Number of further translations of each text.
    alternatives: usize,
}

impl<'a> Answers<'a> {
    /// The answers of the worker for `session`, which translates between the languages of `pair`, with `alternatives`
    /// further translations of each text.
    pub fn new(context: &'a RequestContext<'a>, session: &'a Session<'a>, pair: &'a Pair, alternatives: usize) -> Self {
        Self { pending: Pending::new(context), session, pair, alternatives }
    }

    /// Waits for the next answer to a plan, and returns the numbers of the sentences that are complete with it;
    /// `None` once the plan has all answers.
    ///
    /// # Errors
    /// When the model fails, the request takes too long, or its client has gone.
    pub fn next<G: Generate + ?Sized>(&mut self, plan: &mut Plan<'_, G>) -> Result<Option<Vec<usize>>> {
        self.submit(plan)?;
        self.pending.next_generation()?.map(|answer| plan.answer([answer])).transpose()
    }

    /// Brings to a plan that has all answers which words of its texts belong together, if the session says that. The
    /// worker finds it, since it alone runs the models.
    ///
    /// # Errors
    /// When the model fails, or the request takes too long.
    pub fn align<G: Generate + ?Sized>(&mut self, plan: &mut Plan<'_, G>) -> Result<()> {
        if !self.session.aligns() {
            return Ok(());
        }
        let items = plan.generations().map(|(key, (text, generation))| {
            let (tokens, generation) = (self.session.encode(text)?, Some(generation.clone()));
            Ok(WorkItem { key, text: text.to_owned(), tokens, generation, ..WorkItem::default() })
        });
        let items = items.collect::<Result<Vec<_>>>()?;
        self.pending.submit(&Task::Align(self.pair.clone()), items)?;
        let mut found = Vec::new();
        while let Some((key, made)) = self.pending.next()? {
            let ItemOutput::Alignment(alignment) = made else {
                bail!("a generation came in the place of an alignment")
            };
            found.push((key, alignment));
        }
        plan.align(found);
        Ok(())
    }

    fn submit<G: Generate + ?Sized>(&mut self, plan: &mut Plan<'_, G>) -> Result<()> {
        let items = plan.next_inputs().map(|key| {
            let input = plan.input(key);
            let (text, constraints) = (input.text.to_owned(), input.constraints.to_vec());
            // A search for alternatives has options of its own, so the guarded search cannot resume from it.
            let known = |guard: &ResumePoint| if self.alternatives == 0 { guard.clone() } else { ResumePoint::Unknown };
            let tokens = self.session.encode(input.text)?;
            Ok(WorkItem { key, text, constraints, guard: input.guard.map(known), tokens, generation: None })
        });
        let items = items.collect::<Result<Vec<_>>>()?;
        let (guarded, free): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.guard.is_some());
        self.pending.submit(&Task::Translate(self.pair.clone(), 0), guarded)?;
        self.pending.submit(&Task::Translate(self.pair.clone(), self.alternatives), free)
    }
}

/// A summary model whose texts the worker generates.
pub struct QueuedWriter<'a> {
    context: &'a RequestContext<'a>,
    session: Session<'a>,
}

impl<'a> QueuedWriter<'a> {
    /// The writer of a request.
    ///
    /// # Errors
    /// When there is no model for summaries.
    pub fn new(context: &'a RequestContext<'a>) -> Result<Self> {
        Ok(Self { context, session: context.models.session(&Task::Summarize(None))? })
    }

    /// The session of the summary model.
    pub fn session(&self) -> &Session<'a> {
        &self.session
    }
}

impl SummaryWriter for QueuedWriter<'_> {
    fn write(&self, texts: &[&str], room: Option<LengthLimits>) -> Result<Vec<Generation>> {
        let items = texts.iter().enumerate().map(|(key, text)| {
            let tokens = self.session.encode(text)?;
            Ok(WorkItem { key, text: (*text).to_owned(), tokens, ..WorkItem::default() })
        });
        let mut pending = Pending::new(self.context);
        pending.submit(&Task::Summarize(room), items.collect::<Result<_>>()?)?;
        let mut written = vec![Generation::default(); texts.len()];
        while let Some((key, generation)) = pending.next_generation()? {
            written[key] = generation;
        }
        Ok(written)
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.session.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.session.engine().window()
    }

    fn least_tokens(&self) -> usize {
        self.session.least_tokens()
    }
}
