//! Reports as plain text, to be read in a terminal or printed.
//!
//! Invariant: a translation without a summary is the translated article and nothing else, the date
//! where the article had it; with a summary, the date line comes first, then the summary, then the
//! translation. There is no markup in it, whatever the article came in.

use std::borrow::Cow;

use crate::document::{Document, Preface};
use crate::report::Report;

/// The heading of a summary.
const HEADING: &str = "Summary";

/// One article.
pub(super) fn article(report: &Report) -> String {
    let document = report.document.as_ref().map(plain);
    match (&report.summary, document) {
        (None, Some(document)) => document.text(),
        (Some(summary), None) => ended(summary.clone()),
        (Some(summary), Some(document)) => digest(report, summary, &document.body()),
        (None, None) => String::new(),
    }
}

/// The translated article with all its markup.
pub(super) fn as_it_is(report: &Report) -> String {
    report.document.as_ref().map(|document| with_summary(report, document).text()).unwrap_or_default()
}

/// The article with the summary in front, if there is one.
pub(super) fn with_summary(report: &Report, document: &Document) -> Document {
    let Some(summary) = &report.summary else { return document.clone() };
    let lines = summary.lines().map(str::trim).filter(|line| !line.is_empty());
    let paragraphs = lines.map(str::to_owned).collect();
    document.clone().with_preface(Preface { heading: HEADING.to_owned(), paragraphs })
}

/// The article without markup.
fn plain(document: &Document) -> Cow<'_, Document> {
    if document.has_markup() { Cow::Owned(document.without_markup()) } else { Cow::Borrowed(document) }
}

fn digest(report: &Report, summary: &str, translation: &str) -> String {
    let mut page = String::new();
    if let Some(title) = &report.title {
        page += &format!("{title}\n{}\n\n", "=".repeat(width(title)));
    }
    if let Some(date) = &report.date {
        page += &format!("date {date}\n\n");
    }
    page += &section(HEADING, summary);
    page += "\n";
    page += &section("Translation", translation);
    page
}

fn section(heading: &str, body: &str) -> String {
    format!("{heading}\n{}\n\n{}", "-".repeat(heading.len()), ended(body.trim_matches(['\n', '\r']).to_owned()))
}

/// The width of the underline of a title, in characters: that of the title, within 3 and 78.
fn width(title: &str) -> usize {
    title.chars().count().clamp(3, 78)
}

/// The text with a line end.
fn ended(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A text on one line: every character that a program may take for a line break becomes a space.
pub(super) fn one_line(target: &str) -> String {
    let breaks = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    target.replace("\r\n", " ").replace(breaks, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_become_spaces() {
        assert_eq!(one_line("a\r\nb\nc\u{2028}d\u{85}e"), "a b c d e");
    }
}
