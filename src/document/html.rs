//! Web pages: the article in the page, with its tags in place.
//!
//! The tokenizer (`html5gum`) says where tags are, and what is between them is text; tags of phrases
//! (links, emphasis) are marks inside blocks, all others part blocks. Code, pictures, formulas and what
//! is marked `translate="no"` go through as they are; so does the title, unless all of the page is meant.

mod adjacent;
mod article;
mod elements;
pub(super) mod head;
pub(super) mod languages;
mod notes;
mod page_tokens;
pub(super) mod pairs;
mod paragraphs;

use std::ops::Range;

use anyhow::{Result, bail};
use html5gum::{StartTag, Token, naive_next_state};

use super::markup::{Inline, InlinePlace, MarkKind, Style};
use super::{Block, BlockKind, Document, Format};
use crate::error::WithHint;
use crate::language::Code;
use adjacent::EndedPhrases;
use article::{FoundBlock, article};
use elements::{ends_before, is_frame};
pub(super) use elements::{is_element, is_kept, is_phrase, is_void, kind};
use notes::{LinkTarget, is_note_link, is_ornament, is_sign, takes_note};
use page_tokens::{declares_other_encoding, end_of_comment, is_xhtml, tokens};
use paragraphs::paragraphs;

/// Cuts `text` into blocks.
pub(super) fn parse(input: &str, text: &str, format: Format) -> Document {
    let blocks = if format == Format::HtmlWhole {
        all(text)
    } else {
        let reader = read(text, false, style(text));
        article(text, reader.blocks, &reader.closed, reader.deepest)
    };
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
    all_in(text, style(text))
}

/// All blocks of a page, whose text is escaped in this style.
pub(super) fn all_in(text: &str, style: Style) -> Vec<(Range<usize>, Block)> {
    read(text, true, style).blocks.into_iter().map(|found| (found.range, found.block)).collect()
}

/// The escaping of text that is put into a page. A page in ASCII may declare any encoding that contains it; what that encoding lacks
/// becomes references.
pub(super) fn style(page: &str) -> Style {
    if page.is_ascii() && declares_other_encoding(page) { Style::Ascii } else { Style::Html }
}

/// Reads a page; with its title if the whole page is read.
fn read(text: &str, whole: bool, style: Style) -> HtmlReader<'_> {
    let mut reader = HtmlReader { text, whole, is_xhtml: is_xhtml(text), style: Some(style), ..HtmlReader::default() };
    // The end of the last code of PHP: in HTML it is a comment that ends at the first `>`.
    let mut code = 0;
    for token in tokens(text) {
        match token {
            Token::StartTag(tag) if tag.span.start >= code => reader.start(&tag, tag.span.start..tag.span.end),
            Token::EndTag(tag) if tag.span.start >= code => reader.end(&name(&tag.name), tag.span.start..tag.span.end),
            Token::Comment(comment) if comment.span.start >= code => {
                code = end_of_comment(text, comment.span.start..comment.span.end);
                reader.single(comment.span.start..code);
            }
            Token::String(said) if said.span.start >= code => {
                reader.said.push_str(&String::from_utf8_lossy(&said.value));
            }
            Token::String(said) => reader.said.push_str(text.get(code..said.span.end).unwrap_or_default()),
            _ => {}
        }
    }
    reader.flush(text.len());
    reader.end_block();
    reader
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
    is_xhtml: bool,
    /// The escaping of text; that of HTML if none is named.
    style: Option<Style>,
    blocks: Vec<FoundBlock>,
    /// The elements that end in their own tag, as XHTML allows: the end of the tag, and the name.
    closed: Vec<(usize, String)>,
    /// The most elements inside each other, without phrases.
    deepest: usize,
    /// Names of the enclosing elements that separate blocks, the innermost last.
    around: Vec<String>,
    /// The language that the page names for all of it.
    own: Option<String>,
    /// Other languages that these elements name, each with the number of elements up to the one that names it.
    languages: Vec<(usize, String)>,
    /// The block that is being read, and how far it has content.
    open: Option<Range<usize>>,
    inline: Inline,
    /// The open phrases of the block, the innermost last.
    phrases: Vec<OpenPhrase>,
    /// The last element that went through as it is: where it begins, and where it is in the block.
    last_kept: Option<(usize, InlinePlace)>,
    /// The phrases that have just ended.
    ended: EndedPhrases,
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

/// A phrase, such as a link, whose end has not been read.
struct OpenPhrase {
    name: String,
    start: usize,
    /// How far the block was before it.
    place: InlinePlace,
    target: LinkTarget,
}

impl HtmlReader<'_> {
    fn start(&mut self, tag: &StartTag<usize>, range: Range<usize>) {
        let name = name(&tag.name);
        // In HTML the slash of a script or of a field means nothing.
        let is_raw = naive_next_state(name.as_bytes()).is_some();
        let void = is_void(&name) || (tag.self_closing && (self.is_xhtml || !is_raw));
        if let Some(kept) = &mut self.kept {
            if !(kept.inside.is_empty() && ends_before(&kept.name, &name)) {
                kept.inside.extend((!void).then_some(name));
                return;
            }
            self.end_kept(range.start);
        }
        if self.is_xhtml && tag.self_closing && !is_void(&name) {
            self.closed.push((range.end, name.clone()));
        }
        self.flush(range.start);
        let untranslated = tag.attributes.get(&b"translate"[..]).is_some_and(|value| value.as_slice() == b"no")
            || is_note_link(tag, &name);
        let is_title = self.whole && name == "title";
        if (is_kept(&name) && !is_title) || (untranslated && !void) {
            if !void {
                self.kept = Some(Kept { name, start: range.start, inside: Vec::new() });
            } else if self.open.is_some() {
                self.mark(MarkKind::Single, range.clone());
            }
        } else if is_phrase(&name) {
            let kind = if void { MarkKind::Single } else { MarkKind::Open };
            if !void {
                self.part(range.start);
                let target = if name == "a" { LinkTarget::of(tag) } else { LinkTarget::default() };
                self.phrases.push(OpenPhrase { name, start: range.start, place: self.inline.place(), target });
            }
            self.mark(kind, range.clone());
        } else {
            self.end_block();
            if !void {
                let language = languages::of(tag);
                let is_whole = matches!(name.as_str(), "html" | "body");
                self.enter(name);
                match language {
                    Some(language) if is_whole => self.own = Some(language),
                    Some(language) => self.languages.push((self.around.len(), language)),
                    None => {}
                }
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
                self.end_phrase(name, &range);
            }
        } else {
            self.end_block();
            if let Some(at) = self.around.iter().rposition(|around| around == name) {
                self.around.truncate(at);
                self.leave();
            }
        }
        self.read = self.read.max(range.end);
    }

    /// Ends the element that goes through as it is: a mark where it can stand in a sentence.
    fn end_kept(&mut self, end: usize) {
        let Some(Kept { name, start, .. }) = self.kept.take() else { return };
        self.said.clear();
        if is_phrase(&name) || matches!(name.as_str(), "code" | "kbd" | "samp" | "var" | "math" | "svg") {
            self.keep(start..end);
        } else {
            self.end_block();
        }
        self.read = end;
    }

    /// Adds a single mark for an element that goes through as it is. Two of them with only a sign between them are one, such as the
    /// keys `<kbd>Ctrl</kbd>+<kbd>C</kbd>`.
    fn keep(&mut self, range: Range<usize>) {
        let is_joined = |(_, place): &(usize, InlinePlace)| {
            let (said, marks) = self.inline.since(*place);
            marks.len() == 1 && !said.contains(|c: char| c.is_alphanumeric() || c.is_whitespace())
        };
        if let Some((start, place)) = self.last_kept.filter(is_joined) {
            return self.fold(place, start..range.end);
        }
        self.last_kept = Some((range.start, self.inline.place()));
        self.mark(MarkKind::Single, range);
    }

    /// Makes all that was read since a place a single mark.
    fn fold(&mut self, place: InlinePlace, range: Range<usize>) {
        let Some(markup) = self.text.get(range.clone()) else { return };
        self.inline.fold(place, markup);
        self.last_kept = Some((range.start, place));
        let block = self.open.take().map_or(range.start, |open| open.start);
        self.open = Some(block..range.end);
    }

    /// Ends a phrase. One without words is a single mark: a picture with a link, an icon, the sign of a note.
    fn end_phrase(&mut self, name: &str, range: &Range<usize>) {
        let Some(at) = self.phrases.iter().rposition(|phrase| phrase.name == name) else {
            return self.mark(MarkKind::Close, range.clone());
        };
        let is_last = at + 1 == self.phrases.len();
        let start = self.phrases[at].start;
        let phrase = self.phrases.drain(at..).next();
        if let Some(phrase) = phrase.filter(|phrase| is_last && self.is_single(phrase)) {
            return self.fold(phrase.place, phrase.start..range.end);
        }
        self.mark(MarkKind::Close, range.clone());
        self.ended.end(name, &self.text[start..], range);
    }

    /// Ends the block between phrases that touch and are texts of their own, such as the links of a menu.
    fn part(&mut self, at: usize) {
        if self.open.is_some() && self.inline.can_part() && self.ended.are_apart_from(self.text, at) {
            self.end_block();
        }
    }

    /// Whether a phrase that ends here has no words of the sentence.
    fn is_single(&self, phrase: &OpenPhrase) -> bool {
        let (said, marks) = self.inline.since(phrase.place);
        let inner = marks.get(1..).unwrap_or_default();
        let holds = |tag: &str| inner.iter().any(|mark| mark.markup.starts_with(tag));
        let is_raised = match phrase.name.as_str() {
            "a" => phrase.target == LinkTarget::Note || (phrase.target == LinkTarget::Place && holds("<sup")),
            "sup" => {
                holds("<a ")
                    || (takes_note(self.inline.text_before(phrase.place)) && !said.contains(char::is_alphabetic))
            }
            _ => false,
        };
        if is_raised && is_sign(said, phrase.name == "a" || holds("<a ")) {
            return true;
        }
        let has_mark = inner.iter().any(|mark| mark.kind == MarkKind::Single);
        said.is_empty() || (said.trim().is_empty() && has_mark) || is_ornament(said)
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
        self.leave();
        self.around.push(name);
        self.deepest = self.deepest.max(self.around.len());
    }

    /// Forgets the languages of elements that have ended.
    fn leave(&mut self) {
        let depth = self.around.len();
        self.languages.truncate(self.languages.partition_point(|(element, _)| *element <= depth));
    }

    /// Takes the text up to `at`, where a tag begins.
    fn flush(&mut self, at: usize) {
        if self.kept.is_some() || at <= self.read {
            return;
        }
        let said = std::mem::take(&mut self.said);
        let Some(raw) = self.text.get(self.read..at) else { return };
        let mut start = self.read;
        // In a text without elements around it, such as that of an entry of a feed, blank lines part paragraphs.
        let parts = if self.around.is_empty() { paragraphs(raw, &said) } else { vec![(raw, &*said)] };
        for (number, (raw, said)) in parts.into_iter().enumerate() {
            if number > 0 {
                self.end_block();
            }
            self.say(start, raw, said);
            start += raw.len();
        }
        self.read = at;
    }

    /// Takes a text, which stands in the page as `raw` from `at` on.
    fn say(&mut self, at: usize, raw: &str, said: &str) {
        let trimmed = raw.trim_ascii();
        if !trimmed.is_empty() {
            let start = at + raw.len() - raw.trim_ascii_start().len();
            let block = self.open.take().map_or(start, |open| open.start);
            self.open = Some(block..start + trimmed.len());
        }
        if self.open.is_some() {
            self.inline.flowing_text(said);
        }
    }

    fn mark(&mut self, kind: MarkKind, range: Range<usize>) {
        let Some(markup) = self.text.get(range.clone()) else { return };
        self.inline.mark(kind, markup);
        let block = self.open.take().map_or(range.start, |open| open.start);
        self.open = Some(block..range.end);
    }

    /// Ends the open block, and keeps it if it has text.
    fn end_block(&mut self) {
        let mut inline = std::mem::take(&mut self.inline);
        inline.keep_space_before_open();
        (self.phrases, self.last_kept) = (Vec::new(), None);
        let Some(range) = self.open.take() else { return };
        let Some(source) = self.text.get(range.clone()).filter(|_| inline.has_text()) else { return };
        let kind = self.around.iter().rev().find_map(|name| kind(name));
        let framed = self.around.iter().any(|name| is_frame(name))
            || (self.around.iter().any(|name| name == "header") && !self.around.iter().any(|name| name == "article"));
        let style = self.style.unwrap_or(Style::Html);
        let is_own =
            |language: &str| self.own.as_ref().is_some_and(|own| Code::parse(language).serves(&Code::parse(own)));
        let language = self.languages.last().map(|(_, language)| &**language).filter(|language| !is_own(language));
        let block = inline.finish(kind.unwrap_or(BlockKind::Paragraph), source, style).in_element_of(language);
        self.blocks.push(FoundBlock { range, block, framed, textual: kind.is_some() });
    }
}
