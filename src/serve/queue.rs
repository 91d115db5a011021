//! Where the texts of all requests wait for the one thread that has the models.
//!
//! Invariant: requests take turns text by text, so that a short one does not wait for the whole of a long one: whichever has
//! gone longest without a turn has a text in the next batch. What a text becomes does not depend on those beside it. What a
//! request no longer waits for is not worked on. A batch that fails, or panics, is tried again text by text, so that only the
//! one at fault is lost. Who needs which texts belongs to `asker`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use kortom::engine::{Generation, Session};

use super::metrics::Metrics;
use super::models::{Models, Task};

/// Texts of one length are looked for among as many as would fill so many batches: then there is little padding.
const CHOICE: usize = 8;

/// A text that waits.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its place in its call.
    pub place: usize,
    /// The text.
    pub text: String,
    /// What its translation must contain, each in one of several ways.
    pub terms: Vec<Vec<String>>,
    /// Its tokens.
    pub tokens: usize,
}

impl Wanted {
    fn terms(&self) -> Vec<Vec<&str>> {
        self.terms.iter().map(|ways| ways.iter().map(String::as_str).collect()).collect()
    }
}

/// What came of a text: nothing where a guard makes no difference.
pub type Outcome = (usize, Result<Option<Generation>>);

/// Texts of a request that wait for the same thing.
pub struct Call {
    /// What is wanted.
    pub task: Task,
    /// The texts.
    pub waiting: VecDeque<Wanted>,
    /// Where each answer goes.
    pub answers: Sender<Outcome>,
    /// The request.
    pub ticket: Arc<Ticket>,
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

/// The calls that wait, in the order of their turns.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    calls: VecDeque<Call>,
    closed: bool,
}

/// A text whose turn it is.
struct Taken {
    wanted: Wanted,
    answers: Sender<Outcome>,
}

/// A text whose turn it may be: the number of its call, its place there, and its tokens.
struct Candidate {
    call: usize,
    place: usize,
    tokens: usize,
}

impl State {
    /// The next texts of all calls with a task, one of each in turn.
    fn choice(&self, task: &Task, fits: impl Fn(usize, usize) -> bool) -> Vec<Candidate> {
        let calls: Vec<(usize, &Call)> = self.calls.iter().enumerate().filter(|(_, call)| call.task == *task).collect();
        let longest = calls.iter().map(|(_, call)| call.waiting.len()).max().unwrap_or(0);
        let (mut choice, mut tokens): (Vec<Candidate>, usize) = (Vec::new(), 0);
        for place in 0..longest {
            for (call, wanted) in calls.iter().filter_map(|(call, of)| Some((*call, of.waiting.get(place)?))) {
                tokens += wanted.tokens;
                choice.push(Candidate { call, place, tokens: wanted.tokens });
                if !fits(choice.len().div_ceil(CHOICE), tokens.div_ceil(choice.len())) {
                    return choice;
                }
            }
        }
        choice
    }
}

/// The first of some texts and those nearest to it in length, as many as fit.
fn nearest(mut choice: Vec<Candidate>, fits: impl Fn(usize, usize) -> bool) -> Vec<Candidate> {
    let Some(Candidate { call, place, .. }) = choice.first() else { return choice };
    let leader = (*call, *place);
    choice.sort_by_key(|candidate| candidate.tokens);
    let leader = choice.iter().position(|other| (other.call, other.place) == leader).unwrap_or(0);
    let (mut first, mut end) = (leader, leader + 1);
    loop {
        let shorter = first.checked_sub(1).map(|other| choice[leader].tokens - choice[other].tokens);
        let longer = choice.get(end).map(|other| other.tokens - choice[leader].tokens);
        match (shorter, longer) {
            (None, None) => break,
            (Some(shorter), longer) if longer.is_none_or(|longer| shorter < longer) => first -= 1,
            _ => end += 1,
        }
        if !fits(end - first, choice[end - 1].tokens) {
            // The one that was added last does not.
            let shorter = shorter.is_some_and(|shorter| longer.is_none_or(|longer| shorter < longer));
            if shorter {
                first += 1;
            } else {
                end -= 1;
            }
            break;
        }
    }
    choice.truncate(end);
    choice.split_off(first)
}

impl Queue {
    /// Has a call wait. After the end its sender is dropped, so that nobody waits in vain.
    pub fn add(&self, call: Call) {
        let mut state = self.state();
        if !state.closed {
            state.calls.push_back(call);
        }
        self.changed.notify_one();
    }

    /// Ends the work once nothing waits.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// How many texts wait.
    pub fn len(&self) -> usize {
        self.state().calls.iter().map(|call| call.waiting.len()).sum()
    }

    /// Works until the queue is closed and empty.
    pub fn work(&self, models: &Models, metrics: &Metrics) {
        while let Some(task) = self.next_task() {
            match models.session(&task) {
                Ok(session) => self.batch(&session, &task, metrics),
                Err(error) => {
                    for taken in self.take(&task, |_, _| true) {
                        taken.answer(Err(anyhow!("{error:#}")));
                    }
                }
            }
        }
    }

    /// Has the model work on what waits for a task, one batch of it.
    fn batch(&self, session: &Session<'_>, task: &Task, metrics: &Metrics) {
        // What is drawn by chance depends on the place in a batch.
        let alone = session.settings().options.sampling.is_some();
        let fits = |texts: usize, longest: usize| if alone { texts == 1 } else { session.is_one_batch(texts, longest) };
        let batch = self.take(task, fits);
        metrics.batch(batch.len());
        answer(session, task, batch);
    }

    /// The task of whoever's turn it is; waits until there is one, and gives none at the end.
    fn next_task(&self) -> Option<Task> {
        let mut state = self.state();
        loop {
            state.calls.retain(|call| !call.waiting.is_empty() && !call.ticket.left().is_zero());
            if let Some(call) = state.calls.front() {
                return Some(call.task.clone());
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A batch of texts that wait for a task: that of the call which has waited longest, and those nearest to it in length
    /// among the next ones of all calls. Calls that have a text in it go to the end.
    fn take(&self, task: &Task, fits: impl Fn(usize, usize) -> bool) -> Vec<Taken> {
        let mut state = self.state();
        let mut batch = nearest(state.choice(task, &fits), &fits);
        // From the back, so that the places of the others stay as they are.
        batch.sort_by_key(|candidate| (candidate.call, std::cmp::Reverse(candidate.place)));
        let mut taken = Vec::with_capacity(batch.len());
        let mut served = vec![false; state.calls.len()];
        for Candidate { call: number, place, .. } in batch {
            served[number] = true;
            let call = &mut state.calls[number];
            if let Some(wanted) = call.waiting.remove(place) {
                taken.push(Taken { wanted, answers: call.answers.clone() });
            }
        }
        let mut served = served.into_iter();
        let (mut last, first): (VecDeque<Call>, VecDeque<Call>) =
            state.calls.drain(..).partition(|_| served.next() == Some(true));
        state.calls = first;
        state.calls.append(&mut last);
        taken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn answer(self, outcome: Result<Option<Generation>>) {
        // Whoever asked may have gone.
        let _ = self.answers.send((self.wanted.place, outcome));
    }
}

/// Has the model work on a batch, and answers.
fn answer(session: &Session<'_>, task: &Task, batch: Vec<Taken>) {
    let worked = catch_unwind(AssertUnwindSafe(|| generate(session, task, &batch)));
    match worked.unwrap_or_else(|_| Err(anyhow!("the model panicked"))) {
        Ok(generations) => batch.into_iter().zip(generations).for_each(|(taken, made)| taken.answer(Ok(made))),
        Err(_) if batch.len() > 1 => batch.into_iter().for_each(|taken| answer(session, task, vec![taken])),
        Err(error) => batch.into_iter().for_each(|taken| taken.answer(Err(anyhow!("{error:#}")))),
    }
}

fn generate(session: &Session<'_>, task: &Task, batch: &[Taken]) -> Result<Vec<Option<Generation>>> {
    let texts: Vec<&str> = batch.iter().map(|taken| taken.wanted.text.as_str()).collect();
    let made = match task {
        Task::Translate(..) => {
            let terms: Vec<Vec<Vec<&str>>> = batch.iter().map(|taken| taken.wanted.terms()).collect();
            Some(session.generate_with(&texts, &terms)?)
        }
        Task::Guard(_) => session.generate_guarded(&texts)?,
        Task::Summarize(_) => Some(session.generate(&texts)?),
    };
    Ok(made.map_or_else(|| texts.iter().map(|_| None).collect(), |made| made.into_iter().map(Some).collect()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::serve::models::Pair;

    fn pair(to: &str) -> Task {
        Task::Translate(Pair { from: "nl".to_owned(), to: to.to_owned() }, 0)
    }

    fn add(queue: &Queue, task: Task, name: &str, tokens: &[usize]) -> Arc<Ticket> {
        let ticket = Ticket::new(Duration::from_mins(1));
        let wanted = |(place, &tokens)| Wanted { place, text: name.to_owned(), terms: Vec::new(), tokens };
        let waiting = tokens.iter().enumerate().map(wanted).collect();
        queue.add(Call { task, waiting, answers: mpsc::channel().0, ticket: ticket.clone() });
        ticket
    }

    fn take(queue: &Queue, most: usize) -> String {
        let task = queue.next_task().unwrap();
        let mut taken = queue.take(&task, |texts, _| texts <= most);
        taken.sort_by(|a, b| (&a.wanted.text, a.wanted.place).cmp(&(&b.wanted.text, b.wanted.place)));
        taken
            .iter()
            .flat_map(|taken| [taken.wanted.text.clone(), taken.wanted.place.to_string(), " ".to_owned()])
            .collect()
    }

    #[test]
    fn requests_take_turns_text_by_text() {
        let queue = Queue::default();
        add(&queue, pair("en"), "a", &[1; 9]);
        assert_eq!(take(&queue, 3), "a0 a1 a2 ");
        add(&queue, pair("en"), "b", &[1; 2]);
        add(&queue, pair("de"), "c", &[1; 1]);
        assert_eq!(take(&queue, 4), "a3 a4 b0 b1 ");
        // Those that had no turn are next.
        assert_eq!(take(&queue, 4), "c0 ");
        assert_eq!(take(&queue, 4), "a5 a6 a7 a8 ");
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn what_nobody_waits_for_is_not_worked_on() {
        let queue = Queue::default();
        let gone = add(&queue, pair("en"), "a", &[1; 3]);
        add(&queue, pair("en"), "b", &[1]);
        gone.give_up();
        assert_eq!(take(&queue, 4), "b0 ");
        queue.close();
        assert!(queue.next_task().is_none());
        add(&queue, pair("en"), "c", &[1]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn batches_are_of_one_length() {
        let queue = Queue::default();
        add(&queue, pair("en"), "a", &[30, 2, 29, 3, 1]);
        let take = || {
            let task = queue.next_task().unwrap();
            let taken = queue.take(&task, |texts, longest| texts * longest <= 60);
            let mut lengths: Vec<usize> = taken.iter().map(|taken| taken.wanted.tokens).collect();
            lengths.sort_unstable();
            lengths
        };
        assert_eq!([take(), take()], [vec![29, 30], vec![1, 2, 3]]);
    }

    #[test]
    fn whoever_has_waited_longest_is_in_the_next_batch() {
        let queue = Queue::default();
        add(&queue, pair("en"), "a", &[9; 500]);
        assert_eq!(take(&queue, 4).len(), 12);
        add(&queue, pair("en"), "b", &[40, 1]);
        assert!(take(&queue, 4).contains("a4 "));
        assert!(take(&queue, 4).contains("b0 "), "a short request waits for a long one");
        let next = take(&queue, 4);
        assert!(next.contains("b1 ") && next.contains('a'), "{next}");
    }
}
