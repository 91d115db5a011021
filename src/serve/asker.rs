//! A request's way to the models: the texts it needs wait in the queue, and it waits for them.
//!
//! Invariant: to the library this is a model like any other, so that an article becomes what it becomes on the command
//! line. Whoever listens hears of each text as soon as it is done.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use kortom::engine::{Generation, Session};
use kortom::summarize::abstractive::{Room, Writer};
use kortom::translate::Generate;

use super::call::{Call, Ticket, Wanted};
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
        let (answers, answered) = mpsc::channel();
        let mut made = vec![Generation::default(); wanted.len()];
        let waiting = wanted.iter().cloned().collect();
        self.queue.add(Call::new(task.clone(), waiting, answers, self.ticket.clone()));
        for _ in 0..wanted.len() {
            let (place, generation) = loop {
                match answered.recv_timeout(LOOK_UP.min(self.ticket.left())) {
                    Ok(answer) => break answer,
                    Err(RecvTimeoutError::Timeout) if !self.ticket.left().is_zero() => {}
                    Err(_) => return Err(late().into()),
                }
            };
            let generation = generation.map_err(|reason| anyhow!(reason))?;
            heard(&wanted[place], &generation);
            made[place] = generation;
        }
        Ok(made)
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
    heard: std::cell::RefCell<&'a mut Heard<'a>>,
}

impl<'a> Asker<'a> {
    /// For a pair of languages, with so many alternatives for each text.
    ///
    /// # Errors
    /// When the model cannot do that.
    pub fn new(line: &'a Line<'a>, pair: &Pair, alternatives: usize, heard: &'a mut Heard<'a>) -> Result<Self> {
        let session = line.models.session(&Task::Translate(pair.clone(), alternatives))?;
        Ok(Self { line, session, pair: pair.clone(), alternatives, heard: heard.into() })
    }

    fn ask(
        &self,
        alternatives: usize,
        texts: &[&str],
        terms: &[Vec<Vec<&str>>],
        guarded: bool,
    ) -> Result<Vec<Generation>> {
        let owned = |ways: &Vec<&str>| ways.iter().map(|way| (*way).to_owned()).collect();
        let wanted = texts.iter().enumerate().map(|(place, text)| {
            let terms = terms.get(place).map(|terms| terms.iter().map(owned).collect()).unwrap_or_default();
            Ok(Wanted { place, text: (*text).to_owned(), terms, guarded, tokens: self.session.encode(text)? })
        });
        let task = Task::Translate(self.pair.clone(), alternatives);
        self.line.ask(&task, &wanted.collect::<Result<Vec<_>>>()?, &mut **self.heard.borrow_mut())
    }
}

impl Generate for Asker<'_> {
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        self.generate_with(texts, &[])
    }

    fn generate_with(&self, texts: &[&str], terms: &[Vec<Vec<&str>>]) -> Result<Vec<Generation>> {
        self.ask(self.alternatives, texts, terms, false)
    }

    fn generate_guarded(&self, texts: &[&str]) -> Result<Option<Vec<Generation>>> {
        if !self.session.can_guard() {
            return Ok(None);
        }
        self.ask(0, texts, &[], true).map(Some)
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
            Ok(Wanted { place, text: (*text).to_owned(), terms: Vec::new(), guarded: false, tokens })
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
