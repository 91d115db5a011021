//! Generations that must contain certain terms.
//!
//! Responsible for: terms as the tokens that write them, and searching again for texts whose generation lacks a term.
//! Invariant: a text without terms becomes, bit for bit, what it becomes in a call without any; so does one whose
//! generation has them by itself, and one whose terms the search could not all place, for a sentence that sounds
//! right without them is worth more than one cut short. Whether the terms are there is for the caller to see. How
//! they are placed belongs to `search`.

use anyhow::Result;

use super::decoding::Source;
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
    fn spelled(&self, terms: &[Vec<&str>]) -> Vec<Ways<TokenId>> {
        let spelled = |ways: &Vec<&str>| ways.iter().flat_map(|way| self.tokenizer().spellings(way)).collect();
        terms.iter().map(spelled).filter(|ways: &Ways<TokenId>| !ways.is_empty()).collect()
    }
}

/// Whether a text has all terms.
fn has(text: &str, terms: &[Vec<&str>]) -> bool {
    let bytes = |ways: &Vec<&str>| ways.iter().map(|way| way.as_bytes().to_vec()).collect();
    glossary::missing(text, &terms.iter().map(bytes).collect::<Vec<_>>()).is_empty()
}

impl Session<'_> {
    /// How many beams texts that lack a term are searched with.
    #[must_use]
    pub fn beams_for_terms(&self) -> usize {
        self.settings().options.num_beams.max(LEAST_BEAMS)
    }

    /// As [`Self::generate`], and each text's generation contains its terms where that is possible, each in one of
    /// the ways it may be written. When outputs are drawn by chance, terms are left to chance.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_with(&self, texts: &[&str], terms: &[Vec<Vec<&str>>]) -> Result<Vec<Generation>> {
        let sources = texts.iter().map(|text| self.encode(text)).collect::<Result<Vec<_>>>()?;
        let mut generations = self.generate_tokens(sources.clone())?;
        if self.settings().options.sampling.is_some() {
            return Ok(generations);
        }
        let lacking = (0..sources.len()).filter(|&text| !has(&generations[text].text, &terms[text]));
        let lacking: Vec<Lacking> = lacking
            .map(|text| Lacking {
                text,
                terms: self.engine.spelled(&terms[text]),
                reward: -generations[text].token_scores.iter().sum::<f32>()
                    / generations[text].tokens.len().max(1) as f32,
                length: generations[text].tokens.len(),
            })
            .filter(|lacking| !lacking.terms.is_empty())
            .collect();
        for (text, generation) in self.search_again(&sources, &lacking)? {
            generations[text] = generation;
        }
        Ok(generations)
    }

    /// Generations that have the terms, where there are any.
    fn search_again(&self, sources: &[Vec<TokenId>], lacking: &[Lacking]) -> Result<Vec<(usize, Generation)>> {
        let options = SearchOptions { num_beams: self.beams_for_terms(), ..self.settings().options.clone() };
        let sources = lacking.iter().enumerate().map(|(place, lacking)| Source {
            place,
            tokens: sources[lacking.text].clone(),
            required: Some(lacking.required(self.engine.edges())),
            guard: None,
        });
        let mut found = Vec::new();
        for (lacking, (source_tokens, mut searched)) in lacking.iter().zip(self.search(sources, &options)?) {
            searched.hypotheses.retain(|hypothesis| hypothesis.missing == 0);
            if !searched.hypotheses.is_empty() {
                found.push((lacking.text, self.generation(source_tokens, searched)?));
            }
        }
        Ok(found)
    }
}

/// A text whose generation lacks a term.
struct Lacking {
    text: usize,
    terms: Vec<Ways<TokenId>>,
    /// Minus the mean log-probability of the generation's tokens.
    reward: f32,
    /// How many tokens the generation has.
    length: usize,
}

impl Lacking {
    /// What the search must know: the terms should make the text no longer than by their own tokens.
    fn required<'a>(&'a self, edges: &'a Edges) -> Required<'a> {
        let longest = |ways: &Ways<TokenId>| ways.iter().map(Vec::len).max().unwrap_or(0);
        let length = self.length + self.terms.iter().map(longest).sum::<usize>();
        Required { terms: &self.terms, edges, reward: self.reward, length }
    }
}
