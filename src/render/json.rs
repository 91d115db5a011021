//! Reports as JSON objects, each on one line.
//!
//! Reports hold only text and numbers, which are always JSON; should one ever not be, the reader gets an
//! object that says so rather than nothing.

use crate::consistency::TermUse;
use crate::report::{LineReport, Report};

/// The object of an article.
pub(super) fn article(report: &Report) -> String {
    report.json().unwrap_or_else(|error| failed(&error))
}

/// The object of a line.
pub(super) fn line(report: &LineReport) -> String {
    serde_json::to_string(report).unwrap_or_else(|error| failed(&error))
}

/// The object of terms that were not always translated alike.
pub(super) fn inconsistent(terms: &[TermUse]) -> String {
    serde_json::json!({ "inconsistent": terms }).to_string()
}

fn failed(error: &serde_json::Error) -> String {
    serde_json::json!({ "error": error.to_string() }).to_string()
}
