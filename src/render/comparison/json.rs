//! A comparison for programs.

use serde_json::{Map, Value, json};

use crate::compare::{ComparedSegment, ComparedSystem, Comparison, RESAMPLING};
use crate::score::Score;

/// The comparison as one object, with at most `limit` segments: those that differ most where there is a limit, and else all in
/// the order of the texts.
#[must_use]
pub fn json(comparison: &Comparison, limit: Option<usize>) -> String {
    let segments: Vec<Value> = match limit {
        Some(limit) => comparison.differing().into_iter().take(limit).map(segment).collect(),
        None => comparison.segments.iter().map(segment).collect(),
    };
    let systems: Vec<Value> = (comparison.systems.iter().enumerate())
        .map(|(place, found)| match &found.error {
            Some(error) => json!({ "system": found.name, "error": error }),
            None => system(comparison, place, found),
        })
        .collect();
    let (from, to) = &comparison.languages;
    let object = json!({
        "from": from, "to": to, "systems": systems, "count": comparison.segments.len(), "equal": comparison.equal(),
        "segments": segments,
    });
    format!("{object:#}\n")
}

fn system(comparison: &Comparison, place: usize, system: &ComparedSystem) -> Value {
    let flags = comparison.flags(place);
    let scores: Vec<Value> = comparison.scores[place].iter().map(score).collect();
    let cost = system.cost;
    json!({
        "system": system.name, "model": system.model, "placement": system.placement, "segments": flags.segments,
        "flagged": flags.flagged, "flags": flags.flags, "score": comparison.mean_score(place),
        "length_ratio": comparison.length_ratio(place), "tokens": cost.tokens,
        "tokens_per_second": cost.tokens_per_second(), "seconds": cost.work.as_secs_f64(),
        "load_seconds": cost.load.as_secs_f64(), "peak_memory": cost.peak_memory, "metrics": scores,
    })
}

/// A score under the names that sacreBLEU gives its parts.
fn score(score: &Score) -> Value {
    let tested = score.interval.is_some();
    let mut object = Map::new();
    object.insert("name".to_owned(), score.metric.name().into());
    object.insert("score".to_owned(), score.value.into());
    object.insert("signature".to_owned(), score.metric.signature(tested.then_some(&RESAMPLING)).into());
    if let Some(interval) = score.interval {
        object.insert("confidence_mean".to_owned(), interval.mean.into());
        object.insert("confidence_var".to_owned(), interval.margin.into());
    }
    if let Some(p) = score.p_value {
        object.insert("p_value".to_owned(), p.into());
    }
    Value::Object(object)
}

/// The digits that a score has in other reports.
fn short(score: f32) -> Option<f64> {
    score.to_string().parse().ok()
}

fn segment(segment: &ComparedSegment) -> Value {
    let target = |side: usize| {
        let target = segment.targets[side].as_ref()?;
        // Characters, because programs count those.
        let characters = |end: usize| target.target[..end].chars().count();
        let ranges = segment.difference.iter().flat_map(|difference| &difference.ranges[side]);
        let ranges: Vec<[usize; 2]> = ranges.map(|range| [range.start, range.end].map(characters)).collect();
        Some(json!({
            "target": target.target, "score": target.score.and_then(short), "tokens": target.tokens, "flags": target.flags,
            "notes": target.notes, "differs": ranges,
        }))
    };
    json!({
        "input": segment.text, "number": segment.number, "source": segment.source, "reference": segment.reference,
        "difference": segment.difference.as_ref().map(|difference| difference.share), "equal": segment.is_equal(),
        "targets": [target(0), target(1)],
    })
}
