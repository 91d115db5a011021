//! Slides of `PowerPoint` (`.pptx`), and of other programs that write its format: their text, notes, charts and diagrams.
//!
//! Text of masters and layouts is not on any slide, so it is not translated.

use anyhow::{Result, ensure};

use super::PackageReader;
use super::flow::{Role, Rules};
use super::word::{Drawing, Properties, entries, labels, refuse_missing};
use super::xml::{NodeId, Tree};
use crate::document::BlockKind;
use crate::error::WithHint;

/// Kinds of entries with text, as the ends of their content types, in the order in which they are read.
const KINDS: [&str; 5] = [".slide+xml", ".notesSlide+xml", ".comments+xml", ".chart+xml", ".diagramData+xml"];

/// The rules for elements of slides.
struct Slide;

/// Reads all parts of a presentation.
pub(super) fn read(reader: &mut PackageReader) -> Result<()> {
    let types = entries(reader)?;
    let is_ours = types.iter().any(|(_, kind)| kind.ends_with("main+xml") && kind.contains("presentation"));
    ensure!(is_ours, "there are no slides of PowerPoint in it".with_hint("look what kind of file it is"));
    let main = types.iter().find(|(_, kind)| kind.ends_with("main+xml"));
    main.map_or(Ok(()), |(main, _)| refuse_missing(reader, main))?;
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
            _ => Drawing.role(tree, node),
        }
    }
}
