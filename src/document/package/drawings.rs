//! The text of drawings, charts and diagrams, which are in documents of all programs of Office.

use super::flow::{Role, Rules};
use super::xml::{NodeId, Tree};
use crate::document::BlockKind;

/// The rules for elements of drawings, in charts, diagrams and slides.
pub(super) struct Drawing;

impl Rules for Drawing {
    fn role(&self, tree: &Tree, node: NodeId) -> Role {
        match tree.name(node) {
            "a:p" => Role::RunParagraph(None),
            "a:tc" => Role::Structure(Some(BlockKind::Cell)),
            "a:r" => Role::Run,
            "a:rPr" => Role::Format,
            "a:t" => Role::Words,
            "a:br" => Role::Parting,
            "a:pPr" | "a:endParaRPr" | "a:fld" => Role::Single,
            _ => Role::Structure(None),
        }
    }
}

/// The rules for elements of a chart whose numbers and names are in a workbook inside of the document. The chart shows copies of
/// its names, which are translated. In a workbook the names are cells, and Excel makes the copies anew.
pub(super) struct Chart;

impl Rules for Chart {
    fn role(&self, tree: &Tree, node: NodeId) -> Role {
        match tree.name(node) {
            "c:numCache" | "c:numLit" => Role::Single,
            "c:pt" => Role::Lines(BlockKind::Cell),
            "c:tx" if tree.child(node, "c:v").is_some() => Role::Lines(BlockKind::Cell),
            "c:v" => Role::Words,
            _ => Drawing.role(tree, node),
        }
    }
}
