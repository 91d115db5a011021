//! The lines of a string, such as that of a cell.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::escape::{resolve_html5_entity, unescape_with};

use super::super::xml::{NodeId, Tree};
use super::Placed;
use crate::document::markup::{Markup, Style};
use crate::document::{Block, BlockKind};

/// The ways to write a line end in strings; the last is Excel's.
const LINE_ENDS: [&str; 7] = ["\n", "\r", "&#10;", "&#xA;", "&#xa;", "&#13;", "_x000D_"];

/// The lines of a text as it is written, without their ends.
pub(in crate::document::package) fn split(text: &str) -> Vec<Range<usize>> {
    let (mut lines, mut start) = (Vec::new(), 0);
    loop {
        let ends = LINE_ENDS.iter().filter_map(|end| Some((start + text[start..].find(end)?, end.len())));
        let Some((end, length)) = ends.min() else {
            lines.push(start..text.len());
            return lines;
        };
        lines.push(start..end);
        start = end + length;
    }
}

/// What a line says that is written like this; `None` for a line with CDATA or an unknown entity, which is kept as it is.
pub(in crate::document::package) fn said(line: &str) -> Option<Cow<'_, str>> {
    unescape_with(line, resolve_html5_entity).ok().filter(|_| !line.contains('<'))
}

/// The lines of a text without markup, each a block.
pub(super) fn lines(tree: &Tree, words: NodeId, kind: BlockKind, blocks: &mut Vec<Placed>) {
    let inner = tree.inner(words);
    let text = &tree.source[inner.clone()];
    for range in split(text) {
        let line = text[range.clone()].trim();
        let start = inner.start + range.end - text[range].trim_start().len();
        if let Some(said) = said(line).filter(|said| said.contains(char::is_alphabetic)) {
            let markup = Some(Box::new(Markup::written(line, Style::Html)));
            blocks.push((start..start + line.len(), Block { kind, text: said.into_owned(), markup }));
        }
    }
}
