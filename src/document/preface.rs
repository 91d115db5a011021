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
/// if that separates blocks, and never in a menu, a list or a table.
fn front(gap: &str) -> usize {
    if let Some(at) = structure(gap) {
        return at;
    }
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

/// Where the outermost structure begins that is open at the end of a gap, and that is no place for a heading.
fn structure(gap: &str) -> Option<usize> {
    const STRUCTURES: [&str; 7] = ["nav", "menu", "ul", "ol", "dl", "table", "header"];
    let gap = gap.to_ascii_lowercase();
    let is_end = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
    let count = |from: usize, sign: &str| {
        gap[from..].match_indices(sign).filter(|(at, _)| is_end(&gap[from + at + sign.len()..])).count()
    };
    let opened = |name: &&str| {
        let sign = format!("<{name}");
        let mut places = gap.match_indices(&sign).map(|(at, _)| at);
        places.find(|&at| is_end(&gap[at + sign.len()..]) && count(at, &sign) > count(at, &format!("</{name}")))
    };
    STRUCTURES.iter().filter_map(opened).min()
}

/// The preface of a page as HTML.
fn written(preface: &Preface, style: Style) -> String {
    let mut written = format!("<h2>{}</h2>\n", escape(&preface.heading, style, false));
    for paragraph in &preface.paragraphs {
        written += &format!("<p>{}</p>\n", escape(paragraph, style, false));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_stands_in_no_list_and_in_no_menu() {
        for (before, after) in [
            ("<body>", "<nav><ul><li>"),
            ("<body><main>", "<table class=a>\n<tr><td>"),
            ("<body><nav></nav><main>", "<dl><dt>"),
            ("<body>\n", "<h1 class=a>"),
            ("<body><ul-x>", "<p>"),
            ("<body><section>", ""),
        ] {
            assert_eq!(front(&format!("{before}{after}")), before.len(), "{before}{after}");
        }
    }
}
