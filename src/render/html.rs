//! Reports as HTML: one page per article, which loads nothing and has no scripts.
//!
//! Invariant: text of an article cannot become markup of the page. An article that is a web page keeps its own
//! markup, unless a summary is added.

use super::additions::of_block;
use super::words::{TextSide, Words};
use crate::check::Finding;
use crate::document::{BlockKind, Document};
use crate::report::Report;
use crate::segment::on_one_line;
use crate::translate::{Segment, SegmentOrigin};

/// The style sheet of the page, for screens, dark mode, telephones and print.
pub(super) const STYLE: &str = include_str!("page.css");

/// One article.
pub(super) fn article(report: &Report) -> String {
    match &report.document {
        Some(document) if report.summary.is_none() && document.is_page() => document.text(),
        _ => page(report),
    }
}

fn page(report: &Report) -> String {
    let title = escaped(report.title.as_deref().unwrap_or(&report.id));
    let language = report.languages.as_ref().map_or("", |(_, to)| to.as_str());
    let mut body = format!("<h1>{title}</h1>\n<p class=\"facts\">{}</p>\n", facts(report));
    let mut most = 0;
    if let Some(summary) = &report.summary {
        let notes = if report.summary_notes.is_empty() { String::new() } else { notes(&report.summary_notes) };
        let summary = escaped(summary.trim());
        body += &format!("<section class=\"summary\"><h2>Summary</h2><p>{summary}</p>{notes}</section>\n");
    }
    if let (Some(source), Some(document)) = (&report.source, &report.document) {
        body += &pairs(report, source, document, &mut most);
    }
    for warning in &report.warnings {
        body += &format!("<p class=\"flags\">{}</p>\n", escaped(warning));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{STYLE}{}</style>\n\
         </head>\n<body>\n{body}</body>\n</html>\n",
        escaped(language),
        super::words::style(most)
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
    match report.flag_count().flagged {
        0 => {}
        1 => facts.push("1 sentence to check".to_owned()),
        flagged => facts.push(format!("{flagged} sentences to check")),
    }
    facts.join(" \u{b7} ")
}

/// Source and translation side by side, block by block. `most` becomes how many groups of words that belong together a block has
/// at most.
fn pairs(report: &Report, source: &Document, document: &Document, most: &mut usize) -> String {
    let (from, to) = report.languages.as_ref().map_or(("", ""), |(from, to)| (from.as_str(), to.as_str()));
    let mut segments = report.segments.as_slice();
    let mut rows = String::new();
    for (original, translated) in source.blocks.iter().zip(&document.blocks) {
        let own = of_block(original, &mut segments);
        if original.kind == BlockKind::Date {
            continue;
        }
        let kind = match original.kind {
            BlockKind::Title | BlockKind::Heading => " heading",
            BlockKind::Caption | BlockKind::Credit | BlockKind::Label => " caption",
            _ => "",
        };
        let words = Words::of(&own);
        *most = words.groups().max(*most);
        let mut lines: Vec<String> =
            own.iter().filter(|one| !one.flags.is_empty()).map(|segment| notes(&segment.notes)).collect();
        let mark = if lines.is_empty() { "" } else { " flagged" };
        lines.extend(from_memory(&own));
        rows += &format!(
            "<div class=\"pair{kind}{mark}\"><p lang=\"{}\">{}</p><p class=\"source\" lang=\"{}\">{}</p>{}</div>\n",
            escaped(to),
            marked(&translated.text, &own, &words),
            escaped(from),
            sourced(&original.text, &own, &words),
            lines.concat()
        );
    }
    rows
}

/// A line with the number of sentences that a person corrected; `None` if there are none.
fn from_memory(segments: &[&Segment]) -> Option<String> {
    let corrected = segments.iter().filter(|segment| segment.from == Some(SegmentOrigin::Corrected)).count();
    let share =
        if segments.len() > 1 { format!(": {corrected} of {} sentences", segments.len()) } else { String::new() };
    (corrected > 0).then(|| format!("<p class=\"memory\">from memory{share}</p>"))
}

/// The translation of a block with its flagged sentences marked; their reasons are tooltips.
fn marked(text: &str, segments: &[&Segment], words: &Words) -> String {
    let mut marked = String::new();
    let mut rest = text;
    for (number, segment) in segments.iter().enumerate() {
        let target = on_one_line(&segment.target);
        let Some(at) = rest.find(&target).filter(|_| !target.is_empty()) else { continue };
        let inside = words.written(number, TextSide::Target, &target, escaped);
        marked += &escaped(&rest[..at]);
        marked += &if segment.flags.is_empty() {
            inside
        } else {
            let reasons: Vec<String> = segment.notes.iter().map(reason).collect();
            format!("<mark title=\"{}\">{inside}</mark>", reasons.join("&#10;"))
        };
        rest = &rest[at + target.len()..];
    }
    marked + &escaped(rest)
}

/// A block's source.
fn sourced(text: &str, segments: &[&Segment], words: &Words) -> String {
    let mut written = String::new();
    let mut rest = text;
    for (number, segment) in segments.iter().enumerate().filter(|_| words.groups() > 0) {
        let Some(at) = rest.find(&segment.source).filter(|_| !segment.source.is_empty()) else { continue };
        written += &escaped(&rest[..at]);
        written += &words.written(number, TextSide::Source, &segment.source, escaped);
        rest = &rest[at + segment.source.len()..];
    }
    written + &escaped(rest)
}

/// A line with all findings about a sentence or a summary.
fn notes(findings: &[Finding]) -> String {
    let reasons: Vec<String> = findings.iter().map(reason).collect();
    format!("<p class=\"flags\">{}</p>", reasons.join(" \u{b7} "))
}

/// A flag and its reason, with quotation marks in place of backticks.
pub(super) fn reason(finding: &Finding) -> String {
    let mut reason = format!("{}: ", finding.flag);
    for (place, part) in finding.reason.split('`').enumerate() {
        if place > 0 {
            reason.push(if place % 2 == 1 { '\u{201c}' } else { '\u{201d}' });
        }
        reason += &escaped(part);
    }
    reason
}

/// Text with its markup characters escaped, for use in elements and attributes.
pub(super) fn escaped(text: &str) -> String {
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
    use crate::check::Flag;
    use crate::document::Format;

    fn segment(source: &str, findings: Vec<Finding>) -> Segment {
        let mut segment =
            Segment { source: source.to_owned(), target: source.to_uppercase(), tokens: 1, ..Segment::default() };
        segment.note(findings);
        segment
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
                segment("Meer.", vec![Finding::new(Flag::Number, "`3 < 4` is missing".to_owned())]),
                segment("Nog een \"alinea\" & meer.", Vec::new()),
            ],
            document: Some(Document::parse("a.txt", &text.to_uppercase().replace("DATE", "date"), Format::Text)),
            summary_notes: vec![Finding::new(Flag::UnsupportedName, "`Jan` is new".to_owned())],
            source: Some(source),
            ..Report::default()
        };
        let page = article(&report);
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("http"), "{page}");
        assert_eq!(page.matches("<div class=\"pair").count(), 2);
        assert_eq!(page.matches("pair flagged\">").count(), 1);
        let reason = "number: \u{201c}3 &lt; 4\u{201d} is missing";
        assert!(page.contains(&format!("<mark title=\"{reason}\">MEER.</mark>")), "{page}");
        assert!(page.contains(&format!("<p class=\"flags\">{reason}</p>")), "{page}");
        assert!(page.contains("unsupported-name: \u{201c}Jan\u{201d}"), "{page}");
        assert!(page.contains("NOG EEN") && page.contains("1 sentence to check"), "{page}");
        assert!(page.find("<h2>Summary").unwrap() < page.find("<div class").unwrap());
    }
}
