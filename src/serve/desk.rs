//! Where a model works on the texts of a queue.
//!
//! Invariant: every text that is taken gets an answer. When the model fails, or panics, what was under way is tried again
//! text by text, so that only the one at fault is lost.

use std::collections::HashMap;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow};
use kortom::engine::{Flow, Generation, Incoming, Session};

use super::call::Turn;
use super::metrics::Metrics;
use super::queue::{Queue, Taken};

/// Has a model work on one batch of what waits.
pub fn batch(
    queue: &Queue,
    session: &Session<'_>,
    turn: &Turn,
    metrics: &Metrics,
    fits: impl Fn(usize, usize) -> bool,
) {
    let batch = queue.take(turn, fits, iter::empty());
    metrics.batch(batch.len());
    answer(session, batch);
}

/// Has a model work on what waits and on what comes, until nothing does or it is another's turn.
pub fn follow(queue: &Queue, session: &Session<'_>, turn: &Turn, metrics: &Metrics) {
    let desk = Desk { queue, turn, metrics, open: Mutex::default() };
    let worked = catch_unwind(AssertUnwindSafe(|| session.follow(&desk)));
    // None are left but when it failed or panicked.
    let left = desk.open.into_inner().unwrap_or_else(PoisonError::into_inner).under_way;
    debug_assert!(left.is_empty() || !matches!(worked, Ok(Ok(()))));
    for taken in left.into_values() {
        answer(session, vec![taken]);
    }
}

/// The flow of texts whose turn it is.
struct Desk<'a> {
    queue: &'a Queue,
    turn: &'a Turn,
    metrics: &'a Metrics,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// Texts so far.
    count: usize,
    /// Those that were taken and have no answer.
    under_way: HashMap<usize, Taken>,
}

impl Desk<'_> {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flow for Desk<'_> {
    fn waiting(&self) -> usize {
        self.queue.waiting(self.turn).len()
    }

    fn longest(&self) -> usize {
        self.queue.waiting(self.turn).into_iter().max().unwrap_or(0)
    }

    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<Incoming> {
        // It may be another's turn by now.
        if self.waiting() == 0 {
            return Vec::new();
        }
        let mut open = self.open();
        let taken = self.queue.take(self.turn, fits, open.under_way.values_mut());
        if !taken.is_empty() {
            self.metrics.batch(taken.len());
        }
        let mut sources = Vec::with_capacity(taken.len());
        for taken in taken {
            let key = open.count;
            open.count += 1;
            sources.push(Incoming { key, tokens: taken.wanted.tokens.clone(), guarded: taken.wanted.guarded });
            open.under_way.insert(key, taken);
        }
        sources
    }

    fn done(&self, key: usize, generation: Generation) {
        if let Some(taken) = self.open().under_way.remove(&key) {
            taken.answer(&Ok(generation));
        }
    }
}

/// Has the model work on a batch, and answers.
fn answer(session: &Session<'_>, batch: Vec<Taken>) {
    let worked = catch_unwind(AssertUnwindSafe(|| generate(session, &batch)));
    match worked.unwrap_or_else(|_| Err(anyhow!("the model panicked"))) {
        Ok(generations) => batch.into_iter().zip(generations).for_each(|(taken, made)| taken.answer(&Ok(made))),
        Err(_) if batch.len() > 1 => batch.into_iter().for_each(|taken| answer(session, vec![taken])),
        Err(error) => batch.into_iter().for_each(|taken| taken.answer(&Err(format!("{error:#}")))),
    }
}

fn generate(session: &Session<'_>, batch: &[Taken]) -> Result<Vec<Generation>> {
    let texts: Vec<&str> = batch.iter().map(|taken| taken.wanted.text.as_str()).collect();
    // Such a text comes here alone.
    if batch.iter().any(|taken| taken.wanted.guarded) {
        return session.generate_guarded(&texts)?.context("there is no guard");
    }
    let terms: Vec<Vec<Vec<&str>>> = batch.iter().map(|taken| taken.wanted.terms()).collect();
    session.generate_with(&texts, &terms)
}
