//! Reports as Markdown.
//!
//! Invariant: an article that is Markdown already keeps its markup; one in another format gets headings
//! where it has headings. The summary, where there is one, is a quotation above the translation.

use crate::document::{BlockKind, Document, Format};
use crate::report::Report;

/// One article.
pub(super) fn article(report: &Report) -> String {
    let mut page = String::new();
    let is_markdown = report.document.as_ref().is_some_and(|document| document.format == Format::Markdown);
    if report.summary.is_some() {
        if let Some(title) = report.title.as_ref().filter(|_| !is_markdown) {
            page += &format!("# {title}\n\n");
        }
        if let Some(date) = &report.date {
            page += &format!("*{date}*\n\n");
        }
    }
    if let Some(summary) = &report.summary {
        page += &format!("> **Summary.** {}\n", summary.trim().replace('\n', "\n> "));
    }
    if let Some(document) = &report.document {
        if report.summary.is_some() {
            page.push('\n');
        }
        page += &translation(document, report.summary.is_some());
    }
    page
}

/// The article with its headings marked, and without its date if the page has that already (`dated`).
fn translation(document: &Document, dated: bool) -> String {
    if document.format == Format::Markdown {
        return document.text();
    }
    let plain;
    let document = if document.has_markup() {
        plain = document.without_markup();
        &plain
    } else {
        document
    };
    let mut text = if dated { String::new() } else { document.gaps[0].clone() };
    for (block, gap) in document.blocks.iter().zip(&document.gaps[1..]) {
        match block.kind {
            BlockKind::Date if dated => continue,
            BlockKind::Date => text += &format!("*{}*\n", block.text),
            BlockKind::Title | BlockKind::Heading => text += &format!("## {}", block.text),
            BlockKind::Item => text += &format!("- {}", block.text),
            BlockKind::Credit => text += &format!("*{}*", block.text),
            _ => text += &escaped(&block.text),
        }
        text += gap;
    }
    text
}

/// The text of a paragraph, with a backslash before it if it would be read as a heading, a list or a quotation.
fn escaped(text: &str) -> String {
    let markup = text.starts_with('#') || text.starts_with("> ") || text.starts_with("+ ");
    if markup { format!("\\{text}") } else { text.to_owned() }
}
