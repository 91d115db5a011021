//! Reports as people and programs read them.
//!
//! Invariant: every renderer gives the whole of one article as one piece of text, and `Framing` says
//! what stands around the pieces, so that outputs of any length can be written piece by piece.
//! `journal` writes them safely. What is in a report belongs to `report`.

pub mod journal;

mod html;
mod json;
mod markdown;
mod text;

use std::io::Write;

use anyhow::Result;

use crate::document::{self, Document};
use crate::report::{LineReport, Report};

/// How output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Plain text.
    Text,
    /// Markdown.
    Markdown,
    /// A page: that of the article itself where it is one and only its words change, else one to read.
    Html,
    /// An array of objects.
    Json,
    /// One object per line.
    Jsonl,
    /// The article's own, for formats that none of the others is.
    Own(document::Format),
}

/// What an article of any format can be written in, with its name, its extension, and what it is.
pub const FORMATS: [(Format, &str, &str, &str); 5] = [
    (Format::Text, "text", "txt", "Plain text"),
    (Format::Markdown, "markdown", "md", "Markdown"),
    (Format::Html, "html", "html", "One readable page per article"),
    (Format::Json, "json", "json", "An array of objects"),
    (Format::Jsonl, "jsonl", "jsonl", "One object per line"),
];

impl Format {
    /// What the format is called on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Own(format) => format.name(),
            _ => self.row().map_or("", |row| row.1),
        }
    }

    /// The extension of a file in this format.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Own(format) => format.spec().extensions.first().copied().unwrap_or_default(),
            _ => self.row().map_or("", |row| row.2),
        }
    }

    /// What the format is, for the help of the command line.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Own(format) => format.spec().help,
            _ => self.row().map_or("", |row| row.3),
        }
    }

    fn row(self) -> Option<&'static (Self, &'static str, &'static str, &'static str)> {
        FORMATS.iter().find(|(format, ..)| *format == self)
    }

    /// What stands around the pieces of one output.
    #[must_use]
    pub fn framing(self) -> Framing {
        match self {
            Self::Text | Self::Markdown | Self::Html | Self::Own(_) => Framing { open: "", between: "\n", close: "" },
            Self::Json => Framing { open: "[\n", between: ",\n", close: "\n]\n" },
            Self::Jsonl => Framing { open: "", between: "", close: "" },
        }
    }

    /// The same for the `lines` format, where each piece is a line and there is nothing between two.
    #[must_use]
    pub fn line_framing(self) -> Framing {
        match self {
            Self::Json => self.framing(),
            _ => Framing { open: "", between: "", close: "" },
        }
    }

    /// One article, as text or as the document that it is.
    #[must_use]
    pub fn body(self, report: &Report) -> Body {
        match (self, &report.document) {
            (Self::Own(format), Some(document)) if format.spec().is_archive() => {
                Body::Document(Box::new(document.clone()))
            }
            _ => Body::Text(self.article(report)),
        }
    }

    /// One article as text.
    #[must_use]
    pub fn article(self, report: &Report) -> String {
        match self {
            Self::Text => text::article(report),
            Self::Markdown => markdown::article(report),
            Self::Html => html::article(report),
            Self::Own(_) => text::as_it_is(report),
            Self::Json => json::article(report),
            Self::Jsonl => json::article(report) + "\n",
        }
    }

    /// One line of the `lines` format; but for JSON, the target alone.
    #[must_use]
    pub fn line(self, report: &LineReport) -> String {
        match self {
            Self::Text | Self::Markdown | Self::Html | Self::Own(_) => text::one_line(&report.target) + "\n",
            Self::Json => json::line(report),
            Self::Jsonl => json::line(report) + "\n",
        }
    }
}

/// What is written of one article.
#[derive(Clone, Debug)]
pub enum Body {
    /// Text.
    Text(String),
    /// A document that is an archive, to be written when its turn comes.
    Document(Box<Document>),
}

impl Default for Body {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Body {
    /// Writes it.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Text(text) => Ok(out.write_all(text.as_bytes())?),
            Self::Document(document) => document.write(out),
        }
    }

    /// Whether it ends with a line end, as text does that others can follow.
    #[must_use]
    pub fn ends_line(&self) -> bool {
        matches!(self, Self::Text(text) if text.ends_with('\n'))
    }
}

/// What is written before the first piece, between two, and after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Before the first.
    pub open: &'static str,
    /// Between two.
    pub between: &'static str,
    /// After the last.
    pub close: &'static str,
}
