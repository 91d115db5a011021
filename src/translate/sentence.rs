//! The texts that a model is asked for, and sentences made of what it answers.
//!
//! Invariant: equal texts with equal terms are asked for once; what a sentence becomes has every protected span of its
//! source. Where sentences are cut belongs to the translator.

use std::collections::HashMap;

use crate::check::Finding;
use crate::engine::{Candidate, Generation};
use crate::glossary::Glossary;

use super::protect::{self, Masked};
use super::{Answer, Segment};

/// The texts a model is asked for, each once.
#[derive(Default)]
pub(super) struct Texts<'g> {
    pub(super) asked: Vec<String>,
    /// What the translation of each must contain: terms, each in one of several ways.
    pub(super) terms: Vec<Vec<Vec<&'g str>>>,
    known: HashMap<(String, Vec<&'static str>), usize>,
}

/// A sentence that a model is asked for.
pub(super) struct Sentence {
    pub(super) source: String,
    /// The source as the model gets it; none when spans are among the pieces.
    pub(super) masked: Option<Masked>,
    pub(super) pieces: Vec<Piece>,
}

/// A part of a sentence's translation.
pub(super) enum Piece {
    /// What the model makes of this text, after what joins it to the piece before.
    Asked(usize, &'static str),
    /// This.
    Kept(String),
}

impl<'g> Texts<'g> {
    /// The index of a text in which these masks stand for protected spans.
    pub(super) fn add(&mut self, text: &str, masks: Vec<&'static str>, glossary: Option<&'g Glossary>) -> usize {
        let key = (text.to_owned(), masks);
        if let Some(&index) = self.known.get(&key) {
            return index;
        }
        let terms = glossary.map(|glossary| glossary.terms(text)).unwrap_or_default().into_iter();
        let terms = terms.filter(|term| !key.1.contains(&&text[term.range.clone()])).map(|term| term.ways);
        self.terms.push(terms.chain(key.1.iter().map(|&mask| vec![mask])).collect());
        self.asked.push(text.to_owned());
        self.known.insert(key, self.asked.len() - 1);
        self.asked.len() - 1
    }
}

impl Sentence {
    /// The texts it is made from.
    pub(super) fn asked(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().filter_map(|piece| if let Piece::Asked(index, _) = piece { Some(*index) } else { None })
    }

    /// Its translation; none when the model lost a protected span.
    pub(super) fn target(&self, answers: &[Answer]) -> Option<String> {
        let mut target = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Asked(index, joint) => {
                    target.push_str(joint);
                    target.push_str(&answers[*index].generation.text);
                }
                Piece::Kept(text) => target.push_str(text),
            }
        }
        match &self.masked {
            Some(masked) => masked.restore(&self.source, &target),
            None => Some(target).filter(|target| protect::keeps(&self.source, target)),
        }
    }

    /// What a report says of it, but for what is found wrong with it.
    pub(super) fn segment(self, answers: &[Answer]) -> Segment {
        let asked: Vec<&Generation> = self.asked().map(|index| &answers[index].generation).collect();
        let weight = |generation: &Generation| generation.target_tokens.max(1) as f32;
        let mut segment = Segment {
            // A model that writes a protected span of its own accord must not have this sentence.
            target: self.target(answers).unwrap_or_else(|| self.source.clone()),
            tokens: asked.iter().map(|generation| generation.target_tokens).sum(),
            ..Segment::default()
        };
        segment.score = Some(if let ([generation], Some(masked)) = (&asked[..], &self.masked) {
            let restored =
                |one: &Candidate| Some(Candidate { text: masked.restore(&self.source, &one.text)?, score: one.score });
            segment.hypotheses = generation.hypotheses.iter().filter_map(restored).collect();
            generation.score
        } else {
            // Of a sentence in pieces, the score is the mean over its tokens.
            let sum: f32 = asked.iter().map(|generation| generation.score * weight(generation)).sum();
            sum / asked.iter().copied().map(weight).sum::<f32>()
        });
        segment.source = self.source;
        segment.note(asked.iter().any(|generation| generation.truncated).then(Finding::truncated));
        segment
    }
}
