//! The `lines` format: each line of the input is one segment and gives one line of output.
//!
//! Invariant: every line is a block, also an empty one, and nothing is trimmed. The line ends are the gaps: LF or CRLF, and none
//! after the last line if the input has none.

use std::ops::Range;

use super::{BlockKind, Document, Format};

/// Cuts `text` into its lines.
pub(super) fn parse(input: &str, text: &str) -> Document {
    let blocks: Vec<_> = lines(text).map(|range| (range, BlockKind::Line)).collect();
    Document::cut(input, text, Format::Lines, &blocks)
}

/// The lines without their ends. A final line end ends the last line and starts none.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let content = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        let range = start..start + content.len();
        start += line.len();
        range
    })
}
