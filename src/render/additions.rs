//! Additions to a translated document that keeps its format: comments on flagged sentences, and the source.

use serde::Serialize;

use crate::document::{Block, Comment, Document};
use crate::report::Report;
use crate::segment::on_one_line;
use crate::translate::Segment;

/// The additions to a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Additions {
    /// Whether findings about sentences become comments of the document.
    pub comments: bool,
    /// Whether each paragraph of the source is put above its translation.
    pub bilingual: bool,
}

impl Additions {
    /// The report with these additions in its document.
    #[must_use]
    pub fn to(self, mut report: Report) -> Report {
        let Some((source, mut document)) = report.source.as_ref().zip(report.document.take()) else { return report };
        if self.comments {
            let comments = comments(source, &document, &report.segments);
            document = document.commented(&comments);
        }
        if self.bilingual {
            let from = report.languages.as_ref().map_or("", |(from, _)| from.as_str());
            document = document.bilingual(source, from);
        }
        report.document = Some(document);
        report
    }
}

/// The comments on the flagged sentences of a document.
fn comments(source: &Document, document: &Document, mut segments: &[Segment]) -> Vec<Comment> {
    let mut comments = Vec::new();
    for (number, (original, translated)) in source.blocks.iter().zip(&document.blocks).enumerate() {
        let mut start = 0;
        for segment in flagged(original, &mut segments) {
            let target = on_one_line(&segment.target);
            let Some(at) = translated.text[start..].find(&target).filter(|_| !target.is_empty()) else { continue };
            let range = start + at..start + at + target.len();
            start = range.end;
            let reasons: Vec<String> =
                segment.notes.iter().map(|note| format!("{}: {}", note.flag, note.reason)).collect();
            comments.push(Comment { block: number, range, text: reasons.join("; ") });
        }
    }
    comments
}

/// Takes the segments of a block from the front of `segments`, and returns those that carry flags.
fn flagged<'r>(block: &Block, segments: &mut &'r [Segment]) -> Vec<&'r Segment> {
    of_block(block, segments).into_iter().filter(|segment| !segment.flags.is_empty()).collect()
}

/// Takes the segments of a block from the front of `segments`, which are in the order of the document.
pub(super) fn of_block<'r>(block: &Block, segments: &mut &'r [Segment]) -> Vec<&'r Segment> {
    let mut text = block.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut own = Vec::new();
    while let Some((segment, rest)) = segments.split_first() {
        let sentence = segment.source.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(at) = text.find(&sentence) else { break };
        text.drain(..at + sentence.len());
        *segments = rest;
        own.push(segment);
    }
    own
}
