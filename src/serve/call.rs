//! What requests want of the models, and how long they will wait for it.
//!
//! Invariant: two texts of one turn with the same essence become the same. Whose turn it is belongs to `queue`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use kortom::batch::TokenId;
use kortom::engine::{Divergence, Generation};

use super::models::Task;

/// A text that waits.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its place in its call.
    pub place: usize,
    /// The text.
    pub text: String,
    /// What its translation must contain, each in one of several ways.
    pub terms: Vec<Vec<String>>,
    /// With this its translation must not repeat itself.
    pub guard: Option<Divergence>,
    /// Its source tokens.
    pub tokens: Vec<TokenId>,
}

impl Wanted {
    /// What its translation must contain.
    pub fn terms(&self) -> Vec<Vec<&str>> {
        self.terms.iter().map(|ways| ways.iter().map(String::as_str).collect()).collect()
    }

    /// All that decides what it becomes. Where the search for a text parts from that with a guard is known or not, but it is
    /// always the same place.
    pub fn essence(&self) -> (&str, &[Vec<String>], Option<bool>) {
        (&self.text, &self.terms, self.guard.as_ref().map(|guard| matches!(guard, Divergence::Unknown)))
    }
}

/// What came of the text with a place in its call, or why nothing did.
pub type Outcome = (usize, Result<Generation, String>);

/// Texts of a request that wait for the same thing.
pub struct Call {
    /// With what they can be worked on.
    pub turn: Turn,
    /// Those that nobody has taken.
    pub waiting: VecDeque<Wanted>,
    /// Where what comes of them goes.
    pub answers: Sender<Outcome>,
    /// The request.
    pub ticket: Arc<Ticket>,
    /// When it came.
    pub since: Instant,
}

impl Call {
    /// Texts of the request with this ticket, of which each answer goes to `answers`.
    pub fn new(task: Task, waiting: VecDeque<Wanted>, answers: Sender<Outcome>, ticket: Arc<Ticket>) -> Self {
        let terms = waiting.iter().any(|wanted| !wanted.terms.is_empty());
        Self { turn: Turn { task, terms }, waiting, answers, ticket, since: Instant::now() }
    }
}

/// What can be worked on together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What is wanted.
    pub task: Task,
    /// Some texts have terms: those that lack one are searched again when all are done.
    pub terms: bool,
}

/// A request, as long as somebody waits for its answer.
#[derive(Debug)]
pub struct Ticket {
    deadline: Instant,
    gone: AtomicBool,
}

impl Ticket {
    /// One that is good for so long.
    pub fn new(time: Duration) -> Arc<Self> {
        Arc::new(Self { deadline: Instant::now() + time, gone: AtomicBool::new(false) })
    }

    /// Nobody waits any more.
    pub fn give_up(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// How long somebody will still wait.
    pub fn left(&self) -> Duration {
        if self.gone.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            self.deadline.saturating_duration_since(Instant::now())
        }
    }
}
