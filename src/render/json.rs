//! Reports as JSON objects, each on one line.

use serde::Serialize;

/// The object. Reports hold only text and numbers, which are always JSON; should one ever not be, the
/// reader gets an object that says so rather than nothing.
pub(super) fn object(report: &impl Serialize) -> String {
    serde_json::to_string(report).unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string())
}
