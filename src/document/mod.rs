//! An article as blocks of text and the gaps between them.
//!
//! Invariant, the rule of the gaps: text = gap0 block0 gap1 block1 ... gapN. There is always one more
//! gap than blocks, either may be empty, and joining them gives the input back byte for byte. Whatever
//! a format calls structure (blank lines, markup, times, byte order marks) is in the gaps, so nothing
//! that works on blocks can lose it. Each format has a file that decides where its blocks are; where
//! sentences end inside a block belongs to `segment`.

mod ass;
mod envelope;
mod feed;
mod formats;
mod html;
mod in_language;
mod json;
#[doc(hidden)]
pub mod jsonl;
mod lines;
mod markdown;
mod markup;
mod package;
#[cfg(feature = "pdf")]
mod pdf;
mod po;
mod preface;
mod sections;
mod subtitles;
mod table;
mod tags;
mod text;
#[doc(hidden)]
pub mod tmx;
mod xliff;
mod xml;

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;

use anyhow::Result;

pub use envelope::FieldFormat;
pub use formats::{FORMATS, Format, FormatReader, FormatSpec, Holds, extensions, may_be, refusal};
#[doc(hidden)]
pub use html::pairs::{PagePair, pairs as page_pairs};
pub use jsonl::Field;
use markup::Markup;
pub(crate) use markup::escape_markdown;
pub use markup::{Comment, TranslatedSentence};

use crate::error::{Error, ErrorKind};
pub use package::{Content, Package};
pub use preface::Preface;
pub use sections::Section;
pub use text::decode;

/// The kind of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// The date an archive put before the article; never translated.
    Date,
    /// The title of a web page of which all text is read.
    Title,
    /// A headline or the line above a section.
    Heading,
    /// Running text.
    Paragraph,
    /// An item of a list.
    Item,
    /// The caption of a picture.
    Caption,
    /// The credit of a picture; never translated.
    Credit,
    /// The label of a button that was copied with the text; it is translated by a fixed table and not by a model.
    Label,
    /// A cell of a table.
    Cell,
    /// A message of a program, whose line breaks and tabulators are part of it: no sentence goes over them.
    Message,
    /// Speech of subtitles, in as many cues as a sentence has.
    Speech,
    /// A line of the `lines` format: one segment, whatever it contains.
    Line,
}

impl BlockKind {
    /// Whether a model translates this kind of block.
    #[must_use]
    pub fn is_translated(self) -> bool {
        !matches!(self, Self::Date | Self::Credit | Self::Label)
    }

    /// Whether this is running text, from which a summary may quote.
    #[must_use]
    pub fn is_running_text(self) -> bool {
        matches!(self, Self::Paragraph | Self::Item | Self::Speech)
    }
}

/// A piece of text of an article, such as a paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The kind of the block.
    pub kind: BlockKind,
    /// The text as a reader sees it: without markup, but with the line breaks of plain text.
    pub text: String,
    /// The markup inside the block, and how the block is encoded in its document.
    markup: Option<Box<Markup>>,
}

impl Block {
    /// A block without markup.
    #[must_use]
    pub fn plain(kind: BlockKind, text: &str) -> Self {
        Self { kind, text: text.to_owned(), markup: None }
    }

    /// The block that is written as `source` in plain text.
    fn of_text(kind: BlockKind, source: &str) -> Self {
        match markup::visible(source) {
            Cow::Owned(text) if kind != BlockKind::Line && !text.trim().is_empty() => {
                Self { kind, text: text.trim().to_owned(), markup: Some(Box::new(Markup::none(source))) }
            }
            _ => Self::plain(kind, source),
        }
    }

    /// The block as it stands in the article.
    #[must_use]
    pub fn source(&self) -> &str {
        self.markup.as_ref().map_or(&self.text, |markup| markup.source())
    }

    /// The block with other words: each sentence replaced by its translation, what is between them kept, and the markup
    /// taken along. Sentences are in order and do not overlap.
    #[must_use]
    pub fn translated(&self, sentences: &[TranslatedSentence]) -> Self {
        markup::translated(self, sentences)
    }
}

/// Options for reading an input: which part of it is the article.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The columns of a table, or the fields of a record, that have text.
    pub fields: Vec<String>,
    /// The format of these fields.
    pub field_format: FieldFormat,
    /// Whether texts that have a translation get a new one, in formats that hold translations.
    pub overwrite: bool,
    /// Most bytes of an archive that may be unpacked; `None` is the default limit.
    pub max_unpacked: Option<u64>,
    /// Whether comments in documents of Word and `OpenDocument` are left alone, and not read as text.
    pub without_comments: bool,
}

impl ReadOptions {
    /// The columns or fields that have text; `text` if none is named.
    fn fields(&self) -> impl Iterator<Item = &str> {
        let usual = self.fields.is_empty().then_some("text");
        usual.into_iter().chain(self.fields.iter().map(String::as_str))
    }
}

/// One article.
#[derive(Clone, Debug)]
pub struct Document {
    /// The article's own name (the `id` of a record), for messages.
    pub id: Option<String>,
    /// The input: a path, or `-`.
    pub input: String,
    /// The date, `YYYY-MM` or `YYYY-MM-DD`, if the article has one.
    pub date: Option<String>,
    /// The format of the article.
    pub format: Format,
    /// The blocks of text, in order.
    pub blocks: Vec<Block>,
    /// The text between the blocks: one gap more than there are blocks.
    pub gaps: Vec<String>,
    /// The format of the fields, in formats that have fields.
    pub field_format: FieldFormat,
    /// The fields that the article was read from, if there are several.
    pub sections: Vec<Section>,
    /// All fields of the record the article was in, in order, for JSONL.
    pub fields: Vec<Field>,
    /// Warnings for the reader, such as what could not be read.
    pub warnings: Vec<String>,
    /// The archive that the article was read from; its gaps are then in the archive.
    pub package: Option<Package>,
}

impl Document {
    /// Reads an article, and makes what it can of one that is not in the format it should be in: what is
    /// not understood is in a gap. A record of JSONL comes from [`jsonl::JsonlRecords`]; its field is plain text.
    #[must_use]
    pub fn parse(input: &str, text: &str, format: Format) -> Self {
        match format.spec().reader {
            FormatReader::Text { parse, .. } => parse(input, text),
            FormatReader::Strict(_) | FormatReader::Archive(_) | FormatReader::Binary(_) => {
                text::parse(input, text, Format::Text)
            }
        }
    }

    /// Reads an article that must be in its format.
    ///
    /// # Errors
    /// When the bytes are no text, a web page has no article, subtitles have times that are none, or an archive is damaged;
    /// names the place.
    pub fn read(input: &str, content: impl Into<Content>, format: Format) -> Result<Self, Error> {
        Self::read_with(input, content, format, &ReadOptions::default())
    }

    /// Reads an article that must be in its format, by options that say which part of it is meant.
    ///
    /// # Errors
    /// As `read`, and when a table has no column that is named.
    pub fn read_with(
        input: &str,
        content: impl Into<Content>,
        format: Format,
        options: &ReadOptions,
    ) -> Result<Self, Error> {
        let content = content.into();
        let read = match format.spec().reader {
            FormatReader::Text { parse, check } => content.text().and_then(|text| {
                let document = parse(input, &text);
                check(&text, &document)?;
                Ok(document)
            }),
            FormatReader::Strict(read) => content.text().and_then(|text| read(input, &text, options)),
            FormatReader::Archive(read) | FormatReader::Binary(read) => read(input, content, options),
        };
        read.map_err(|error| Error::from(error).or_kind(ErrorKind::Input))
    }

    /// Writes the whole article in its own format.
    ///
    /// # Errors
    /// When writing fails, or a translation cannot be put into the document.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        match &self.package {
            Some(package) => package.write(&self.blocks, out),
            None => Ok(out.write_all(self.text().as_bytes())?),
        }
    }

    /// Whether the article is empty: there is nothing but white space in it, or an archive has no blocks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        if self.package.is_some() {
            return self.blocks.is_empty();
        }
        let blank = |text: &String| text.trim_start_matches('\u{feff}').trim().is_empty();
        self.blocks.iter().all(|block| block.source().trim().is_empty()) && self.gaps.iter().all(blank)
    }

    /// Cuts `text` at `blocks`, which are in order and do not overlap; the rest becomes gaps.
    fn cut(input: &str, text: &str, format: Format, blocks: &[(Range<usize>, BlockKind)]) -> Self {
        let blocks = blocks.iter().map(|(range, kind)| (range.clone(), Block::of_text(*kind, &text[range.clone()])));
        Self::assemble(input, text, format, blocks.collect())
    }

    /// Puts blocks in their places in `text`; the rest becomes gaps.
    fn assemble(input: &str, text: &str, format: Format, blocks: Vec<(Range<usize>, Block)>) -> Self {
        let mut gaps = Vec::with_capacity(blocks.len() + 1);
        let mut end = 0;
        for (range, _) in &blocks {
            gaps.push(text[end..range.start].to_owned());
            end = range.end;
        }
        gaps.push(text[end..].to_owned());
        let blocks = blocks.into_iter().map(|(_, block)| block).collect();
        Self::new(input, format, blocks, gaps)
    }

    /// A document of blocks and gaps, without other facts.
    fn new(input: &str, format: Format, blocks: Vec<Block>, gaps: Vec<String>) -> Self {
        Self {
            id: None,
            input: input.to_owned(),
            date: None,
            format,
            blocks,
            gaps,
            field_format: FieldFormat::default(),
            sections: Vec::new(),
            fields: Vec::new(),
            warnings: Vec::new(),
            package: None,
        }
    }

    /// The name of the article in messages: its input, and its record there.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.id {
            Some(id) => format!("{}#{id}", self.input),
            None => self.input.clone(),
        }
    }

    /// The first heading, in formats that mark headings; `None` in plain text, where headings are guessed.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        let heading = self.blocks.iter().find(|block| block.kind == BlockKind::Heading);
        heading.filter(|_| self.format.spec().marks_headings).map(|block| block.text.as_str())
    }

    /// Whether the article is a web page.
    #[must_use]
    pub fn is_page(&self) -> bool {
        matches!(self.format, Format::Html | Format::HtmlWhole)
    }

    /// The whole article, gaps and blocks joined.
    #[must_use]
    pub fn text(&self) -> String {
        self.join(0)
    }

    /// The article without the date in front of it.
    #[must_use]
    pub fn body(&self) -> String {
        let dated = self.blocks.first().is_some_and(|block| block.kind == BlockKind::Date);
        self.join(usize::from(dated))
    }

    /// The article as plain text: its blocks without markup, with blank lines between them.
    #[must_use]
    pub fn without_markup(&self) -> Self {
        let close = |kind: BlockKind| {
            matches!(kind, BlockKind::Item | BlockKind::Cell | BlockKind::Message | BlockKind::Speech)
        };
        let blocks: Vec<_> = self.blocks.iter().map(|block| Block::plain(block.kind, &block.text)).collect();
        let between = blocks.windows(2).map(|pair| {
            let line = close(pair[0].kind) && pair[0].kind == pair[1].kind;
            if line { "\n".to_owned() } else { "\n\n".to_owned() }
        });
        let mut gaps = vec![String::new()];
        gaps.extend(between);
        gaps.extend(blocks.last().map(|_| "\n".to_owned()));
        Self { blocks, gaps, ..self.clone() }
    }

    /// Whether the article's format has markup, which must be removed for other formats.
    #[must_use]
    pub fn has_markup(&self) -> bool {
        self.format.spec().has_markup || self.field_format != FieldFormat::Text
    }

    /// Joins from block `first` on. What stands before the first block is kept only with it: the gap
    /// after a date is nothing but the space that parts the two.
    fn join(&self, first: usize) -> String {
        let mut joined = String::new();
        if first == 0 {
            joined.push_str(&self.gaps[0]);
        }
        for (block, gap) in self.blocks.iter().zip(&self.gaps[1..]).skip(first) {
            joined.push_str(block.source());
            joined.push_str(gap);
        }
        joined
    }
}
