//! Generations that must contain certain terms.
//!
//! Responsible for: terms as the tokens that write them, and searching again for texts whose generation lacks a term.
//! Invariant: a text without terms becomes, bit for bit, what it becomes in a call without any; so does one whose
//! generation has them by itself, and one whose terms the search could not all place, for a sentence that sounds
//! right without them is worth more than one cut short. Whether the terms are there is for the caller to see. How
//! they are placed belongs to `search`.

use anyhow::Result;

use super::decoding::Source;
use super::input::{Constraint, Input};
use super::{Engine, Generation, Session};
use crate::batch::TokenId;
use crate::glossary::{self, Ways};
use crate::search::{Edges, LEAST_BEAMS, Required, SearchOptions};

impl Engine {
    /// Whether the model can write a text at all.
    #[must_use]
    pub fn can_write(&self, text: &str) -> bool {
        !self.tokenizer().spellings(text).is_empty()
    }

    fn edges(&self) -> &Edges {
        self.edges.get_or_init(|| Edges::new(self.tokenizer().edges()))
    }

    /// Terms in tokens, without those that the vocabulary cannot write.
    fn spelled(&self, constraints: &[Constraint]) -> Vec<Ways<TokenId>> {
        let spelled = |constraint: &Constraint| {
            constraint.alternatives.iter().flat_map(|way| self.tokenizer().spellings(way)).collect()
        };
        constraints.iter().map(spelled).filter(|ways: &Ways<TokenId>| !ways.is_empty()).collect()
    }
}

/// Whether a text has all terms.
fn has(text: &str, constraints: &[Constraint]) -> bool {
    let bytes = |constraint: &Constraint| constraint.alternatives.iter().map(|way| way.as_bytes().to_vec()).collect();
    glossary::missing(text, &constraints.iter().map(bytes).collect::<Vec<_>>()).is_empty()
}

impl Session<'_> {
    /// How many beams texts that lack a term are searched with.
    #[must_use]
    pub fn beams_for_terms(&self) -> usize {
        self.settings().options.num_beams.max(LEAST_BEAMS)
    }

    /// Searches again for the inputs whose generation lacks a term, and keeps what then has them all.
    pub(super) fn constrain(&self, inputs: &[Input], generations: &mut [Generation]) -> Result<()> {
        if self.settings().options.sampling.is_some() {
            return Ok(());
        }
        let lacking = (0..inputs.len()).filter(|&place| !has(&generations[place].text, inputs[place].constraints));
        let lacking: Vec<Lacking> = lacking
            .map(|place| Lacking::new(self.engine, place, inputs[place], &generations[place]))
            .filter(|lacking| !lacking.terms.is_empty())
            .collect();
        let source = |(key, lacking): (usize, &Lacking)| {
            Ok(Source { key, tokens: self.encode(inputs[lacking.place].text)?, guard: None })
        };
        let sources = lacking.iter().enumerate().map(source).collect::<Result<_>>()?;
        let options = SearchOptions { num_beams: self.beams_for_terms(), ..self.settings().options.clone() };
        let required: Vec<Required> = lacking.iter().map(|lacking| lacking.required(self.engine.edges())).collect();
        let found = self.search(sources, &options, &required)?;
        for (lacking, generation) in lacking.iter().zip(found).filter(|(_, generation)| generation.missing == 0) {
            generations[lacking.place] = generation;
        }
        Ok(())
    }
}

/// A text whose generation lacks a term.
struct Lacking {
    /// Its place among the inputs.
    place: usize,
    terms: Vec<Ways<TokenId>>,
    /// Minus the mean log-probability of the generation's tokens.
    reward: f32,
    /// How many tokens the generation has.
    length: usize,
}

impl Lacking {
    fn new(engine: &Engine, place: usize, input: Input, generation: &Generation) -> Self {
        let length = generation.tokens.len();
        let reward = -generation.token_scores.iter().sum::<f32>() / length.max(1) as f32;
        Self { place, terms: engine.spelled(input.constraints), reward, length }
    }

    /// What the search must know: the terms should make the text no longer than by their own tokens.
    fn required<'a>(&'a self, edges: &'a Edges) -> Required<'a> {
        let longest = |ways: &Ways<TokenId>| ways.iter().map(Vec::len).max().unwrap_or(0);
        let length = self.length + self.terms.iter().map(longest).sum::<usize>();
        Required { terms: &self.terms, edges, reward: self.reward, length }
    }
}
