//! Terms that a target must contain: which tokens bring them nearer, and whose turn it is among beams that
//! are at different distances from having them all.
//!
//! Lexically constrained decoding with dynamic beam allocation (Post and Vilar 2018,
//! <https://aclanthology.org/N18-1119>), where the beams that lack equally many tokens make up a bank. A term may be
//! written in several ways and stands between word boundaries, and how far a beam is follows from its tokens
//! alone. Departures: banks take turns, so that each has its share and what one does not need goes to the others; and
//! hypotheses are not compared by their mean, for a term that the model did not expect costs so much that any chatter
//! after it would lift the mean, but by their sum with a bounded reward for length (Huang et al. 2017,
//! <https://aclanthology.org/D17-1227>). Which tokens terms consist of belongs to `engine`.

use std::collections::BTreeMap;

use crate::batch::TokenId;
use crate::glossary::{Place, Ways, cover};

/// Beams of a sentence with required terms, where fewer are asked for: as many as it takes for most banks to
/// keep more than one.
pub const LEAST_BEAMS: usize = 8;

/// Which tokens of a vocabulary begin and end inside a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    /// Tokens that begin with a letter or digit and no space before it, ascending.
    joining: Vec<TokenId>,
    /// By token: whether it ends with a letter or digit.
    open: Vec<bool>,
}

impl Edges {
    /// By token: whether it begins with a letter or digit without a space, and whether it ends with one.
    #[must_use]
    pub fn new(tokens: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut edges = Self::default();
        for (token, (joins, open)) in (0..).zip(tokens) {
            if joins {
                edges.joining.push(token);
            }
            edges.open.push(open);
        }
        edges
    }

    fn is_open(&self, token: TokenId) -> bool {
        self.open.get(token as usize).is_some_and(|&open| open)
    }

    /// Whether a word can end with one token and another begin with the next.
    fn parts(&self, before: TokenId, after: TokenId) -> bool {
        !self.is_open(before) || self.joining.binary_search(&after).is_err()
    }
}

/// What an item's target must contain.
#[derive(Clone, Copy, Debug)]
pub struct Required<'a> {
    /// The terms, each in all ways it may be written. A term that occurs twice is wanted twice.
    pub terms: &'a [Ways<TokenId>],
    /// Where words may begin and end.
    pub edges: &'a Edges,
    /// What each token is worth: minus the log-probability of a usual one.
    pub reward: f32,
    /// Up to this many tokens, the end included, which should be about as many as it takes.
    pub length: usize,
}

/// How far a sequence of tokens is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// How many tokens are missing if the next one is of no use.
    pub missing: usize,
    /// Every token of use, ascending, and how many are missing after it.
    pub next: Vec<(TokenId, usize)>,
    /// Whether a term has just ended that the next token must not make another word of.
    pub at_end: bool,
}

/// A way to write a term of which the first tokens are there.
struct Begun<'a> {
    term: usize,
    way: &'a [TokenId],
    /// How many of them.
    tokens: usize,
}

impl<'a> Required<'a> {
    /// How far `tokens` are, which are all since the start.
    pub(super) fn progress(&self, tokens: &[TokenId]) -> Progress {
        let places = self.places(tokens);
        let missing = self.missing_beside(&places);
        let after = |begun: &Begun| {
            let left = begun.way.len() - begun.tokens - 1;
            if left == 0 {
                return self.missing(&[tokens, &begun.way[begun.tokens..]].concat());
            }
            // What is begun counts for no more than the shortest way to write its term.
            let whole = shortest(&self.terms[begun.term]);
            let counted = if places.iter().any(|place| place.term == begun.term) { 0 } else { whole };
            missing - counted + left.min(whole)
        };
        let begun = self.begun(tokens, &places);
        let mut next: Vec<_> = begun.iter().map(|begun| (begun.way[begun.tokens], after(begun))).collect();
        next.sort_unstable();
        next.dedup_by_key(|(token, _)| *token);
        let ended = places.last().is_some_and(|place| place.end == tokens.len());
        Progress { missing, next, at_end: ended && tokens.last().is_some_and(|&last| self.edges.is_open(last)) }
    }

    /// How many tokens of terms `tokens` lack.
    pub(super) fn missing(&self, tokens: &[TokenId]) -> usize {
        self.missing_beside(&self.places(tokens))
    }

    /// By what hypotheses of a sum of log-probabilities and a length are compared.
    pub(super) fn worth(&self, sum: f32, length: usize) -> f32 {
        sum + self.reward * length.min(self.length) as f32
    }

    /// Tokens that go on with the word before them, ascending.
    pub(super) fn joining(&self) -> &'a [TokenId] {
        &self.edges.joining
    }

    fn places(&self, tokens: &[TokenId]) -> Vec<Place> {
        cover(tokens, self.terms, |at| self.edges.parts(tokens[at - 1], tokens[at]))
    }

    fn missing_beside(&self, places: &[Place]) -> usize {
        let found = |term: usize| places.iter().any(|place| place.term == term);
        (0..self.terms.len()).filter(|&term| !found(term)).map(|term| shortest(&self.terms[term])).sum()
    }

    /// The ways that `tokens` end with the beginning of, or that may begin next: those of missing terms, and longer
    /// ones of a term that has just ended.
    fn begun(&self, tokens: &[TokenId], places: &[Place]) -> Vec<Begun<'a>> {
        let mut found = Vec::new();
        for (term, way) in
            self.terms.iter().enumerate().flat_map(|(term, ways)| ways.iter().map(move |way| (term, way)))
        {
            let place = places.iter().find(|place| place.term == term);
            for there in 0..way.len().min(tokens.len() + 1) {
                let start = tokens.len() - there;
                let free = match place {
                    Some(place) => there > 0 && place.start == start && place.end == tokens.len(),
                    None => places.iter().all(|place| start <= place.start || place.end <= start),
                };
                let first = tokens.get(start).copied().unwrap_or(way[0]);
                let parted = start == 0 || self.edges.parts(tokens[start - 1], first);
                if free && parted && tokens.ends_with(&way[..there]) {
                    found.push(Begun { term, way, tokens: there });
                }
            }
        }
        found
    }
}

fn shortest(ways: &Ways<TokenId>) -> usize {
    ways.iter().map(Vec::len).min().unwrap_or(0)
}

/// Lets banks take turns. `candidates` are the best first, and `missing` says how many tokens one lacks. First comes
/// the best of each bank, from the one that lacks least, then the second best of each, and so on.
pub(super) fn turns<T>(candidates: Vec<T>, missing: impl Fn(&T) -> usize) -> Vec<T> {
    let mut turn: BTreeMap<usize, usize> = BTreeMap::new();
    let mut order: Vec<(usize, usize, T)> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let bank = missing(&candidate);
        let turn = turn.entry(bank).or_insert(0);
        order.push((*turn, bank, candidate));
        *turn += 1;
    }
    order.sort_by_key(|&(turn, bank, _)| (turn, bank));
    order.into_iter().map(|(.., candidate)| candidate).collect()
}
