//! Phrases that touch each other and are texts of their own: the links of a menu, the labels of a list of subjects.
//!
//! Style sheets part them, so a page that was made small has no white space there. Two links or labels are apart, unless they lead to
//! the same place: a link in two pieces is one. Two spans of the same class are apart if the one ends in a small letter or a digit and
//! the next begins with a capital, as no word does. All else that touches, such as `<b>Hond</b><i>en</i>`, may be one word.

use std::ops::Range;

/// Phrases that end where the last one of them does, with nothing between their tags.
#[derive(Default)]
pub(super) struct EndedPhrases {
    /// Where the last of them ends.
    at: usize,
    /// The tags that they begin with, the innermost phrase first.
    tags: Vec<String>,
}

impl EndedPhrases {
    /// Adds a phrase of this name, whose opening tag `text` begins with, and whose closing tag has this range.
    pub(super) fn end(&mut self, name: &str, text: &str, range: &Range<usize>) {
        if self.at != range.start {
            self.tags.clear();
        }
        self.at = range.end;
        if matches!(name, "a" | "label" | "span") {
            self.tags.push(tag(text).unwrap_or_default().to_owned());
        }
    }

    /// Whether the phrase that begins at this place of the page is apart from those that have ended there.
    pub(super) fn are_apart_from(&self, page: &str, at: usize) -> bool {
        if self.at != at || self.tags.is_empty() {
            return false;
        }
        let (tags, said) = opening(&page[at..]);
        let is_text = said.starts_with(char::is_alphanumeric);
        let is_capital = said.starts_with(char::is_uppercase) && ends_small(&page[..at]);
        let are_apart = |ended: &String| {
            tags.iter().any(|tag| match name(tag) {
                name if name != self::name(ended) => false,
                "a" => ended != tag || !tag.contains("href"),
                "label" => true,
                "span" => is_capital && tag == ended && tag.contains("class"),
                _ => false,
            })
        };
        is_text && self.tags.iter().any(are_apart)
    }
}

/// The tag that a text begins with.
fn tag(text: &str) -> Option<&str> {
    text.find('>').filter(|_| text.starts_with('<')).map(|end| &text[..=end])
}

/// The name of an opening tag.
fn name(tag: &str) -> &str {
    let name = tag.trim_start_matches('<');
    &name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())]
}

/// The opening tags that a text begins with, and what follows them.
fn opening(mut text: &str) -> (Vec<&str>, &str) {
    let mut tags = Vec::new();
    while let Some(tag) = tag(text).filter(|tag| !name(tag).is_empty()) {
        tags.push(tag);
        text = &text[tag.len()..];
    }
    (tags, text)
}

/// Whether the text of a page, without the closing tags at its end, ends in a small letter or a digit.
fn ends_small(mut page: &str) -> bool {
    while let Some(at) = page.rfind("</").filter(|&at| page[at..].find('>') == Some(page.len() - at - 1)) {
        page = &page[..at];
    }
    page.ends_with(|c: char| c.is_lowercase() || c.is_ascii_digit())
}
