//! `--timings`: the times of a run on one line.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kortom::pipeline::Models;
use kortom::report::Passes;

/// The measurements of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// Time from the start of the program to the first output, if there is one.
    pub first_word: Option<Duration>,
    /// Time in which models were loaded.
    pub load: Duration,
    /// Time in which sources were encoded.
    pub encode: Duration,
    /// Time in which tokens were generated.
    pub decode: Duration,
    /// Number of generated tokens.
    pub tokens: usize,
    /// Counters of summaries by a model.
    pub summaries: Summaries,
}

/// Counters of summaries that a model wrote.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summaries {
    /// Number of summaries.
    pub written: usize,
    /// Number of texts that were summarised for them in all passes.
    pub parts: usize,
    /// The most passes of any summary.
    pub passes: usize,
}

impl Summaries {
    /// Counts a summary, if a model wrote it.
    pub fn add(&mut self, made: Option<Passes>) {
        if let Some(made) = made {
            self.written += 1;
            self.parts += made.parts;
            self.passes = self.passes.max(made.passes);
        }
    }

    fn line(self) -> String {
        let Self { written, parts, passes } = self;
        if written == 0 {
            String::new()
        } else {
            format!(", summaries {written} from {parts} parts in {passes} passes at most")
        }
    }
}

impl Timings {
    /// The measurements of models so far.
    pub fn of(models: &Models) -> Self {
        models.all().map(|model| model.engine().stats()).fold(Self::default(), |sum, work| Self {
            load: sum.load + work.load,
            encode: sum.encode + work.encode,
            decode: sum.decode + work.decode,
            tokens: sum.tokens + work.generated_tokens,
            ..sum
        })
    }

    /// The measurements as a line. The time for tokens per second includes encoding, because users wait for both.
    pub fn line(&self) -> String {
        let seconds = (self.encode + self.decode).as_secs_f64();
        let rate = if seconds > 0.0 { self.tokens as f64 / seconds } else { 0.0 };
        let first_word =
            self.first_word.map_or_else(String::new, |time| format!("first word after {} ms, ", time.as_millis()));
        let memory = peak_memory().map_or_else(|| "unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        format!(
            "timings: {first_word}model load {:.2} s, encode {:.2} s, decode {:.2} s, {rate:.1} generated tokens/s, peak memory {memory}{}",
            self.load.as_secs_f64(),
            self.encode.as_secs_f64(),
            self.decode.as_secs_f64(),
            self.summaries.line()
        )
    }
}

/// When the program began: when this was called first.
pub fn program_start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// The peak memory of this process in bytes; `None` if the system does not report it.
pub fn peak_memory() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Resets the peak memory of this process, so that [`peak_memory`] measures from now on; returns `false` if the
/// system cannot do that. Linux can since 4.0: <https://docs.kernel.org/filesystems/proc.html>.
pub fn forget_peak_memory() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The value of a line such as `VmHWM:  1234 kB`, in bytes.
pub fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_it_all() {
        let timings = Timings {
            first_word: None,
            load: Duration::from_millis(250),
            encode: Duration::from_millis(500),
            decode: Duration::from_millis(1500),
            tokens: 400,
            summaries: Summaries::default(),
        };
        let line = timings.line();
        assert!(!line.contains("summaries"), "{line}");
        assert!(line.contains("load 0.25 s, encode 0.50 s, decode 1.50 s, 200.0 generated tokens/s"), "{line}");
        assert!(!line.contains('\n') && !line.contains("word"));
        let first_word = Some(Duration::from_micros(47_900));
        let line = Timings { first_word, ..timings }.line();
        assert!(line.starts_with("timings: first word after 47 ms, model load 0.25 s"), "{line}");
        let mut summaries = Summaries::default();
        let made = [Some(Passes { passes: 1, parts: 1 }), None, Some(Passes { passes: 2, parts: 4 })];
        for made in made {
            summaries.add(made);
        }
        let line = Timings { summaries, ..timings }.line();
        assert!(line.ends_with(", summaries 2 from 5 parts in 2 passes at most"), "{line}");
        assert_eq!(field("VmPeak:\t 9 kB\nVmHWM:\t  12 kB\n", "VmHWM:"), Some(12 << 10));
    }
}
