//! The progress of a run: how far it is, how fast, and how long it will still take.
//!
//! Invariant: progress never decreases. Windows of work end seldom, so in between it is estimated from the statistics
//! of the engines. How progress is shown belongs to `progress`.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kortom::check::FlagCount;
use kortom::engine::Stats;
use kortom::pipeline::{LoadedModel, Models};

use super::timings::Summaries;

/// The counters of a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// When the first output had been written.
    pub first_word: Option<Instant>,
    /// Articles or lines that are complete.
    pub done: usize,
    /// Complete articles or lines whose output is still open, and may yet fail to be written.
    pub open: usize,
    /// Articles or lines that failed.
    pub failed: usize,
    /// Number of generated tokens.
    pub tokens: usize,
    /// Number of segments of all outputs, and their flags.
    pub flags: FlagCount,
    /// Summaries that a model wrote.
    pub summaries: Summaries,
    /// Outputs of a former run that were kept.
    pub skipped: usize,
    /// Bytes of source that are done.
    pub bytes: u64,
    /// Bytes of source that a former run had done.
    pub skipped_bytes: u64,
}

/// A function that reads the current statistics of an engine.
pub type Gauge = Box<dyn Fn() -> Stats + Send>;

/// A gauge for each model, which can be read from any thread.
pub fn gauges(models: &Models) -> Vec<Gauge> {
    let gauge = |model: &LoadedModel| {
        let gauge = model.engine().live_stats();
        Box::new(move || gauge.read()) as Gauge
    };
    models.all().map(gauge).collect()
}

/// The state of a run's progress.
pub struct RunProgress {
    /// The noun for what is counted: articles, lines or records.
    noun: &'static str,
    /// Bytes of all sources, if known.
    bytes: Option<u64>,
    /// Number of all articles, if known.
    count: Option<usize>,
    gauges: Vec<Gauge>,
    started: Instant,
    tally: Tally,
    /// Bytes of source in the window that is in work.
    window: u64,
    /// Source tokens that the engines had received and done when that window began.
    before: (usize, usize),
    /// The greatest position that was reported, in bytes.
    furthest: u64,
}

impl RunProgress {
    /// The progress of a run that begins now; `noun` names what is counted.
    pub fn new(noun: &'static str, bytes: Option<u64>, count: Option<usize>, gauges: Vec<Gauge>) -> Self {
        Self {
            noun,
            bytes: bytes.filter(|&bytes| bytes > 0),
            count,
            gauges,
            started: Instant::now(),
            tally: Tally::default(),
            window: 0,
            before: (0, 0),
            furthest: 0,
        }
    }

    /// Bytes of all sources, if known.
    pub fn total(&self) -> Option<u64> {
        self.bytes
    }

    /// Begins a window with `bytes` of source.
    pub fn working(&mut self, bytes: u64) {
        self.window = bytes;
        self.before = self.tokens();
    }

    /// Ends the window in work, with the counters so far.
    pub fn advance(&mut self, tally: &Tally) {
        self.tally = tally.clone();
        self.window = 0;
    }

    /// Source tokens that the engines have received, and those that they have done.
    fn tokens(&self) -> (usize, usize) {
        let work = self.gauges.iter().map(|gauge| gauge());
        work.fold((0, 0), |(asked, done), work| (asked + work.asked_tokens, done + work.progress()))
    }

    /// Bytes of source that are done; within a window, an estimate from the tokens that are done.
    pub fn position(&mut self) -> u64 {
        let (asked, done) = self.tokens();
        let (asked, done) = (asked.saturating_sub(self.before.0), done.saturating_sub(self.before.1));
        let of_window = self.window * done.min(asked) as u64 / asked.max(1) as u64;
        let position = self.tally.bytes + of_window;
        self.furthest = self.furthest.max(position);
        self.furthest
    }

    /// The progress as a line of text.
    pub fn line(&mut self) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let tally = &self.tally;
        let mut line = match self.count {
            Some(count) => format!("{} of {count} {}", tally.done + tally.skipped, self.noun),
            None => format!("{} {}", tally.done, self.noun),
        };
        if tally.flags.segments > 0 {
            line += &format!(", {} segments", tally.flags.segments);
        }
        let failed = tally.failed;
        let generated: usize = self.gauges.iter().map(|gauge| gauge().generated()).sum();
        if generated > 0 {
            line += &format!(", {:.0} tokens/s", generated as f64 / seconds);
        }
        // Bytes that a former run has done took no time in this run, so they are left out of the estimate.
        let (position, skipped) = (self.position(), self.tally.skipped_bytes);
        if let Some(total) = self.bytes.filter(|&total| skipped < position && position < total) {
            let left = seconds * (total - position) as f64 / (position - skipped) as f64;
            line += &format!(", {} left", duration(left));
        }
        if failed > 0 {
            line += &format!(", {failed} failed");
        }
        line
    }
}

/// Reports the progress at an interval, from a thread of its own, until it is dropped.
pub struct Ticker {
    progress: Arc<Mutex<RunProgress>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts a thread that calls `tell` at intervals of `every`.
    pub fn start(progress: RunProgress, every: Duration, tell: impl Fn(&mut RunProgress) + Send + 'static) -> Self {
        let progress = Arc::new(Mutex::new(progress));
        let (stop, stopped) = channel();
        let told = Arc::clone(&progress);
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                tell(&mut told.lock().unwrap_or_else(PoisonError::into_inner));
            }
        });
        Self { progress, stop: Some(stop), thread: Some(thread) }
    }

    /// Changes the progress that is reported.
    pub fn update(&self, change: impl FnOnce(&mut RunProgress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // An error means that the thread has panicked; the run does not depend on it.
            let _ = thread.join();
        }
    }
}

/// A duration in seconds, minutes or hours: `42 s`, `3 min 5 s`, `1 h 20 min`.
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
    fn between_the_ends_of_windows_the_engines_say_how_far_the_run_is() {
        let work = Arc::new(Mutex::new(Stats::default()));
        let read = Arc::clone(&work);
        let mut progress =
            RunProgress::new("articles", Some(1000), Some(4), vec![Box::new(move || *read.lock().unwrap())]);
        assert_eq!((progress.position(), progress.line().as_str()), (0, "0 of 4 articles"));
        let set = |asked_tokens, source_tokens, batch_tokens, pending_tokens| {
            *work.lock().unwrap() =
                Stats { asked_tokens, source_tokens, batch_tokens, pending_tokens, ..Stats::default() };
        };
        set(50, 50, 0, 0);
        progress.working(400);
        set(150, 50, 60, 10);
        assert_eq!(progress.position(), 40);
        set(150, 50, 60, 500);
        assert_eq!(progress.position(), 228, "a batch is done when it is done");
        set(150, 110, 40, 0);
        assert_eq!(progress.position(), 240);
        // More is asked for: a second model begins with what the first made.
        set(300, 150, 0, 0);
        assert_eq!(progress.position(), 240, "it never goes back");
        progress.advance(&Tally { done: 2, bytes: 400, failed: 1, ..Tally::default() });
        assert_eq!(progress.position(), 400);
        let line = progress.line();
        assert!(line.starts_with("2 of 4 articles") && line.ends_with(" left, 1 failed"), "{line}");
    }

    #[test]
    fn a_ticker_tells_until_it_is_dropped() {
        let (sender, told) = channel();
        let ticker = Ticker::start(
            RunProgress::new("lines", None, None, Vec::new()),
            Duration::from_millis(1),
            move |progress| {
                // The other end may have heard enough.
                let _ = sender.send(progress.line());
            },
        );
        assert_eq!(told.recv().unwrap(), "0 lines");
        ticker.update(|progress| progress.advance(&Tally { done: 7, ..Tally::default() }));
        while told.recv().unwrap() != "7 lines" {}
        drop(ticker);
        assert!(told.iter().all(|line| line == "7 lines"));
    }

    #[test]
    fn durations_are_as_one_says_them() {
        assert_eq!([duration(59.2), duration(61.0), duration(3700.0)].join("|"), "1 min 0 s|1 min 1 s|1 h 1 min");
    }
}
