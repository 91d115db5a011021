//! The roles of elements in the flows of a part, which each format gives them.

use crate::document::BlockKind;
use crate::document::package::xml::{NodeId, Tree};

/// The role of an element in its paragraph, or in the structure around paragraphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::document::package) enum Role {
    /// Contains paragraphs, which are of this kind unless they name another.
    Structure(Option<BlockKind>),
    /// A paragraph with text directly inside, of this kind or else of that of the structure around it.
    Paragraph(Option<BlockKind>),
    /// A paragraph whose text is in runs.
    RunParagraph(Option<BlockKind>),
    /// A string whose lines are paragraphs of this kind.
    Lines(BlockKind),
    /// A part of a sentence, such as a link.
    Phrase,
    /// A part of a sentence with an explanation behind it, which stays there: ruby.
    Explained,
    /// Kept as it is, as a single mark of the sentence.
    Single,
    /// Ends a block: a line break, a tabulator.
    Parting,
    /// A space.
    Space,
    /// Text inside of a paragraph that is a flow of its own.
    Flow,
    /// Kept as it is, except for the flows in it. Outside of a paragraph it is structure with paragraphs of this kind.
    Frame(Option<BlockKind>),
    /// Kept as it is, except for the flows in it, outside of a paragraph too: a cell with a number and a comment, or one text in several
    /// forms.
    FlowsOnly,
    /// A run: text in one format.
    Run,
    /// The format of a run.
    Format,
    /// The text in a run.
    Words,
    /// A hyphen at which no line ends.
    Hyphen,
    /// Left out of a translated sentence, such as the mark of a spelling error.
    Dropped,
    /// The begin of a field, its end, or the separator between its code and its result.
    Field,
}

/// The rules of a format: the role of each element.
pub(in crate::document::package) trait Rules {
    /// The role of a node.
    fn role(&self, tree: &Tree, node: NodeId) -> Role;

    /// The code of the language that an element names, if it is not that of the whole part.
    fn language(&self, _: &Tree, _: NodeId) -> Option<String> {
        None
    }

    /// Whether the text of a run has lines: in other formats a line end in it is a space.
    fn has_lines(&self) -> bool {
        false
    }
}
