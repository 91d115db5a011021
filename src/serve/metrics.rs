//! What the server has done, as Prometheus reads it.
//!
//! Invariant: numbers only, by route and status; nothing of what was asked.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kortom::engine::Stats;

/// Upper bounds of the classes of durations, in seconds.
const BOUNDS: [f64; 8] = [0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// What is counted.
#[derive(Default)]
pub struct Metrics {
    answered: Mutex<Answered>,
    working: AtomicUsize,
    batches: AtomicUsize,
    texts: AtomicUsize,
}

#[derive(Default)]
struct Answered {
    /// By route and status.
    counts: BTreeMap<(String, u16), usize>,
    /// How many took at most each of the bounds.
    within: [usize; BOUNDS.len()],
    seconds: f64,
}

/// A request without an answer yet: it has one, or its client has gone, once this is dropped.
pub struct Working<'a>(&'a Metrics);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// A request begins.
    pub fn begin(&self) -> Working<'_> {
        self.working.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    /// A request has its answer.
    pub fn end(&self, route: &str, status: u16, took: Duration) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        *answered.counts.entry((route.to_owned(), status)).or_default() += 1;
        let seconds = took.as_secs_f64();
        answered.seconds += seconds;
        for (count, _) in answered.within.iter_mut().zip(BOUNDS).filter(|(_, bound)| seconds <= *bound) {
            *count += 1;
        }
    }

    /// So many texts go through a model at once.
    pub fn batch(&self, texts: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.texts.fetch_add(texts, Ordering::Relaxed);
    }

    /// All of it; `waiting` texts are in the queue, and a model has done this work.
    pub fn text(&self, waiting: usize, work: Stats) -> String {
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
            head(&mut page, name, kind, help);
            page += &format!("kortom_{name} {value}\n");
        }
        page
    }
}

fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(page, "# HELP kortom_{name} {help}\n# TYPE kortom_{name} {kind}\n");
}
