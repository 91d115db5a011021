//! Reports as people and programs read them.
//!
//! Invariant: every renderer gives a whole article as one piece, and `Framing` has the text around the pieces, so
//! that outputs of any length can be written piece by piece. `journal` writes files safely. The contents of a report
//! belong to `report`.

#[doc(hidden)]
pub mod comparison;
#[doc(hidden)]
pub mod journal;

mod additions;
mod html;
mod json;
mod markdown;
mod segments;
mod text;
mod words;

use std::io::Write;

use anyhow::Result;

pub use additions::Additions;

use crate::consistency::TermUse;
use crate::document::{self, Document, tmx};
use crate::report::{LineReport, Report};

/// The format in which reports are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// Plain text.
    Text,
    /// Markdown.
    Markdown,
    /// A web page: the article's own page if it is one and only its words change, else a page with source and
    /// translation.
    Html,
    /// An array of objects.
    Json,
    /// One object per line.
    Jsonl,
    /// Source and target of each segment, as a translation memory.
    Tmx,
    /// Source and target of each segment, as a table.
    Tsv,
    /// The article's own format, if it is none of the others.
    Own(document::Format),
}

/// The formats that any article can be written in, each with its name, its extension and its help.
pub const FORMATS: [(ReportFormat, &str, &str, &str); 7] = [
    (ReportFormat::Text, "text", "txt", "Plain text"),
    (ReportFormat::Markdown, "markdown", "md", "Markdown"),
    (ReportFormat::Html, "html", "html", "One readable page per article"),
    (ReportFormat::Json, "json", "json", "An array of objects"),
    (ReportFormat::Jsonl, "jsonl", "jsonl", "One object per line"),
    (ReportFormat::Tmx, "tmx", "tmx", "Source and target of each segment, as a translation memory"),
    (ReportFormat::Tsv, "tsv", "tsv", "Source and target of each segment, with a tabulator between them"),
];

impl ReportFormat {
    /// The name of the format on the command line.
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

    /// The help of the command line for the format.
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

    /// The text around the articles of one output.
    #[must_use]
    pub fn framing(self) -> Framing {
        match self {
            Self::Text | Self::Markdown | Self::Html | Self::Own(_) => Framing { open: "", between: "\n", close: "" },
            Self::Json => Framing { open: "[\n", between: ",\n", close: "\n]\n" },
            Self::Jsonl | Self::Tsv => Framing { open: "", between: "", close: "" },
            Self::Tmx => Framing { open: tmx::OPEN, between: "", close: tmx::CLOSE },
        }
    }

    /// The text around the lines of one output of the `lines` format, which have nothing between them.
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
            (Self::Own(format), Some(document)) if format.spec().is_binary() => {
                Body::Document(Box::new(text::with_summary(report, document)))
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
            Self::Tmx => segments::tmx(report),
            Self::Tsv => segments::tsv(report),
            Self::Json => json::article(report),
            Self::Jsonl => json::article(report) + "\n",
        }
    }

    /// The object of inconsistently translated terms for the end of a run; `None` in formats without objects.
    #[doc(hidden)]
    #[must_use]
    pub fn inconsistent(self, terms: &[TermUse]) -> Option<Body> {
        let end = match self {
            Self::Json => "",
            Self::Jsonl => "\n",
            _ => return None,
        };
        Some(Body::Text(json::inconsistent(terms) + end))
    }

    /// One line of the `lines` format: an object in JSON formats, the target alone in others.
    #[must_use]
    pub fn line(self, report: &LineReport) -> String {
        match self {
            Self::Text | Self::Markdown | Self::Html | Self::Tmx | Self::Tsv | Self::Own(_) => {
                text::one_line(&report.target) + "\n"
            }
            Self::Json => json::line(report),
            Self::Jsonl => json::line(report) + "\n",
        }
    }
}

/// One article as it is written.
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
    /// Writes the article.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Text(text) => Ok(out.write_all(text.as_bytes())?),
            Self::Document(document) => document.write(out),
        }
    }

    /// Whether the article is text that ends with a line end, so that another can follow.
    #[must_use]
    pub fn ends_line(&self) -> bool {
        matches!(self, Self::Text(text) if text.ends_with('\n'))
    }
}

/// The text before the first article or line, between two, and after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Before the first.
    pub open: &'static str,
    /// Between two.
    pub between: &'static str,
    /// After the last.
    pub close: &'static str,
}
