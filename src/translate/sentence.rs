//! A sentence on its way to its translation.
//!
//! Invariant: what a sentence becomes has every protected span of its source. Where sentences are cut belongs to the
//! translator.

use std::ops::Range;

use super::Segment;
use super::answer::Answer;
use super::protect::{self, Masked};
use crate::check::Finding;
use crate::engine::{Alternative, Generation};

/// A sentence of a document.
pub(super) struct Sentence {
    /// Where it stands in its block.
    pub range: Range<usize>,
    /// The sentence on one line.
    pub source: String,
    /// It is a line, which is not trimmed.
    pub is_line: bool,
    /// How a model is asked for it: with masks for its protected spans, and where that lost one, with the texts around them.
    /// None is made for a sentence that is copied or recalled.
    pub attempts: Vec<Attempt>,
    /// What came of it.
    pub segment: Option<Segment>,
}

/// A way to ask a model for a sentence.
pub(super) struct Attempt {
    /// The source with masks; none when the protected spans are among the parts.
    pub masked: Option<Masked>,
    /// What the translation is put together from.
    pub parts: Vec<Part>,
    /// The model is given the source and nothing else, so that what is found wrong with its answer is wrong with the sentence.
    pub is_source: bool,
}

/// A part of a sentence's translation.
pub(super) enum Part {
    /// The answer to the text with this number, after what joins it to the part before.
    Asked(usize, &'static str),
    /// This, as it is.
    Kept(String),
}

impl Attempt {
    /// The numbers of the texts that a model is asked for.
    pub fn asked(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| if let Part::Asked(text, _) = part { Some(*text) } else { None })
    }

    /// The translation of `source` from what the texts became; none when a protected span is lost.
    pub fn target<'t>(&self, source: &str, text: impl Fn(usize) -> &'t str) -> Option<String> {
        let mut target = String::new();
        for part in &self.parts {
            match part {
                Part::Asked(number, joint) => {
                    target.push_str(joint);
                    target.push_str(text(*number));
                }
                Part::Kept(text) => target.push_str(text),
            }
        }
        match &self.masked {
            Some(masked) => masked.restore(source, &target),
            None => Some(target).filter(|target| protect::keeps(source, target)),
        }
    }

    /// What a report says of the sentence that became `target`, but for what is found wrong with it.
    pub fn segment(&self, source: &str, target: String, answers: &[&Answer]) -> Segment {
        let asked: Vec<&Generation> = answers.iter().map(|answer| &answer.generation).collect();
        let weight = |generation: &Generation| generation.target_tokens.max(1) as f32;
        let tokens = asked.iter().map(|generation| generation.target_tokens).sum();
        let mut segment = Segment { source: source.to_owned(), target, tokens, ..Segment::default() };
        segment.score = Some(if let ([generation], Some(masked)) = (&asked[..], &self.masked) {
            let restored =
                |one: &Alternative| Some(Alternative { text: masked.restore(source, &one.text)?, score: one.score });
            segment.hypotheses = generation.hypotheses.iter().filter_map(restored).collect();
            generation.score
        } else {
            // Of a sentence in parts, the score is the mean over its tokens.
            let sum: f32 = asked.iter().map(|generation| generation.score * weight(generation)).sum();
            sum / asked.iter().copied().map(weight).sum::<f32>()
        });
        segment.note(asked.iter().any(|generation| generation.truncated).then(Finding::truncated));
        segment
    }
}

impl Sentence {
    /// A sentence that a memory knows.
    pub fn recalled(range: Range<usize>, segment: Segment) -> Self {
        Self { range, source: segment.source.clone(), is_line: false, attempts: Vec::new(), segment: Some(segment) }
    }

    /// Whether it stays as it is in its block.
    pub fn is_copied(&self) -> bool {
        self.attempts.is_empty() && self.segment.as_ref().is_none_or(|segment| segment.from.is_none())
    }

    /// Its translation by the first way that keeps its protected spans, from what the texts became; none where none does.
    pub fn target<'t>(&self, text: impl Copy + Fn(usize) -> &'t str) -> Option<String> {
        self.attempts.iter().find_map(|attempt| attempt.target(&self.source, text))
    }
}
