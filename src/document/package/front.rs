//! The preface of a document, such as its summary, in the document's own styles.

use super::xml::Tree;
use crate::document::Preface;
use crate::document::markup::{Style, escape};

/// The place of a preface, and the names of its styles.
pub(super) struct Front {
    /// The entry that gets the preface.
    pub(super) entry: String,
    /// The styles of a heading and of a paragraph, as far as there are any.
    pub(super) styles: [Option<String>; 2],
    /// The function that finds the place of the preface in the entry.
    pub(super) find: fn(tree: &Tree, styles: &[Option<String>; 2]) -> Option<FrontPlace>,
}

/// A place in an entry.
pub(super) struct FrontPlace {
    pub(super) at: usize,
    /// The markup around the text of a heading.
    pub(super) heading: [String; 2],
    /// The markup around the text of a paragraph.
    pub(super) paragraph: [String; 2],
}

impl Front {
    /// The place of a preface in a part; `None` in a part that has none.
    pub(super) fn written(&self, tree: &Tree, preface: &Preface) -> Option<(usize, String)> {
        let FrontPlace { at, heading, paragraph } = (self.find)(tree, &self.styles)?;
        let around =
            |[before, after]: &[String; 2], text: &str| format!("{before}{}{after}", escape(text, Style::Html, false));
        let mut written = around(&heading, &preface.heading);
        written.extend(preface.paragraphs.iter().map(|text| around(&paragraph, text)));
        Some((at, written))
    }
}
