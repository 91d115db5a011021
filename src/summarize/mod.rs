//! Summaries of articles in a few sentences.
//!
//! Invariant: a summary is made of whole sentences, at most as many as [`Length`] allows; a summary that ends otherwise
//! has a flag. It is made from all of the article's running text. `extractive` chooses sentences of the article and needs
//! no model. `abstractive` has a model write the summary, in as many passes as its window makes necessary.

pub mod abstractive;
pub mod extractive;
mod parts;
pub mod recall;
mod stop_words;

pub(crate) use stop_words::is_stop_word;

use std::str::FromStr;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::check::Flag;
use crate::document::{Block, Document};
use crate::error::WithHint;

/// The length of a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Length {
    /// Two sentences.
    Short,
    /// Three sentences.
    #[default]
    Medium,
    /// Six sentences.
    Long,
    /// A number of sentences.
    Sentences(usize),
    /// A share of the article's sentences, in percent.
    Percent(usize),
}

impl Length {
    /// The most sentences of a summary, for an article with `total` sentences: at least one, if the article has any.
    #[must_use]
    pub fn of(self, total: usize) -> usize {
        let wanted = match self {
            Self::Short => 2,
            Self::Medium => 3,
            Self::Long => 6,
            Self::Sentences(count) => count,
            Self::Percent(percent) => (total.saturating_mul(percent)).div_ceil(100),
        };
        wanted.clamp(1, total.max(1)).min(total)
    }
}

impl FromStr for Length {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |digits: &str| digits.parse().ok().filter(|&number: &usize| number > 0);
        let length = match text {
            "short" => Some(Self::Short),
            "medium" => Some(Self::Medium),
            "long" => Some(Self::Long),
            _ => match text.strip_suffix('%') {
                Some(digits) => number(digits).filter(|&percent| percent <= 100).map(Self::Percent),
                None => number(text).map(Self::Sentences),
            },
        };
        let Some(length) = length else {
            bail!(format!("`{text}` is no length of a summary").with_hint(
                "give `short`, `medium`, `long`, a number of sentences such as `4`, or a share such as `20%`"
            ));
        };
        Ok(length)
    }
}

/// The method by which a summary was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SummaryMethod {
    /// Written by a model.
    Abstractive,
    /// Sentences of the article itself.
    Extractive,
}

/// A summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The summary as one paragraph.
    pub text: String,
    /// The summary's sentences.
    pub sentences: Vec<String>,
    /// The method by which it was made.
    pub method: SummaryMethod,
    /// Number of passes of a model: one if the article fits its window, one more for each round of summaries of
    /// summaries.
    pub passes: usize,
    /// Number of texts that the model summarised in all passes.
    pub parts: usize,
    /// Number of tokens that the model wrote.
    pub tokens: usize,
    /// Problems that were found.
    pub flags: Vec<Flag>,
    /// Warnings that a reader should see before trusting the summary.
    pub warnings: Vec<String>,
}

impl Summary {
    fn new(sentences: Vec<String>, method: SummaryMethod) -> Self {
        let text = sentences.join(" ");
        Self { text, sentences, method, passes: 0, parts: 0, tokens: 0, flags: Vec::new(), warnings: Vec::new() }
    }
}

/// The blocks that a summary is made of: the running text, or all translated blocks if there is none. Headings, captions
/// and dates add nothing to the text, and are not sentences.
fn body(document: &Document) -> Vec<&Block> {
    let running: Vec<&Block> = document.blocks.iter().filter(|block| block.kind.is_running_text()).collect();
    if running.is_empty() {
        return document.blocks.iter().filter(|block| block.kind.is_translated()).collect();
    }
    running
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_and_bounded() {
        let of = |text: &str, total: usize| text.parse::<Length>().unwrap().of(total);
        assert_eq!([of("short", 20), of("medium", 20), of("long", 20), of("7", 20), of("10%", 25)], [2, 3, 6, 7, 3]);
        assert_eq!([of("long", 4), of("1%", 1), of("100%", 9), of("5", 0), of("short", 0)], [4, 1, 9, 0, 0]);
        for bad in ["", "0", "0%", "101%", "-1", "2.5", "tiny", "%"] {
            let message = bad.parse::<Length>().unwrap_err().to_string();
            assert!(message.contains("hint: "), "{bad}: {message}");
        }
    }
}
