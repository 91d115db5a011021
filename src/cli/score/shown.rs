//! Scores as they are written: lines for reading, and objects with sacreBLEU's names.

use std::fmt::Write;

use anyhow::Result;
use kortom::score::rouge::Rouge;
use kortom::score::{Interval, Metric, Resampling, Score};
use serde_json::{Map, Value, json};

use super::Scored;

/// The greatest p-value of a significant difference.
const SIGNIFICANT: f64 = 0.05;
/// The description of ROUGE in place of a signature, which it does not have.
const ROUGE: &str = "F1 in percent, mean over the segments, no stemming, as rouge-score 0.1.2";

/// A line for each system, and the signatures below.
pub fn text(scored: &[Scored], resampling: Option<&Resampling>, width: usize) -> String {
    let mut text = String::new();
    for system in scored {
        if scored.len() > 1 {
            text.push_str(&system.name);
            text.push_str(": ");
        }
        let metrics = system.metrics.iter().map(|score| line(score, width));
        let rouge = Rouge::ALL.iter().zip(&system.rouge);
        let rouge = rouge.map(|(rouge, found)| format!("{} = {:.width$}", rouge.name(), 100.0 * found.fmeasure));
        text.push_str(&metrics.chain(rouge).collect::<Vec<_>>().join(" "));
        text.push('\n');
    }
    text.push('\n');
    for metric in Metric::ALL {
        writeln!(text, "{:<8} {}", metric.name(), metric.signature(resampling)).ok();
    }
    text + &format!("{:<8} {ROUGE}\n", "ROUGE")
}

fn line(score: &Score, width: usize) -> String {
    let mut line = format!("{} = {:.width$}", score.metric.name(), score.value);
    if let Some(interval) = &score.interval {
        line += &format!(" ({})", bounds(interval, width));
    }
    if let Some(p) = score.p_value {
        line += &format!(" (p = {p:.4}){}", if p > SIGNIFICANT { "" } else { "*" });
    }
    line
}

fn bounds(interval: &Interval, width: usize) -> String {
    format!("μ = {:.width$} ± {:.width$}", interval.mean, interval.margin)
}

/// An array with an object for each system.
pub fn json(scored: &[Scored], resampling: Option<&Resampling>, width: usize) -> Result<String> {
    let systems: Vec<Value> = (scored.iter())
        .map(|system| {
            let metrics = system.metrics.iter().map(|score| metric(score, resampling, width));
            let rouge = Rouge::ALL.iter().zip(&system.rouge).map(|(rouge, found)| {
                let (precision, recall) = (found.precision, found.recall);
                json!({
                    "name": rouge.key(), "score": rounded(100.0 * found.fmeasure, width), "signature": ROUGE,
                    "precision": precision, "recall": recall, "fmeasure": found.fmeasure,
                })
            });
            let metrics: Vec<Value> = metrics.chain(rouge).collect();
            json!({ "system": system.name, "segments": system.segments, "metrics": metrics })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&systems)? + "\n")
}

/// One score under the names that sacreBLEU gives its parts.
fn metric(score: &Score, resampling: Option<&Resampling>, width: usize) -> Value {
    let signature = score.metric.signature(resampling);
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    set("name", score.metric.name().into());
    set("score", rounded(score.value, width));
    set("signature", signature.as_str().into());
    if let Some(interval) = &score.interval {
        set("confidence_mean", rounded(interval.mean, width));
        set("confidence_var", rounded(interval.margin, width));
        set("confidence", bounds(interval, width).into());
    }
    if let Some(p) = score.p_value {
        set("p_value", p.into());
    }
    if let Some(detail) = &score.detail {
        set("verbose_score", detail.as_str().into());
    }
    for (key, value) in signature.split('|').filter_map(|part| part.split_once(':')) {
        set(key, value.into());
    }
    Value::Object(object)
}

/// The value, rounded to `width` digits after the point.
fn rounded(value: f64, width: usize) -> Value {
    format!("{value:.width$}").parse::<f64>().map_or(Value::Null, Value::from)
}
