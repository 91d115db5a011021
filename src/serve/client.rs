//! A request as a client of the worker: it submits work items to the queue and receives their outcomes as they come.
//!
//! Invariant: an article becomes what it becomes on the command line, for the same plan asks for the same inputs.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::{Result, anyhow};
use kortom::engine::{Generation, ResumePoint, Session};
use kortom::error::WithHint;
use kortom::summarize::abstractive::{LengthLimits, SummaryWriter};
use kortom::translate::{Generate, Plan};

use super::models::{Pair, ServedModels, Task};
use super::queue::Queue;
use super::refusal::Refusal;
use super::request::{CancelToken, Outcome, Submission, WorkItem};

/// How often a request that waits looks whether it was cancelled.
const POLL: Duration = Duration::from_millis(500);
/// When to ask again after a request that took too long.
const RETRY: Duration = Duration::from_secs(30);

/// What a request works with.
pub struct RequestContext<'a> {
    /// Where its work items wait.
    pub queue: &'a Queue,
    /// The models.
    pub models: &'a ServedModels,
    /// Says whether anybody still waits for its answer.
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

    /// Has items wait for the worker.
    fn submit(&mut self, task: &Task, items: Vec<WorkItem>) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        self.count += items.len();
        let RequestContext { queue, cancel, .. } = self.context;
        let submission = Submission::new(task.clone(), items, self.outcomes.0.clone(), cancel.clone());
        if queue.add(submission) { Ok(()) } else { Err(timed_out().into()) }
    }

    /// The next generation with its key; none when no item is left.
    fn next(&mut self) -> Result<Option<(usize, Generation)>> {
        if self.count == 0 {
            return Ok(None);
        }
        loop {
            match self.outcomes.1.recv_timeout(POLL.min(self.context.cancel.remaining())) {
                Ok((key, generation)) => {
                    self.count -= 1;
                    return Ok(Some((key, generation.map_err(|reason| anyhow!(reason))?)));
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
    /// How many alternatives there are to be for each text.
    alternatives: usize,
}

impl<'a> Answers<'a> {
    /// The answers that `session` of a pair of languages will give, with `alternatives` for each text.
    pub fn new(context: &'a RequestContext<'a>, session: &'a Session<'a>, pair: &'a Pair, alternatives: usize) -> Self {
        Self { pending: Pending::new(context), session, pair, alternatives }
    }

    /// Brings a plan its next answer; gives the sentences that are complete with it, and none once the plan has all answers.
    ///
    /// # Errors
    /// When the model fails, it takes too long, or nobody waits any more.
    pub fn next<G: Generate + ?Sized>(&mut self, plan: &mut Plan<'_, G>) -> Result<Option<Vec<usize>>> {
        self.submit(plan)?;
        self.pending.next()?.map(|answer| plan.answer([answer])).transpose()
    }

    fn submit<G: Generate + ?Sized>(&mut self, plan: &mut Plan<'_, G>) -> Result<()> {
        let items = plan.next_inputs().map(|key| {
            let input = plan.input(key);
            let (text, constraints) = (input.text.to_owned(), input.constraints.to_vec());
            // A search for alternatives has options of its own, so its resume_point is not that of a search without.
            let known = |guard: &ResumePoint| if self.alternatives == 0 { guard.clone() } else { ResumePoint::Unknown };
            let tokens = self.session.encode(input.text)?;
            Ok(WorkItem { key, text, constraints, guard: input.guard.map(known), tokens })
        });
        let items = items.collect::<Result<Vec<_>>>()?;
        let (guarded, free): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.guard.is_some());
        self.pending.submit(&Task::Translate(self.pair.clone(), 0), guarded)?;
        self.pending.submit(&Task::Translate(self.pair.clone(), self.alternatives), free)
    }
}

/// A model for summaries whose work the worker does.
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

    /// The session whose work it is.
    pub fn session(&self) -> &Session<'a> {
        &self.session
    }
}

impl SummaryWriter for QueuedWriter<'_> {
    fn write(&self, texts: &[&str], room: Option<LengthLimits>) -> Result<Vec<Generation>> {
        let items = texts.iter().enumerate().map(|(key, text)| {
            let tokens = self.session.encode(text)?;
            Ok(WorkItem { key, text: (*text).to_owned(), constraints: Vec::new(), guard: None, tokens })
        });
        let mut pending = Pending::new(self.context);
        pending.submit(&Task::Summarize(room), items.collect::<Result<_>>()?)?;
        let mut written = vec![Generation::default(); texts.len()];
        while let Some((key, generation)) = pending.next()? {
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
