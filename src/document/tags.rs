//! Tags of HTML in a text that is otherwise plain, such as a message of a program, or one for translation.
//!
//! Sequences with which terminals write in bold or in a colour are read as tags as well.
//!
//! Invariant: only what is surely a tag is a mark: one of a pair, one with attributes, one that closes itself, or one of the few
//! elements without content. `<file>` in `Usage: program <file>` is text.

use crate::document::markup::{Inline, MarkKind};

/// Elements without content.
const VOID: [&str; 5] = ["br", "hr", "img", "input", "wbr"];
/// Elements whose content is no text.
const CODE: [&str; 6] = ["code", "kbd", "samp", "script", "style", "var"];
/// Elements at whose tags a sentence ends.
const PARTING: [&str; 21] = [
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "td",
    "tr",
    "ul",
];

/// The character with which a sequence for a terminal begins, and what stands for the name of one.
const ESCAPE: char = '\u{1b}';
const TERMINAL: &str = "\u{1b}";

/// A tag at the front of a text. A name means the same in capitals, as in `<B>`.
struct InnerTag<'a> {
    length: usize,
    /// The name, in lower case.
    name: &'a str,
    kind: MarkKind,
}

/// Adds a text to blocks, piece by piece, with its tags as marks.
pub(super) struct TagReader<'a> {
    /// The whole text, in lower case.
    lower: &'a str,
    /// How much of it has been read.
    at: usize,
    /// The names of the elements that are open.
    open: Vec<&'a str>,
    /// Writes a tag as it stands in a translation.
    write: fn(&str) -> String,
    /// Whether a sentence ended at a tag.
    pub(super) has_parted: bool,
}

impl<'a> TagReader<'a> {
    /// Reads the text that is this in ASCII lower case.
    pub(super) fn new(lower: &'a str, write: fn(&str) -> String) -> Self {
        Self { lower, at: 0, open: Vec::new(), write, has_parted: false }
    }

    /// Leaves out a piece of the text, which stands in an element of another kind.
    pub(super) fn skip(&mut self, length: usize) {
        self.at += length;
    }

    /// Adds the next piece of the text to a block.
    pub(super) fn add(&mut self, piece: &str, inline: &mut Inline) {
        let start = self.at;
        let (mut said, mut at) = (0, 0);
        while let Some(found) = piece[at..].find(['<', ESCAPE]) {
            at += found;
            let lower = &self.lower[start + at..];
            let tag = InnerTag::read(lower).filter(|tag| tag.length <= piece.len() - at);
            let Some(tag) = tag.and_then(|tag| tag.sure(lower, piece.len() - at, &self.open)) else {
                at += 1;
                continue;
            };
            inline.text(&piece[said..at]);
            let written = (self.write)(&piece[at..at + tag.length]);
            at += tag.length;
            said = at;
            if PARTING.contains(&tag.name) {
                inline.parting(&written);
                self.has_parted = true;
            } else {
                inline.mark(tag.kind, &written);
            }
            match tag.kind {
                MarkKind::Open => self.open.push(tag.name),
                MarkKind::Close => self.open.truncate(self.open.len() - 1),
                _ => {}
            }
        }
        inline.text(&piece[said..]);
        self.at += piece.len();
    }
}

impl<'a> InnerTag<'a> {
    /// The tag at the front of a text in lower case, if it has the form of one.
    fn read(text: &'a str) -> Option<Self> {
        if text.starts_with(ESCAPE) {
            return Self::of_terminal(text);
        }
        let inner = text.strip_prefix('<')?;
        let end = inner.find(['<', '>']).filter(|&end| inner[end..].starts_with('>'))?;
        let (inner, length) = (&inner[..end], end + 2);
        let (inner, closes) = inner.strip_prefix('/').map_or((inner, false), |inner| (inner, true));
        let name = &inner[..inner.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inner.len())];
        let after = &inner[name.len()..];
        let is_form = after.is_empty() || !closes && after.starts_with([' ', '\n', '/']);
        if name.is_empty() || !is_form {
            return None;
        }
        let kind = if closes {
            MarkKind::Close
        } else if after.ends_with('/') || VOID.contains(&name) {
            MarkKind::Single
        } else {
            MarkKind::Open
        };
        Some(Self { length, name, kind })
    }

    /// The sequence at the front of a text with which a terminal changes how it writes, such as `ESC [1m` for bold, or ends that.
    fn of_terminal(text: &'a str) -> Option<Self> {
        let numbers = text.strip_prefix(ESCAPE)?.strip_prefix('[')?;
        let end =
            numbers.find(|c: char| !c.is_ascii_digit() && c != ';').filter(|&end| numbers[end..].starts_with('m'))?;
        let kind = if matches!(&numbers[..end], "" | "0") { MarkKind::Close } else { MarkKind::Open };
        Some(Self { length: end + 3, name: TERMINAL, kind })
    }

    /// The tag with which `text` begins, if it surely is one; `open` are the elements around it. An element of code is one mark
    /// with its content if it ends in the piece, of which `length` bytes are left; and the end of an element that is not the innermost one is a mark that stands alone.
    fn sure(self, text: &str, length: usize, open: &[&str]) -> Option<Self> {
        match self.kind {
            MarkKind::Close if open.last() == Some(&self.name) => Some(self),
            MarkKind::Close | MarkKind::Open if self.name == TERMINAL => {
                let rest = &text[self.length..];
                let opens = self.kind == MarkKind::Open
                    && !open.contains(&TERMINAL)
                    && ["\u{1b}[m", "\u{1b}[0m"].iter().any(|end| rest.contains(end));
                Some(if opens { self } else { Self { kind: MarkKind::Single, ..self } })
            }
            MarkKind::Close => open.contains(&self.name).then_some(Self { kind: MarkKind::Single, ..self }),
            MarkKind::Single => Some(self),
            _ => {
                let end = format!("</{}>", self.name);
                let after = text.find(&end)? + end.len();
                let is_code = CODE.contains(&self.name) && after <= length;
                Some(if is_code { Self { length: after, kind: MarkKind::Single, ..self } } else { self })
            }
        }
    }
}
