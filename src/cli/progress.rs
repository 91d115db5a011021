//! What is said on standard error while work goes on: progress, notices, warnings, errors.
//!
//! Invariant: `--quiet` silences all but errors, and nothing is drawn over: whoever prints goes
//! through here, so that the bar steps aside. How far the run is, `run_progress` says; what the results are is
//! none of its concern.

use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use kortom::check::FlagCount;
use kortom::error;
use kortom::pipeline::Listener;

use super::inputs::Failure;
use super::options::MessageOptions;
use super::run_progress::{RunProgress, Ticker};
use super::timings::Summaries;

/// How often the bar is drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// How often a plain line tells the progress when there is no terminal to draw on.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// What is counted while a run goes on.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Articles or lines that are complete.
    pub done: usize,
    /// Those of them whose output is still open, and may yet fail to be written.
    pub open: usize,
    /// Those that failed.
    pub failed: usize,
    /// Tokens that were generated for them.
    pub tokens: usize,
    /// Segments among all outputs, and their flags.
    pub flags: FlagCount,
    /// Summaries that a model wrote.
    pub summaries: Summaries,
    /// Outputs of a former run that were kept.
    pub skipped: usize,
    /// Bytes of source that are behind us.
    pub bytes: u64,
    /// Those of them that a former run dealt with.
    pub skipped_bytes: u64,
}

/// Standard error, as loud as it was asked to be.
pub struct Screen {
    quiet: bool,
    verbose: bool,
    bar: Option<ProgressBar>,
    ticker: Option<Ticker>,
}

impl Screen {
    /// A screen without progress.
    pub fn new(messages: &MessageOptions) -> Self {
        let (quiet, verbose) = (messages.quiet == Some(true), messages.verbose == Some(true));
        Self { quiet, verbose, bar: None, ticker: None }
    }

    /// Begins to show how far a run is, on a bar that moves by itself, or in a line every now and then where there is no
    /// terminal to draw on.
    pub fn begin(&mut self, progress: RunProgress) {
        if self.quiet {
            return;
        }
        // Emacs and others run programs in a window that is a terminal in name only.
        let draws = io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb");
        if !draws {
            let tell = |progress: &mut RunProgress| eprintln!("progress: {}", progress.line());
            self.ticker = Some(Ticker::start(progress, LINE_EVERY, tell));
            return;
        }
        let bar = bar(progress.total());
        self.bar = Some(bar.clone());
        self.ticker = Some(Ticker::start(progress, DRAW_EVERY, move |progress| {
            bar.set_position(progress.position());
            bar.set_message(progress.line());
            bar.tick();
        }));
    }

    /// So many bytes of source are being worked on.
    pub fn working(&self, bytes: u64) {
        if let Some(ticker) = &self.ticker {
            ticker.update(|progress| progress.working(bytes));
        }
    }

    /// What was being worked on is done.
    pub fn advance(&self, tally: &Tally) {
        if let Some(ticker) = &self.ticker {
            ticker.update(|progress| progress.advance(tally));
        }
    }

    /// Takes the bar away.
    pub fn end(&mut self) {
        self.ticker = None;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Something that could not be done; always told.
    pub fn failure(&self, failure: &Failure) {
        self.error(format!("`{}`: {}", failure.name, told(&failure.error)));
    }

    /// An error; always told.
    pub fn error(&self, message: impl Display) {
        self.print(&format!("error: {message}"));
    }

    /// Something that may not be as wanted.
    pub fn warning(&self, message: impl Display) {
        if !self.quiet {
            self.print(&format!("warning: {message}"));
        }
    }

    /// Something worth knowing.
    pub fn notice(&self, message: impl Display) {
        if !self.quiet {
            self.print(&format!("note: {message}"));
        }
    }

    /// Something for those who asked for more.
    pub fn detail(&self, message: impl Display) {
        if self.verbose {
            self.print(&message.to_string());
        }
    }

    /// Runs `write`, which may print on the same terminal, with the bar out of the way.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn print(&self, line: &str) {
        self.aside(|| eprintln!("{line}"));
    }
}

impl Listener for Screen {
    fn notice(&self, text: &str) {
        self.notice(text);
    }

    fn warning(&self, text: &str) {
        self.warning(text);
    }

    fn detail(&self, text: &str) {
        self.detail(text);
    }
}

/// A bar for so many bytes of source, or what shows life where their number is not known.
fn bar(total: Option<u64>) -> ProgressBar {
    let template = if total.is_some() { "{bar:24} {percent:>3}%  {wide_msg}" } else { "{spinner} {wide_msg}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total.unwrap_or(0)).with_style(style.progress_chars("=> "))
}

/// An error and what led to it, without hints.
pub fn cause(error: &anyhow::Error) -> String {
    error::parts(error.as_ref()).0
}

/// An error and what led to it on one line, hints below it.
pub fn told(error: &anyhow::Error) -> String {
    error::describe(error.as_ref())
}
