//! Generations that must contain certain terms.
//!
//! Responsible for the tokens of terms, and for searching again for texts whose generation lacks a term. Invariant: the
//! generation of a text without terms is, bit for bit, the same as in a call without any terms. So is the generation of a
//! text that contains its terms anyway, and of one for which the search could not place all terms, because a fluent
//! sentence without a term is better than one cut short. The caller checks whether the terms are there. How they are
//! placed belongs to `search`.

use anyhow::Result;

use super::decoding::Source;
use super::input::{Constraint, Input};
use super::{Engine, Generation, Session};
use crate::batch::TokenId;
use crate::glossary::{self, Alternatives};
use crate::search::{MIN_BEAMS, Required, SearchOptions, WordBoundaries};

impl Engine {
    /// Whether the vocabulary can write a text at all.
    #[must_use]
    pub fn can_write(&self, text: &str) -> bool {
        !self.tokenizer().tokenizations(text).is_empty()
    }

    fn boundaries(&self) -> &WordBoundaries {
        self.boundaries.get_or_init(|| WordBoundaries::new(self.tokenizer().word_boundaries()))
    }

    /// The tokenisations of terms, without terms that the vocabulary cannot write.
    fn tokenized(&self, constraints: &[Constraint]) -> Vec<Alternatives<TokenId>> {
        let tokenized = |constraint: &Constraint| {
            constraint.alternatives.iter().flat_map(|text| self.tokenizer().tokenizations(text)).collect()
        };
        constraints
            .iter()
            .map(tokenized)
            .filter(|alternatives: &Alternatives<TokenId>| !alternatives.is_empty())
            .collect()
    }
}

/// Whether a text contains all terms.
fn has(text: &str, constraints: &[Constraint]) -> bool {
    let bytes = |constraint: &Constraint| constraint.alternatives.iter().map(|text| text.as_bytes().to_vec()).collect();
    glossary::missing(text, &constraints.iter().map(bytes).collect::<Vec<_>>()).is_empty()
}

impl Session<'_> {
    /// Number of beams of the second search, for texts that lack a term.
    #[must_use]
    pub fn beams_for_terms(&self) -> usize {
        self.settings().options.num_beams.max(MIN_BEAMS)
    }

    /// Searches again for the inputs whose generation lacks a term, and keeps those new generations that have all terms.
    pub(super) fn constrain(&self, inputs: &[Input], generations: &mut [Generation]) -> Result<()> {
        if self.settings().options.sampling.is_some() {
            return Ok(());
        }
        let lacking = (0..inputs.len()).filter(|&index| !has(&generations[index].text, inputs[index].constraints));
        let lacking: Vec<Lacking> = lacking
            .map(|index| Lacking::new(self.engine, index, inputs[index], &generations[index]))
            .filter(|lacking| !lacking.terms.is_empty())
            .collect();
        let source = |(key, lacking): (usize, &Lacking)| {
            Ok(Source { key, tokens: self.encode(inputs[lacking.index].text)?, guard: None })
        };
        let sources = lacking.iter().enumerate().map(source).collect::<Result<_>>()?;
        let options = SearchOptions { num_beams: self.beams_for_terms(), ..self.settings().options.clone() };
        let required: Vec<Required> =
            lacking.iter().map(|lacking| lacking.required(self.engine.boundaries())).collect();
        let found = self.search(sources, &options, &required)?;
        for (lacking, generation) in lacking.iter().zip(found).filter(|(_, generation)| generation.missing == 0) {
            generations[lacking.index] = generation;
        }
        Ok(())
    }
}

/// A text whose generation lacks a term.
struct Lacking {
    /// The text's index among the inputs.
    index: usize,
    terms: Vec<Alternatives<TokenId>>,
    /// Minus the mean log-probability of the generation's tokens.
    reward: f32,
    /// Number of tokens of the generation.
    length: usize,
}

impl Lacking {
    fn new(engine: &Engine, index: usize, input: Input, generation: &Generation) -> Self {
        let length = generation.tokens.len();
        let reward = -generation.token_scores.iter().sum::<f32>() / length.max(1) as f32;
        Self { index, terms: engine.tokenized(input.constraints), reward, length }
    }

    /// The constraint for the search. Terms are expected to lengthen the text by no more than their own tokens.
    fn required<'a>(&'a self, boundaries: &'a WordBoundaries) -> Required<'a> {
        let longest = |alternatives: &Alternatives<TokenId>| alternatives.iter().map(Vec::len).max().unwrap_or(0);
        let expected_length = self.length + self.terms.iter().map(longest).sum::<usize>();
        Required { terms: &self.terms, boundaries, reward: self.reward, expected_length }
    }
}
