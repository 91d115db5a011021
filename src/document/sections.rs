//! An article that was found in several fields of a record: one document, in which each field is a section.

use std::ops::Range;

use super::{Document, Format};

/// One of several fields in which an article was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The field's name, or the path to it.
    pub name: String,
    /// The range of its blocks in the document.
    blocks: Range<usize>,
    /// The text before its first block, and after its last.
    around: [String; 2],
}

impl Document {
    /// One document of the documents in fields of these names, with a blank line between them.
    pub(super) fn of_sections(parts: Vec<(String, Self)>) -> Self {
        let mut parts = parts.into_iter();
        let Some((name, mut whole)) = parts.next() else {
            return Self::new("", Format::Jsonl, Vec::new(), vec![String::new()]);
        };
        whole.sections.push(Section { name, blocks: 0..whole.blocks.len(), around: whole.around() });
        for (name, part) in parts {
            let first = whole.blocks.len();
            let around = part.around();
            let mut gaps = part.gaps.into_iter();
            if let (Some(end), Some(start)) = (whole.gaps.last_mut(), gaps.next()) {
                *end = format!("{end}\n\n{start}");
            }
            whole.gaps.extend(gaps);
            whole.blocks.extend(part.blocks);
            whole.sections.push(Section { name, blocks: first..whole.blocks.len(), around });
        }
        whole
    }

    /// The text before the first block, and after the last.
    fn around(&self) -> [String; 2] {
        let last = if self.blocks.is_empty() { None } else { self.gaps.last() };
        [self.gaps[0].clone(), last.cloned().unwrap_or_default()]
    }

    /// The text of one of the sections.
    #[must_use]
    pub fn section(&self, section: &Section) -> String {
        let [before, after] = &section.around;
        let mut text = before.clone();
        for block in section.blocks.clone() {
            if block > section.blocks.start {
                text.push_str(&self.gaps[block]);
            }
            text.push_str(self.blocks[block].source());
        }
        text + after
    }
}
