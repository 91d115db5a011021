//! Windows: items are read ahead, worked on one window at a time, and written in order.
//!
//! Invariant: whatever the number of inputs, memory holds one window, what the reader is ahead of it, and what
//! `term_remarks` keeps. One bad article never makes another one fail. Results are written in the order of the
//! inputs. How an article is read, worked on and rendered belongs to `Work`.

use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use kortom::check::FlagCount;
use kortom::error::{self, WithHint};
use kortom::render::Body;
use kortom::report::Passes;
use kortom::translate::Segment;

use super::inputs::{Failure, Source};
use super::progress::Screen;
use super::run_progress::Tally;
use super::sink::{Beginning, Sink};
use super::term_remarks::TermRemarks;

/// Bytes of source in the first window: little, so that the first result comes soon.
const FIRST_WINDOW: usize = 4 << 10;
/// Bytes of source in a full window: enough to sort by length, little enough to lose.
const FULL_WINDOW: usize = 128 << 10;
/// How long a window waits for the next item of a slow stream before it starts. It is short, because items that come
/// later are in the next window, and because a program that sends one item at a time waits for it every time.
const PATIENCE: Duration = Duration::from_millis(3);
/// The pause of a stream after which a window of [`Windows::Unhurried`] starts, because the sender may wait for an
/// answer.
const REST: Duration = Duration::from_secs(1);

/// The rule for how many items share a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// As many as are there, so that a slow stream is answered soon.
    Prompt,
    /// As many as fit, however long that takes, because sampled outputs depend on the place in a window.
    Repeatable,
    /// As many as fit, unless the stream pauses for [`REST`].
    Unhurried,
}

/// An event of the reader.
pub enum Event<Item> {
    /// A source begins.
    Begin(Beginning),
    /// An item to work on, with its length in bytes.
    Item(Item, usize),
    /// A part of the source that cannot be processed.
    Failed(Failure),
    /// The source ends; `true` if all of it could be read.
    End(bool),
    /// A former run finished this source: its flags and its size in bytes.
    Skipped(FlagCount, u64),
}

impl<Item> Event<Item> {
    /// Bytes of source in this event's item; 0 if it has none.
    fn bytes(&self) -> u64 {
        if let Self::Item(_, bytes) = self { *bytes as u64 } else { 0 }
    }
}

/// The result of one item, ready to be written.
#[derive(Default)]
pub struct Piece {
    /// The name of the item.
    pub name: String,
    /// The output.
    pub body: Body,
    /// The translated segments; empty if the language of the item was detected.
    pub segments: Vec<Segment>,
    /// Number of segments, and their flags.
    pub flags: FlagCount,
    /// Number of generated tokens.
    pub tokens: usize,
    /// Number of passes of a model's summary.
    pub passes: Option<Passes>,
    /// Warnings to print.
    pub warnings: Vec<String>,
    /// A notice to print.
    pub notice: Option<String>,
    /// The failure, if the output is only a placeholder, such as an empty line or a record with an error.
    pub failure: Option<Failure>,
}

/// How the items of a run are read and worked on.
pub trait Work {
    /// An article, or a line.
    type Item: Send + 'static;

    /// Reads one source, giving each item to `emit` until it says to stop.
    fn reader(&self) -> Reader<Self::Item>;

    /// Works on the items of a window, and returns a piece or a failure for each, in their order.
    fn work(&mut self, items: Vec<Self::Item>) -> Vec<Result<Piece, Failure>>;

    /// The notices about the work since the last call.
    fn notices(&self) -> Vec<String>;
}

/// A function that reads a source, called in the reader's thread.
pub type Reader<Item> = Box<dyn Fn(&Source, &mut Emit<'_, Item>) + Send>;

/// A function that receives what a reader reads: an item and its length in bytes, or a failure.
pub type Emit<'a, Item> = dyn FnMut(Result<(Item, usize), Failure>) -> ControlFlow<()> + 'a;

/// Works through all events and writes the results; failures are printed at once and counted.
///
/// # Errors
/// When standard output cannot be written.
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

/// The next events, with about `budget` bytes of source or fewer if the stream is slow; empty at the end of the
/// stream.
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

/// An event without its item, which is worked on together with the other items of the window.
enum WriteStep {
    Begin(Beginning),
    Piece(usize),
    Failed(Failure),
    End(bool),
    Skipped(FlagCount, u64),
}

/// Divides the events of a window into steps of writing and items to work on.
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

/// Writes results to the sink, and prints and counts what happens.
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
        self.tally.first_word.get_or_insert_with(Instant::now);
        self.written(written)
    }

    /// Ends the output of a source. If all results go to one file, the remarks on terms are its last object.
    fn end(&mut self, good: bool) -> Result<()> {
        if self.sink.is_one_file()
            && !self.sink.is_lost()
            && let Some(last) = self.remarks.object()
        {
            self.sink.piece(&last, &FlagCount::default())?;
        }
        self.sink.end(good)
    }

    /// Handles the result of a write. A file that cannot be written is a failure of its source. An error of standard
    /// output ends the run, and so does a disk on which nothing can be written.
    fn written(&mut self, written: Result<()>) -> Result<()> {
        match written {
            Err(error) if self.sink.is_files() => {
                let name = self.sink.abandon();
                self.tally.done -= std::mem::take(&mut self.tally.open);
                if let Some(remedy) = disk_remedy(&error) {
                    let (causes, _) = error::parts(error.as_ref());
                    bail!(format!("`{name}`: {causes}; the run ends here").with_hint(remedy));
                }
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

    /// Records how far the output is. An error is only a warning: without a checkpoint a killed run only loses more.
    fn checkpoint(&mut self) {
        if let Err(error) = self.sink.checkpoint() {
            self.screen.warning(format!("{error:#}"));
        }
    }
}

/// What to do about a disk on which no later output could be written either; `None` for other errors.
fn disk_remedy(error: &anyhow::Error) -> Option<&'static str> {
    match error::find::<io::Error>(error)?.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("make room, and run the same command with `--resume`")
        }
        io::ErrorKind::ReadOnlyFilesystem => Some("make the disk writable, and run the same command with `--resume`"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn only_what_later_outputs_would_meet_too_ends_a_run() {
        let remedy = |kind: io::ErrorKind| {
            disk_remedy(&Err::<(), _>(io::Error::from(kind)).context("cannot write `a`").unwrap_err())
        };
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::ReadOnlyFilesystem] {
            assert!(remedy(kind).is_some_and(|remedy| remedy.contains("`--resume`")), "{kind}");
        }
        assert_eq!([io::ErrorKind::PermissionDenied, io::ErrorKind::IsADirectory].map(remedy), [None, None]);
    }
}
