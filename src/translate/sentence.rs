//! A sentence while it is translated.
//!
//! Invariant: the translation of a sentence has every protected span of its source. Where sentences are divided
//! belongs to the translator.

use std::ops::Range;

use super::Segment;
use super::answer::Answer;
use super::protect::{self, Masked};
use crate::check::Finding;
use crate::engine::{Alternative, Generation};

/// A sentence of a document.
pub(super) struct Sentence {
    /// The range of the sentence in its block.
    pub range: Range<usize>,
    /// The sentence on one line.
    pub source: String,
    /// Whether the sentence is a line, which is not trimmed.
    pub is_line: bool,
    /// The attempts to translate it: first with masks for its protected spans and, if that lost one, with the texts
    /// around them. A sentence that is copied or recalled has no attempts.
    pub attempts: Vec<Attempt>,
    /// The segment, once the sentence is complete.
    pub segment: Option<Segment>,
}

/// An attempt to translate a sentence.
pub(super) struct Attempt {
    /// The source with masks; `None` if the protected spans are among the parts.
    pub masked: Option<Masked>,
    /// The parts that make up the translation.
    pub parts: Vec<Part>,
    /// Whether the model is given exactly the source, so that the findings about its answer are those about the
    /// sentence.
    pub is_source: bool,
}

/// A part of a sentence's translation.
pub(super) enum Part {
    /// The answer to the text with this number, and the separator before it.
    Asked(usize, &'static str),
    /// A text that is copied.
    Kept(String),
}

impl Attempt {
    /// The numbers of the texts that a model translates.
    pub fn asked(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| if let Part::Asked(text, _) = part { Some(*text) } else { None })
    }

    /// The translation of `source`, where `text` gives the translation of a text by its number; `None` if a protected
    /// span is lost.
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

    /// The segment of the sentence with the translation `target`, without the findings of the checks.
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
            // The score of a sentence in parts is the mean over its tokens.
            let sum: f32 = asked.iter().map(|generation| generation.score * weight(generation)).sum();
            sum / asked.iter().copied().map(weight).sum::<f32>()
        });
        segment.note(asked.iter().any(|generation| generation.truncated).then(Finding::truncated));
        segment
    }
}

impl Sentence {
    /// A sentence whose segment was recalled from a memory.
    pub fn recalled(range: Range<usize>, segment: Segment) -> Self {
        Self { range, source: segment.source.clone(), is_line: false, attempts: Vec::new(), segment: Some(segment) }
    }

    /// Whether the sentence is copied into the translation.
    pub fn is_copied(&self) -> bool {
        self.attempts.is_empty() && self.segment.as_ref().is_none_or(|segment| segment.from.is_none())
    }

    /// The translation by the first attempt that keeps all protected spans; `None` if no attempt does.
    pub fn target<'t>(&self, text: impl Copy + Fn(usize) -> &'t str) -> Option<String> {
        self.attempts.iter().find_map(|attempt| attempt.target(&self.source, text))
    }
}
