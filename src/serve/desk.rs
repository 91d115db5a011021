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

/// All that a desk knows of a model.
pub trait Works {
    /// Works on what a flow has until nothing waits there.
    ///
    /// # Errors
    /// When the model fails; some of what was taken is not done then.
    fn follow(&self, flow: &dyn Flow) -> Result<()>;

    /// Works on a batch; a text with a guard comes alone.
    ///
    /// # Errors
    /// When the model fails.
    fn generate(&self, batch: &[Taken]) -> Result<Vec<Generation>>;
}

impl Works for Session<'_> {
    fn follow(&self, flow: &dyn Flow) -> Result<()> {
        Session::follow(self, flow)
    }

    fn generate(&self, batch: &[Taken]) -> Result<Vec<Generation>> {
        let guarded = batch.iter().filter_map(|taken| Some((taken.wanted.text.as_str(), taken.wanted.guard.as_ref()?)));
        let guarded: Vec<_> = guarded.collect();
        if !guarded.is_empty() {
            return self.generate_guarded(&guarded)?.context("there is no guard");
        }
        let texts: Vec<&str> = batch.iter().map(|taken| taken.wanted.text.as_str()).collect();
        let terms: Vec<Vec<Vec<&str>>> = batch.iter().map(|taken| taken.wanted.terms()).collect();
        self.generate_with(&texts, &terms)
    }
}

/// Has a model work on one batch of what waits.
pub fn batch(queue: &Queue, model: &impl Works, turn: &Turn, metrics: &Metrics, fits: impl Fn(usize, usize) -> bool) {
    let batch = queue.take(turn, fits, iter::empty());
    metrics.batch(batch.len());
    answer(model, batch);
}

/// Has a model work on what waits and on what comes, until nothing does or it is another's turn.
pub fn follow(queue: &Queue, model: &impl Works, turn: &Turn, metrics: &Metrics) {
    let desk = Desk { queue, turn, metrics, open: Mutex::default() };
    let worked = catch_unwind(AssertUnwindSafe(|| model.follow(&desk)));
    // None are left but when it failed or panicked.
    let left = desk.open.into_inner().unwrap_or_else(PoisonError::into_inner).under_way;
    debug_assert!(left.is_empty() || !matches!(worked, Ok(Ok(()))));
    for taken in left.into_values() {
        answer(model, vec![taken]);
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
            sources.push(Incoming { key, tokens: taken.wanted.tokens.clone(), guard: taken.wanted.guard.clone() });
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
fn answer(model: &impl Works, batch: Vec<Taken>) {
    let worked = catch_unwind(AssertUnwindSafe(|| model.generate(&batch)));
    match worked.unwrap_or_else(|_| Err(anyhow!("the model panicked"))) {
        Ok(generations) => batch.into_iter().zip(generations).for_each(|(taken, made)| taken.answer(&Ok(made))),
        Err(_) if batch.len() > 1 => batch.into_iter().for_each(|taken| answer(model, vec![taken])),
        Err(error) => batch.into_iter().for_each(|taken| taken.answer(&Err(format!("{error:#}")))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::mpsc;
    use std::time::Duration;

    use anyhow::ensure;

    use super::*;
    use crate::serve::call::{Call, Ticket, Wanted};
    use crate::serve::models::Task;

    /// A model that repeats what it is told, but panics at some texts and fails at others.
    struct Fragile;

    impl Fragile {
        fn make(text: &str) -> Result<Generation> {
            assert!(text != "panic", "as it should");
            ensure!(text != "fail", "no memory");
            Ok(Generation { text: text.to_owned(), ..Generation::default() })
        }
    }

    impl Works for Fragile {
        fn follow(&self, flow: &dyn Flow) -> Result<()> {
            let taken = flow.take(&|_, _| true);
            taken.into_iter().try_for_each(|Incoming { key, tokens, .. }| {
                let bytes = tokens.into_iter().map(|token| token as u8).collect();
                flow.done(key, Self::make(&String::from_utf8(bytes)?)?);
                Ok(())
            })
        }

        fn generate(&self, batch: &[Taken]) -> Result<Vec<Generation>> {
            batch.iter().map(|taken| Self::make(&taken.wanted.text)).collect()
        }
    }

    /// What each of these texts is told, by way of `work`.
    fn told(texts: &[&str], work: impl Fn(&Queue, &Turn, &Metrics)) -> Vec<Result<String, String>> {
        let (answers, answered) = mpsc::channel();
        let wanted = |(place, text): (usize, &&str)| {
            let tokens = text.bytes().map(u32::from).collect();
            Wanted { place, text: (*text).to_owned(), terms: Vec::new(), guard: None, tokens }
        };
        let waiting: VecDeque<Wanted> = texts.iter().enumerate().map(wanted).collect();
        let (task, ticket) = (Task::Summarize(None), Ticket::new(Duration::from_mins(1)));
        let queue = Queue::default();
        queue.add(Call::new(task.clone(), waiting, answers, ticket));
        work(&queue, &Turn { task, terms: false }, &Metrics::default());
        assert_eq!(queue.len(), 0);
        drop(queue);
        let mut told: Vec<_> = answered.iter().collect();
        told.sort_by_key(|(place, _)| *place);
        assert!(told.iter().map(|(place, _)| *place).eq(0..texts.len()), "each has one answer");
        told.into_iter().map(|(_, outcome)| outcome.map(|made| made.text)).collect()
    }

    #[test]
    fn a_model_that_panics_or_fails_costs_only_the_text_at_fault_its_answer() {
        let texts = ["a", "panic", "b", "fail", "c", "panic", "d"];
        let expected = texts.map(|text| match text {
            "panic" => Err("the model panicked".to_owned()),
            "fail" => Err("no memory".to_owned()),
            text => Ok(text.to_owned()),
        });
        assert_eq!(told(&texts, |queue, turn, metrics| follow(queue, &Fragile, turn, metrics)), expected);
        assert_eq!(told(&texts, |queue, turn, metrics| batch(queue, &Fragile, turn, metrics, |_, _| true)), expected);
        assert_eq!(told(&["a"], |queue, turn, metrics| follow(queue, &Fragile, turn, metrics)), [Ok("a".to_owned())]);
    }
}
