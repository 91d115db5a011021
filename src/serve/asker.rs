//! A request's way to the models: the texts it needs wait in the queue, and it waits for them.
//!
//! Invariant: to the library this is a model like any other, so that an article becomes what it becomes on the command
//! line. Whoever listens hears of each text as soon as it is done.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use kortom::engine::{Divergence, Generation, Session};
use kortom::summarize::abstractive::{Room, Writer};
use kortom::translate::{self, Generate};

use super::call::{Call, Outcome, Ticket, Wanted};
use super::models::{Models, Pair, Task};
use super::queue::Queue;
use super::refusal::Refusal;

/// How long to wait before looking whether anybody still waits for us.
const LOOK_UP: Duration = Duration::from_millis(500);
/// When to ask again after a request that took too long.
const LATER: Duration = Duration::from_secs(30);

/// What is known of a text once it is done: what was wanted, and what came of it.
pub type Heard<'a> = dyn FnMut(&Wanted, &Generation) + 'a;

/// A request's queue.
pub struct Line<'a> {
    /// Where its texts wait.
    pub queue: &'a Queue,
    /// The models.
    pub models: &'a Models,
    /// The request.
    pub ticket: Arc<Ticket>,
}

impl Line<'_> {
    /// What a model makes of texts, in their order.
    ///
    /// # Errors
    /// When the model fails, it takes too long, or nobody waits any more.
    pub fn ask(&self, task: &Task, wanted: &[Wanted], heard: &mut Heard<'_>) -> Result<Vec<Generation>> {
        let answered = self.begin(task, wanted.to_vec());
        let mut made = vec![Generation::default(); wanted.len()];
        for _ in 0..wanted.len() {
            let (place, generation) = self.next(&answered)?;
            heard(&wanted[place], &generation);
            made[place] = generation;
        }
        Ok(made)
    }

    /// Has texts wait; what a model makes of them comes to the receiver.
    fn begin(&self, task: &Task, wanted: Vec<Wanted>) -> Receiver<Outcome> {
        let (answers, answered) = mpsc::channel();
        self.queue.add(Call::new(task.clone(), wanted.into(), answers, self.ticket.clone()));
        answered
    }

    /// The next generation, with its place.
    fn next(&self, answered: &Receiver<Outcome>) -> Result<(usize, Generation)> {
        loop {
            match answered.recv_timeout(LOOK_UP.min(self.ticket.left())) {
                Ok((place, generation)) => return Ok((place, generation.map_err(|reason| anyhow!(reason))?)),
                Err(RecvTimeoutError::Timeout) if !self.ticket.left().is_zero() => {}
                Err(_) => return Err(late().into()),
            }
        }
    }
}

fn late() -> Refusal {
    Refusal::busy("the request took too long\nhint: send less at once, or come back when there is less to do", LATER)
}

/// The model that translates.
pub struct Asker<'a> {
    line: &'a Line<'a>,
    session: Session<'a>,
    pair: Pair,
    alternatives: usize,
    heard: RefCell<&'a mut Heard<'a>>,
    /// What was asked for with a guard before anybody wanted it, by its text.
    ahead: RefCell<HashMap<String, Begun>>,
}

/// A text that was asked for.
struct Begun {
    wanted: Wanted,
    answered: Receiver<Outcome>,
}

impl<'a> Asker<'a> {
    /// For a pair of languages, with so many alternatives for each text.
    ///
    /// # Errors
    /// When the model cannot do that.
    pub fn new(line: &'a Line<'a>, pair: &Pair, alternatives: usize, heard: &'a mut Heard<'a>) -> Result<Self> {
        let session = line.models.session(&Task::Translate(pair.clone(), alternatives))?;
        let ahead = RefCell::default();
        Ok(Self { line, session, pair: pair.clone(), alternatives, heard: heard.into(), ahead })
    }

    fn wanted(&self, place: usize, text: &str, terms: &[Vec<&str>]) -> Result<Wanted> {
        let terms = terms.iter().map(|ways| ways.iter().map(|way| (*way).to_owned()).collect()).collect();
        Ok(Wanted { place, text: text.to_owned(), terms, guard: None, tokens: self.session.encode(text)? })
    }

    /// Tells of a generation. The library will want one with a guard once it has heard all of them: that is begun now, beside
    /// the others.
    fn tell(&self, wanted: &Wanted, generation: &Generation, heard: &mut translate::Heard<'_>) {
        if heard(wanted.place, generation) && self.session.can_guard() {
            let begun = self.begin_guarded(wanted.clone(), &generation.divergence);
            self.ahead.borrow_mut().insert(wanted.text.clone(), begun);
        }
        (self.heard.borrow_mut())(wanted, generation);
    }

    fn begin_guarded(&self, wanted: Wanted, divergence: &Divergence) -> Begun {
        // A search for alternatives has options of its own.
        let divergence = if self.alternatives == 0 { divergence.clone() } else { Divergence::Unknown };
        let wanted = Wanted { place: 0, guard: Some(divergence), ..wanted };
        let answered = self.line.begin(&Task::Translate(self.pair.clone(), 0), vec![wanted.clone()]);
        Begun { wanted, answered }
    }

    /// What is ahead of us, or is begun now.
    fn guarded(&self, text: &str, divergence: &Divergence) -> Result<Begun> {
        let ahead = self.ahead.borrow_mut().remove(text);
        ahead.map_or_else(|| Ok(self.begin_guarded(self.wanted(0, text, &[])?, divergence)), Ok)
    }
}

impl Generate for Asker<'_> {
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        self.generate_with(texts, &[])
    }

    fn generate_with(&self, texts: &[&str], terms: &[Vec<Vec<&str>>]) -> Result<Vec<Generation>> {
        self.generate_heard(texts, terms, &mut |_, _| false)
    }

    fn generate_heard(
        &self,
        texts: &[&str],
        terms: &[Vec<Vec<&str>>],
        heard: &mut translate::Heard<'_>,
    ) -> Result<Vec<Generation>> {
        let terms = |place: usize| terms.get(place).map_or(&[][..], Vec::as_slice);
        let wanted = texts.iter().enumerate().map(|(place, text)| self.wanted(place, text, terms(place)));
        let task = Task::Translate(self.pair.clone(), self.alternatives);
        let wanted = wanted.collect::<Result<Vec<_>>>()?;
        self.line.ask(&task, &wanted, &mut |wanted, generation| self.tell(wanted, generation, heard))
    }

    fn generate_guarded(&self, texts: &[(&str, &Divergence)]) -> Result<Option<Vec<Generation>>> {
        if !self.session.can_guard() {
            return Ok(None);
        }
        let begun =
            texts.iter().map(|(text, divergence)| self.guarded(text, divergence)).collect::<Result<Vec<_>>>()?;
        let answer = |Begun { wanted, answered }| {
            let (_, generation) = self.line.next(&answered)?;
            (self.heard.borrow_mut())(&wanted, &generation);
            Ok(generation)
        };
        begun.into_iter().map(answer).collect::<Result<_>>().map(Some)
    }

    fn spelled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.session.spelled(text)
    }

    fn restored(&self, text: &str, generation: &Generation) -> Option<String> {
        self.session.restored(text, generation)
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.session.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.session.engine().window()
    }
}

/// The model that summarises.
pub struct SummaryAsker<'a> {
    line: &'a Line<'a>,
    session: Session<'a>,
}

impl<'a> SummaryAsker<'a> {
    /// One for a request.
    ///
    /// # Errors
    /// When there is no such model.
    pub fn new(line: &'a Line<'a>) -> Result<Self> {
        Ok(Self { line, session: line.models.session(&Task::Summarize(None))? })
    }
}

impl Writer for SummaryAsker<'_> {
    fn write(&self, texts: &[&str], room: Option<Room>) -> Result<Vec<Generation>> {
        let wanted = texts.iter().enumerate().map(|(place, text)| {
            let tokens = self.session.encode(text)?;
            Ok(Wanted { place, text: (*text).to_owned(), terms: Vec::new(), guard: None, tokens })
        });
        self.line.ask(&Task::Summarize(room), &wanted.collect::<Result<Vec<_>>>()?, &mut |_, _| {})
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.session.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.session.engine().window()
    }

    fn least_tokens(&self) -> usize {
        self.session.least_tokens()
    }
}
