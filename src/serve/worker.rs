//! The worker: the one thread that runs the models on the items of the queue.
//!
//! Invariant: every item that is taken gets an outcome. When the model fails or panics, the items in flight are tried
//! again one by one, so that only the item at fault is lost.

use std::collections::HashMap;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, anyhow};
use kortom::engine::{Generation, Input, Scheduler, Session, Source};

use super::metrics::Metrics;
use super::models::{ServedModels, Task};
use super::queue::{InFlight, Queue};
use super::request::{BatchKey, ItemOutput, WorkItem};

/// A model that works on whole batches.
trait BatchBackend {
    /// Works on each item of a batch; returns the outputs in their order.
    ///
    /// # Errors
    /// When the model fails.
    fn make(&self, batch: &[&WorkItem]) -> Result<Vec<ItemOutput>>;
}

/// A model that decodes items as they come.
trait Backend: BatchBackend {
    /// Works on the texts of a scheduler until none waits.
    ///
    /// # Errors
    /// When the model fails. Some texts that were taken then have no outcome.
    fn run(&self, scheduler: &dyn Scheduler) -> Result<()>;
}

impl BatchBackend for Session<'_> {
    fn make(&self, batch: &[&WorkItem]) -> Result<Vec<ItemOutput>> {
        let inputs: Vec<Input> = batch.iter().map(|item| item.input()).collect();
        Ok(self.generate(&inputs)?.into_iter().map(ItemOutput::Generation).collect())
    }
}

impl Backend for Session<'_> {
    fn run(&self, scheduler: &dyn Scheduler) -> Result<()> {
        Session::run(self, scheduler)
    }
}

/// A session that says which words of texts and of their outputs belong together.
struct Aligning<'a>(Session<'a>);

impl BatchBackend for Aligning<'_> {
    fn make(&self, batch: &[&WorkItem]) -> Result<Vec<ItemOutput>> {
        let texts = batch.iter().filter_map(|item| Some((item.text.as_str(), item.generation.as_ref()?)));
        let texts: Vec<_> = texts.collect();
        Ok(self.0.align(&texts)?.into_iter().map(ItemOutput::Alignment).collect())
    }
}

/// Works until the queue is closed and empty.
pub fn work(queue: &Queue, models: &ServedModels, metrics: &Metrics) {
    while let Some(key) = queue.next_key() {
        match models.session(&key.task) {
            Ok(session) if matches!(key.task, Task::Align(_)) => {
                let fits = |items: usize, longest: usize| session.is_one_batch(items, longest);
                let batch = queue.take(&key, fits, iter::empty());
                metrics.batch(batch.len());
                answer(&Aligning(session), batch);
            }
            // A sampled output depends on the item's place in its batch. So each item is a batch of its own.
            Ok(session) if session.settings().options.sampling.is_some() => {
                run_batch(queue, &session, &key, metrics, |items, _| items == 1);
            }
            Ok(session) if key.constrained => {
                let fits = |items: usize, longest: usize| session.is_one_batch(items, longest);
                run_batch(queue, &session, &key, metrics, fits);
            }
            Ok(session) => run(queue, &session, &key, metrics),
            Err(error) => {
                let answer = |item: InFlight| item.answer(&Err(format!("{error:#}")));
                queue.take(&key, |_, _| true, iter::empty()).into_iter().for_each(answer);
            }
        }
    }
}

/// Takes one batch of waiting items from the queue, and has a model work on it.
fn run_batch(
    queue: &Queue,
    model: &impl BatchBackend,
    key: &BatchKey,
    metrics: &Metrics,
    fits: impl Fn(usize, usize) -> bool,
) {
    let batch = queue.take(key, fits, iter::empty());
    metrics.batch(batch.len());
    answer(model, batch);
}

/// Has a model work on items with a batch key, also on those that are submitted meanwhile, until none waits or it is
/// the turn of another batch key.
fn run(queue: &Queue, model: &impl Backend, key: &BatchKey, metrics: &Metrics) {
    let running = Running { queue, key, metrics, state: Mutex::default() };
    let worked = catch_unwind(AssertUnwindSafe(|| model.run(&running)));
    // Items are left only if the model failed or panicked.
    let left = running.state.into_inner().unwrap_or_else(PoisonError::into_inner).in_flight;
    debug_assert!(left.is_empty() || !matches!(worked, Ok(Ok(()))));
    for item in left.into_values() {
        answer(model, vec![item]);
    }
}

/// The scheduler of the items with one batch key.
struct Running<'a> {
    queue: &'a Queue,
    key: &'a BatchKey,
    metrics: &'a Metrics,
    state: Mutex<RunState>,
}

#[derive(Default)]
struct RunState {
    /// Number of items that were taken so far.
    count: usize,
    /// Items that were taken and have no outcome yet, by their number.
    in_flight: HashMap<usize, InFlight>,
}

impl Running<'_> {
    fn state(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scheduler for Running<'_> {
    fn waiting(&self) -> usize {
        self.queue.waiting(self.key).len()
    }

    fn longest(&self) -> usize {
        self.queue.waiting(self.key).into_iter().max().unwrap_or(0)
    }

    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<Source> {
        // By now it may be the turn of another batch key.
        if self.waiting() == 0 {
            return Vec::new();
        }
        let mut state = self.state();
        let taken = self.queue.take(self.key, fits, state.in_flight.values_mut());
        if !taken.is_empty() {
            self.metrics.batch(taken.len());
        }
        let mut sources = Vec::with_capacity(taken.len());
        for taken in taken {
            let key = state.count;
            state.count += 1;
            sources.push(Source { key, tokens: taken.item.tokens.clone(), guard: taken.item.guard.clone() });
            state.in_flight.insert(key, taken);
        }
        sources
    }

    fn done(&self, key: usize, generation: Generation) {
        if let Some(item) = self.state().in_flight.remove(&key) {
            item.answer(&Ok(ItemOutput::Generation(generation)));
        }
    }
}

/// Has the model work on a batch, and sends the outcomes. If it fails, the items are tried again one by one.
fn answer(model: &impl BatchBackend, batch: Vec<InFlight>) {
    let items: Vec<&WorkItem> = batch.iter().map(|one| &one.item).collect();
    let worked = catch_unwind(AssertUnwindSafe(|| model.make(&items)));
    match worked.unwrap_or_else(|_| Err(anyhow!("the model panicked"))) {
        Ok(all) => batch.into_iter().zip(all).for_each(|(one, made)| one.answer(&Ok(made))),
        Err(_) if batch.len() > 1 => batch.into_iter().for_each(|one| answer(model, vec![one])),
        Err(error) => batch.into_iter().for_each(|one| one.answer(&Err(format!("{error:#}")))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use anyhow::ensure;

    use super::*;
    use crate::serve::models::Task;
    use crate::serve::request::{CancelToken, Submission, WorkItem};

    /// A model that repeats what it is told, but panics at some texts and fails at others.
    struct Fragile;

    impl Fragile {
        fn repeat(text: &str) -> Result<Generation> {
            assert!(text != "panic", "as it should");
            ensure!(text != "fail", "no memory");
            Ok(Generation { text: text.to_owned(), ..Generation::default() })
        }
    }

    impl Backend for Fragile {
        fn run(&self, scheduler: &dyn Scheduler) -> Result<()> {
            let taken = scheduler.take(&|_, _| true);
            taken.into_iter().try_for_each(|Source { key, tokens, .. }| {
                let bytes = tokens.into_iter().map(|token| token as u8).collect();
                scheduler.done(key, Self::repeat(&String::from_utf8(bytes)?)?);
                Ok(())
            })
        }
    }

    impl BatchBackend for Fragile {
        fn make(&self, batch: &[&WorkItem]) -> Result<Vec<ItemOutput>> {
            batch.iter().map(|item| Ok(ItemOutput::Generation(Self::repeat(&item.text)?))).collect()
        }
    }

    /// The outcome of each of these texts, by way of `work`.
    fn outcomes(texts: &[&str], work: impl Fn(&Queue, &BatchKey, &Metrics)) -> Vec<Result<String, String>> {
        let (outcomes, received) = mpsc::channel();
        let item = |(key, text): (usize, &&str)| {
            let tokens = text.bytes().map(u32::from).collect();
            WorkItem { key, text: (*text).to_owned(), tokens, ..WorkItem::default() }
        };
        let items = texts.iter().enumerate().map(item).collect();
        let (task, cancel) = (Task::Summarize(None), CancelToken::new(Duration::from_mins(1)));
        let queue = Queue::default();
        assert!(queue.add(Submission::new(task.clone(), items, outcomes, cancel)));
        work(&queue, &BatchKey { task, constrained: false }, &Metrics::default());
        assert_eq!(queue.len(), 0);
        drop(queue);
        let mut received: Vec<_> = received.iter().collect();
        received.sort_by_key(|(key, _)| *key);
        assert!(received.iter().map(|(key, _)| *key).eq(0..texts.len()), "each has one outcome");
        let text = |made: ItemOutput| match made {
            ItemOutput::Generation(generation) => generation.text,
            ItemOutput::Alignment(_) => "an alignment".to_owned(),
        };
        received.into_iter().map(|(_, outcome)| outcome.map(text)).collect()
    }

    #[test]
    fn a_model_that_panics_or_fails_costs_only_the_text_at_fault_its_answer() {
        let texts = ["a", "panic", "b", "fail", "c", "panic", "d"];
        let expected = texts.map(|text| match text {
            "panic" => Err("the model panicked".to_owned()),
            "fail" => Err("no memory".to_owned()),
            text => Ok(text.to_owned()),
        });
        assert_eq!(outcomes(&texts, |queue, key, metrics| run(queue, &Fragile, key, metrics)), expected);
        let batch = |queue: &Queue, key: &BatchKey, metrics: &Metrics| {
            run_batch(queue, &Fragile, key, metrics, |_, _| true);
        };
        assert_eq!(outcomes(&texts, batch), expected);
        assert_eq!(outcomes(&["a"], |queue, key, metrics| run(queue, &Fragile, key, metrics)), [Ok("a".to_owned())]);
    }
}
