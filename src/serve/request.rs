//! The work items of requests, and how long requests wait for their outcomes.
//!
//! Invariant: two work items with equal batch keys and equal dedup keys have the same outcome. Which item is next
//! belongs to `queue`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use kortom::batch::TokenId;
use kortom::engine::{Constraint, Generation, Input, ResumePoint, WordAlignment};

use super::models::Task;

/// A text that a model generates an output for, or whose output it aligns.
#[derive(Clone, Debug, Default)]
pub struct WorkItem {
    /// The key by which its request knows the item.
    pub key: usize,
    /// The text.
    pub text: String,
    /// The constraints of the output: what it must contain.
    pub constraints: Vec<Constraint>,
    /// The resume point of a search with a guard against repetition; `None` for a search without the guard.
    pub guard: Option<ResumePoint>,
    /// The source tokens.
    pub tokens: Vec<TokenId>,
    /// The output that is aligned; `None` for a text without an output.
    pub generation: Option<Generation>,
}

impl WorkItem {
    /// The item as the input of a session.
    pub fn input(&self) -> Input<'_> {
        Input { text: &self.text, constraints: &self.constraints, guard: self.guard.as_ref() }
    }

    /// All that decides the outcome of the item, beside the batch key. Of a resume point only whether it is known
    /// counts: for equal texts, all known resume points are equal.
    pub fn dedup_key(&self) -> (&str, &[Constraint], Option<bool>, Option<&[TokenId]>) {
        let guard = self.guard.as_ref().map(|guard| matches!(guard, ResumePoint::Unknown));
        (&self.text, &self.constraints, guard, self.generation.as_ref().map(|generation| &generation.tokens[..]))
    }
}

/// What a model made of a work item.
#[derive(Clone, Debug)]
pub enum ItemOutput {
    /// An output for its text.
    Generation(Generation),
    /// Which words of its text and of its output belong together.
    Alignment(WordAlignment),
}

/// The key of a work item, and what a model made of it or the message of the error.
pub type Outcome = (usize, Result<ItemOutput, String>);

/// Work items that a request submits together.
pub struct Submission {
    /// The batch key of all items.
    pub batch_key: BatchKey,
    /// The items that no worker has taken.
    pub waiting: VecDeque<WorkItem>,
    /// The sender of the outcomes.
    pub outcomes: Sender<Outcome>,
    /// The token of the request, which says whether it still waits.
    pub cancel: Arc<CancelToken>,
    /// The time of the submission.
    pub since: Instant,
}

impl Submission {
    /// A submission of the request with this `cancel` token; outcomes are sent to `outcomes`.
    pub fn new(task: Task, items: Vec<WorkItem>, outcomes: Sender<Outcome>, cancel: Arc<CancelToken>) -> Self {
        let constrained = items.iter().any(|item| !item.constraints.is_empty());
        let batch_key = BatchKey { task, constrained };
        Self { batch_key, waiting: items.into(), outcomes, cancel, since: Instant::now() }
    }
}

/// What work items must have in common to be worked on together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchKey {
    /// The task.
    pub task: Task,
    /// Whether items have constraints. Outputs that lack a required term are searched again after the whole batch is
    /// done.
    pub constrained: bool,
}

/// Tells whether a request still waits for its answer: it does until its deadline, or until it is cancelled.
#[derive(Debug)]
pub struct CancelToken {
    deadline: Instant,
    cancelled: AtomicBool,
}

impl CancelToken {
    /// A token whose deadline is `timeout` from now.
    pub fn new(timeout: Duration) -> Arc<Self> {
        Arc::new(Self { deadline: Instant::now() + timeout, cancelled: AtomicBool::new(false) })
    }

    /// Cancels the request.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// The time that the request still waits; zero if it is cancelled.
    pub fn remaining(&self) -> Duration {
        if self.cancelled.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            self.deadline.saturating_duration_since(Instant::now())
        }
    }

    /// Whether the request is cancelled or past its deadline.
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }
}
