//! An article as blocks of text and the gaps between them.
//!
//! Invariant, the rule of the gaps: text = gap0 block0 gap1 block1 ... gapN. There is always one more
//! gap than blocks, either may be empty, and joining them gives the input back byte for byte. Whatever
//! a format calls structure (blank lines, markup, times, byte order marks) is in the gaps, so nothing
//! that works on blocks can lose it. Each format has a file that decides where its blocks are; where
//! sentences end inside a block belongs to `segment`.

pub mod jsonl;
mod lines;
mod text;

use std::ops::Range;
use std::str::FromStr;

use anyhow::{Result, bail};

pub use jsonl::Field;

/// How an article is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Paragraphs separated by blank lines.
    Text,
    /// One JSON object per line, one of its fields the article.
    Jsonl,
    /// Every line one segment.
    Lines,
}

impl Format {
    /// The format that files of this name are in: by their extension, else plain text.
    #[must_use]
    pub fn of_path(path: &std::path::Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Self::Jsonl,
            _ => Self::Text,
        }
    }

    /// What the format is called on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Jsonl => "jsonl",
            Self::Lines => "lines",
        }
    }
}

impl FromStr for Format {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = [Self::Text, Self::Jsonl, Self::Lines];
        match known.into_iter().find(|format| format.name() == name) {
            Some(format) => Ok(format),
            None => bail!(
                "unknown format `{name}`\nhint: it is one of {}",
                known.map(|format| format!("`{}`", format.name())).join(", ")
            ),
        }
    }
}

/// What a block is in its article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// The date an archive put before the article; never translated.
    Date,
    /// A headline or the line above a section.
    Heading,
    /// Running text.
    Paragraph,
    /// An item of a list.
    Item,
    /// What is said below a picture.
    Caption,
    /// Who made the picture; never translated.
    Credit,
    /// What stands on a button that was copied along; translated by a fixed table, not by a model.
    Label,
    /// A line of the `lines` format: one segment, whatever it holds.
    Line,
}

impl BlockKind {
    /// Whether a model is asked for this block's English.
    #[must_use]
    pub fn is_translated(self) -> bool {
        !matches!(self, Self::Date | Self::Credit | Self::Label)
    }

    /// Whether this is running text, from which a summary may quote.
    #[must_use]
    pub fn is_running_text(self) -> bool {
        matches!(self, Self::Paragraph | Self::Item)
    }
}

/// A stretch of an article that belongs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What the block is.
    pub kind: BlockKind,
    /// Its text, exactly as in the article: line breaks inside it included.
    pub text: String,
}

/// One article.
#[derive(Clone, Debug)]
pub struct Document {
    /// What the article calls itself (the `id` of a record), for messages.
    pub id: Option<String>,
    /// Where it came from: a path, or `-`.
    pub input: String,
    /// `YYYY-MM` or `YYYY-MM-DD`, where the article says so.
    pub date: Option<String>,
    /// How the article is written.
    pub format: Format,
    /// The stretches of text, in order.
    pub blocks: Vec<Block>,
    /// What stands between them: one more than there are blocks.
    pub gaps: Vec<String>,
    /// All fields of the record the article was in, in order, for JSONL.
    pub fields: Vec<Field>,
}

impl Document {
    /// Reads an article. A record of JSONL comes from [`jsonl::Records`] instead; here that format is
    /// read as plain text.
    #[must_use]
    pub fn parse(input: &str, text: &str, format: Format) -> Self {
        match format {
            Format::Text | Format::Jsonl => text::parse(input, text, format),
            Format::Lines => lines::parse(input, text),
        }
    }

    /// Cuts `text` at `blocks`, which are in order and do not overlap; the rest becomes gaps.
    fn cut(input: &str, text: &str, format: Format, blocks: &[(Range<usize>, BlockKind)]) -> Self {
        let mut gaps = Vec::with_capacity(blocks.len() + 1);
        let mut end = 0;
        for (range, _) in blocks {
            gaps.push(text[end..range.start].to_owned());
            end = range.end;
        }
        gaps.push(text[end..].to_owned());
        let blocks =
            blocks.iter().map(|(range, kind)| Block { kind: *kind, text: text[range.clone()].to_owned() }).collect();
        let input = input.to_owned();
        Self { id: None, input, date: None, format, blocks, gaps, fields: Vec::new() }
    }

    /// What messages call the article: where it came from, and which record it was there.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.id {
            Some(id) => format!("{}#{id}", self.input),
            None => self.input.clone(),
        }
    }

    /// The first heading, in formats that mark headings; in plain text what looks like one is a guess.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        match self.format {
            Format::Text | Format::Jsonl | Format::Lines => None,
        }
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

    /// Joins from block `first` on. What stands before the first block is kept only with it: the gap
    /// after a date is nothing but the space that parts the two.
    fn join(&self, first: usize) -> String {
        let mut joined = String::new();
        if first == 0 {
            joined.push_str(&self.gaps[0]);
        }
        for (block, gap) in self.blocks.iter().zip(&self.gaps[1..]).skip(first) {
            joined.push_str(&block.text);
            joined.push_str(gap);
        }
        joined
    }
}

/// The text of a file's bytes.
///
/// # Errors
/// When they are not UTF-8, or hold a NUL byte (then they are no text at all); names the offset.
pub fn decode(bytes: Vec<u8>) -> Result<String> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bail!(
            "not valid UTF-8: the byte at offset {} is `0x{:02x}`\n\
             hint: convert the file to UTF-8 first, for instance with `iconv -f WINDOWS-1252 -t UTF-8`",
            error.utf8_error().valid_up_to(),
            error.as_bytes()[error.utf8_error().valid_up_to()]
        ),
    };
    if let Some(offset) = text.find('\0') {
        bail!(
            "not a text: there is a NUL byte at offset {offset}\n\
             hint: a file in UTF-16 must be converted to UTF-8 first; other files with NUL bytes hold no article"
        );
    }
    Ok(text)
}
