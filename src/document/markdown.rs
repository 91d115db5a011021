//! Markdown: `CommonMark`, with tables, footnotes, strikethrough, task lists, formulas and front matter.
//! Of what pandoc and others add, `dialect` says what stays as it is.
//!
//! Headings, paragraphs, items and table cells are blocks; code, front matter, link definitions and all signs
//! that make the structure are gaps. A block of HTML is read as `html` reads a page, unless the signs of a quotation
//! run through its lines. Inside a block emphasis, links and the like are marks, and code, formulas and pictures
//! stand by themselves: none of it is sent to a model.

mod additions;
pub(super) mod anchors;
mod dialect;
mod indented;

use std::collections::HashSet;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::markup::{Inline, InlinePlace, MarkKind, Style};
use super::{Block, BlockKind, Document, Format, html};

/// Cuts `text` into blocks.
pub(super) fn parse(input: &str, text: &str) -> Document {
    Document::assemble(input, text, Format::Markdown, blocks(text))
}

/// The blocks of a text, and where they are in it.
pub(super) fn blocks(text: &str) -> Vec<(Range<usize>, Block)> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    // The parser does not recognise byte order marks.
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = MarkdownReader { text, ..MarkdownReader::default() };
    let parser = Parser::new_ext(&text[start..], options);
    reader.labels = parser.reference_definitions().iter().map(|(label, _)| label.to_lowercase()).collect();
    for (event, range) in parser.into_offset_iter() {
        reader.event(&event, range.start + start..range.end + start);
    }
    reader.end_block();
    reader.blocks
}

/// Reads the events of the parser, which come with their ranges in the text.
#[derive(Default)]
struct MarkdownReader<'a> {
    text: &'a str,
    blocks: Vec<(Range<usize>, Block)>,
    /// The kinds of the enclosing structures, the innermost last.
    kinds: Vec<BlockKind>,
    /// The open block: its start, and the position up to which it was read.
    open: Option<(usize, usize)>,
    inline: Inline,
    /// The depth inside structures of which no block is made.
    skipping: usize,
    /// How far a block of HTML is read, as long as there is nothing else on its lines.
    html: Option<usize>,
    /// A sign has begun that reaches as far as what it encloses.
    opening: bool,
    /// A line has just ended: what quotes and items repeat at the next line's start belongs to the end.
    after_break: bool,
    /// The end of that line.
    broken_at: usize,
    /// What is open in the block: emphasis, links and tags, the innermost last.
    phrases: Vec<OpenPhrase>,
    /// The last code or picture: where it begins, and where it is in the block.
    last_kept: Option<(usize, InlinePlace)>,
    /// The ends of spans with attributes that have begun, the innermost last: the closing bracket and what follows it.
    spans: Vec<Range<usize>>,
    /// What goes through as it is, although the parser sees text in it.
    skipped: Range<usize>,
    /// The line is a block of its own.
    alone: bool,
    /// Where the last paragraph began an admonition or a tab, whose text is indented below it.
    admonition: Option<usize>,
    /// The labels that link definitions give, in lower case.
    labels: HashSet<String>,
}

/// Something in a block whose end has not been read.
struct OpenPhrase {
    start: usize,
    /// How far the block was before it.
    place: InlinePlace,
    /// The name of a tag of HTML; empty for what is Markdown.
    tag: String,
    /// The label of a link that has no other one than its text.
    label: Option<String>,
}

impl MarkdownReader<'_> {
    fn event(&mut self, event: &Event, range: Range<usize>) {
        let is_skipped = self.skipped.start <= range.start && range.end <= self.skipped.end && !range.is_empty();
        if is_skipped && !matches!(event, Event::End(end) if !is_inline(*end)) {
            return;
        }
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(*tag, range),
            Event::Html(_) => {
                let alone = self.html.filter(|&read| self.text[read..range.start].trim_ascii().is_empty());
                self.html = alone.map(|_| range.end);
            }
            _ if self.skipping > 0 => {}
            Event::Text(text) => self.said(text, range),
            // As in pandoc, a dollar sign before a digit ends no formula: these are amounts of money.
            Event::InlineMath(_) if self.text[range.end..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.words(&self.text[range.clone()], range);
            }
            Event::Code(_) | Event::FootnoteReference(_) | Event::InlineMath(_) | Event::DisplayMath(_) => {
                self.single(range);
            }
            Event::InlineHtml(tag) => self.tag(tag, range),
            // After a break of another kind it is no space of the text.
            Event::SoftBreak if self.open.is_none() => self.alone = false,
            Event::SoftBreak if self.alone => self.end_block(),
            Event::SoftBreak => {
                self.read_to(range.start, MarkKind::Single);
                self.inline.text(" ");
                self.broken_at = self.open.map_or(range.start, |(_, read)| read);
                self.read_on(&range);
                self.after_break = true;
            }
            Event::HardBreak | Event::Rule => self.end_block(),
            // The box of a task list belongs to the marker of its item.
            Event::TaskListMarker(_) => self.open = None,
        }
    }

    fn start(&mut self, tag: &Tag, range: Range<usize>) {
        if self.skipping > 0 {
            self.skipping += 1;
            return;
        }
        let kind = match tag {
            Tag::Heading { .. } => BlockKind::Heading,
            Tag::Item => BlockKind::Item,
            Tag::TableCell => BlockKind::Cell,
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Superscript | Tag::Subscript => {
                return self.open_mark(range.start, None);
            }
            Tag::Link { link_type, .. } if !matches!(link_type, LinkType::Autolink | LinkType::Email) => {
                let label = dialect::label(*link_type, &self.text[range.clone()]);
                return self.open_mark(range.start, label);
            }
            Tag::Link { .. } | Tag::Image { .. } => {
                self.single(range);
                self.skipping = 1;
                return;
            }
            Tag::CodeBlock(CodeBlockKind::Indented) if self.admonition.is_some() => {
                self.end_block();
                self.blocks.extend(indented::blocks(self.text, &range));
                self.skipping = 1;
                return;
            }
            Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::MetadataBlock(_) => {
                self.end_block();
                (self.skipping, self.html) = (1, Some(range.start));
                return;
            }
            // A paragraph in an item is still the item's text.
            _ => self.kinds.last().copied().filter(|kind| *kind == BlockKind::Item).unwrap_or(BlockKind::Paragraph),
        };
        self.end_block();
        self.admonition = None;
        self.kinds.push(kind);
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        if self.skipping > 0 {
            self.skipping -= 1;
            if tag == TagEnd::HtmlBlock && self.html.is_some() {
                let moved = |at: Range<usize>| range.start + at.start..range.start + at.end;
                let blocks = html::all(&self.text[range.clone()]).into_iter();
                self.blocks.extend(blocks.map(|(at, block)| (moved(at), block)));
            }
            return;
        }
        if is_inline(tag) {
            return self.close(range.end);
        }
        self.end_block();
        self.kinds.pop();
    }

    /// Text; what it starts a block with is no space.
    fn words(&mut self, text: &str, range: Range<usize>) {
        let said = if self.open.is_none() { text.trim_start_matches([' ', '\t']) } else { text };
        if said.is_empty() {
            return;
        }
        let range = range.start + (text.len() - said.len())..range.end;
        if self.open.is_none() && self.text[..range.start].ends_with('\\') {
            // The backslash of an escape belongs to the block, which has it anew where it is needed.
            self.read_on(&(range.start - 1..range.start - 1));
        }
        self.read_to(range.start, MarkKind::Single);
        self.inline.text(said);
        self.read_on(&range);
    }

    /// Where something opens whose sign reaches as far as what it encloses.
    fn open_mark(&mut self, at: usize, label: Option<String>) {
        self.read_to(at, MarkKind::Single);
        self.read_on(&(at..at));
        self.phrases.push(OpenPhrase { start: at, place: self.inline.place(), tag: String::new(), label });
        self.opening = true;
    }

    /// Ends what is open, whose sign reaches to `end`. Without words in it, it is a single mark: a picture with a link, code in bold.
    fn close(&mut self, end: usize) {
        let phrase = self.phrases.iter().rposition(|phrase| phrase.tag.is_empty());
        let phrase = phrase.and_then(|at| self.phrases.drain(at..).next());
        // The parser leaves out the `[]` of `[label][]`.
        let label = phrase.as_ref().and_then(|phrase| phrase.label.as_ref());
        let end = if label.is_some() && self.text[end..].starts_with("[]") { end + 2 } else { end };
        self.read_to(end, MarkKind::Close);
        let Some(phrase) = phrase else { return };
        if let Some(label) = &phrase.label {
            self.inline.rewrite_mark(&format!("][{label}]"));
        }
        self.fold(&phrase, end);
    }

    /// Makes a phrase that ends here a single mark, if there are no words in it.
    fn fold(&mut self, phrase: &OpenPhrase, end: usize) {
        let (said, marks) = self.inline.since(phrase.place);
        let has_mark = marks.iter().any(|mark| mark.kind == MarkKind::Single);
        if said.is_empty() || (said.trim().is_empty() && has_mark) {
            self.inline.fold(phrase.place, &self.text[phrase.start..end]);
            self.last_kept = Some((phrase.start, phrase.place));
        }
    }

    /// Adds a single mark for `range`. Two of them with only a sign between them are one, such as `` `Ctrl`+`C` ``.
    fn single(&mut self, range: Range<usize>) {
        self.read_to(range.start, MarkKind::Single);
        let is_joined = |(_, place): &(usize, InlinePlace)| {
            let (said, marks) = self.inline.since(*place);
            marks.len() == 1 && !said.contains(|c: char| c.is_alphanumeric() || c.is_whitespace())
        };
        if let Some((start, place)) = self.last_kept.filter(is_joined) {
            self.inline.fold(place, &self.text[start..range.end]);
        } else {
            self.last_kept = Some((range.start, self.inline.place()));
            self.inline.mark(MarkKind::Single, &self.text[range.clone()]);
        }
        self.read_on(&range);
    }

    /// A tag of HTML among the text.
    fn tag(&mut self, tag: &str, range: Range<usize>) {
        self.read_to(range.start, MarkKind::Single);
        let name = tag.trim_start_matches(['<', '/']);
        let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())];
        if name.eq_ignore_ascii_case("br") {
            return self.end_block();
        }
        let kind = match () {
            () if tag.starts_with("</") => MarkKind::Close,
            () if html::is_void(name) || tag.ends_with("/>") || name.is_empty() => MarkKind::Single,
            () => MarkKind::Open,
        };
        let place = self.inline.place();
        self.inline.mark(kind, &self.text[range.clone()]);
        self.read_on(&range);
        match kind {
            MarkKind::Open => {
                self.phrases.push(OpenPhrase { start: range.start, place, tag: name.to_owned(), label: None });
            }
            MarkKind::Close => {
                if let Some(phrase) = self.phrases.pop_if(|phrase| phrase.tag == name) {
                    self.fold(&phrase, range.end);
                }
            }
            _ => {}
        }
    }

    /// Adds the unread text before `at`, which is markup, as a mark.
    fn read_to(&mut self, at: usize, kind: MarkKind) {
        let Some((start, read)) = self.open else { return };
        let mut sign = &self.text[read.min(at)..at];
        if self.after_break {
            sign = sign.trim_start_matches([' ', '\t', '>']);
        }
        self.after_break = false;
        // A backslash, or the end of a quoted line: written anew where it is needed.
        if sign != "\\" {
            let kind = match (self.opening, kind) {
                (true, MarkKind::Close) => MarkKind::Single,
                (true, _) => MarkKind::Open,
                (false, kind) => kind,
            };
            self.inline.mark(kind, sign);
        }
        self.opening = false;
        self.open = Some((start, at.max(read)));
    }

    /// Extends the open block to the end of `range`, or starts one with it.
    fn read_on(&mut self, range: &Range<usize>) {
        let start = self.open.map_or(range.start, |(start, _)| start);
        self.open = Some((start, range.end));
    }

    /// Ends the open block, and keeps it if it has text.
    fn end_block(&mut self) {
        let inline = std::mem::take(&mut self.inline);
        let is_broken = self.after_break;
        (self.after_break, self.opening, self.alone) = (false, false, false);
        (self.phrases, self.spans, self.last_kept) = (Vec::new(), Vec::new(), None);
        if let Some((start, end)) = self.open.take()
            && inline.has_text()
        {
            // A line that is no part of the block has ended it.
            let end = if is_broken { self.broken_at.clamp(start, end) } else { end };
            let end = if is_broken { start + self.text[start..end].trim_end().len() } else { end };
            let source = &self.text[start..end];
            if !dialect::is_kept(source) {
                let kind = self.kinds.last().copied().unwrap_or(BlockKind::Paragraph);
                self.blocks.push((start..end, inline.finish(kind, source, Style::Markdown)));
            }
        }
    }
}

/// Whether what ends here is part of a block.
fn is_inline(tag: TagEnd) -> bool {
    matches!(
        tag,
        TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::Link
            | TagEnd::Image
    )
}
