//! Text that is indented below an admonition or a tab of `MkDocs`, where Markdown alone would see code.

use std::ops::Range;

use crate::document::Block;
use crate::document::envelope::Envelope;

/// The blocks of indented lines of a text, which are read as Markdown without their indentation, that of the first line.
pub(super) fn blocks(text: &str, range: &Range<usize>) -> Vec<(Range<usize>, Block)> {
    let is_space = |c: char| matches!(c, ' ' | '\t');
    let mut at = text[..range.start].trim_end_matches(is_space).len();
    let indent = text[at..].len() - text[at..].trim_start_matches(is_space).len();
    let mut inner = String::with_capacity(range.len());
    // The start of each line in the text without indentation, and in the text.
    let mut lines: Vec<(usize, usize)> = Vec::new();
    for line in text[at..range.end].split_inclusive('\n') {
        let cut = line.bytes().take(indent).take_while(|byte| is_space(char::from(*byte))).count();
        lines.push((inner.len(), at + cut));
        inner.push_str(&line[cut..]);
        at += line.len();
    }
    let place = |at: usize| {
        let after = lines.partition_point(|(start, _)| *start <= at);
        let (start, written) = after.checked_sub(1).map_or((0, 0), |before| lines[before]);
        written + at - start
    };
    let outer = |(found, block): (Range<usize>, Block)| {
        let found = place(found.start)..place(found.end);
        let source = &text[found.clone()];
        let markup = block.markup.map(|markup| Box::new(markup.enveloped(source, Envelope::None)));
        (found.clone(), Block { markup, ..block })
    };
    super::blocks(&inner).into_iter().map(outer).collect()
}
