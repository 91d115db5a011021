//! Reports as JSON objects, each on one line.
//!
//! Reports hold only text and numbers, which are always JSON; should one ever not be, the reader gets an
//! object that says so rather than nothing.

use crate::report::{LineReport, Report};

/// The object of an article.
pub(super) fn article(report: &Report) -> String {
    report.json().unwrap_or_else(|error| failed(&error))
}

/// The object of a line.
pub(super) fn line(report: &LineReport) -> String {
    serde_json::to_string(report).unwrap_or_else(|error| failed(&error))
}

fn failed(error: &serde_json::Error) -> String {
    serde_json::json!({ "error": error.to_string() }).to_string()
}
