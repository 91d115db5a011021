//! Text written so that none of it is read as markup.

use super::Style;

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
