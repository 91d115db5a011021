//! Source and target of each segment, for programs that translators work with: a translation memory (TMX 1.4), or a table.

use crate::document::tmx::{self, Variant};
use crate::report::Report;
use crate::translate::Segment;

/// The TMX units of one article, each followed by known translations of similar sources.
pub(super) fn tmx(report: &Report) -> String {
    let (from, to) = report.languages.as_ref().map_or(("", ""), |(from, to)| (from.as_str(), to.as_str()));
    let variant = |language: &str, text: &str| Variant { language: language.to_owned(), text: text.to_owned() };
    let unit = |said: &[(&str, String)], source: &str, target: &str| {
        tmx::unit(said, &variant(from, source), &variant(to, target))
    };
    let units = |segment: &Segment| {
        let similar = segment.similar.iter();
        let similar =
            similar.map(|one| unit(&[("x-similarity", one.similarity.to_string())], &one.source, &one.target));
        unit(&[], &segment.source, &segment.target) + &similar.collect::<String>()
    };
    report.segments.iter().map(units).collect()
}

/// The rows of one article.
pub(super) fn tsv(report: &Report) -> String {
    let cell = |text: &str| super::text::one_line(text).replace('\t', " ");
    let row =
        |segment: &Segment| [cell(&segment.source), "\t".to_owned(), cell(&segment.target), "\n".to_owned()].concat();
    report.segments.iter().map(row).collect()
}
