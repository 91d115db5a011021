//! Comparisons of two systems as people and programs read them.
//!
//! Invariant: the measures and their order are the same wherever people read them; `json` has the numbers themselves. What is
//! measured belongs to `compare`.

mod html;
mod json;
mod text;

use std::collections::BTreeSet;

use crate::check::Flag;
use crate::compare::{ComparedSegment, ComparedSystem, Comparison};
use crate::score::{Metric, Score};

pub use html::page;
pub use json::json;
pub use text::text;

/// The names of the two systems in tables and beside segments.
const LETTERS: [&str; 2] = ["A", "B"];
/// The sign for a number that is not known.
const UNKNOWN: &str = "\u{2013}";
/// The greatest p-value of a significant difference.
const SIGNIFICANT: f64 = 0.05;

/// One measure of both systems, as it is shown.
struct MeasureRow {
    name: String,
    values: [String; 2],
    /// Whether it is a part of the measure above it.
    part: bool,
}

/// The measures that are known for a comparison.
fn measures(comparison: &Comparison) -> Vec<MeasureRow> {
    let each = |name: &str, value: &dyn Fn(usize) -> Option<String>| {
        let known = |system| value(system).filter(|_| comparison.systems[system].error.is_none());
        let values = [0, 1].map(|system| known(system).unwrap_or_else(|| UNKNOWN.to_owned()));
        MeasureRow { name: name.to_owned(), values, part: false }
    };
    let flags = [0, 1].map(|system| comparison.flags(system));
    let mut measures = vec![each("segments flagged", &|system| Some(flags[system].flagged.to_string()))];
    for flag in kinds(comparison) {
        let count = |system: usize| Some(flags[system].flags.get(&flag).copied().unwrap_or_default().to_string());
        measures.push(MeasureRow { part: true, ..each(&flag.to_string(), &count) });
    }
    let cost = |system: usize| comparison.systems[system].cost;
    measures.extend([
        each("mean score", &|system| comparison.mean_score(system).map(|mean| format!("{mean:.3}"))),
        each("length ratio", &|system| comparison.length_ratio(system).map(|ratio| format!("{ratio:.3}"))),
        each("generated tokens", &|system| Some(cost(system).tokens.to_string())),
        each("tokens/s", &|system| cost(system).tokens_per_second().map(|rate| format!("{rate:.1}"))),
        each("model load, s", &|system| Some(format!("{:.2}", cost(system).load.as_secs_f64()))),
        each("peak memory, MiB", &|system| cost(system).peak_memory.map(|bytes| (bytes >> 20).to_string())),
    ]);
    for metric in Metric::ALL.into_iter().filter(|_| comparison.scores.iter().any(|scores| !scores.is_empty())) {
        let score = |system: usize| comparison.scores[system].iter().find(|score| score.metric == metric).map(score);
        measures.push(each(metric.name(), &score));
    }
    measures
}

/// A score with its interval and the p-value of its difference from the baseline, if they were computed.
fn score(score: &Score) -> String {
    let interval = score.interval.map_or_else(String::new, |interval| format!(" ± {:.2}", interval.margin));
    let test =
        score.p_value.map_or_else(String::new, |p| format!(" (p = {p:.4}){}", if p > SIGNIFICANT { "" } else { "*" }));
    format!("{:.2}{interval}{test}", score.value)
}

/// The kinds of flags that any segment of either system carries.
fn kinds(comparison: &Comparison) -> BTreeSet<Flag> {
    let segments = comparison.segments.iter().flat_map(|segment| segment.targets.iter().flatten());
    segments.flat_map(|segment| segment.flags.iter().copied()).collect()
}

/// The explanation of p-values; `None` if there are none.
fn explanation(comparison: &Comparison) -> Option<&'static str> {
    let tested = comparison.scores.iter().flatten().any(|score| score.p_value.is_some());
    tested.then_some(
        "p: how likely such a difference is by chance, by paired bootstrap with 1000 resamples; * at most 0.05",
    )
}

/// The number of equal segments, in words.
fn agreement(comparison: &Comparison) -> String {
    let (equal, all) = (comparison.equal(), comparison.segments.len());
    let share = 100.0 * equal as f64 / all.max(1) as f64;
    let both = comparison.segments.iter().all(|segment| segment.targets.iter().all(Option::is_some));
    match all {
        0 => "no segments".to_owned(),
        1 if both => format!("the segment is {}", if equal == 1 { "equal" } else { "different" }),
        _ if both => format!("{equal} of {all} segments are equal ({share:.0} %)"),
        _ => format!("{equal} of {all} segments are equal ({share:.0} %); some have one translation only"),
    }
}

/// The text and number of a segment, and the share of words that differ between its translations.
fn place(segment: &ComparedSegment) -> String {
    let apart = match &segment.difference {
        Some(difference) => format!(": {:.0} % of the words differ", 100.0 * difference.share),
        None => String::new(),
    };
    format!("{}, segment {}{apart}", segment.text, segment.number)
}

/// The model of a system, and where it was computed.
fn facts(system: &ComparedSystem) -> Vec<&str> {
    system.model.iter().chain(&system.placement).map(String::as_str).collect()
}
