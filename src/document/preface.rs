//! A preface of an article, such as its summary: HTML in a web page, and in documents of archives as `package` writes
//! it.

use super::markup::{Style, escape};
use super::{BlockKind, Document, html};

/// A text that is put before an article, in the article's own format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preface {
    /// The heading.
    pub heading: String,
    /// The paragraphs.
    pub paragraphs: Vec<String>,
}

impl Document {
    /// The article with a preface in its own styles: a document of Word or Writer, a book, or a web page.
    #[must_use]
    pub fn with_preface(mut self, preface: Preface) -> Self {
        if let Some(package) = self.package.take() {
            self.package = Some(package.with_preface(preface));
        } else if self.is_page() {
            let first = self.blocks.iter().take_while(|block| block.kind == BlockKind::Title).count();
            let style = html::style(&self.text());
            let gap = &mut self.gaps[first];
            gap.insert_str(front(gap), &written(&preface, style));
        }
        self
    }
}

/// The position of a preface in the gap before the first block of a page: before the tag of the block's own element,
/// if that separates blocks.
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

/// The preface of a page as HTML.
fn written(preface: &Preface, style: Style) -> String {
    let mut written = format!("<h2>{}</h2>\n", escape(&preface.heading, style, false));
    for paragraph in &preface.paragraphs {
        written += &format!("<p>{}</p>\n", escape(paragraph, style, false));
    }
    written
}
