//! Empty elements that begin and end a range of text, such as a bookmark or the range of a comment. A range may begin in one paragraph
//! and end in another, and ranges may cross each other.

use super::xml::{NodeId, Tree};

/// The begin or the end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RangeBound {
    pub(super) begins: bool,
    /// Tells the range from all others of the document.
    pub(super) key: String,
}

impl RangeBound {
    /// The bound that an element is, if it is one: `w:bookmarkStart`, `text:bookmark-end`, `office:annotation` and others.
    pub(super) fn of(tree: &Tree, node: NodeId) -> Option<Self> {
        let name = tree.name(node);
        let begin = name.strip_suffix("Start").or_else(|| name.strip_suffix("-start"));
        let begin = begin.or_else(|| Some(name).filter(|name| *name == "office:annotation"));
        let end = name.strip_suffix("End").or_else(|| name.strip_suffix("-end"));
        let stem = begin.or(end)?;
        let id = tree.attribute(node, "id").or_else(|| tree.attribute(node, "name"))?;
        Some(Self { begins: begin.is_some(), key: format!("{stem} {id}") })
    }
}

/// The stretch of nodes from `first` to `last`, and the ends of ranges beside it whose other end is inside.
pub(super) fn widened(bounds: &[Option<RangeBound>], first: usize, last: usize) -> (usize, usize) {
    let inside = |key: &str, begins: bool| {
        bounds[first..=last].iter().flatten().any(|bound| bound.begins == begins && bound.key == key)
    };
    let is_other = |bound: &Option<RangeBound>, begins: bool| {
        bound.as_ref().is_some_and(|bound| bound.begins == begins && inside(&bound.key, !begins))
    };
    let start = bounds[..first].iter().position(|bound| is_other(bound, true)).unwrap_or(first);
    let stop = bounds[last..].iter().rposition(|bound| is_other(bound, false)).map_or(last, |at| last + at);
    (start, stop)
}
