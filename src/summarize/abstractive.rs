//! A model writes what an article says.
//!
//! An article that fits the model's window is summarised in one pass. A longer one is divided, each part is summarised,
//! and the summaries of the parts are summarised in turn until they fit. Invariant: every sentence of the article is in
//! exactly one part of the first pass, and every summary of a part in one of the next: nothing is cut off unseen. What
//! the model could not end is cut back to its last whole sentence and flagged. The parts of all articles share one call
//! of the model in each pass. How a text is divided belongs to `parts`, how it is decoded to `engine`.

use std::collections::BTreeMap;

use anyhow::Result;

use super::parts::{Window, parts};
use super::{Length, Method, Summary, body, extractive};
use crate::check::Flag;
use crate::document::Document;
use crate::engine::{Generation, Session};
use crate::segment::{self, Language, on_one_line};

/// The fewest new tokens for each sentence that was asked for: a short one.
const LEAST_PER_SENTENCE: usize = 15;
/// The most: room for a long one, so that it is the model that ends it.
const MOST_PER_SENTENCE: usize = 60;

/// Bounds of an output's new tokens: the fewest and the most.
pub type Room = (usize, usize);

/// All that a summariser knows of a model.
pub trait Writer {
    /// One generation for each text, in their order; `room` replaces the lengths of the model's own settings.
    fn write(&self, texts: &[&str], room: Option<Room>) -> Result<Vec<Generation>>;
    /// How many tokens of the window this text takes.
    fn count_tokens(&self, text: &str) -> Result<usize>;
    /// The most tokens of source the model takes.
    fn window(&self) -> usize;
    /// The fewest tokens it may write by its own settings.
    fn least_tokens(&self) -> usize;
}

impl Writer for Session<'_> {
    fn write(&self, texts: &[&str], room: Option<Room>) -> Result<Vec<Generation>> {
        match room {
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

/// Summarises with one model.
pub struct Abstractive<'a> {
    /// The model, with its decoding options.
    pub model: &'a dyn Writer,
    /// Language of the articles.
    pub language: Language,
    /// The most sentences of a summary; none leaves its length to the model's own settings.
    pub length: Option<Length>,
    /// Somebody said how many tokens a summary has, so that a number of sentences only cuts it.
    pub own_room: bool,
}

/// An article on its way to a summary.
struct Work {
    /// What is to be summarised in the next pass.
    blocks: Vec<String>,
    /// The most sentences of the result.
    most: Option<usize>,
    /// How many parts each pass had.
    passes: Vec<usize>,
    tokens: usize,
    truncated: bool,
    outcome: Option<Outcome>,
}

/// How an article ends.
enum Outcome {
    /// With a summary, written from so many tokens.
    Written(Written, usize),
    /// There was nothing to summarise.
    Empty,
    /// Why there is none.
    Failed(&'static str),
}

/// What a model wrote, up to the last sentence that counts.
struct Written {
    text: String,
    sentences: Vec<String>,
    /// The maximum ended it, before there were as many sentences as were asked for.
    truncated: bool,
}

impl Abstractive<'_> {
    /// The summary of each document. Where a model does not get to one, it consists of the article's own sentences, and
    /// a warning says why.
    ///
    /// # Errors
    /// When the model fails.
    pub fn summarize(&self, documents: &[&Document]) -> Result<Vec<Summary>> {
        let mut works: Vec<Work> = documents.iter().map(|document| self.begin(document)).collect();
        while works.iter().any(|work| work.outcome.is_none()) {
            self.pass(&mut works)?;
        }
        Ok(works.into_iter().zip(documents).map(|(work, document)| self.end(work, document)).collect())
    }

    fn begin(&self, document: &Document) -> Work {
        let blocks: Vec<String> = body(document).iter().map(|block| on_one_line(&block.text)).collect();
        let total = || blocks.iter().map(|block| segment::sentences(block, self.language).len()).sum();
        let most = self.length.map(|length| length.of(total()));
        Work { blocks, most, passes: Vec::new(), tokens: 0, truncated: false, outcome: None }
    }

    /// Has everything that is left summarised once.
    fn pass(&self, works: &mut [Work]) -> Result<()> {
        let count = |text: &str| self.model.count_tokens(text);
        let window = Window { size: self.model.window(), count: &count };
        // What has the same room shares a call: the place of its work, and the text.
        let mut calls: BTreeMap<Option<Room>, Vec<(usize, String)>> = BTreeMap::new();
        for (place, work) in works.iter_mut().enumerate().filter(|(_, work)| work.outcome.is_none()) {
            let parts = parts(&work.blocks, self.language, &window)?;
            work.outcome = outcome(parts.len(), &work.passes);
            if work.outcome.is_none() {
                work.passes.push(parts.len());
                work.blocks.clear();
                let room = if parts.len() == 1 { self.room(work) } else { None };
                calls.entry(room).or_default().extend(parts.into_iter().map(|part| (place, part)));
            }
        }
        for (room, texts) in calls {
            let sources: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
            for (&(place, _), generation) in texts.iter().zip(self.model.write(&sources, room)?) {
                self.take(&mut works[place], &generation);
            }
        }
        Ok(())
    }

    /// How many tokens the result may have, where its sentences were numbered.
    fn room(&self, work: &Work) -> Option<Room> {
        let most = work.most.filter(|_| !self.own_room)?;
        Some((most * LEAST_PER_SENTENCE, most.saturating_mul(MOST_PER_SENTENCE)))
    }

    /// What a part became: a block of the next pass, or the result.
    fn take(&self, work: &mut Work, generation: &Generation) {
        work.tokens += generation.target_tokens;
        let last = work.passes.last() == Some(&1);
        let written = self.whole(generation, work.most.filter(|_| last));
        work.truncated |= written.truncated;
        if !last {
            work.blocks.extend(Some(written.text).filter(|text| !text.is_empty()));
        } else if written.sentences.is_empty() {
            work.outcome = Some(Outcome::Failed(SILENT));
        } else {
            work.outcome = Some(Outcome::Written(written, generation.source_tokens));
        }
    }

    /// An output up to its last whole sentence, if the maximum ended it and there is one; at most so many sentences.
    fn whole(&self, generation: &Generation, most: Option<usize>) -> Written {
        // Pegasus writes a line break as a token of that name.
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
        Written { text, sentences, truncated }
    }

    fn end(&self, work: Work, document: &Document) -> Summary {
        let (passes, parts, tokens) = (work.passes.len(), work.passes.iter().sum(), work.tokens);
        let summary = match work.outcome {
            Some(Outcome::Written(written, read)) => {
                let flags = if work.truncated { vec![Flag::Truncated] } else { Vec::new() };
                let mut warnings: Vec<String> = self.doubts(read).into_iter().collect();
                warnings.extend(work.truncated.then(|| cut(&written.sentences)));
                let summary = Summary::new(written.sentences, Method::Abstractive);
                Summary { text: written.text, flags, warnings, ..summary }
            }
            Some(Outcome::Failed(why)) => {
                let summary = extractive::summarize(document, self.length.unwrap_or_default(), self.language);
                let warning = format!("{why}, so the summary consists of the article's own sentences");
                Summary { warnings: vec![warning], ..summary }
            }
            Some(Outcome::Empty) | None => Summary::new(Vec::new(), Method::Abstractive),
        };
        Summary { passes, parts, tokens, ..summary }
    }

    /// A warning where the model had to write as much as it read.
    fn doubts(&self, read: usize) -> Option<String> {
        let least = self.model.least_tokens();
        let by_itself = self.length.is_none() || self.own_room;
        (by_itself && least >= read).then(|| {
            format!(
                "the article has {read} tokens and the summary model writes {least} at least: it may have made things up\n\
                 hint: use `--method extractive`, or say how many sentences with `--summary-length`"
            )
        })
    }
}

/// What is said when a model gives nothing.
const SILENT: &str = "the summary model wrote nothing";

/// How an article ends before its next pass, if it does. Summaries that hardly become fewer would go on for ever.
fn outcome(parts: usize, passes: &[usize]) -> Option<Outcome> {
    match (parts, passes.last()) {
        (0, None) => Some(Outcome::Empty),
        (0, Some(_)) => Some(Outcome::Failed(SILENT)),
        (parts, Some(&before)) if parts * 4 > before * 3 => {
            Some(Outcome::Failed("the summaries of the article's parts do not get shorter"))
        }
        _ => None,
    }
}

/// The warning of a summary that reached the maximum, in whichever pass.
fn cut(sentences: &[String]) -> String {
    let whole = sentences.last().is_none_or(|last| is_whole(last));
    let what = if whole { "is not all the model had to say" } else { "ends in the middle of a sentence" };
    format!(
        "the summary {what}: it reached the longest output allowed\n\
         hint: ask for `--summary-length long`, or, in `kortom summarize`, a higher `--max-length`"
    )
}

/// Whether a sentence ends as one.
fn is_whole(sentence: &str) -> bool {
    sentence.trim_end_matches(['"', '\'', '”', '’', '»', ')', ']', ' ']).ends_with(['.', '!', '?', '…'])
}
