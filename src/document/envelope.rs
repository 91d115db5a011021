//! Text that stands inside of another one and is written in its way: a web page in the text of a feed or of a record, a text in
//! a cell of a table.
//!
//! Invariant: what is not translated keeps its bytes, however it is written: an `Unwrapped` text knows where each of its
//! characters stands in what it was unwrapped from. A translated block is written so that unwrapping gives it back.

use std::borrow::Cow;
use std::ops::Range;

use anyhow::{Result, bail};
use quick_xml::escape::{resolve_html5_entity, resolve_predefined_entity};

use super::markup::{Markup, Style};
use super::{Block, BlockKind, html, markdown};
use crate::error::WithHint;

/// The encoding of a text inside another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    /// The text is written as it is.
    None,
    /// As text of XML, with references to characters.
    Xml,
    /// In a CDATA section of XML.
    Cdata,
    /// In a string of JSON.
    Json,
    /// In a string of a file of messages, with escapes as in C.
    Po,
    /// Between quotation marks, which are doubled inside.
    Quoted,
    /// As a cell of a table whose cells this parts: between quotation marks where it needs them.
    Unquoted(char),
}

/// What a text in a field of a record, of a table or of a feed is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldFormat {
    /// Plain text.
    #[default]
    Text,
    /// Markdown.
    Markdown,
    /// A web page, or a piece of one.
    Html,
}

/// The escapes in files of messages, besides those of quotation marks and backslashes.
const ESCAPES: [(&str, &str); 7] = [
    ("\\n", "\n"),
    ("\\t", "\t"),
    ("\\r", "\r"),
    ("\\a", "\u{7}"),
    ("\\b", "\u{8}"),
    ("\\v", "\u{b}"),
    ("\\f", "\u{c}"),
];

/// A text that was decoded from its envelope.
pub(super) struct Unwrapped<'a> {
    pub(super) text: Cow<'a, str>,
    /// Pairs of positions, in the decoded text and in its source: from each pair on both have the same characters.
    places: Vec<(usize, usize)>,
}

impl Envelope {
    /// Encodes a text for the place where it is put.
    pub(super) fn wrap(self, text: String, style: Style) -> String {
        match self {
            Self::Xml => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            Self::Cdata => text.replace("]]>", "]]]]><![CDATA[>"),
            Self::Json => {
                let quoted = serde_json::Value::String(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Po => {
                let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                let text = ESCAPES.iter().fold(text, |text, (escaped, said)| text.replace(said, escaped));
                if text.contains(|c: char| c.is_ascii_control()) {
                    let escaped =
                        |c: char| if c.is_ascii_control() { format!("\\{:03o}", u32::from(c)) } else { c.to_string() };
                    return text.chars().map(escaped).collect();
                }
                text
            }
            Self::Quoted => text.replace('"', "\"\""),
            // There may be other blocks in the cell, so it cannot get quotation marks here.
            Self::Unquoted(separator) if style != Style::Plain => {
                // At the front of a cell, a quotation mark would begin a quoted cell.
                let text = text.strip_prefix('"').map_or_else(|| text.clone(), |rest| format!("&quot;{rest}"));
                // The backslash with which Markdown has a `|` would stand before the reference, which is then none.
                let text = text.replace(&format!("\\{separator}"), &separator.to_string());
                if separator == ';' {
                    without_semicolons(&text)
                } else {
                    text.replace(separator, &format!("&#{};", u32::from(separator)))
                }
            }
            Self::Unquoted(separator) if text.contains([separator, '\n', '\r']) || text.starts_with('"') => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            Self::None | Self::Unquoted(_) => text,
        }
    }

    /// Decodes a text. Unknown references to characters stay as they are.
    pub(super) fn unwrap(self, written: &str) -> Unwrapped<'_> {
        let (mark, read): (_, fn(&str) -> Option<Said>) = match self {
            Self::None | Self::Cdata | Self::Unquoted(_) => {
                return Unwrapped { text: Cow::Borrowed(written), places: Vec::new() };
            }
            Self::Xml => ('&', reference),
            Self::Json => ('\\', escape),
            Self::Po => ('\\', escape_of_c),
            Self::Quoted => ('"', |text| text.starts_with("\"\"").then(|| ("\"".to_owned(), 2))),
        };
        let (mut text, mut places) = (String::with_capacity(written.len()), Vec::new());
        let mut at = 0;
        while let Some(found) = written[at..].find(mark) {
            text.push_str(&written[at..at + found]);
            at += found;
            if let Some((said, length)) = read(&written[at..]) {
                text.push_str(&said);
                at += length;
                places.push((text.len(), at));
            } else {
                text.push(mark);
                at += mark.len_utf8();
            }
        }
        text.push_str(&written[at..]);
        Unwrapped { text: Cow::Owned(text), places }
    }
}

impl Unwrapped<'_> {
    /// The position in the source of a position in the decoded text.
    fn place(&self, at: usize) -> usize {
        let after = self.places.partition_point(|(text, _)| *text <= at);
        let (text, written) = after.checked_sub(1).map_or((0, 0), |before| self.places[before]);
        written + at - text
    }
}

/// HTML without semicolons: the oldest names of characters need none, and another semicolon becomes a comma.
fn without_semicolons(html: &str) -> String {
    ["&amp", "&lt", "&gt", "&quot"]
        .iter()
        .fold(html.to_owned(), |html, name| html.replace(&format!("{name};"), name))
        .replace(';', ",")
}

/// A decoded reference or escape, and the length of its source in bytes.
type Said = (String, usize);

/// Decodes the reference to a character at the beginning of a text.
fn reference(text: &str) -> Option<Said> {
    let end = text.find(';').filter(|end| *end < 40)?;
    let name = &text[1..end];
    let said = if let Some(number) = name.strip_prefix('#') {
        let hexadecimal = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
        char::from_u32(hexadecimal.unwrap_or_else(|| number.parse()).ok()?)?.to_string()
    } else {
        resolve_predefined_entity(name).or_else(|| resolve_html5_entity(name))?.to_owned()
    };
    Some((said, end + 1))
}

/// Decodes the JSON escape at the beginning of a text; `None` for half of a surrogate pair.
fn escape(text: &str) -> Option<Said> {
    let unit = 2 + if text[1..].starts_with('u') { 4 } else { 0 };
    [unit, 2 * unit].into_iter().find_map(|length| {
        let said = serde_json::from_str::<String>(&format!("\"{}\"", text.get(..length)?)).ok()?;
        Some((said, length))
    })
}

/// Decodes the escape at the beginning of a text in a file of messages.
fn escape_of_c(text: &str) -> Option<Said> {
    let quoted = [("\\\"", "\""), ("\\\\", "\\")];
    let known = |(escaped, _): &&(&str, &str)| text.starts_with(escaped);
    let Some((_, said)) = ESCAPES.iter().find(known).or_else(|| quoted.iter().find(known)) else {
        return numbered(text);
    };
    Some(((*said).to_owned(), 2))
}

/// Decodes the character at the beginning of a text whose bytes are written by their numbers: in octal (`\303\251`) or hexadecimal
/// (`\xc3\xa9`) digits.
fn numbered(text: &str) -> Option<Said> {
    let (mut bytes, mut at) = (Vec::new(), 0);
    while bytes.len() < 4 {
        let digits = text[at..].strip_prefix('\\')?;
        let (digits, radix, most, head) =
            digits.strip_prefix('x').map_or((digits, 8, 3, 1), |digits| (digits, 16, 2, 2));
        let count = digits.bytes().take(most).take_while(|byte| char::from(*byte).is_digit(radix)).count();
        bytes.push(u8::from_str_radix(&digits[..count], radix).ok()?);
        at += head + count;
        if let Ok(said) = std::str::from_utf8(&bytes) {
            return Some((said.to_owned(), at));
        }
    }
    None
}

/// The blocks of a text that stands at `at` in another one, in this envelope; `kind` is what a block is that does not say.
pub(super) fn blocks(
    written: &str,
    at: usize,
    envelope: Envelope,
    format: FieldFormat,
    kind: BlockKind,
) -> Vec<(Range<usize>, Block)> {
    let unwrapped = envelope.unwrap(written);
    let found = match format {
        FieldFormat::Text => lines(&unwrapped.text, kind),
        FieldFormat::Html => html::all(&unwrapped.text),
        FieldFormat::Markdown => markdown::blocks(&unwrapped.text),
    };
    let place = |(range, block): (Range<usize>, Block)| {
        let range = unwrapped.place(range.start)..unwrapped.place(range.end);
        let source = &written[range.clone()];
        let markup = block.markup.unwrap_or_else(|| Box::new(Markup::none(source)));
        let markup = Some(Box::new(markup.enveloped(source, envelope)));
        (at + range.start..at + range.end, Block { markup, ..block })
    };
    found.into_iter().map(place).collect()
}

/// The lines of a plain text, as far as there is text in them.
fn lines(text: &str, kind: BlockKind) -> Vec<(Range<usize>, Block)> {
    let mut blocks = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive(['\n', '\r']) {
        let range = start + (line.len() - line.trim_start().len())..start + line.trim_end().len();
        start += line.len();
        if line.contains(char::is_alphabetic) {
            let block = Block::plain(kind, &text[range.clone()]);
            blocks.push((range, block));
        }
    }
    blocks
}

impl std::str::FromStr for FieldFormat {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "text" => Self::Text,
            "markdown" => Self::Markdown,
            "html" => Self::Html,
            _ => bail!(format!("unknown format `{name}` of a field").with_hint("it is `text`, `markdown` or `html`")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unwrapped_is_found_where_it_was() {
        for (envelope, written, text) in [
            (Envelope::Xml, "a &lt;b&gt; &#233;&#xe9;&nope; &eacute;", "a <b> éé&nope; é"),
            (Envelope::Json, r#"a \"b\" \u00e9\ud83d\ude00\n\q"#, "a \"b\" é😀\n\\q"),
            (Envelope::Po, r#"a \"b\"\n\\ \q"#, "a \"b\"\n\\ \\q"),
            (Envelope::Po, r"\033[1m\x1b[0m \303\251\7 \377 \xz", "\u{1b}[1m\u{1b}[0m é\u{7} \\377 \\xz"),
            (Envelope::Quoted, "a \"\"b\"\"", "a \"b\""),
            (Envelope::Cdata, "a &lt; <b>", "a &lt; <b>"),
        ] {
            let unwrapped = envelope.unwrap(written);
            assert_eq!(unwrapped.text, text);
            // Each character is where what wrote it begins, and the pieces are all there is.
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let pieces: String =
                ends.windows(2).map(|pair| &written[unwrapped.place(pair[0])..unwrapped.place(pair[1])]).collect();
            assert_eq!(pieces, written);
            assert_eq!(envelope.unwrap(&envelope.wrap(text.to_owned(), Style::Plain)).text, text);
        }
    }
}
