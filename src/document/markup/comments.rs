//! Comments on sentences of a translation, in the document itself.

use std::ops::Range;

use super::{Mark, MarkKind, pieces, render};
use crate::document::{Block, Document};

/// A comment on a range of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The number of the block.
    pub block: usize,
    /// The range of the block's text.
    pub range: Range<usize>,
    /// The text of the comment.
    pub text: String,
}

impl Document {
    /// The document with comments, as far as its format has any: a text of Word or of Writer, outside of its notes, headers and
    /// text boxes, where these programs allow none.
    #[must_use]
    pub fn commented(mut self, comments: &[Comment]) -> Self {
        let Some(package) = &mut self.package else { return self };
        for comment in comments {
            let tags = package.comment(comment.block, &comment.text);
            if let Some((block, tags)) = self.blocks.get_mut(comment.block).zip(tags) {
                around(block, &comment.range, tags);
            }
        }
        self
    }
}

/// Puts marks around a range of a block.
fn around(block: &mut Block, range: &Range<usize>, [start, end]: [String; 2]) {
    let Some(markup) = &mut block.markup else { return };
    let marks = &mut markup.marks;
    let mark = |at: usize, markup: String| Mark { at, markup, kind: MarkKind::Single };
    let last = marks.partition_point(|mark| mark.at <= range.end);
    marks.insert(last, mark(range.end, end));
    let first = marks.partition_point(|mark| mark.at < range.start);
    marks.insert(first, mark(range.start, start));
    markup.source = match &markup.runs {
        Some(runs) => runs.render(&pieces(&block.text, &markup.marks, markup.style)),
        None => render(&block.text, &markup.marks, markup),
    };
}
