//! Source and target of each segment, for programs that translators work with: a translation memory (TMX 1.4), or a table.

use crate::report::Report;
use crate::translate::Segment;

/// What stands before the units of a translation memory.
pub(super) const OPEN: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tmx version=\"1.4\">\n<header creationtool=\"kortom\" creationtoolversion=\"",
    env!("CARGO_PKG_VERSION"),
    "\" segtype=\"sentence\" o-tmf=\"kortom\" adminlang=\"en\" srclang=\"*all*\" datatype=\"plaintext\"/>\n<body>\n"
);
/// What stands after them.
pub(super) const CLOSE: &str = "</body>\n</tmx>\n";

/// The units of one article.
pub(super) fn tmx(report: &Report) -> String {
    let (from, to) = report.languages.as_ref().map_or(("", ""), |(from, to)| (from.as_str(), to.as_str()));
    let variant = |language: &str, text: &str| {
        format!("<tuv xml:lang=\"{}\"><seg>{}</seg></tuv>", escaped(language), escaped(text))
    };
    let units = report
        .segments
        .iter()
        .map(|segment| format!("<tu>{}{}</tu>\n", variant(from, &segment.source), variant(to, &segment.target)));
    units.collect()
}

/// The rows of one article.
pub(super) fn tsv(report: &Report) -> String {
    let cell = |text: &str| super::text::one_line(text).replace('\t', " ");
    let row =
        |segment: &Segment| [cell(&segment.source), "\t".to_owned(), cell(&segment.target), "\n".to_owned()].concat();
    report.segments.iter().map(row).collect()
}

/// Text that can stand in XML, without characters that XML cannot hold.
fn escaped(text: &str) -> String {
    let held = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let text: String = text.chars().filter(held).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
