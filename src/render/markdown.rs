//! Reports as Markdown.
//!
//! Invariant: an article that is Markdown already keeps its markup; one in another format gets headings
//! where it has headings. The summary, where there is one, is a quotation above the translation.

use crate::document::{BlockKind, Document, Format, escape_markdown};
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
        let text = translation(document, report.summary.is_some());
        // Front matter is none unless it stands first.
        let (head, text) = text.split_at(if is_markdown && report.summary.is_some() { head(&text) } else { 0 });
        page = format!("{head}{page}{text}");
    }
    page
}

/// The length of what must stand first in a text of Markdown: a byte order mark, and front matter with the empty lines below it.
fn head(text: &str) -> usize {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lines = text[start..].split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    let fence = first.trim_end();
    if !matches!(fence, "---" | "+++") {
        return start;
    }
    let mut end = start + first.len();
    for line in lines {
        end += line.len();
        if line.trim_end() == fence || (fence == "---" && line.trim_end() == "...") {
            return end + text[end..].len() - text[end..].trim_start_matches(['\n', '\r']).len();
        }
    }
    start
}

/// The article with its headings marked, and without its date if the page has that already (`dated`).
fn translation(document: &Document, dated: bool) -> String {
    if document.format == Format::Markdown {
        return document.text();
    }
    let plain;
    let has_markup = document.has_markup();
    let document = if has_markup {
        plain = document.without_markup();
        &plain
    } else {
        document
    };
    // In a plain text a sign may be meant as it is; in a document with formats of its own it is none of Markdown.
    let written = |text: &str, first: bool| if has_markup { escape_markdown(text, first) } else { text.to_owned() };
    let mut text = if dated { String::new() } else { document.gaps[0].clone() };
    for (block, gap) in document.blocks.iter().zip(&document.gaps[1..]) {
        match block.kind {
            BlockKind::Date if dated => continue,
            BlockKind::Date => text += &format!("*{}*\n", block.text),
            BlockKind::Title | BlockKind::Heading => text += &format!("## {}", written(&block.text, false)),
            BlockKind::Item => text += &format!("- {}", written(&block.text, true)),
            BlockKind::Credit => text += &format!("*{}*", written(&block.text, false)),
            _ if has_markup => text += &written(&block.text, true),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_stays_first() {
        for (text, first) in [
            ("---\ntitle: x\n---\n\n# Kop", "---\ntitle: x\n---\n\n"),
            ("\u{feff}+++\r\na = 1\r\n+++\r\nTekst", "\u{feff}+++\r\na = 1\r\n+++\r\n"),
            ("\u{feff}# Kop", "\u{feff}"),
            ("---\nTekst", ""),
            ("# Kop\n\n---\n", ""),
            ("", ""),
        ] {
            assert_eq!(&text[..head(text)], first);
            let document = Document::parse("-", text, Format::Markdown);
            let report = Report { summary: Some("Kort.".to_owned()), document: Some(document), ..Report::default() };
            assert_eq!(article(&report), format!("{first}> **Summary.** Kort.\n\n{}", &text[first.len()..]));
        }
    }

    #[test]
    fn signs_in_a_document_are_none_of_markdown() {
        let page =
            Document::parse("-", "<h1>A *b*</h1><p>[a](b) *c*</p><p>1. d</p><ul><li># e</li></ul>", Format::HtmlWhole);
        assert_eq!(translation(&page, false), "## A \\*b\\*\n\n[a\\](b) \\*c\\*\n\n1\\. d\n\n- \\# e\n");
        let text = Document::parse("-", "Een *zin* van iemand.", Format::Text);
        assert_eq!(translation(&text, false), "Een *zin* van iemand.");
    }
}
