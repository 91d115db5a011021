//! Web pages: the article in the page, with its tags in place.
//!
//! The tokenizer (`html5gum`) says where tags are, and what is between them is text; tags of phrases
//! (links, emphasis) are marks inside blocks, all others part blocks. Code, pictures, formulas and what
//! is marked `translate="no"` go through as they are; so does the title, unless all of the page is meant.

mod article;
mod elements;
pub(super) mod head;
pub(super) mod pairs;

use std::ops::Range;

use anyhow::{Result, bail};
use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use super::markup::{Inline, MarkKind, Style};
use super::{Block, BlockKind, Document, Format};
use crate::error::WithHint;
use article::{FoundBlock, article};
use elements::{ends_before, is_frame};
pub(super) use elements::{is_kept, is_phrase, is_void, kind};

/// Cuts `text` into blocks.
pub(super) fn parse(input: &str, text: &str, format: Format) -> Document {
    let blocks = if format == Format::HtmlWhole { all(text) } else { article(text, read(text, false)) };
    Document::assemble(input, text, format, blocks)
}

/// Makes sure that a page with something in it has an article.
pub(super) fn check(text: &str, document: &Document) -> Result<()> {
    if document.blocks.is_empty() && !text.trim().is_empty() {
        bail!("there is no article in this page".with_hint("all text of the page is taken with `--html-whole`"));
    }
    Ok(())
}

/// All blocks of a page, or of a piece of one, and where they are in it.
pub(super) fn all(text: &str) -> Vec<(Range<usize>, Block)> {
    read(text, true).into_iter().map(|found| (found.range, found.block)).collect()
}

/// The blocks of a page; with its title if the whole page is read.
fn read(text: &str, whole: bool) -> Vec<FoundBlock> {
    let mut reader = HtmlReader { text, whole, ..HtmlReader::default() };
    for token in tokens(text) {
        match token {
            Token::StartTag(tag) => reader.start(&tag, tag.span.start..tag.span.end),
            Token::EndTag(tag) => reader.end(&name(&tag.name), tag.span.start..tag.span.end),
            Token::Comment(comment) => reader.single(comment.span.start..comment.span.end),
            Token::String(string) => reader.said.push_str(&String::from_utf8_lossy(&string.value)),
            Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    reader.flush(text.len());
    reader.end_block();
    reader.blocks
}

/// The tags and texts of a page with their ranges. Scripts and the like contain none.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token<usize>> {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(text, emitter).map(|Ok(token)| token)
}

/// Whether an element is the number or sign that leads to a note, or back from it: part of a sentence, but none of its words. It is
/// recognised by the roles of DPUB-ARIA and EPUB, and by the classes that pandoc and `MediaWiki` write.
fn is_note_link(tag: &StartTag<usize>, name: &str) -> bool {
    const SIGNS: [&[u8]; 5] = [b"doc-noteref", b"doc-backlink", b"noteref", b"footnote-ref", b"footnote-back"];
    // A link of this class is any link of Sphinx.
    let is_sign = |word: &[u8]| SIGNS.contains(&word) || (name == "sup" && word == b"reference");
    let says = |attribute: &str| {
        let value = tag.attributes.get(attribute.as_bytes());
        value.is_some_and(|value| value.split(u8::is_ascii_whitespace).any(is_sign))
    };
    matches!(name, "a" | "sup") && ["role", "epub:type", "class"].into_iter().any(says)
}

/// A tag's name in lower case.
fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_ascii_lowercase()
}

/// Reads the tokens of a page.
#[derive(Default)]
struct HtmlReader<'a> {
    text: &'a str,
    /// Whether the whole page is read, with its title.
    whole: bool,
    blocks: Vec<FoundBlock>,
    /// Names of the enclosing elements that separate blocks, the innermost last.
    around: Vec<String>,
    /// The block that is being read, and how far it has content.
    open: Option<Range<usize>>,
    inline: Inline,
    /// The position up to which the page was read.
    read: usize,
    /// The text after that position, with its entities resolved.
    said: String,
    /// An element that goes through as it is.
    kept: Option<Kept>,
}

/// An element that goes through as it is.
struct Kept {
    name: String,
    start: usize,
    /// Names of the elements inside it, innermost last.
    inside: Vec<String>,
}

impl HtmlReader<'_> {
    fn start(&mut self, tag: &StartTag<usize>, range: Range<usize>) {
        let name = name(&tag.name);
        let void = is_void(&name) || tag.self_closing;
        if let Some(kept) = &mut self.kept {
            if !(kept.inside.is_empty() && ends_before(&kept.name, &name)) {
                kept.inside.extend((!void).then_some(name));
                return;
            }
            self.end_kept(range.start);
        }
        self.flush(range.start);
        let untranslated = tag.attributes.get(&b"translate"[..]).is_some_and(|value| value.as_slice() == b"no")
            || is_note_link(tag, &name);
        let is_title = self.whole && name == "title";
        if (is_kept(&name) && !is_title) || (untranslated && !void) {
            if !void {
                self.kept = Some(Kept { name, start: range.start, inside: Vec::new() });
            }
        } else if is_phrase(&name) {
            let kind = if void { MarkKind::Single } else { MarkKind::Open };
            self.mark(kind, range.clone());
        } else {
            self.end_block();
            if !void {
                self.enter(name);
            }
        }
        self.read = self.read.max(range.end);
    }

    fn end(&mut self, name: &str, range: Range<usize>) {
        if let Some(kept) = &mut self.kept {
            if let Some(at) = kept.inside.iter().rposition(|inside| inside == name) {
                kept.inside.truncate(at);
                return;
            }
            if kept.name == name {
                self.end_kept(range.end);
                return;
            }
            if !self.around.iter().any(|around| around == name) {
                return;
            }
            // What is around it ends, and it has no end of its own.
            self.end_kept(range.start);
        }
        self.flush(range.start);
        if is_phrase(name) {
            if self.open.is_some() {
                self.mark(MarkKind::Close, range.clone());
            }
        } else {
            self.end_block();
            if let Some(at) = self.around.iter().rposition(|around| around == name) {
                self.around.truncate(at);
            }
        }
        self.read = self.read.max(range.end);
    }

    /// Ends the element that goes through as it is: a mark where it can stand in a sentence.
    fn end_kept(&mut self, end: usize) {
        let Some(Kept { name, start, .. }) = self.kept.take() else { return };
        self.said.clear();
        if is_phrase(&name) || matches!(name.as_str(), "code" | "kbd" | "samp" | "var" | "math" | "svg") {
            self.mark(MarkKind::Single, start..end);
        } else {
            self.end_block();
        }
        self.read = end;
    }

    /// Adds a single mark for `range`.
    fn single(&mut self, range: Range<usize>) {
        if self.kept.is_none() {
            self.flush(range.start);
            if self.open.is_some() {
                self.mark(MarkKind::Single, range.clone());
            }
            self.read = self.read.max(range.end);
        }
    }

    /// Enters an element. An open element without an end tag, which cannot contain it, ends here.
    fn enter(&mut self, name: String) {
        while self.around.last().is_some_and(|last| ends_before(last, &name)) {
            self.around.pop();
        }
        self.around.push(name);
    }

    /// Takes the text up to `at`, where a tag begins.
    fn flush(&mut self, at: usize) {
        if self.kept.is_some() || at <= self.read {
            return;
        }
        let said = std::mem::take(&mut self.said);
        let Some(raw) = self.text.get(self.read..at) else { return };
        let trimmed = raw.trim_ascii();
        if !trimmed.is_empty() {
            let start = self.read + raw.len() - raw.trim_ascii_start().len();
            let block = self.open.take().map_or(start, |open| open.start);
            self.open = Some(block..start + trimmed.len());
        }
        if self.open.is_some() {
            self.inline.flowing_text(&said);
        }
        self.read = at;
    }

    fn mark(&mut self, kind: MarkKind, range: Range<usize>) {
        let Some(markup) = self.text.get(range.clone()) else { return };
        self.inline.mark(kind, markup);
        let block = self.open.take().map_or(range.start, |open| open.start);
        self.open = Some(block..range.end);
    }

    /// Ends the open block, and keeps it if it has text.
    fn end_block(&mut self) {
        let inline = std::mem::take(&mut self.inline);
        let Some(range) = self.open.take() else { return };
        let Some(source) = self.text.get(range.clone()).filter(|_| inline.has_text()) else { return };
        let kind = self.around.iter().rev().find_map(|name| kind(name));
        let framed = self.around.iter().any(|name| is_frame(name))
            || (self.around.iter().any(|name| name == "header") && !self.around.iter().any(|name| name == "article"));
        let block = inline.finish(kind.unwrap_or(BlockKind::Paragraph), source, Style::Html);
        self.blocks.push(FoundBlock { range, block, framed, textual: kind.is_some() });
    }
}
