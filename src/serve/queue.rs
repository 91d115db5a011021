//! The queue in which the work items of all requests wait for the worker.
//!
//! Invariant: requests take turns item by item, so that a short request does not wait for the whole of a long one.
//! The request that has gone longest without a turn has the next one. An item is taken as soon as there is room for
//! it beside the items in flight, of whatever requests; its outcome does not depend on them. Equal items of several
//! requests are worked on once, and items of cancelled requests are not worked on. Which items a request needs
//! belongs to `client`, what the models do with them to `worker`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::request::{BatchKey, ItemOutput, Outcome, Submission, WorkItem};

/// The time after which a submission that waits for its turn stops work with another batch key from taking more
/// items.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// Number of batches that would be filled by the items among which those of similar length are chosen. With that many
/// there is little padding.
const CHOICE: usize = 8;

/// The submissions that wait, in the order of their turns.
#[derive(Default)]
pub struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    submissions: VecDeque<Submission>,
    closed: bool,
}

/// A work item that a worker has taken.
pub struct InFlight {
    /// The item.
    pub item: WorkItem,
    /// The requests that wait for the outcome, each with its own key of the item.
    outcomes: Vec<(usize, Sender<Outcome>)>,
}

/// An item that may be taken next: the number of its submission, its place there, and its number of tokens.
struct Candidate {
    submission: usize,
    place: usize,
    tokens: usize,
}

impl QueueState {
    /// The submissions that have items left and whose requests still wait. All others are removed.
    fn live(&mut self) -> &VecDeque<Submission> {
        self.submissions.retain(|submission| !submission.waiting.is_empty() && !submission.cancel.is_over());
        &self.submissions
    }

    /// Takes every waiting item that equals one of `in_flight` out of the queue, so that both share one outcome.
    fn share<'t>(&mut self, key: &BatchKey, in_flight: impl Iterator<Item = &'t mut InFlight>) {
        let (known, mut outcomes): (Vec<_>, Vec<_>) =
            in_flight.map(|one| (one.item.dedup_key(), &mut one.outcomes)).unzip();
        let known: HashMap<_, usize> = known.into_iter().zip(0..).collect();
        for submission in self.submissions.iter_mut().filter(|submission| submission.batch_key == *key) {
            submission.waiting.retain(|item| {
                let same = known.get(&item.dedup_key());
                same.inspect(|&&same| outcomes[same].push((item.key, submission.outcomes.clone()))).is_none()
            });
        }
    }

    /// The next items of all submissions with a batch key, one of each submission in turn, without equal ones. There
    /// are about as many as fill [`CHOICE`] batches.
    fn choice(&self, key: &BatchKey, fits: impl Fn(usize, usize) -> bool) -> Vec<Candidate> {
        let submissions = self.submissions.iter().enumerate();
        let submissions: Vec<(usize, &Submission)> = submissions.filter(|(_, one)| one.batch_key == *key).collect();
        let longest = submissions.iter().map(|(_, one)| one.waiting.len()).max().unwrap_or(0);
        let (mut choice, mut tokens, mut known): (Vec<Candidate>, usize, HashSet<_>) = Default::default();
        for place in 0..longest {
            for (submission, item) in submissions.iter().filter_map(|(at, of)| Some((*at, of.waiting.get(place)?))) {
                if !known.insert(item.dedup_key()) {
                    continue;
                }
                tokens += item.tokens.len();
                choice.push(Candidate { submission, place, tokens: item.tokens.len() });
                if !fits(choice.len().div_ceil(CHOICE), tokens.div_ceil(choice.len())) {
                    return choice;
                }
            }
        }
        choice
    }

    /// Takes the items of a batch out of the queue. Submissions that had one of them go to the end.
    fn remove(&mut self, mut batch: Vec<Candidate>) -> Vec<InFlight> {
        // Items are removed from the back, so that the places of those before them stay valid.
        batch.sort_by_key(|candidate| (candidate.submission, std::cmp::Reverse(candidate.place)));
        let mut taken = Vec::with_capacity(batch.len());
        let mut served = vec![false; self.submissions.len()];
        for Candidate { submission: number, place, .. } in batch {
            served[number] = true;
            let submission = &mut self.submissions[number];
            if let Some(item) = submission.waiting.remove(place) {
                taken.push(InFlight { outcomes: vec![(item.key, submission.outcomes.clone())], item });
            }
        }
        let mut served = served.into_iter();
        let (mut last, first): (VecDeque<Submission>, VecDeque<Submission>) =
            self.submissions.drain(..).partition(|_| served.next() == Some(true));
        self.submissions = first;
        self.submissions.append(&mut last);
        taken
    }
}

/// The first of the items of `choice`, and as many of those nearest to it in length as fit into a batch.
fn nearest(mut choice: Vec<Candidate>, fits: impl Fn(usize, usize) -> bool) -> Vec<Candidate> {
    let Some(Candidate { submission, place, .. }) = choice.first() else { return choice };
    let leader = (*submission, *place);
    choice.sort_by_key(|candidate| candidate.tokens);
    let leader = choice.iter().position(|other| (other.submission, other.place) == leader).unwrap_or(0);
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
            // The item that was added last does not fit, and is left out again.
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
    /// Adds a submission; returns false, and does not add it, if the queue is closed.
    #[must_use]
    pub fn add(&self, submission: Submission) -> bool {
        let mut state = self.state();
        if !state.closed {
            state.submissions.push_back(submission);
        }
        self.changed.notify_one();
        !state.closed
    }

    /// Closes the queue: it takes no more submissions, and the worker ends once no item waits.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Number of items that wait.
    pub fn len(&self) -> usize {
        self.state().submissions.iter().map(|submission| submission.waiting.len()).sum()
    }

    /// The batch key whose turn it is. Blocks until there is one; `None` once the queue is closed and empty.
    pub fn next_key(&self) -> Option<BatchKey> {
        let mut state = self.state();
        loop {
            if let Some(submission) = state.live().front() {
                return Some(submission.batch_key.clone());
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The numbers of tokens of the items with a batch key that can be taken now. There are none if another key has
    /// waited for its turn for longer than [`LONGEST_WAIT`].
    pub fn waiting(&self, key: &BatchKey) -> Vec<usize> {
        let mut state = self.state();
        let submissions = state.live();
        let other = submissions.front().filter(|first| first.batch_key != *key);
        if other.is_some_and(|other| other.since.elapsed() > LONGEST_WAIT) {
            return Vec::new();
        }
        let submissions = submissions.iter().filter(|submission| submission.batch_key == *key);
        submissions.flat_map(|submission| submission.waiting.iter().map(|item| item.tokens.len())).collect()
    }

    /// Takes items for a batch: the next one of the first submission, and those nearest to it in length among the
    /// next ones of all submissions. Submissions that had an item taken go to the end. An item that equals one of
    /// `in_flight` is not taken: it shares that outcome.
    pub fn take<'t>(
        &self,
        key: &BatchKey,
        fits: impl Fn(usize, usize) -> bool,
        in_flight: impl Iterator<Item = &'t mut InFlight>,
    ) -> Vec<InFlight> {
        let mut state = self.state();
        state.share(key, in_flight);
        state.live();
        let batch = nearest(state.choice(key, &fits), &fits);
        let mut taken = state.remove(batch);
        state.share(key, taken.iter_mut());
        taken
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Sends the outcome of the item to all requests that wait for it.
    pub fn answer(self, outcome: &Result<ItemOutput, String>) {
        for (key, outcomes) in self.outcomes {
            // Sending fails if a request was cancelled.
            let _ = outcomes.send((key, outcome.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::sync::{Arc, mpsc};
    use std::time::Instant;

    use kortom::engine::ResumePoint;

    use super::*;
    use crate::serve::models::{Pair, Task};
    use crate::serve::request::CancelToken;

    fn pair(to: &str) -> Task {
        Task::Translate(Pair { from: "nl".to_owned(), to: to.to_owned() }, 0)
    }

    fn add(queue: &Queue, task: Task, name: &str, tokens: &[usize]) -> Arc<CancelToken> {
        let cancel = CancelToken::new(Duration::from_mins(1));
        let item = |(key, &tokens)| {
            let tokens = vec![0; tokens];
            WorkItem { key, text: format!("{name}{key}"), tokens, ..WorkItem::default() }
        };
        let items = tokens.iter().enumerate().map(item).collect();
        let _ = queue.add(Submission::new(task, items, mpsc::channel().0, cancel.clone()));
        cancel
    }

    fn take(queue: &Queue, most: usize) -> String {
        let key = queue.next_key().unwrap();
        let mut taken = queue.take(&key, |items, _| items <= most, iter::empty());
        taken.sort_by_key(|taken| taken.item.text.clone());
        taken.iter().flat_map(|taken| [taken.item.text.as_str(), " "]).collect()
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
        let key = queue.next_key().unwrap();
        add(&queue, Task::Summarize(None), "b", &[1]);
        assert_eq!(take(&queue, 1), "a0 ");
        let came = |since: Instant| queue.state().submissions.front_mut().unwrap().since = since;
        came(Instant::now() + LONGEST_WAIT * 100);
        assert_eq!(queue.waiting(&key), [1, 1], "the other has just come");
        came(Instant::now().checked_sub(LONGEST_WAIT * 2).unwrap());
        assert!(queue.waiting(&key).is_empty(), "the other waits for the end of a long request");
        assert_eq!(take(&queue, 4), "b0 ");
        assert_eq!(queue.waiting(&key), [1, 1]);
    }

    #[test]
    fn what_nobody_waits_for_is_not_worked_on() {
        let queue = Queue::default();
        let gone = add(&queue, pair("en"), "a", &[1; 3]);
        add(&queue, pair("en"), "b", &[1]);
        gone.cancel();
        assert_eq!(take(&queue, 4), "b0 ");
        queue.close();
        assert!(queue.next_key().is_none());
        add(&queue, pair("en"), "c", &[1]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn batches_are_of_one_length() {
        let queue = Queue::default();
        add(&queue, pair("en"), "a", &[30, 2, 29, 3, 1]);
        let take = || {
            let key = queue.next_key().unwrap();
            let taken = queue.take(&key, |items, longest| items * longest <= 60, iter::empty());
            let mut lengths: Vec<usize> = taken.iter().map(|taken| taken.item.tokens.len()).collect();
            lengths.sort_unstable();
            lengths
        };
        assert_eq!([take(), take()], [vec![29, 30], vec![1, 2, 3]]);
    }

    #[test]
    fn what_several_want_is_taken_once() {
        let queue = Queue::default();
        let submit = |name: &str, change: &dyn Fn(&mut WorkItem)| {
            let (outcomes, received) = mpsc::channel();
            let mut item = WorkItem { key: 0, text: name.to_owned(), tokens: vec![1], ..WorkItem::default() };
            let other = WorkItem { key: 1, text: format!("not {name}"), ..item.clone() };
            change(&mut item);
            item.key = 2;
            let cancel = CancelToken::new(Duration::from_mins(1));
            assert!(queue.add(Submission::new(pair("en"), vec![other, item], outcomes, cancel.clone())));
            (received, cancel)
        };
        let (first, gone) = submit("a", &|_| {});
        let (second, _) = submit("a", &|_| {});
        let (guarded, _) = submit("a", &|item| item.guard = Some(ResumePoint::Unknown));
        gone.cancel();
        let key = queue.next_key().unwrap();
        let mut taken = queue.take(&key, |_, _| true, iter::empty());
        taken.sort_by_key(|taken| (taken.item.text.clone(), taken.item.guard.is_some()));
        assert_eq!(taken.iter().map(|taken| taken.outcomes.len()).collect::<Vec<_>>(), [1, 1, 2]);
        // One that comes when it is under way already.
        let (late, _) = submit("a", &|item| item.text += "!");
        let next = queue.take(&key, |_, _| true, taken.iter_mut());
        assert_eq!(next.iter().map(|taken| taken.item.text.as_str()).collect::<Vec<_>>(), ["a!"]);
        for (number, taken) in taken.into_iter().enumerate() {
            taken.answer(&Err(number.to_string()));
        }
        let all = |received: &mpsc::Receiver<Outcome>| -> Vec<(usize, String)> {
            received.try_iter().map(|(key, outcome)| (key, outcome.unwrap_err())).collect()
        };
        let sent = |key: usize, number: &str| (key, number.to_owned());
        assert_eq!(all(&first), []);
        assert_eq!(all(&second), [sent(2, "0"), sent(1, "2")]);
        assert_eq!(all(&guarded), [sent(2, "1"), sent(1, "2")]);
        assert_eq!(all(&late), [sent(1, "2")]);
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
