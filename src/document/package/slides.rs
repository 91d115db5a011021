//! Slides of `PowerPoint` (`.pptx`), and of other programs that write its format: their text, notes, charts and diagrams.
//!
//! Text of masters and layouts is not on any slide, so it is not translated.

use anyhow::Result;

use super::PackageReader;
use super::drawings::Chart;
use super::flow::{Role, Rules};
use super::parts::{entries, main, refuse_missing};
use super::word::{Properties, labels};
use super::xml::{NodeId, Tree};
use crate::document::BlockKind;

/// Kinds of entries with text, as the ends of their content types, in the order in which they are read.
/// A diagram has two: what it says, and how it was last drawn, which is what is shown.
const KINDS: [&str; 6] =
    [".slide+xml", ".notesSlide+xml", ".comments+xml", ".chart+xml", ".diagramData+xml", ".diagramDrawing+xml"];

/// The rules for elements of slides.
struct Slide;

/// Reads all parts of a presentation.
pub(super) fn read(reader: &mut PackageReader) -> Result<()> {
    let types = entries(reader)?;
    let is_main = |kind: &str| kind.ends_with("main+xml") && kind.contains("presentation");
    let main = main(reader, &types, is_main, "there are no slides of PowerPoint in it")?;
    refuse_missing(reader, &main)?;
    for kind in KINDS {
        let mut found: Vec<&str> =
            types.iter().filter(|(_, known)| known.ends_with(kind)).map(|(entry, _)| entry.as_str()).collect();
        found.sort_by_key(|entry| (entry.len(), *entry));
        for entry in found {
            refuse_missing(reader, entry)?;
            reader.add(entry, &Slide, labels)?;
        }
    }
    for (entry, _) in types.iter().filter(|(_, kind)| kind.ends_with("core-properties+xml")) {
        reader.add(entry, &Properties, labels)?;
    }
    Ok(())
}

impl Rules for Slide {
    fn role(&self, tree: &Tree, node: NodeId) -> Role {
        match tree.name(node) {
            "p:sp" => {
                let mut places = tree.inside(node).filter(|&inside| tree.name(inside) == "p:ph");
                let kind = places.find_map(|place| tree.attribute(place, "type"));
                let is_title = kind.is_some_and(|kind| matches!(kind.as_ref(), "title" | "ctrTitle"));
                Role::Structure(Some(if is_title { BlockKind::Heading } else { BlockKind::Paragraph }))
            }
            "p:cm" => Role::Lines(BlockKind::Paragraph),
            "p:text" => Role::Words,
            _ => Chart.role(tree, node),
        }
    }
}
