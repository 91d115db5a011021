//! Text of runs that has lines, as in comments of Excel: each line is a block of its own, and its end is in a gap.

use super::super::flow::lines::{said, split};
use super::{InRun, Item, Paragraph, What};
use crate::document::package::xml::NodeId;

impl Paragraph<'_, '_> {
    /// Reads the text of a run line by line.
    pub(super) fn lines(&mut self, node: NodeId, format: usize, run: &InRun) {
        let tree = self.reader.tree;
        let (outer, inner) = (tree.outer(node), tree.inner(node));
        let words = self.words(run.node, node, format);
        let written = &tree.source[inner.clone()];
        let lines = split(written);
        let texts: Option<Vec<_>> = lines.iter().map(|line| said(&written[line.clone()])).collect();
        let Some(texts) = texts.filter(|texts| texts.len() > 1) else {
            return self.items.push(Item { what: words, place: outer, edges: [Some(run.clone()), Some(run.clone())] });
        };
        let last = lines.len() - 1;
        for (number, (line, text)) in lines.iter().zip(texts).enumerate() {
            let begin = if number == 0 { outer.start } else { inner.start + line.start };
            let end = if number == last { outer.end } else { inner.start + line.end };
            if number > 0 {
                self.add(What::Parting, begin..begin);
            }
            if !text.trim().is_empty() {
                let first = InRun { is_first: run.is_first && number == 0, in_words: number > 0, ..run.clone() };
                let stop = InRun { is_last: run.is_last && number == last, in_words: number < last, ..run.clone() };
                let edges = [Some(first), Some(stop)];
                self.items.push(Item { what: What::Words(format, text.into_owned()), place: begin..end, edges });
            }
        }
    }
}
