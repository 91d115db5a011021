//! The formats an article can be in, each defined once: a row of `FORMATS`.
//!
//! Invariant: whatever lists formats is made from these rows: values of the command line, files of a folder that are read,
//! what the server takes and its description, the page. How a format is read belongs to its own file.

mod rows;

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::{Content, Document, ReadOptions};
use crate::error::WithHint;
pub use rows::FORMATS;

/// How an article is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Paragraphs separated by blank lines.
    Text,
    /// Markdown (`CommonMark` with tables, footnotes, strikethrough and front matter).
    Markdown,
    /// A web page, of which the article is meant.
    Html,
    /// A web page, all of it meant.
    HtmlWhole,
    /// One JSON object per line, one of its fields the article.
    Jsonl,
    /// A feed: RSS, Atom or JSON Feed.
    Rss,
    /// Subtitles.
    Srt,
    /// Subtitles of web pages.
    Vtt,
    /// Subtitles of Sub Station Alpha.
    Ass,
    /// Messages of programs.
    Po,
    /// Texts for translation, as translators' programs exchange them.
    Xliff,
    /// A table whose cells commas, semicolons or the like part.
    Csv,
    /// A table whose cells tabulators part.
    Tsv,
    /// A document of Word.
    Docx,
    /// A text of `OpenDocument`, as Writer makes it.
    Odt,
    /// A presentation of `PowerPoint`.
    Pptx,
    /// A presentation of `OpenDocument`, as Impress makes it.
    Odp,
    /// A workbook of Excel.
    Xlsx,
    /// A workbook of `OpenDocument`, as Calc makes it.
    Ods,
    /// A book.
    Epub,
    /// Every line one segment.
    Lines,
    /// Pages with letters in their places; only read.
    #[cfg(feature = "pdf")]
    Pdf,
}

/// What one input in a format holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// An article.
    Article,
    /// Records with an article each.
    Records,
    /// Lines, each a segment.
    Lines,
}

/// Everything about a format that is not how it is read.
pub struct FormatSpec {
    /// Which format.
    pub format: Format,
    /// What it is called on the command line and in requests.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// What one input in it is, for the help of the command line.
    pub help: &'static str,
    /// The extensions of its files, without the dot, the usual one first.
    pub extensions: &'static [&'static str],
    /// What it is sent as.
    pub media_type: &'static str,
    /// What one input holds.
    pub holds: Holds,
    /// Whether it has markup, which other formats must not be given.
    pub has_markup: bool,
    /// Whether it says what is a heading; elsewhere that is a guess.
    pub marks_headings: bool,
    /// How it is read.
    pub reader: FormatReader,
}

impl FormatSpec {
    /// Whether it has fields, of which some have text.
    #[must_use]
    pub fn has_fields(&self) -> bool {
        self.holds == Holds::Records || matches!(self.format, Format::Csv | Format::Tsv)
    }

    /// Whether it holds translations beside what they translate.
    #[must_use]
    pub fn holds_translations(&self) -> bool {
        matches!(self.format, Format::Po | Format::Xliff)
    }

    /// Whether there is room in it for a summary, in its own styles.
    #[must_use]
    pub fn takes_summary(&self) -> bool {
        matches!(self.format, Format::Docx | Format::Odt | Format::Epub | Format::Html | Format::HtmlWhole)
    }

    /// Whether it is bytes that no text can hold, such as an archive.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        matches!(self.reader, FormatReader::Archive(_) | FormatReader::Binary(_))
    }
}

/// How a format is read.
#[derive(Clone, Copy)]
pub enum FormatReader {
    /// From text in UTF-8.
    Text {
        /// Makes a document of any text.
        parse: fn(input: &str, text: &str) -> Document,
        /// Says what is wrong with the text, or with the document that was made of it.
        check: fn(text: &str, document: &Document) -> Result<()>,
    },
    /// From text in UTF-8 that must be in the format; of some formats, some fields are meant.
    Strict(fn(input: &str, text: &str, options: &ReadOptions) -> Result<Document>),
    /// From an archive, as which it is written again.
    Archive(fn(input: &str, content: Content, options: &ReadOptions) -> Result<Document>),
    /// From bytes as which it is never written: it becomes Markdown.
    Binary(fn(input: &str, content: Content, options: &ReadOptions) -> Result<Document>),
}

impl Format {
    /// The format's row.
    #[must_use]
    pub fn spec(self) -> &'static FormatSpec {
        &FORMATS[self as usize]
    }

    /// The format that a file's extension tells; none for one that no format has.
    #[must_use]
    pub fn known(path: &std::path::Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        FORMATS.iter().find(|spec| spec.extensions.contains(&&*extension)).map(|spec| spec.format)
    }

    /// The format that files of this name are in: by their extension, else plain text.
    #[must_use]
    pub fn of_path(path: &std::path::Path) -> Self {
        Self::known(path).unwrap_or(Self::Text)
    }

    /// Whether a translation in this format is written by putting its words back where they were; the others are rendered.
    #[must_use]
    pub fn is_own(self) -> bool {
        let written = self.written_as() == self && self.spec().has_markup;
        written && !matches!(self, Self::Markdown | Self::Html | Self::HtmlWhole)
    }

    /// The format that articles of this format are written in: itself, or Markdown for one that is only read.
    #[must_use]
    pub fn written_as(self) -> Self {
        if matches!(self.spec().reader, FormatReader::Binary(_)) { Self::Markdown } else { self }
    }

    /// What the format is called on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }
}

/// All extensions, each with its dot.
pub fn extensions() -> impl Iterator<Item = String> {
    FORMATS.iter().flat_map(|spec| spec.extensions).map(|extension| format!(".{extension}"))
}

impl fmt::Debug for FormatSpec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("FormatSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

impl FromStr for Format {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match FORMATS.iter().find(|spec| spec.name == name) {
            Some(spec) => Ok(spec.format),
            None => bail!(format!("unknown format `{name}`").with_hint(format!(
                "it is one of {}",
                FORMATS.iter().map(|spec| format!("`{}`", spec.name)).collect::<Vec<_>>().join(", ")
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_row_and_nothing_is_told_by_two() {
        assert!(
            FORMATS
                .iter()
                .enumerate()
                .all(|(row, spec)| spec.format.spec().name == spec.name && spec.format as usize == row)
        );
        let known: Vec<String> = extensions().collect();
        let names: Vec<&str> = FORMATS.iter().map(|spec| spec.name).collect();
        for all in [known, names.iter().map(|name| (*name).to_owned()).collect()] {
            assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), all.len(), "{all:?}");
        }
        assert!(names.iter().all(|name| name.parse::<Format>().is_ok_and(|format| format.name() == *name)));
    }
}
