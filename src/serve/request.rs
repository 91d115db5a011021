//! What requests want of the models, and how long they wait for it.
//!
//! Invariant: two work items with the same batch key and the same dedup key have the same outcome. Which of them is next
//! belongs to `queue`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use kortom::batch::TokenId;
use kortom::engine::{Constraint, Generation, Input, ResumePoint};

use super::models::Task;

/// A text that a model is to work on.
#[derive(Clone, Debug)]
pub struct WorkItem {
    /// What its request knows it by.
    pub key: usize,
    /// The text.
    pub text: String,
    /// What its generation must contain.
    pub constraints: Vec<Constraint>,
    /// A guard against repetition.
    pub guard: Option<ResumePoint>,
    /// Its source tokens.
    pub tokens: Vec<TokenId>,
}

impl WorkItem {
    /// The item as a session takes it.
    pub fn input(&self) -> Input<'_> {
        Input { text: &self.text, constraints: &self.constraints, guard: self.guard.as_ref() }
    }

    /// All that decides its outcome, beside the batch key. Where a guarded search begins is known or unknown, but never
    /// anywhere else, so that only this counts.
    pub fn dedup_key(&self) -> (&str, &[Constraint], Option<bool>) {
        (&self.text, &self.constraints, self.guard.as_ref().map(|guard| matches!(guard, ResumePoint::Unknown)))
    }
}

/// What came of the work item with a key, or why nothing did.
pub type Outcome = (usize, Result<Generation, String>);

/// Work items that a request submits together.
pub struct Submission {
    /// With what they can be worked on.
    pub batch_key: BatchKey,
    /// The items that no worker has taken.
    pub waiting: VecDeque<WorkItem>,
    /// Where their outcomes go.
    pub outcomes: Sender<Outcome>,
    /// Says whether their request still waits.
    pub cancel: Arc<CancelToken>,
    /// When it was submitted.
    pub since: Instant,
}

impl Submission {
    /// Items of the request with this token, whose outcomes go to `outcomes`.
    pub fn new(task: Task, items: Vec<WorkItem>, outcomes: Sender<Outcome>, cancel: Arc<CancelToken>) -> Self {
        let constrained = items.iter().any(|item| !item.constraints.is_empty());
        let batch_key = BatchKey { task, constrained };
        Self { batch_key, waiting: items.into(), outcomes, cancel, since: Instant::now() }
    }
}

/// What work items that are worked on together have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchKey {
    /// What is wanted.
    pub task: Task,
    /// Some items have constraints: those whose generation lacks one are searched again when all are done.
    pub constrained: bool,
}

/// Says whether a request still waits for its answer: until its deadline, or until it is cancelled.
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

    /// Nobody waits any more.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// How long the request still waits.
    pub fn remaining(&self) -> Duration {
        if self.cancelled.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            self.deadline.saturating_duration_since(Instant::now())
        }
    }

    /// Whether nobody waits any more.
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }
}
