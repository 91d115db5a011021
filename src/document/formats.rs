//! The formats an article can be in, each defined once: a row of `FORMATS`.
//!
//! Invariant: whatever lists formats is made from these rows: values of the command line, files of a folder that are read,
//! what the server takes and its description, the page. How a format is read belongs to its own file.

mod others;
mod rows;

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::{Content, Document, ReadOptions};
use crate::error::WithHint;
pub use others::{may_be, refusal};
pub use rows::FORMATS;

/// The format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Paragraphs separated by blank lines.
    Text,
    /// Markdown (`CommonMark` with tables, footnotes, strikethrough and front matter).
    Markdown,
    /// A web page, of which only the article is read.
    Html,
    /// A web page, of which all text is read.
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
    /// A table with commas, semicolons or the like between its cells.
    Csv,
    /// A table with tabs between its cells.
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
    /// A PDF; it can be read but not written.
    #[cfg(feature = "pdf")]
    Pdf,
}

/// The contents of one input in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// An article.
    Article,
    /// Records with an article each.
    Records,
    /// Lines, each a segment.
    Lines,
}

/// The row of a format.
pub struct FormatSpec {
    /// The format.
    pub format: Format,
    /// The name of the format on the command line and in requests.
    pub name: &'static str,
    /// The name of the format for people.
    pub title: &'static str,
    /// The description of an input in this format, for the help of the command line.
    pub help: &'static str,
    /// The extensions of its files, without the dot, the usual one first.
    pub extensions: &'static [&'static str],
    /// The media type.
    pub media_type: &'static str,
    /// The contents of one input.
    pub holds: Holds,
    /// Whether texts in it have markup, which must be removed for other formats.
    pub has_markup: bool,
    /// Whether it marks headings; in other formats headings are guessed.
    pub marks_headings: bool,
    /// The reader of the format.
    pub reader: FormatReader,
}

impl FormatSpec {
    /// Whether the format has fields, some of which contain text.
    #[must_use]
    pub fn has_fields(&self) -> bool {
        self.holds == Holds::Records || matches!(self.format, Format::Csv | Format::Tsv)
    }

    /// Whether the format holds sources together with their translations.
    #[must_use]
    pub fn holds_translations(&self) -> bool {
        matches!(self.format, Format::Po | Format::Xliff)
    }

    /// Whether a summary can be put into a document of this format, in the document's own styles.
    #[must_use]
    pub fn takes_summary(&self) -> bool {
        matches!(self.format, Format::Docx | Format::Odt | Format::Epub | Format::Html | Format::HtmlWhole)
    }

    /// Whether the format is binary, such as an archive.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        matches!(self.reader, FormatReader::Archive(_) | FormatReader::Binary(_))
    }
}

/// The way in which a format is read.
#[derive(Clone, Copy)]
pub enum FormatReader {
    /// From text in UTF-8.
    Text {
        /// Makes a document of any text.
        parse: fn(input: &str, text: &str) -> Document,
        /// Checks the text, and the document that was made of it.
        check: fn(text: &str, document: &Document) -> Result<()>,
    },
    /// From text in UTF-8 that must be in the format; the options may name the fields to read.
    Strict(fn(input: &str, text: &str, options: &ReadOptions) -> Result<Document>),
    /// From an archive, which is also written again.
    Archive(fn(input: &str, content: Content, options: &ReadOptions) -> Result<Document>),
    /// From bytes of a format that is never written; the document becomes Markdown.
    Binary(fn(input: &str, content: Content, options: &ReadOptions) -> Result<Document>),
}

impl Format {
    /// The format's row.
    #[must_use]
    pub fn spec(self) -> &'static FormatSpec {
        &FORMATS[self as usize]
    }

    /// The format with the extension of a file; `None` if no format has it.
    #[must_use]
    pub fn known(path: &std::path::Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        FORMATS.iter().find(|spec| spec.extensions.contains(&&*extension)).map(|spec| spec.format)
    }

    /// The format of a file by its extension; plain text if no format has it.
    #[must_use]
    pub fn of_path(path: &std::path::Path) -> Self {
        Self::known(path).unwrap_or(Self::Text)
    }

    /// Whether a translation in this format is written by replacing its texts in place. Other formats are rendered.
    #[must_use]
    pub fn is_own(self) -> bool {
        let written = self.written_as() == self && self.spec().has_markup;
        written && !matches!(self, Self::Markdown | Self::Html | Self::HtmlWhole)
    }

    /// The format in which articles of this format are written: itself, or Markdown for a format that can only be
    /// read.
    #[must_use]
    pub fn written_as(self) -> Self {
        if matches!(self.spec().reader, FormatReader::Binary(_)) { Self::Markdown } else { self }
    }

    /// The name of the format on the command line.
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
