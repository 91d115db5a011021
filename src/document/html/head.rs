//! The `<head>` of a web page: its language, and its title.
//!
//! Invariant: nothing else in the head changes, and no text is made up. A title is translated where it repeats a heading of the
//! article, as most do; the name of the site beside it stays.

use std::ops::Range;

use html5gum::{StartTag, Token};

use super::{style, tokens};
use crate::document::markup::{Style, escape};
use crate::language::Code;

/// `head`, which stands before the first block of a page, for an article in `language`. `headings` are those of the
/// article, in both languages.
pub(in crate::document) fn translated(head: &str, headings: &[(&str, &str)], language: &str) -> String {
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let mut title: Option<(usize, String)> = None;
    for token in tokens(head) {
        match token {
            Token::StartTag(tag) => match &tag.name[..] {
                b"html" => changes.extend(languages(head, &tag, language)),
                b"title" => title = Some((tag.span.end, String::new())),
                // After the head, a title belongs to a picture.
                b"body" | b"svg" => break,
                _ => {}
            },
            Token::String(string) => {
                if let Some((_, said)) = &mut title {
                    said.push_str(&String::from_utf8_lossy(&string.value));
                }
            }
            Token::EndTag(tag) => {
                let ended = title.take().filter(|_| &tag.name[..] == b"title");
                if let Some((start, said)) = ended
                    && let Some(written) = head.get(start..tag.span.start)
                {
                    let start = start + written.len() - written.trim_ascii_start().len();
                    let range = start..start + written.trim_ascii().len();
                    changes.extend(retold(&said, headings, style(head)).map(|said| (range, said)));
                }
            }
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    let mut head = head.to_owned();
    for (range, text) in changes.into_iter().rev() {
        head.replace_range(range, &text);
    }
    head
}

/// The ranges where a tag, such as that of the whole page, names another language than `language`, and the codes to put there.
pub(super) fn languages(head: &str, tag: &StartTag<usize>, language: &str) -> Vec<(Range<usize>, String)> {
    let language = Code::parse(language);
    let tagged = language.tag();
    let mut ranges: Vec<Range<usize>> = ["lang", "xml:lang"]
        .iter()
        .filter_map(|name| {
            let value = tag.attributes.get(name.as_bytes())?;
            let code = std::str::from_utf8(value)
                .ok()
                .filter(|code| !code.is_empty() && !Code::parse(code).serves(&language))?;
            let name = value.span.start..head.len();
            let after = name.start + head.get(name)?.find('=')? + 1;
            let start = after + head[after..].find(|c: char| !c.is_ascii_whitespace() && c != '"' && c != '\'')?;
            head[start..].starts_with(code).then(|| start..start + code.len())
        })
        .collect();
    ranges.sort_by_key(|range| range.start);
    ranges.into_iter().map(|range| (range, tagged.clone())).collect()
}

/// The title with the longest heading in it replaced by its translation; `None` if it contains no heading.
fn retold(title: &str, headings: &[(&str, &str)], style: Style) -> Option<String> {
    let title = collapsed(title);
    let parted = |word: Option<&str>| word.is_none_or(|word| !word.contains(char::is_alphanumeric));
    let (at, source, target) = headings
        .iter()
        .filter_map(|&(source, target)| {
            let source = collapsed(source);
            let at = title.find(&source)?;
            let (before, after) = (&title[..at], &title[at + source.len()..]);
            let whole = (before.is_empty() || before.ends_with(' ')) && (after.is_empty() || after.starts_with(' '));
            let part = parted(before.split(' ').rev().nth(1)) && parted(after.split(' ').nth(1));
            (whole && part).then_some((at, source, target))
        })
        .max_by_key(|(_, source, _)| source.len())?;
    let said = format!("{}{}{}", &title[..at], collapsed(target), &title[at + source.len()..]);
    (said != title).then(|| escape(&said, style, false))
}

/// The text with white space of any length replaced by one space.
fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
