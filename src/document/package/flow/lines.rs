//! The lines of a string, such as that of a cell.

use quick_xml::escape::{resolve_html5_entity, unescape_with};

use super::super::xml::{NodeId, Tree};
use super::Placed;
use crate::document::markup::{Markup, Style};
use crate::document::{Block, BlockKind};

/// The ways to write a line end in strings; the last is Excel's.
const LINE_ENDS: [&str; 7] = ["\n", "\r", "&#10;", "&#xA;", "&#xa;", "&#13;", "_x000D_"];

/// The lines of a text without markup, each a block.
pub(super) fn lines(tree: &Tree, words: NodeId, kind: BlockKind, blocks: &mut Vec<Placed>) {
    let inner = tree.inner(words);
    let mut rest = inner.clone();
    while !rest.is_empty() {
        let text = &tree.source[rest.clone()];
        let ends = LINE_ENDS.iter().filter_map(|end| Some((text.find(end)?, end.len())));
        let (end, length) = ends.min().unwrap_or((text.len(), 0));
        let line = text[..end].trim();
        let start = rest.start + text[..end].len() - text[..end].trim_start().len();
        rest.start += end + length;
        // A line with CDATA or an unknown entity is kept as it is.
        let Some(said) = unescape_with(line, resolve_html5_entity).ok().filter(|_| !line.contains('<')) else {
            continue;
        };
        if said.contains(char::is_alphabetic) {
            let markup = Some(Box::new(Markup::written(line, Style::Html)));
            blocks.push((start..start + line.len(), Block { kind, text: said.into_owned(), markup }));
        }
    }
}
