//! The languages that elements of a page name.
//!
//! Invariant: an element gets another language only if it named that of the page, and text in it was translated. A quotation in a third
//! language, and a menu that stays, keep theirs.

use std::ops::Range;

use html5gum::{StartTag, Token};

use super::head::languages;
use super::{is_void, name, tokens};
use crate::language::Code;

/// An element whose end has not been read.
struct OpenElement {
    name: String,
    start: usize,
    /// The changes that its tag would need.
    changes: Vec<(Range<usize>, String)>,
}

/// A page whose blocks, in these ranges, are now in `language`, with what it says of its language.
pub(in crate::document) fn in_language(page: &str, blocks: &[Range<usize>], language: &str) -> String {
    let own = named(page);
    let mut made = page.to_owned();
    for (range, label) in changes(page, blocks, own.as_deref(), language).into_iter().rev() {
        made.replace_range(range, &label);
    }
    super::head::translated(&made, &[], language)
}

/// The changes of a page whose blocks, in these ranges, are now in `language`. `own` is the language of the page, if it named one.
pub(in crate::document) fn changes(
    page: &str,
    blocks: &[Range<usize>],
    own: Option<&str>,
    language: &str,
) -> Vec<(Range<usize>, String)> {
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let mut open: Vec<OpenElement> = Vec::new();
    let holds_text = |range: Range<usize>| {
        let next = blocks.partition_point(|block| block.end <= range.start);
        blocks.get(next).is_some_and(|block| block.start < range.end)
    };
    let end = |elements: Vec<OpenElement>, at: usize, changes: &mut Vec<(Range<usize>, String)>| {
        let elements = elements.into_iter().filter(|element| holds_text(element.start..at));
        changes.extend(elements.flat_map(|element| element.changes));
    };
    for token in tokens(page) {
        match token {
            Token::StartTag(tag) => {
                let name = name(&tag.name);
                if !is_void(&name) && !tag.self_closing {
                    let named = if name == "html" { Vec::new() } else { languages(page, &tag, language) };
                    open.push(OpenElement { name, start: tag.span.end, changes: named });
                }
            }
            Token::EndTag(tag) => {
                let name = name(&tag.name);
                if let Some(at) = open.iter().rposition(|element| element.name == name) {
                    end(open.split_off(at), tag.span.start, &mut changes);
                }
            }
            _ => {}
        }
    }
    end(open, page.len(), &mut changes);
    changes.sort_by_key(|(range, _)| range.start);
    let first = changes.first().map(|(range, _)| page[range.clone()].to_owned());
    let own = own.map(str::to_owned).or(first).map(|own| Code::parse(&own));
    changes.retain(|(range, _)| own.as_ref().is_some_and(|own| Code::parse(&page[range.clone()]).serves(own)));
    changes
}

/// The code of the language that a tag names.
pub(super) fn of(tag: &StartTag<usize>) -> Option<String> {
    let value = ["lang", "xml:lang"].iter().find_map(|name| tag.attributes.get(name.as_bytes()))?;
    Some(String::from_utf8_lossy(value).into_owned()).filter(|code| Code::parse(code).is_language())
}

/// The language that the tag of a whole page names.
pub(in crate::document) fn named(head: &str) -> Option<String> {
    tokens(head).find_map(|token| match token {
        Token::StartTag(tag) if &tag.name[..] == b"html" => {
            let value = ["lang", "xml:lang"].iter().find_map(|name| tag.attributes.get(name.as_bytes()))?;
            Some(String::from_utf8_lossy(value).into_owned()).filter(|language| !language.is_empty())
        }
        _ => None,
    })
}
