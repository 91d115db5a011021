//! Where the texts of all requests wait for the one thread that has the models.
//!
//! Invariant: requests take turns text by text, so that a short one does not wait for the whole of a long one: whichever has
//! gone longest without a turn is the next to have a text taken. A text enters as soon as there is room for it beside those
//! under way, of whatever requests; what it becomes does not depend on them. What several requests want at the same time is
//! worked on once, and what a request no longer waits for is not worked on. Who needs which texts belongs to `asker`, what
//! the model does with them to `desk`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::iter;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kortom::engine::Generation;

use super::call::{Call, Outcome, Turn, Wanted};
use super::desk;
use super::metrics::Metrics;
use super::models::Models;

/// How long a call waits for another task to end before that takes no more texts.
const PATIENCE: Duration = Duration::from_millis(100);
/// Texts of one length are looked for among as many as would fill so many batches: then there is little padding.
const CHOICE: usize = 8;

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
    /// Where it has what place.
    answers: Vec<(usize, Sender<Outcome>)>,
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

    /// Has whoever waits for the same as one of these texts wait for that.
    fn share<'t>(&mut self, turn: &Turn, texts: impl Iterator<Item = &'t mut Taken>) {
        let (known, mut answers): (Vec<_>, Vec<_>) =
            texts.map(|taken| (taken.wanted.essence(), &mut taken.answers)).unzip();
        let known: HashMap<_, usize> = known.into_iter().zip(0..).collect();
        for call in self.calls.iter_mut().filter(|call| call.turn == *turn) {
            call.waiting.retain(|wanted| {
                let same = known.get(&wanted.essence());
                same.inspect(|&&same| answers[same].push((wanted.place, call.answers.clone()))).is_none()
            });
        }
    }

    /// The next texts of all calls whose turn it is, one of each in turn, no two of which are the same.
    fn choice(&self, turn: &Turn, fits: impl Fn(usize, usize) -> bool) -> Vec<Candidate> {
        let calls: Vec<(usize, &Call)> = self.calls.iter().enumerate().filter(|(_, call)| call.turn == *turn).collect();
        let longest = calls.iter().map(|(_, call)| call.waiting.len()).max().unwrap_or(0);
        let (mut choice, mut tokens, mut known): (Vec<Candidate>, usize, HashSet<_>) = Default::default();
        for place in 0..longest {
            for (call, wanted) in calls.iter().filter_map(|(call, of)| Some((*call, of.waiting.get(place)?))) {
                if !known.insert(wanted.essence()) {
                    continue;
                }
                tokens += wanted.tokens.len();
                choice.push(Candidate { call, place, tokens: wanted.tokens.len() });
                if !fits(choice.len().div_ceil(CHOICE), tokens.div_ceil(choice.len())) {
                    return choice;
                }
            }
        }
        choice
    }

    /// Takes some texts out; calls that had one go to the end.
    fn remove(&mut self, mut batch: Vec<Candidate>) -> Vec<Taken> {
        // From the back, so that the places of the others stay as they are.
        batch.sort_by_key(|candidate| (candidate.call, std::cmp::Reverse(candidate.place)));
        let mut taken = Vec::with_capacity(batch.len());
        let mut served = vec![false; self.calls.len()];
        for Candidate { call: number, place, .. } in batch {
            served[number] = true;
            let call = &mut self.calls[number];
            if let Some(wanted) = call.waiting.remove(place) {
                taken.push(Taken { answers: vec![(wanted.place, call.answers.clone())], wanted });
            }
        }
        let mut served = served.into_iter();
        let (mut last, first): (VecDeque<Call>, VecDeque<Call>) =
            self.calls.drain(..).partition(|_| served.next() == Some(true));
        self.calls = first;
        self.calls.append(&mut last);
        taken
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
            match models.session(&turn.task) {
                // What is drawn by chance depends on the place among the others: each text is the first.
                Ok(session) if session.settings().options.sampling.is_some() => {
                    desk::batch(self, &session, &turn, metrics, |texts, _| texts == 1);
                }
                Ok(session) if turn.terms => {
                    let fits = |texts: usize, longest: usize| session.is_one_batch(texts, longest);
                    desk::batch(self, &session, &turn, metrics, fits);
                }
                Ok(session) => desk::follow(self, &session, &turn, metrics),
                Err(error) => {
                    let answer = |taken: Taken| taken.answer(&Err(format!("{error:#}")));
                    self.take(&turn, |_, _| true, iter::empty()).into_iter().for_each(answer);
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
    /// among the next ones of all calls. Calls that have a text in it go to the end. What is `under_way` already is not
    /// taken again.
    pub fn take<'t>(
        &self,
        turn: &Turn,
        fits: impl Fn(usize, usize) -> bool,
        under_way: impl Iterator<Item = &'t mut Taken>,
    ) -> Vec<Taken> {
        let mut state = self.state();
        state.share(turn, under_way);
        state.live();
        let batch = nearest(state.choice(turn, &fits), &fits);
        let mut taken = state.remove(batch);
        state.share(turn, taken.iter_mut());
        taken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Tells whoever asked.
    pub fn answer(self, outcome: &Result<Generation, String>) {
        for (place, answer) in self.answers {
            // Whoever asked may have gone.
            let _ = answer.send((place, outcome.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Instant;

    use kortom::engine::Divergence;

    use super::*;
    use crate::serve::call::Ticket;
    use crate::serve::models::{Pair, Task};

    fn pair(to: &str) -> Task {
        Task::Translate(Pair { from: "nl".to_owned(), to: to.to_owned() }, 0)
    }

    fn add(queue: &Queue, task: Task, name: &str, tokens: &[usize]) -> Arc<Ticket> {
        let ticket = Ticket::new(Duration::from_mins(1));
        let wanted = |(place, &tokens)| {
            let tokens = vec![0; tokens];
            Wanted { place, text: format!("{name}{place}"), terms: Vec::new(), guard: None, tokens }
        };
        let waiting = tokens.iter().enumerate().map(wanted).collect();
        queue.add(Call::new(task, waiting, mpsc::channel().0, ticket.clone()));
        ticket
    }

    fn take(queue: &Queue, most: usize) -> String {
        let turn = queue.next_turn().unwrap();
        let mut taken = queue.take(&turn, |texts, _| texts <= most, iter::empty());
        taken.sort_by_key(|taken| taken.wanted.text.clone());
        taken.iter().flat_map(|taken| [taken.wanted.text.as_str(), " "]).collect()
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
    fn a_task_takes_no_more_texts_once_another_has_waited_for_it() {
        let queue = Queue::default();
        add(&queue, pair("en"), "a", &[1; 3]);
        let turn = queue.next_turn().unwrap();
        add(&queue, Task::Summarize(None), "b", &[1]);
        assert_eq!(take(&queue, 1), "a0 ");
        let came = |since: Instant| queue.state().calls.front_mut().unwrap().since = since;
        came(Instant::now() + PATIENCE * 100);
        assert_eq!(queue.waiting(&turn), [1, 1], "the other has just come");
        came(Instant::now().checked_sub(PATIENCE * 2).unwrap());
        assert!(queue.waiting(&turn).is_empty(), "the other waits for the end of a long request");
        assert_eq!(take(&queue, 4), "b0 ");
        assert_eq!(queue.waiting(&turn), [1, 1]);
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
            let taken = queue.take(&turn, |texts, longest| texts * longest <= 60, iter::empty());
            let mut lengths: Vec<usize> = taken.iter().map(|taken| taken.wanted.tokens.len()).collect();
            lengths.sort_unstable();
            lengths
        };
        assert_eq!([take(), take()], [vec![29, 30], vec![1, 2, 3]]);
    }

    #[test]
    fn what_several_want_is_taken_once() {
        let queue = Queue::default();
        let call = |name: &str, change: &dyn Fn(&mut Wanted)| {
            let (answers, answered) = mpsc::channel();
            let mut wanted =
                Wanted { place: 0, text: name.to_owned(), terms: Vec::new(), guard: None, tokens: vec![1] };
            let other = Wanted { place: 1, text: format!("not {name}"), ..wanted.clone() };
            change(&mut wanted);
            wanted.place = 2;
            let ticket = Ticket::new(Duration::from_mins(1));
            queue.add(Call::new(pair("en"), [other, wanted].into(), answers, ticket.clone()));
            (answered, ticket)
        };
        let (first, gone) = call("a", &|_| {});
        let (second, _) = call("a", &|_| {});
        let (guarded, _) = call("a", &|wanted| wanted.guard = Some(Divergence::Unknown));
        gone.give_up();
        let turn = queue.next_turn().unwrap();
        let mut taken = queue.take(&turn, |_, _| true, iter::empty());
        taken.sort_by_key(|taken| (taken.wanted.text.clone(), taken.wanted.guard.is_some()));
        assert_eq!(taken.iter().map(|taken| taken.answers.len()).collect::<Vec<_>>(), [1, 1, 2]);
        // One that comes when it is under way already.
        let (late, _) = call("a", &|wanted| wanted.text += "!");
        let next = queue.take(&turn, |_, _| true, taken.iter_mut());
        assert_eq!(next.iter().map(|taken| taken.wanted.text.as_str()).collect::<Vec<_>>(), ["a!"]);
        for (number, taken) in taken.into_iter().enumerate() {
            taken.answer(&Err(number.to_string()));
        }
        let heard = |answered: &mpsc::Receiver<Outcome>| -> Vec<(usize, String)> {
            answered.try_iter().map(|(place, outcome)| (place, outcome.unwrap_err())).collect()
        };
        let told = |place: usize, number: &str| (place, number.to_owned());
        assert_eq!(heard(&first), []);
        assert_eq!(heard(&second), [told(2, "0"), told(1, "2")]);
        assert_eq!(heard(&guarded), [told(2, "1"), told(1, "2")]);
        assert_eq!(heard(&late), [told(1, "2")]);
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
