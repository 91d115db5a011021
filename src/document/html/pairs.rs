//! The paragraphs of a page that kortom made: each source beside its translation.
//!
//! Invariant: the first two paragraphs of each `pair` are found, and nothing else, however a person changed their text.

use html5gum::{StartTag, Token};

use super::{name, tokens};

/// A paragraph of the source and its translation, with the codes of their languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PagePair {
    /// The code of the source's language.
    pub from: String,
    /// The code of the translation's language.
    pub to: String,
    /// The source.
    pub source: String,
    /// The translation.
    pub target: String,
}

/// The side of a pair that text belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PairSide {
    Source,
    Target,
}

/// The pairs of a page.
#[must_use]
pub fn pairs(page: &str) -> Vec<PagePair> {
    let mut pairs = Vec::new();
    let (mut pair, mut side) = (None::<PagePair>, None);
    for token in tokens(page) {
        match token {
            Token::StartTag(tag) => match (&mut pair, name(&tag.name).as_str()) {
                (None, "div") if has_class(&tag, "pair") => pair = Some(PagePair::default()),
                (Some(pair), "p") => side = begin(pair, &tag),
                _ => {}
            },
            Token::String(text) => {
                let text = String::from_utf8_lossy(&text.value);
                match (&mut pair, side) {
                    (Some(pair), Some(PairSide::Source)) => pair.source.push_str(&text),
                    (Some(pair), Some(PairSide::Target)) => pair.target.push_str(&text),
                    _ => {}
                }
            }
            Token::EndTag(tag) => match name(&tag.name).as_str() {
                "p" => side = None,
                "div" => {
                    side = None;
                    pairs.extend(pair.take().filter(|pair| !pair.from.is_empty() && !pair.to.is_empty()));
                }
                _ => {}
            },
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    pairs
}

/// The side of a paragraph; `None` if it is neither.
fn begin(pair: &mut PagePair, tag: &StartTag<usize>) -> Option<PairSide> {
    let language = attribute(tag, "lang").filter(|language| !language.is_empty())?;
    if has_class(tag, "source") {
        pair.from = language;
        return Some(PairSide::Source);
    }
    pair.to = language;
    Some(PairSide::Target)
}

fn attribute(tag: &StartTag<usize>, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(tag.attributes.get(name.as_bytes())?).into_owned())
}

fn has_class(tag: &StartTag<usize>, class: &str) -> bool {
    attribute(tag, "class").is_some_and(|classes| classes.split_ascii_whitespace().any(|one| one == class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_whatever_stands_around_them() {
        let page = "<p lang=\"en\">no</p><div class=\"pair flagged\"><p lang=\"en\">A <mark title=\"x\">cat</mark> &amp; more.</p>\
                    <p class=\"source\" lang=\"nl\">Een kat &amp; meer.</p><p class=\"flags\">number: no</p></div><div>no</div>\
                    <div class=\"pair\"><p>no</p></div>";
        let expected = PagePair {
            from: "nl".to_owned(),
            to: "en".to_owned(),
            source: "Een kat & meer.".to_owned(),
            target: "A cat & more.".to_owned(),
        };
        assert_eq!(pairs(page), [expected]);
    }
}
