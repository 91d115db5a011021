//! Where the texts of all requests wait for the one thread that has the models.
//!
//! Invariant: requests take turns text by text, so that a short one does not wait for the whole of a long one: whichever has
//! gone longest without a turn is the next to have a text taken. A text enters as soon as there is room for it beside those
//! under way, of whatever requests; what it becomes does not depend on them. What a request no longer waits for is not
//! worked on. Who needs which texts belongs to `asker`, what the model does with them to `desk`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use kortom::batch::TokenId;
use kortom::engine::Generation;

use super::desk;
use super::metrics::Metrics;
use super::models::{Models, Task};

/// How long a call waits for another task to end before that takes no more texts.
const PATIENCE: Duration = Duration::from_millis(100);
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
    /// Its source tokens.
    pub tokens: Vec<TokenId>,
}

impl Wanted {
    /// What its translation must contain.
    pub fn terms(&self) -> Vec<Vec<&str>> {
        self.terms.iter().map(|ways| ways.iter().map(String::as_str).collect()).collect()
    }
}

/// What came of a text: nothing where a guard makes no difference.
pub type Outcome = (usize, Result<Option<Generation>>);

/// Texts of a request that wait for the same thing.
pub struct Call {
    turn: Turn,
    waiting: VecDeque<Wanted>,
    answers: Sender<Outcome>,
    ticket: Arc<Ticket>,
    since: Instant,
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
pub struct Taken {
    /// The text.
    pub wanted: Wanted,
    answers: Sender<Outcome>,
}

/// A text whose turn it may be: the number of its call, its place there, and its tokens.
struct Candidate {
    call: usize,
    place: usize,
    tokens: usize,
}

impl State {
    /// The calls that somebody waits for.
    fn live(&mut self) -> &VecDeque<Call> {
        self.calls.retain(|call| !call.waiting.is_empty() && !call.ticket.left().is_zero());
        &self.calls
    }

    /// The next texts of all calls whose turn it is, one of each in turn.
    fn choice(&self, turn: &Turn, fits: impl Fn(usize, usize) -> bool) -> Vec<Candidate> {
        let calls: Vec<(usize, &Call)> = self.calls.iter().enumerate().filter(|(_, call)| call.turn == *turn).collect();
        let longest = calls.iter().map(|(_, call)| call.waiting.len()).max().unwrap_or(0);
        let (mut choice, mut tokens): (Vec<Candidate>, usize) = (Vec::new(), 0);
        for place in 0..longest {
            for (call, wanted) in calls.iter().filter_map(|(call, of)| Some((*call, of.waiting.get(place)?))) {
                tokens += wanted.tokens.len();
                choice.push(Candidate { call, place, tokens: wanted.tokens.len() });
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
        while let Some(turn) = self.next_turn() {
            let session = models.session(&turn.task).map(|session| match turn.task {
                Task::Guard(_) => session.guarded(),
                _ => Some(session),
            });
            match session {
                // What is drawn by chance depends on the place among the others: each text is the first.
                Ok(Some(session)) if session.settings().options.sampling.is_some() => {
                    desk::batch(self, &session, &turn, metrics, |texts, _| texts == 1);
                }
                Ok(Some(session)) if turn.terms => {
                    let fits = |texts: usize, longest: usize| session.is_one_batch(texts, longest);
                    desk::batch(self, &session, &turn, metrics, fits);
                }
                Ok(Some(session)) => desk::follow(self, &session, &turn, metrics),
                Ok(None) => self.take(&turn, |_, _| true).into_iter().for_each(|taken| taken.answer(Ok(None))),
                Err(error) => {
                    let answer = |taken: Taken| taken.answer(Err(anyhow!("{error:#}")));
                    self.take(&turn, |_, _| true).into_iter().for_each(answer);
                }
            }
        }
    }

    /// What whoever's turn it is wants; waits until there is one, and gives none at the end.
    fn next_turn(&self) -> Option<Turn> {
        let mut state = self.state();
        loop {
            if let Some(call) = state.live().front() {
                return Some(call.turn.clone());
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The tokens of each text that could be taken now: none when another has waited long enough for its turn.
    pub fn waiting(&self, turn: &Turn) -> Vec<usize> {
        let mut state = self.state();
        let calls = state.live();
        if calls.front().is_some_and(|call| call.turn != *turn && call.since.elapsed() > PATIENCE) {
            return Vec::new();
        }
        let calls = calls.iter().filter(|call| call.turn == *turn);
        calls.flat_map(|call| call.waiting.iter().map(|wanted| wanted.tokens.len())).collect()
    }

    /// Texts that wait: that of the call which has waited longest, and those nearest to it in length
    /// among the next ones of all calls. Calls that have a text in it go to the end.
    pub fn take(&self, turn: &Turn, fits: impl Fn(usize, usize) -> bool) -> Vec<Taken> {
        let mut state = self.state();
        state.live();
        let mut batch = nearest(state.choice(turn, &fits), &fits);
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
    /// Gives it back to whoever asked.
    pub fn answer(self, outcome: Result<Option<Generation>>) {
        // Whoever asked may have gone.
        let _ = self.answers.send((self.wanted.place, outcome));
    }
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
        let wanted = |(place, &tokens)| {
            let tokens = vec![0; tokens];
            Wanted { place, text: name.to_owned(), terms: Vec::new(), tokens }
        };
        let waiting = tokens.iter().enumerate().map(wanted).collect();
        queue.add(Call::new(task, waiting, mpsc::channel().0, ticket.clone()));
        ticket
    }

    fn take(queue: &Queue, most: usize) -> String {
        let turn = queue.next_turn().unwrap();
        let mut taken = queue.take(&turn, |texts, _| texts <= most);
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
        assert!(queue.next_turn().is_none());
        add(&queue, pair("en"), "c", &[1]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn batches_are_of_one_length() {
        let queue = Queue::default();
        add(&queue, pair("en"), "a", &[30, 2, 29, 3, 1]);
        let take = || {
            let turn = queue.next_turn().unwrap();
            let taken = queue.take(&turn, |texts, longest| texts * longest <= 60);
            let mut lengths: Vec<usize> = taken.iter().map(|taken| taken.wanted.tokens.len()).collect();
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
