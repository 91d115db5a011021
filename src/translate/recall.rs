//! Recalling sentences from a memory, and keeping new ones there.
//!
//! Invariant: a recalled segment equals the kept one to the bits of its scores, except for its origin. A correction
//! comes from a person, so it is not checked.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::protect::Masked;
use super::sentence::Sentence;
use super::{Generate, Segment, SegmentOrigin, Translator, is_asked};
use crate::check::{Finding, Flag};
use crate::document::{Block, BlockKind};
use crate::engine::Alternative;
use crate::memory::{Kept, MemoryScope, Recalled, Similar, TextKey};
use crate::segment::on_one_line;

/// The details of a segment that are kept beside its source and target. Scores are kept as bits.
#[derive(Deserialize, Serialize)]
struct Details {
    score: Option<u32>,
    tokens: usize,
    notes: Vec<(Flag, String)>,
    again: bool,
    hypotheses: Vec<(String, u32)>,
}

impl Segment {
    fn kept(&self) -> Option<Kept> {
        let details = Details {
            score: self.score.map(f32::to_bits),
            tokens: self.tokens,
            notes: self.notes.iter().map(|note| (note.flag, note.reason.clone())).collect(),
            again: self.decoded_again,
            hypotheses: self.hypotheses.iter().map(|one| (one.text.clone(), one.score.to_bits())).collect(),
        };
        Some(Kept { target: self.target.clone(), details: serde_json::to_string(&details).ok()? })
    }

    /// The segment of a recalled source; `None` if its details cannot be read.
    fn recalled(source: String, recalled: Recalled) -> Option<Self> {
        let Kept { target, details } = match recalled {
            Recalled::Corrected(target) => {
                return Some(Self { source, target, from: Some(SegmentOrigin::Corrected), ..Self::default() });
            }
            Recalled::Kept(kept) => kept,
        };
        let Details { score, tokens, notes, again, hypotheses } = serde_json::from_str(&details).ok()?;
        let hypothesis = |(text, score)| Alternative { text, score: f32::from_bits(score) };
        let mut segment = Self {
            source,
            target,
            score: score.map(f32::from_bits),
            tokens,
            decoded_again: again,
            hypotheses: hypotheses.into_iter().map(hypothesis).collect(),
            from: Some(SegmentOrigin::Kept),
            ..Self::default()
        };
        segment.note(notes.into_iter().map(|(flag, reason)| Finding::new(flag, reason)));
        Some(segment)
    }
}

/// The source of a sentence in the form that reports have: on one line, unless the block is a line.
pub(super) fn source(block: &Block, range: &Range<usize>) -> String {
    let source = &block.text[range.clone()];
    if block.kind == BlockKind::Line { source.to_owned() } else { on_one_line(source) }
}

impl<G: Generate + ?Sized> Translator<'_, G> {
    /// The segments that the memory knows for sentences, given by their blocks and ranges; `None` for all without a
    /// memory.
    pub(super) fn recall(&self, sentences: &[(&Block, Range<usize>)]) -> Vec<Option<Segment>> {
        let Some(memory) = self.memory else { return vec![None; sentences.len()] };
        let text = |(block, range): &(&Block, Range<usize>)| {
            let source = source(block, range);
            if !is_asked(block, &source) {
                return (MemoryScope::COPIED, source, String::new());
            }
            let rest = self.rest(&source, block.kind == BlockKind::Line);
            (MemoryScope::SEGMENT, source, rest)
        };
        let texts: Vec<_> = sentences.iter().map(text).collect();
        let keys: Vec<_> = texts.iter().map(|(kind, source, rest)| TextKey { kind, source, rest }).collect();
        // A memory does not keep which words belong together, so a model must translate again.
        let recalled = if self.model.aligns() { memory.recall_corrections(&keys) } else { memory.recall(&keys) };
        let segment = |((_, source, _), known): (_, Option<Recalled>)| Segment::recalled(source, known?);
        texts.into_iter().zip(recalled).map(segment).collect()
    }

    /// Keeps the segments of sentences that a model translated.
    pub(super) fn keep<'s>(&self, sentences: impl Iterator<Item = &'s Sentence>) {
        let Some(memory) = self.memory.filter(|_| !self.model.aligns()) else { return };
        let made = sentences.filter_map(|sentence| {
            let segment = sentence.segment.as_ref().filter(|segment| segment.from.is_none())?;
            Some((&sentence.source, self.rest(&sentence.source, sentence.is_line), segment.kept()?))
        });
        let made: Vec<_> = made.collect();
        let made = made
            .iter()
            .map(|(source, rest, kept)| (TextKey { kind: MemoryScope::SEGMENT, source, rest }, kept.clone()));
        memory.keep(&made.collect::<Vec<_>>());
    }

    /// Known translations of sources that are similar to this one.
    pub(super) fn similar(&self, source: &str) -> Vec<Similar> {
        self.memory.map(|memory| memory.similar(source)).unwrap_or_default()
    }

    /// All that decides the translation of a sentence, beside its source and the settings of a scope: the
    /// translator's options and the terms that the glossary requires.
    fn rest(&self, source: &str, is_line: bool) -> String {
        let mut rest = format!("line {is_line}, restores {}, checked {}", self.restores, self.checks.is_some());
        if let Some(glossary) = self.glossary {
            // A long sentence is divided into parts, which may have terms that the whole lacks. A text has at most
            // one token per byte.
            if source.len() + UNSPLIT_MARGIN > self.model.window() {
                rest += &glossary.describe();
            }
            for text in [source, &Masked::new(source).text] {
                for term in glossary.terms(text) {
                    rest += &format!("\n{:?} {:?}", term.range, term.alternatives);
                }
            }
        }
        rest
    }
}

/// More tokens than a tokenizer adds around a text.
const UNSPLIT_MARGIN: usize = 64;
