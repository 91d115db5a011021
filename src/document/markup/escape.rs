//! Text written so that none of it is read as markup.

use std::ops::Range;

use super::Style;
use crate::glossary;

/// Escapes text as `escape` does, but leaves as they are the protected spans that `source`, the block with its markup, has without
/// escapes: a Markdown reader takes a backslash in a bare address for part of it, and one of templates does so in its tags.
pub(in crate::document) fn escape_around_spans(text: &str, style: Style, first: bool, source: &str) -> String {
    let escaped = escape(text, style, first);
    if escaped == text {
        return escaped;
    }
    let is_bare = |span: &str| source.match_indices(span).any(|(at, _)| !source[..at].ends_with('\\'));
    let mut written = String::with_capacity(escaped.len());
    let mut end = 0;
    let as_it_is = |span: &&Range<usize>| !glossary::is_sign(&text[(*span).clone()]) && is_bare(&text[(*span).clone()]);
    for span in glossary::spans(text).iter().filter(as_it_is) {
        written.push_str(&escape(&text[end..span.start], style, first && end == 0));
        written.push_str(&text[span.clone()]);
        end = span.end;
    }
    written.push_str(&escape(&text[end..], style, first && end == 0));
    written
}

/// A text with backslashes before what Markdown would read as markup; `first` when a line starts with it.
pub(crate) fn escape_markdown(text: &str, first: bool) -> String {
    escape(text, Style::Markdown, first)
}

/// Escapes text so that none of it is read as markup; `first` when a line starts with it.
pub(in crate::document) fn escape(text: &str, style: Style, first: bool) -> String {
    match style {
        Style::Plain => text.to_owned(),
        Style::Html => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        Style::Ascii => {
            let referenced = |c: char| if c.is_ascii() { c.to_string() } else { format!("&#{};", u32::from(c)) };
            escape(text, Style::Html, first).chars().map(referenced).collect()
        }
        Style::Markdown => {
            let mut escaped = String::with_capacity(text.len());
            for (at, c) in text.char_indices() {
                let inside = text[..at].ends_with(char::is_alphanumeric)
                    && text[at + c.len_utf8()..].starts_with(char::is_alphanumeric);
                let marks = match c {
                    '\\' | '`' | '*' | '<' | '|' => true,
                    '_' => !inside,
                    // Text in brackets, with an address or a label after it, would be a link.
                    ']' => text[at + 1..].starts_with(['(', '[']),
                    '~' if text[..at].ends_with('~') || text[at + 1..].starts_with('~') => true,
                    '#' | '>' | '+' | '-' | '=' | '~' => first && at == 0,
                    '.' | ')' => first && at > 0 && text[..at].bytes().all(|byte| byte.is_ascii_digit()),
                    '&' => text[at..].find(';').is_some_and(|end| end < 12),
                    _ => false,
                };
                if marks {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
            escaped
        }
    }
}
