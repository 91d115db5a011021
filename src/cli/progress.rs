//! Messages on standard error while work goes on: progress, notices, warnings, errors.
//!
//! Invariant: `--quiet` silences all but errors. All printing goes through this module, which hides the progress bar
//! for it, so that nothing is drawn over. How far a run is belongs to `run_progress`.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use kortom::error;
use kortom::pipeline::Listener;

use super::inputs::Failure;
use super::options::MessageOptions;
use super::run_progress::{RunProgress, Tally, Ticker};

/// The interval at which the bar is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// The interval at which a plain line reports the progress if there is no terminal to draw on.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// Standard error, with the requested amount of messages.
pub struct Screen {
    quiet: bool,
    verbose: bool,
    bar: Option<ProgressBar>,
    ticker: Option<Ticker>,
    /// The notices about the models that are printed when the run ends; `None` if they are printed at once.
    postponed: Option<RefCell<Vec<String>>>,
}

impl Screen {
    /// A screen without progress.
    pub fn new(messages: &MessageOptions) -> Self {
        let (quiet, verbose) = (messages.quiet == Some(true), messages.verbose == Some(true));
        Self { quiet, verbose, bar: None, ticker: None, postponed: None }
    }

    /// Keeps the notices about the models until the run ends: above a long article nobody would see them.
    pub fn postpone_notices(&mut self) {
        self.postponed = Some(RefCell::default());
    }

    /// Begins to show the progress of a run: as a bar on a terminal, otherwise as a line every minute.
    pub fn begin(&mut self, progress: RunProgress) {
        if self.quiet {
            return;
        }
        // A terminal named `dumb`, such as a window of Emacs, cannot draw a bar.
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

    /// Reports that a window with `bytes` of source is in work.
    pub fn working(&self, bytes: u64) {
        if let Some(ticker) = &self.ticker {
            ticker.update(|progress| progress.working(bytes));
        }
    }

    /// Reports that the window in work is done, with the counters so far.
    pub fn advance(&self, tally: &Tally) {
        if let Some(ticker) = &self.ticker {
            ticker.update(|progress| progress.advance(tally));
        }
    }

    /// Ends the display of progress, and prints the notices that were postponed.
    pub fn end(&mut self) {
        self.ticker = None;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        for notice in self.postponed.take().map(RefCell::into_inner).into_iter().flatten() {
            self.notice(notice);
        }
    }

    /// Prints a failure, also with `--quiet`.
    pub fn failure(&self, failure: &Failure) {
        self.error(format!("`{}`: {}", failure.name, told(&failure.error)));
    }

    /// Prints an error, also with `--quiet`.
    pub fn error(&self, message: impl Display) {
        self.print(&format!("error: {message}"));
    }

    /// Prints a warning, unless `--quiet` was given.
    pub fn warning(&self, message: impl Display) {
        if !self.quiet {
            self.print(&format!("warning: {message}"));
        }
    }

    /// Prints a notice, unless `--quiet` was given.
    pub fn notice(&self, message: impl Display) {
        if !self.quiet {
            self.print(&format!("note: {message}"));
        }
    }

    /// Prints a detail, if `--verbose` was given.
    pub fn detail(&self, message: impl Display) {
        if self.verbose {
            self.print(&message.to_string());
        }
    }

    /// Runs `write`, which may print on the terminal, with the bar hidden.
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
        match &self.postponed {
            Some(postponed) => postponed.borrow_mut().push(text.to_owned()),
            None => self.notice(text),
        }
    }

    fn warning(&self, text: &str) {
        self.warning(text);
    }

    fn detail(&self, text: &str) {
        self.detail(text);
    }
}

/// A bar for `total` bytes of source, or a spinner if their number is not known.
fn bar(total: Option<u64>) -> ProgressBar {
    let template = if total.is_some() { "{bar:24} {percent:>3}%  {wide_msg}" } else { "{spinner} {wide_msg}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total.unwrap_or(0)).with_style(style.progress_chars("=> "))
}

/// An error and its causes on one line, without hints.
pub fn cause(error: &anyhow::Error) -> String {
    error::parts(error.as_ref()).0
}

/// An error and its causes on one line, with the hints below.
pub fn told(error: &anyhow::Error) -> String {
    error::describe(error.as_ref())
}
