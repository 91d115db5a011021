//! Windows: what is read ahead is worked on a window at a time and written in order.
//!
//! Invariant: memory holds one window and what the reader is ahead of it, whatever the number of
//! inputs, and what `term_remarks` keeps; one bad article never takes another with it; what is written comes in the order of the
//! inputs. How an article is read, worked on and rendered is a `Work`'s affair.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Result, bail};
use kortom::check::FlagCount;
use kortom::render::Body;
use kortom::report::Passes;
use kortom::translate::Segment;

use super::inputs::{Failure, Source};
use super::progress::{Screen, Tally};
use super::sink::{Beginning, Sink};
use super::term_remarks::TermRemarks;

/// Bytes of source in the first window: little, so that the first result comes soon.
const FIRST_WINDOW: usize = 4 << 10;
/// Bytes of source in a full window: enough to sort by length, little enough to lose.
const FULL_WINDOW: usize = 128 << 10;
/// How long a window waits for the next item of a slow stream before it starts with what there is: what comes meanwhile is in the next
/// one, so it need not be long, and a program that asks for one item after the other waits for it every time.
const PATIENCE: Duration = Duration::from_millis(3);
/// A stream that rests so long wants an answer, whatever chance makes of it.
const REST: Duration = Duration::from_secs(1);

/// Which sources share a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// As many as there are, so that a slow stream is answered soon.
    Prompt,
    /// As many as fit, however long that takes: what is drawn by chance depends on the place in a window.
    Repeatable,
    /// As many as fit, unless the stream rests: it may wait for an answer.
    Unhurried,
}

/// What the reader has met, in order.
pub enum Event<Item> {
    /// A source begins.
    Begin(Beginning),
    /// Something to work on, with its length in bytes.
    Item(Item, usize),
    /// Something that cannot be worked on.
    Failed(Failure),
    /// The source ends; `true` when all of it could be read.
    End(bool),
    /// A former run finished this source of so many bytes, with these flags.
    Skipped(FlagCount, u64),
}

impl<Item> Event<Item> {
    /// The bytes of source that are to be worked on.
    fn bytes(&self) -> u64 {
        if let Self::Item(_, bytes) = self { *bytes as u64 } else { 0 }
    }
}

/// What came of one item, ready to be written.
#[derive(Default)]
pub struct Piece {
    /// What it came of.
    pub name: String,
    /// What to write.
    pub body: Body,
    /// The segments that were translated, where they are in the language of the run.
    pub segments: Vec<Segment>,
    /// How many segments there are, and what their flags are.
    pub flags: FlagCount,
    /// How many tokens were generated.
    pub tokens: usize,
    /// How a model came to its summary.
    pub passes: Option<Passes>,
    /// What should be said on standard error.
    pub warnings: Vec<String>,
    /// What is worth knowing there.
    pub notice: Option<String>,
    /// Why this piece only stands in for what could not be done, as an empty line or a record with an error does.
    pub failure: Option<Failure>,
}

/// How the items of a run are read and worked on.
pub trait Work {
    /// An article, or a line.
    type Item: Send + 'static;

    /// Reads one source, giving each item to `emit` until it says to stop.
    fn reader(&self) -> Reader<Self::Item>;

    /// Works on a window: a piece, or what went wrong, for each item.
    fn work(&mut self, items: Vec<Self::Item>) -> Vec<Result<Piece, Failure>>;

    /// What has to be said about the work since the last time.
    fn notices(&self) -> Vec<String>;
}

/// Reads a source in the reader's thread.
pub type Reader<Item> = Box<dyn Fn(&Source, &mut Emit<'_, Item>) + Send>;

/// Where a reader puts what it reads: an item and its length in bytes, or what is wrong.
pub type Emit<'a, Item> = dyn FnMut(Result<(Item, usize), Failure>) -> ControlFlow<()> + 'a;

/// Works through all events and writes what comes of them; what fails is told at once and counted. An
/// error is one of standard output: nothing more can be written.
pub fn drive<W: Work>(
    work: &mut W,
    events: &Receiver<Event<W::Item>>,
    windows: Windows,
    sink: &mut Sink,
    remarks: &mut TermRemarks,
    screen: &Screen,
) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut budget = FIRST_WINDOW;
    loop {
        let window = window(events, budget, windows);
        if window.is_empty() {
            break;
        }
        budget = (budget * 2).min(FULL_WINDOW);
        screen.working(window.iter().map(Event::bytes).sum());
        let (steps, items) = part(window);
        let mut pieces = work.work(items).into_iter();
        work.notices().iter().for_each(|notice| screen.notice(notice));
        let mut writer = Writer { sink, remarks, screen, tally: &mut tally };
        for step in steps {
            writer.take(step, &mut pieces)?;
        }
        writer.checkpoint();
        screen.advance(&tally);
    }
    if !sink.is_files()
        && let Some(last) = remarks.object()
    {
        sink.piece(&last, &FlagCount::default())?;
    }
    sink.finish()?;
    Ok(tally)
}

/// Events with about `budget` bytes of source, fewer when the stream is slow; none at its end.
fn window<Item>(events: &Receiver<Event<Item>>, budget: usize, windows: Windows) -> Vec<Event<Item>> {
    let mut window = Vec::new();
    let mut bytes = 0;
    while bytes < budget {
        let next = match windows {
            Windows::Prompt if !window.is_empty() => events.recv_timeout(PATIENCE),
            Windows::Unhurried if !window.is_empty() => events.recv_timeout(REST),
            _ => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let Ok(event) = next else { break };
        if let Event::Item(_, length) = &event {
            bytes += length.max(&1);
        }
        window.push(event);
    }
    window
}

/// An event whose item, if it had one, is with the others of its window.
enum WriteStep {
    Begin(Beginning),
    Piece(usize),
    Failed(Failure),
    End(bool),
    Skipped(FlagCount, u64),
}

/// Parts the items of a window from what happens around them.
fn part<Item>(window: Vec<Event<Item>>) -> (Vec<WriteStep>, Vec<Item>) {
    let mut items = Vec::new();
    let steps = window.into_iter().map(|event| match event {
        Event::Begin(beginning) => WriteStep::Begin(beginning),
        Event::Failed(failure) => WriteStep::Failed(failure),
        Event::End(good) => WriteStep::End(good),
        Event::Skipped(flags, bytes) => WriteStep::Skipped(flags, bytes),
        Event::Item(item, bytes) => {
            items.push(item);
            WriteStep::Piece(bytes)
        }
    });
    (steps.collect(), items)
}

/// Carries results to where they belong.
struct Writer<'a> {
    sink: &'a mut Sink,
    remarks: &'a mut TermRemarks,
    screen: &'a Screen,
    tally: &'a mut Tally,
}

impl Writer<'_> {
    fn take(&mut self, step: WriteStep, pieces: &mut dyn Iterator<Item = Result<Piece, Failure>>) -> Result<()> {
        match step {
            WriteStep::Begin(beginning) => {
                self.tally.open = 0;
                let begun = self.screen.aside(|| self.sink.begin(&beginning));
                self.written(begun)?;
            }
            WriteStep::Piece(bytes) => {
                self.tally.bytes += bytes as u64;
                match pieces.next() {
                    Some(Ok(piece)) => self.piece(&piece)?,
                    Some(Err(failure)) => self.fail(&failure),
                    None => bail!("the model gave fewer results than there are sources"),
                }
            }
            WriteStep::Failed(failure) => self.fail(&failure),
            WriteStep::End(good) => {
                let ended = self.end(good);
                self.written(ended)?;
            }
            WriteStep::Skipped(flags, bytes) => {
                self.tally.skipped += 1;
                self.tally.bytes += bytes;
                self.tally.skipped_bytes += bytes;
                self.tally.flags.add(&flags);
            }
        }
        Ok(())
    }

    fn piece(&mut self, piece: &Piece) -> Result<()> {
        if self.sink.is_lost() {
            return Ok(());
        }
        if let Some(notice) = &piece.notice {
            self.screen.notice(notice);
        }
        for warning in &piece.warnings {
            self.screen.warning(warning);
        }
        self.screen.detail(format!("`{}`: {} segments, {} tokens", piece.name, piece.flags.segments, piece.tokens));
        self.remarks.add(&piece.name, &piece.segments);
        self.tally.flags.add(&piece.flags);
        self.tally.tokens += piece.tokens;
        self.tally.summaries.add(piece.passes);
        if let Some(failure) = &piece.failure {
            self.fail(failure);
        } else {
            self.tally.done += 1;
            self.tally.open += 1;
        }
        let written = self.screen.aside(|| self.sink.piece(&piece.body, &piece.flags));
        self.written(written)
    }

    /// Ends the output of a source. The only file of a run has what there is to say about the run as its last object.
    fn end(&mut self, good: bool) -> Result<()> {
        if self.sink.is_one_file()
            && !self.sink.is_lost()
            && let Some(last) = self.remarks.object()
        {
            self.sink.piece(&last, &FlagCount::default())?;
        }
        self.sink.end(good)
    }

    /// A file that cannot be written is one failure among others; without standard output there is no
    /// point in going on.
    fn written(&mut self, written: Result<()>) -> Result<()> {
        match written {
            Err(error) if self.sink.is_files() => {
                let name = self.sink.abandon();
                self.tally.done -= std::mem::take(&mut self.tally.open);
                self.fail(&Failure { name, error });
                Ok(())
            }
            other => other,
        }
    }

    fn fail(&mut self, failure: &Failure) {
        self.sink.incomplete();
        self.tally.failed += 1;
        self.screen.failure(failure);
    }

    /// Without a checkpoint a killed run only loses more.
    fn checkpoint(&mut self) {
        if let Err(error) = self.sink.checkpoint() {
            self.screen.warning(format!("{error:#}"));
        }
    }
}
