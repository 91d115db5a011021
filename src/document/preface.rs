//! What is put in front of an article, such as its summary: in a web page as HTML, in a document as its `package` knows.

use super::markup::{Style, escape};
use super::{BlockKind, Document};

/// What is put in front of an article, in its own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preface {
    /// Its heading.
    pub heading: String,
    /// Its text.
    pub paragraphs: Vec<String>,
}

impl Document {
    /// The article with something in front, in its own styles: a document of Word or Writer, a book, or a web page.
    #[must_use]
    pub fn with_preface(mut self, preface: Preface) -> Self {
        if let Some(package) = self.package.take() {
            self.package = Some(package.with_preface(preface));
        } else if self.is_page() {
            let first = self.blocks.iter().take_while(|block| block.kind == BlockKind::Title).count();
            let gap = &mut self.gaps[first];
            gap.insert_str(front(gap), &written(&preface));
        }
        self
    }
}

/// Where in the gap before the first block of a page something can be put in front of it: before the tag of the block's own
/// element, if that parts blocks.
fn front(gap: &str) -> usize {
    let end = gap.trim_end().len();
    let tag = gap[..end].rfind('<').filter(|_| gap[..end].ends_with('>'));
    let name = |at: usize| {
        let name = &gap[at + 1..end];
        name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())].to_ascii_lowercase()
    };
    let parts =
        |at: &usize| matches!(&*name(*at), "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "p" | "div" | "blockquote");
    tag.filter(parts).unwrap_or(gap.len())
}

/// What is put in front of a page, as HTML.
fn written(preface: &Preface) -> String {
    let mut written = format!("<h2>{}</h2>\n", escape(&preface.heading, Style::Html, false));
    for paragraph in &preface.paragraphs {
        written += &format!("<p>{}</p>\n", escape(paragraph, Style::Html, false));
    }
    written
}
