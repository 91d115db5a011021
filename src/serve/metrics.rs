//! Metrics of the server, in the text format of Prometheus.
//!
//! Invariant: metrics are numbers by route and status, and contain nothing of any request.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kortom::engine::Stats;
use kortom::memory::RecallCounts;

/// Upper bounds of the histogram's buckets, in seconds.
const BOUNDS: [f64; 8] = [0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// The counters of a server.
#[derive(Default)]
pub struct Metrics {
    answered: Mutex<Answered>,
    working: AtomicUsize,
    batches: AtomicUsize,
    texts: AtomicUsize,
}

#[derive(Default)]
struct Answered {
    /// Number of answers by route and status.
    counts: BTreeMap<(String, u16), usize>,
    /// Number of answers that took at most the time of each of [`BOUNDS`].
    within: [usize; BOUNDS.len()],
    seconds: f64,
}

/// Counts a request as in work until it is dropped: when it is answered, or when its client has gone.
pub struct Working<'a>(&'a Metrics);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts a request that begins.
    pub fn begin(&self) -> Working<'_> {
        self.working.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    /// Counts a request that was answered with `status`, and that `took` this long.
    pub fn end(&self, route: &str, status: u16, took: Duration) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        *answered.counts.entry((route.to_owned(), status)).or_default() += 1;
        let seconds = took.as_secs_f64();
        answered.seconds += seconds;
        for (count, _) in answered.within.iter_mut().zip(BOUNDS).filter(|(_, bound)| seconds <= *bound) {
            *count += 1;
        }
    }

    /// Counts a batch of `texts` that a model works on.
    pub fn batch(&self, texts: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.texts.fetch_add(texts, Ordering::Relaxed);
    }

    /// The page of all metrics. `waiting` is the number of texts in the queue, `work` the work of the translation
    /// model, `memory` the look-ups in the memory and the bytes of its file, where there is one.
    pub fn text(&self, waiting: usize, work: Stats, memory: Option<(RecallCounts, u64)>) -> String {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = String::new();
        head(&mut page, "requests_total", "counter", "Requests that were answered.");
        for ((route, status), count) in &answered.counts {
            page += &format!("kortom_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}\n");
        }
        head(&mut page, "request_seconds", "histogram", "How long answers took.");
        for (bound, count) in BOUNDS.iter().zip(answered.within) {
            page += &format!("kortom_request_seconds_bucket{{le=\"{bound}\"}} {count}\n");
        }
        let total: usize = answered.counts.values().sum();
        page += &format!("kortom_request_seconds_bucket{{le=\"+Inf\"}} {total}\n");
        page += &format!("kortom_request_seconds_sum {}\nkortom_request_seconds_count {total}\n", answered.seconds);
        let read = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        for (name, kind, help, value) in [
            ("requests_working", "gauge", "Requests without an answer yet.", read(&self.working)),
            ("texts_waiting", "gauge", "Texts that wait for a model.", waiting),
            ("batches_total", "counter", "Batches that went through a model.", read(&self.batches)),
            ("texts_total", "counter", "Texts in these batches.", read(&self.texts)),
            ("source_tokens_total", "counter", "Source tokens the model for translation has read.", work.source_tokens),
            ("generated_tokens_total", "counter", "Tokens it has written.", work.generated_tokens),
        ] {
            add(&mut page, name, kind, help, value as u64);
        }
        if let Some((counts, bytes)) = memory {
            add_memory(&mut page, counts, bytes);
        }
        page
    }
}

/// Adds the look-ups of a memory and its size.
fn add_memory(page: &mut String, counts: RecallCounts, bytes: u64) {
    let RecallCounts { asked, kept, corrected } = counts;
    let missed = asked.saturating_sub(kept + corrected);
    for (name, help, value) in [
        ("memory_hits_total", "Texts whose output was in the memory.", kept),
        ("memory_corrections_total", "Texts with a correction, which was used.", corrected),
        ("memory_misses_total", "Texts of which the memory knew nothing.", missed),
    ] {
        add(page, name, "counter", help, value as u64);
    }
    add(page, "memory_bytes", "gauge", "Size of the memory's file.", bytes);
}

/// Adds a metric with one value.
fn add(page: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    head(page, name, kind, help);
    *page += &format!("kortom_{name} {value}\n");
}

fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(page, "# HELP kortom_{name} {help}\n# TYPE kortom_{name} {kind}\n");
}
