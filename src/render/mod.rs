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
    /// Subtitles, for subtitles.
    Srt,
    /// An array of objects.
    Json,
    /// One object per line.
    Jsonl,
}

impl Format {
    /// The extension of a file in this format.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Srt => "srt",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
        }
    }

    /// What stands around the pieces of one output.
    #[must_use]
    pub fn framing(self) -> Framing {
        match self {
            Self::Text | Self::Markdown | Self::Html | Self::Srt => Framing { open: "", between: "\n", close: "" },
            Self::Json => Framing { open: "[\n", between: ",\n", close: "\n]\n" },
            Self::Jsonl => Framing { open: "", between: "", close: "" },
        }
    }

    /// One article.
    #[must_use]
    pub fn article(self, report: &Report) -> String {
        match self {
            Self::Text => text::article(report),
            Self::Markdown => markdown::article(report),
            Self::Html => html::article(report),
            Self::Srt => text::as_it_is(report),
            Self::Json => json::article(report),
            Self::Jsonl => json::article(report) + "\n",
        }
    }

    /// One line of the `lines` format; but for JSON, the target alone.
    #[must_use]
    pub fn line(self, report: &LineReport) -> String {
        match self {
            Self::Text | Self::Markdown | Self::Html | Self::Srt => text::one_line(&report.target) + "\n",
            Self::Json => json::line(report),
            Self::Jsonl => json::line(report) + "\n",
        }
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
