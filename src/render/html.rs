//! Reports as pages: one to read per article, with nothing to fetch and nothing to run.
//!
//! Invariant: whatever stands in an article, it cannot become markup of the page. An article that is a
//! page itself stays that page, in the other language, as long as nothing is added to it.

use crate::check::Flag;
use crate::document::{Block, BlockKind, Document, Format};
use crate::report::Report;
use crate::translate::Segment;

/// How the page looks: on a screen, by day and by night, on a telephone, on paper.
const STYLE: &str = include_str!("page.css");

/// One article.
pub(super) fn article(report: &Report) -> String {
    match &report.document {
        Some(document) if report.summary.is_none() && is_page(document) => document.text(),
        _ => page(report),
    }
}

fn is_page(document: &Document) -> bool {
    matches!(document.format, Format::Html | Format::HtmlWhole)
}

fn page(report: &Report) -> String {
    let title = escaped(report.title.as_deref().unwrap_or(&report.id));
    let language = report.languages.as_ref().map_or("", |(_, to)| to.as_str());
    let mut body = format!("<h1>{title}</h1>\n<p class=\"facts\">{}</p>\n", facts(report));
    if let Some(summary) = &report.summary {
        body += &format!("<section class=\"summary\"><h2>Summary</h2><p>{}</p></section>\n", escaped(summary.trim()));
    }
    if let (Some(source), Some(document)) = (&report.source, &report.document) {
        body += &pairs(report, source, document);
    }
    for warning in &report.warnings {
        body += &format!("<p class=\"flags\">{}</p>\n", escaped(warning));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n{body}</body>\n</html>\n",
        escaped(language)
    )
}

/// Date, source, model and number of flags on one line.
fn facts(report: &Report) -> String {
    let mut facts: Vec<String> = report.date.iter().map(|date| escaped(date)).collect();
    if report.input != "-" {
        facts.push(escaped(&report.input));
    }
    facts.extend(report.models.translation.iter().map(|model| format!("translated by {}", escaped(model))));
    facts.extend(report.models.summary.iter().map(|model| format!("summary by {}", escaped(model))));
    match report.flagged() {
        0 => {}
        1 => facts.push("1 sentence to check".to_owned()),
        flagged => facts.push(format!("{flagged} sentences to check")),
    }
    facts.join(" \u{b7} ")
}

/// Source and translation side by side, block by block.
fn pairs(report: &Report, source: &Document, document: &Document) -> String {
    let (from, to) = report.languages.as_ref().map_or(("", ""), |(from, to)| (from.as_str(), to.as_str()));
    let mut segments = report.segments.as_slice();
    let mut rows = String::new();
    for (original, translated) in source.blocks.iter().zip(&document.blocks) {
        let flags = flags(original, &mut segments);
        if original.kind == BlockKind::Date {
            continue;
        }
        let kind = match original.kind {
            BlockKind::Heading => " heading",
            BlockKind::Caption | BlockKind::Credit | BlockKind::Label => " caption",
            _ => "",
        };
        let flagged = if flags.is_empty() { "" } else { " flagged" };
        rows += &format!(
            "<div class=\"pair{kind}{flagged}\"><p lang=\"{}\">{}</p><p class=\"source\" lang=\"{}\">{}</p>{flags}</div>\n",
            escaped(to),
            escaped(&translated.text),
            escaped(from),
            escaped(&original.text)
        );
    }
    rows
}

/// What is to be checked in a block; takes its segments, which come in order.
fn flags(block: &Block, segments: &mut &[Segment]) -> String {
    let mut text = block.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = String::new();
    while let Some((segment, rest)) = segments.split_first() {
        let sentence = segment.source.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(at) = text.find(&sentence) else { break };
        text.drain(..at + sentence.len());
        *segments = rest;
        if !segment.flags.is_empty() {
            let names: Vec<String> = segment.flags.iter().copied().map(name).collect();
            lines += &format!("<p class=\"flags\">{}: {}</p>", names.join(", "), escaped(&segment.target));
        }
    }
    lines
}

/// A flag's name, as in JSON.
fn name(flag: Flag) -> String {
    serde_json::to_value(flag).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Text that can stand anywhere in a page.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(source: &str, flags: Vec<Flag>) -> Segment {
        Segment {
            source: source.to_owned(),
            target: source.to_uppercase(),
            score: None,
            tokens: 1,
            flags,
            hypotheses: Vec::new(),
        }
    }

    #[test]
    fn articles_cannot_become_markup_and_flags_are_where_they_belong() {
        let text = "date 2021-03 <script>alert(1)</script> is tekst. Meer.\n\nNog een \"alinea\" & meer.";
        let source = Document::parse("a.txt", text, Format::Text);
        let report = Report {
            id: "a".to_owned(),
            input: "a.txt".to_owned(),
            summary: Some("Short <b>".to_owned()),
            segments: vec![
                segment("<script>alert(1)</script> is tekst.", Vec::new()),
                segment("Meer.", vec![Flag::Truncated]),
                segment("Nog een \"alinea\" & meer.", Vec::new()),
            ],
            document: Some(source.clone()),
            source: Some(source),
            ..Report::default()
        };
        let page = article(&report);
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("http"), "{page}");
        assert_eq!(page.matches("<div class=\"pair").count(), 2);
        assert_eq!(page.matches("pair flagged\">").count(), 1);
        assert!(page.contains("truncated: MEER.") && page.contains("1 sentence to check"), "{page}");
        assert!(page.find("<h2>Summary").unwrap() < page.find("<div class").unwrap());
    }
}
