//! What is said on standard error while work goes on: progress, notices, warnings, errors.
//!
//! Invariant: `--quiet` silences all but errors, and nothing is drawn over: whoever prints goes
//! through here, so that the bar steps aside. What the results are is none of its concern.

use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::inputs::Failure;

/// How often a plain line tells the progress when there is no terminal to draw on.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// What is counted while a run goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Articles or lines that are complete.
    pub done: usize,
    /// Those of them whose output is still open, and may yet fail to be written.
    pub open: usize,
    /// Those that failed.
    pub failed: usize,
    /// Segments among all outputs.
    pub segments: usize,
    /// Tokens that were generated for them.
    pub tokens: usize,
    /// Segments that carry a flag.
    pub flagged: usize,
    /// Outputs of a former run that were kept.
    pub skipped: usize,
    /// Bytes of source that are behind us.
    pub bytes: u64,
}

/// Standard error, as loud as it was asked to be.
#[derive(Debug)]
pub struct Screen {
    quiet: bool,
    verbose: bool,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
    total: Option<u64>,
    noun: &'static str,
}

impl Screen {
    /// A screen without progress.
    pub fn new(quiet: bool, verbose: bool) -> Self {
        let now = Instant::now();
        Self { quiet, verbose, bar: None, started: now, last_line: now, total: None, noun: "articles" }
    }

    /// Begins to show progress through `total` bytes of source, where that is known; `noun` says what is counted.
    pub fn begin(&mut self, total: Option<u64>, noun: &'static str) {
        self.started = Instant::now();
        self.last_line = self.started;
        (self.total, self.noun) = (total.filter(|&bytes| bytes > 0), noun);
        if self.quiet || !io::stderr().is_terminal() {
            return;
        }
        let template = if self.total.is_some() { "{bar:24} {percent:>3}%  {msg}" } else { "{spinner} {msg}" };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(self.total.unwrap_or(0)).with_style(style.progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = Some(bar);
    }

    /// Shows how far the run is.
    pub fn advance(&mut self, tally: &Tally) {
        let line = self.describe(tally);
        if let Some(bar) = &self.bar {
            bar.set_position(tally.bytes);
            bar.set_message(line);
        } else if !self.quiet && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("progress: {line}");
        }
    }

    /// Takes the bar away.
    pub fn end(&mut self) {
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

    fn describe(&self, tally: &Tally) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let mut line = format!("{} {}", tally.done, self.noun);
        if tally.segments > 0 {
            line += &format!(", {} segments", tally.segments);
        }
        if tally.tokens > 0 {
            line += &format!(", {:.0} tokens/s", tally.tokens as f64 / seconds);
        }
        if let Some(total) = self.total.filter(|&total| tally.bytes > 0 && tally.bytes < total) {
            let left = seconds * (total - tally.bytes) as f64 / tally.bytes as f64;
            line += &format!(", {} left", duration(left));
        }
        if tally.failed > 0 {
            line += &format!(", {} failed", tally.failed);
        }
        line
    }
}

/// An error and what led to it on one line, hints below it.
pub fn told(error: &anyhow::Error) -> String {
    let mut causes = Vec::new();
    let mut hints = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        let mut lines = cause.split("\nhint: ").map(str::to_owned);
        causes.extend(lines.next());
        hints.extend(lines.map(|hint| format!("\nhint: {hint}")));
    }
    // A library's error often repeats its cause.
    causes.dedup_by(|inner, outer| outer.ends_with(inner.as_str()));
    causes.join(": ") + &hints.concat()
}

/// Seconds as one would say them.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_come_after_all_causes() {
        let error = anyhow::anyhow!("inner\nhint: do that").context("outer\nhint: do this");
        assert_eq!(told(&error), "outer: inner\nhint: do this\nhint: do that");
    }

    #[test]
    fn progress_says_what_is_known() {
        let mut screen = Screen::new(true, false);
        screen.begin(Some(100), "articles");
        let start = screen.describe(&Tally::default());
        assert_eq!(start, "0 articles");
        let tally = Tally { done: 2, segments: 30, failed: 1, bytes: 50, ..Tally::default() };
        let line = screen.describe(&tally);
        assert!(line.starts_with("2 articles, 30 segments, 1 s left, 1 failed"), "{line}");
        assert_eq!([duration(59.2), duration(61.0), duration(3700.0)].join("|"), "1 min 0 s|1 min 1 s|1 h 1 min");
    }
}
