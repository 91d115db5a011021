//! Summaries that a model writes.
//!
//! An article that fits the model's window is summarised in one pass. A longer one is divided into parts; each part is
//! summarised, and then their summaries are summarised, until they fit. Invariant: every sentence of the article is in
//! exactly one part of the first pass, and every summary of a part in one of the next, so nothing is cut off silently. A
//! summary that the model could not finish is cut back to its last whole sentence and flagged. In each pass, the parts of
//! all articles share one call of the model. How a text is divided belongs to `parts`, how it is decoded to `engine`.

use std::collections::BTreeMap;

use anyhow::Result;

use super::parts::{Window, parts};
use super::{Length, Summary, SummaryMethod, body, extractive};
use crate::check::Flag;
use crate::document::Document;
use crate::engine::{Generation, Session};
use crate::error::WithHint;
use crate::segment::{self, Language, on_one_line};

/// The fewest new tokens per requested sentence: the length of a short one.
const MIN_TOKENS_PER_SENTENCE: usize = 15;
/// The most new tokens per requested sentence: enough for a long one, so that the model can finish it.
const MAX_TOKENS_PER_SENTENCE: usize = 60;

/// Limits of an output's new tokens: the fewest and the most.
pub type LengthLimits = (usize, usize);

/// A model as a summariser sees it.
pub trait SummaryWriter {
    /// Generates one text for each source, in their order; `limits` replaces the lengths in the model's own settings.
    fn write(&self, texts: &[&str], limits: Option<LengthLimits>) -> Result<Vec<Generation>>;
    /// Number of tokens of the window that this text takes.
    fn count_tokens(&self, text: &str) -> Result<usize>;
    /// The most source tokens that the model can take.
    fn window(&self) -> usize;
    /// The fewest new tokens that the model may write by its own settings.
    fn least_tokens(&self) -> usize;
}

impl SummaryWriter for Session<'_> {
    fn write(&self, texts: &[&str], limits: Option<LengthLimits>) -> Result<Vec<Generation>> {
        match limits {
            Some((least, most)) => self.with_length_limits(least, most).generate(texts),
            None => self.generate(texts),
        }
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.engine().window()
    }

    fn least_tokens(&self) -> usize {
        Self::least_tokens(self)
    }
}

/// A summariser that has a model write the summaries.
pub struct Abstractive<'a> {
    /// The model, with its decoding options.
    pub model: &'a dyn SummaryWriter,
    /// Language of the articles.
    pub language: Language,
    /// The most sentences of a summary; `None` leaves its length to the model's own settings.
    pub length: Option<Length>,
    /// Whether the caller set the number of tokens of a summary; then a number of sentences only cuts it.
    pub own_limits: bool,
}

/// The state of an article whose summary is not finished.
struct PendingSummary {
    /// The text that the next pass summarises.
    blocks: Vec<String>,
    /// The most sentences of the result.
    most: Option<usize>,
    /// Number of parts in each pass.
    passes: Vec<usize>,
    tokens: usize,
    truncated: bool,
    outcome: Option<SummaryOutcome>,
}

/// The outcome of summarising an article.
enum SummaryOutcome {
    /// A summary, and the number of source tokens it was written from.
    Written(WrittenSummary, usize),
    /// The article has no text.
    Empty,
    /// There is no summary, for this reason.
    Failed(&'static str),
}

/// The text that a model wrote, up to the last sentence that is kept.
struct WrittenSummary {
    text: String,
    sentences: Vec<String>,
    /// Whether the maximum length ended it before it had the requested number of sentences.
    truncated: bool,
}

impl Abstractive<'_> {
    /// Summarises each document. If the model fails to summarise one, its summary consists of the article's own
    /// sentences, and a warning gives the reason.
    ///
    /// # Errors
    /// When the model fails.
    pub fn summarize(&self, documents: &[&Document]) -> Result<Vec<Summary>> {
        let mut pending: Vec<PendingSummary> = documents.iter().map(|document| self.begin(document)).collect();
        while pending.iter().any(|article| article.outcome.is_none()) {
            self.pass(&mut pending)?;
        }
        Ok(pending.into_iter().zip(documents).map(|(article, document)| self.end(article, document)).collect())
    }

    fn begin(&self, document: &Document) -> PendingSummary {
        let blocks: Vec<String> = body(document).iter().map(|block| on_one_line(&block.text)).collect();
        let total = || blocks.iter().map(|block| segment::sentences(block, self.language).len()).sum();
        let most = self.length.map(|length| length.of(total()));
        PendingSummary { blocks, most, passes: Vec::new(), tokens: 0, truncated: false, outcome: None }
    }

    /// Runs one pass over all articles that are not finished.
    fn pass(&self, pending: &mut [PendingSummary]) -> Result<()> {
        let count = |text: &str| self.model.count_tokens(text);
        let window = Window { size: self.model.window(), count: &count };
        // Parts with equal limits share a call; each is the index of its article, and the text.
        let mut calls: BTreeMap<Option<LengthLimits>, Vec<(usize, String)>> = BTreeMap::new();
        for (index, article) in pending.iter_mut().enumerate().filter(|(_, article)| article.outcome.is_none()) {
            let parts = parts(&article.blocks, self.language, &window)?;
            article.outcome = outcome(parts.len(), &article.passes);
            if article.outcome.is_none() {
                article.passes.push(parts.len());
                article.blocks.clear();
                let limits = if parts.len() == 1 { self.limits(article) } else { None };
                calls.entry(limits).or_default().extend(parts.into_iter().map(|part| (index, part)));
            }
        }
        for (limits, texts) in calls {
            let sources: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
            for (&(index, _), generation) in texts.iter().zip(self.model.write(&sources, limits)?) {
                self.take(&mut pending[index], &generation);
            }
        }
        Ok(())
    }

    /// The limits of the result's tokens, if a number of sentences was requested.
    fn limits(&self, article: &PendingSummary) -> Option<LengthLimits> {
        let most = article.most.filter(|_| !self.own_limits)?;
        Some((most * MIN_TOKENS_PER_SENTENCE, most.saturating_mul(MAX_TOKENS_PER_SENTENCE)))
    }

    /// Takes the summary of a part: it becomes a block of the next pass, or the result.
    fn take(&self, article: &mut PendingSummary, generation: &Generation) {
        article.tokens += generation.target_tokens;
        let last = article.passes.last() == Some(&1);
        let written = self.whole(generation, article.most.filter(|_| last));
        article.truncated |= written.truncated;
        if !last {
            article.blocks.extend(Some(written.text).filter(|text| !text.is_empty()));
        } else if written.sentences.is_empty() {
            article.outcome = Some(SummaryOutcome::Failed(SILENT));
        } else {
            article.outcome = Some(SummaryOutcome::Written(written, generation.source_tokens));
        }
    }

    /// An output of at most `most` sentences, without an unfinished last one if the maximum length ended it.
    fn whole(&self, generation: &Generation, most: Option<usize>) -> WrittenSummary {
        // Pegasus writes a line break as the token `<n>`.
        let mut text = on_one_line(generation.text.replace("<n>", "\n").trim());
        let mut ranges = segment::sentences(&text, self.language);
        let unfinished = ranges.last().is_some_and(|last| !is_whole(&text[last.clone()]));
        if generation.truncated && unfinished && ranges.len() > 1 {
            ranges.pop();
        }
        let most = most.unwrap_or(usize::MAX);
        let truncated = generation.truncated && (ranges.len() < most || (unfinished && ranges.len() == 1));
        ranges.truncate(most);
        let sentences = ranges.iter().map(|range| text[range.clone()].to_owned()).collect();
        text.truncate(ranges.last().map_or(0, |last| last.end));
        WrittenSummary { text, sentences, truncated }
    }

    fn end(&self, article: PendingSummary, document: &Document) -> Summary {
        let (passes, parts, tokens) = (article.passes.len(), article.passes.iter().sum(), article.tokens);
        let summary = match article.outcome {
            Some(SummaryOutcome::Written(written, read)) => {
                let flags = if article.truncated { vec![Flag::Truncated] } else { Vec::new() };
                let mut warnings: Vec<String> = self.doubts(read).into_iter().collect();
                warnings.extend(article.truncated.then(|| cut(&written.sentences)));
                let summary = Summary::new(written.sentences, SummaryMethod::Abstractive);
                Summary { text: written.text, flags, warnings, ..summary }
            }
            Some(SummaryOutcome::Failed(why)) => {
                let summary = extractive::summarize(document, self.length.unwrap_or_default(), self.language);
                let warning = format!("{why}, so the summary consists of the article's own sentences");
                Summary { warnings: vec![warning], ..summary }
            }
            Some(SummaryOutcome::Empty) | None => Summary::new(Vec::new(), SummaryMethod::Abstractive),
        };
        Summary { passes, parts, tokens, ..summary }
    }

    /// A warning if the model had to write at least as much as it read.
    fn doubts(&self, read: usize) -> Option<String> {
        let least = self.model.least_tokens();
        let by_itself = self.length.is_none() || self.own_limits;
        (by_itself && least >= read).then(|| {
            format!("the article has {read} tokens and the summary model writes {least} at least: it may have made things up").with_hint("use `--method extractive`, or say how many sentences with `--summary-length`").to_string()
        })
    }
}

/// The warning when a model writes nothing.
const SILENT: &str = "the summary model wrote nothing";

/// The outcome of an article before its next pass, if it is finished. Passes end when the number of parts hardly
/// decreases, because they would go on for ever.
fn outcome(parts: usize, passes: &[usize]) -> Option<SummaryOutcome> {
    match (parts, passes.last()) {
        (0, None) => Some(SummaryOutcome::Empty),
        (0, Some(_)) => Some(SummaryOutcome::Failed(SILENT)),
        (parts, Some(&before)) if parts * 4 > before * 3 => {
            Some(SummaryOutcome::Failed("the summaries of the article's parts do not get shorter"))
        }
        _ => None,
    }
}

/// The warning for a summary that reached the maximum length, in whichever pass.
fn cut(sentences: &[String]) -> String {
    let whole = sentences.last().is_none_or(|last| is_whole(last));
    let what = if whole { "is not all the model had to say" } else { "ends in the middle of a sentence" };
    format!("the summary {what}: it reached the longest output allowed")
        .with_hint("ask for `--summary-length long`, or, in `kortom summarize`, a higher `--max-length`")
        .to_string()
}

/// Whether a sentence ends with a mark that ends sentences.
fn is_whole(sentence: &str) -> bool {
    sentence.trim_end_matches(['"', '\'', '”', '’', '»', ')', ']', ' ']).ends_with(['.', '!', '?', '…'])
}
