//! Required terms of a target: which tokens begin or continue them, and how beams that lack different numbers of term
//! tokens are interleaved.
//!
//! This is lexically constrained decoding with dynamic beam allocation (Post and Vilar 2018,
//! <https://aclanthology.org/N18-1119>): beams that lack equally many tokens form a bank. A term may have several
//! alternative tokenisations, and stands between word boundaries. How much of the terms a beam contains follows from its
//! tokens alone.
//!
//! There are two departures. Banks are interleaved, so that each has its share, and what one bank does not need goes to
//! the others. And hypotheses are not ranked by their mean token score: a term that the model did not expect costs so
//! much that additional likely words would raise the mean. They are ranked by their sum, with a bounded reward for length
//! (Huang et al. 2017, <https://aclanthology.org/D17-1227>). Which tokens terms consist of belongs to `engine`.

use std::collections::BTreeMap;

use crate::batch::TokenId;
use crate::glossary::{Alternatives, TermMatch, cover};

/// The fewest beams for a sentence with required terms: enough for most banks to keep more than one.
pub const MIN_BEAMS: usize = 8;

/// The word boundaries of a vocabulary: between which tokens a word can begin or end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordBoundaries {
    /// Tokens that begin with a letter or digit and no space before it, ascending.
    continuing: Vec<TokenId>,
    /// For each token, whether it ends with a letter or digit.
    ends_in_word: Vec<bool>,
}

impl WordBoundaries {
    /// Collects two facts about each token of the vocabulary: whether it begins with a letter or digit without a space
    /// before it, and whether it ends with a letter or digit.
    #[must_use]
    pub fn new(tokens: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut boundaries = Self::default();
        for (token, (continues, ends_in_word)) in (0..).zip(tokens) {
            if continues {
                boundaries.continuing.push(token);
            }
            boundaries.ends_in_word.push(ends_in_word);
        }
        boundaries
    }

    fn ends_in_word(&self, token: TokenId) -> bool {
        self.ends_in_word.get(token as usize).is_some_and(|&ends| ends)
    }

    /// Whether a word can end with `before` and another begin with `after`.
    fn separate(&self, before: TokenId, after: TokenId) -> bool {
        !self.ends_in_word(before) || self.continuing.binary_search(&after).is_err()
    }
}

/// Terms that the target of a sequence must contain.
#[derive(Clone, Copy, Debug)]
pub struct Required<'a> {
    /// The terms, each with its alternative tokenisations. A term that is listed twice must occur twice.
    pub terms: &'a [Alternatives<TokenId>],
    /// The word boundaries of the vocabulary.
    pub boundaries: &'a WordBoundaries,
    /// Reward for each token when hypotheses are ranked: minus the log-probability of a usual token.
    pub reward: f32,
    /// Expected number of tokens of the target, the end included; the reward is given for at most this many.
    pub expected_length: usize,
}

/// Which tokens of required terms a hypothesis still lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Number of missing tokens if the next token belongs to no term.
    pub missing: usize,
    /// Tokens that begin or continue a term, ascending, each with the number of missing tokens after it.
    pub next: Vec<(TokenId, usize)>,
    /// Whether a term has just ended, so that the next token must not continue its last word.
    pub at_end: bool,
}

/// An alternative of a term whose first tokens a hypothesis ends with.
struct PartialTerm<'a> {
    term: usize,
    alternative: &'a [TokenId],
    /// Number of the alternative's tokens that are there.
    tokens: usize,
}

impl<'a> Required<'a> {
    /// The progress of a hypothesis that has these `tokens`, start tokens not included.
    pub(super) fn progress(&self, tokens: &[TokenId]) -> Progress {
        let matches = self.matches(tokens);
        let missing = self.missing_without(&matches);
        let after = |begun: &PartialTerm| {
            let left = begun.alternative.len() - begun.tokens - 1;
            if left == 0 {
                return self.missing(&[tokens, &begun.alternative[begun.tokens..]].concat());
            }
            // A begun alternative counts as missing no more than the shortest alternative of its term.
            let whole = shortest(&self.terms[begun.term]);
            let counted = if matches.iter().any(|found| found.term == begun.term) { 0 } else { whole };
            missing - counted + left.min(whole)
        };
        let begun = self.begun(tokens, &matches);
        let mut next: Vec<_> = begun.iter().map(|begun| (begun.alternative[begun.tokens], after(begun))).collect();
        next.sort_unstable();
        next.dedup_by_key(|(token, _)| *token);
        let ended = matches.last().is_some_and(|found| found.end == tokens.len());
        Progress {
            missing,
            next,
            at_end: ended && tokens.last().is_some_and(|&last| self.boundaries.ends_in_word(last)),
        }
    }

    /// Number of tokens of terms that a hypothesis with these `tokens` lacks.
    pub(super) fn missing(&self, tokens: &[TokenId]) -> usize {
        self.missing_without(&self.matches(tokens))
    }

    /// The value that hypotheses are ranked by: the sum of log-probabilities plus a reward for length.
    pub(super) fn worth(&self, sum: f32, length: usize) -> f32 {
        sum + self.reward * length.min(self.expected_length) as f32
    }

    /// Tokens that continue the word before them, ascending.
    pub(super) fn continuing(&self) -> &'a [TokenId] {
        &self.boundaries.continuing
    }

    fn matches(&self, tokens: &[TokenId]) -> Vec<TermMatch> {
        cover(tokens, self.terms, |at| self.boundaries.separate(tokens[at - 1], tokens[at]))
    }

    fn missing_without(&self, matches: &[TermMatch]) -> usize {
        let found = |term: usize| matches.iter().any(|found| found.term == term);
        (0..self.terms.len()).filter(|&term| !found(term)).map(|term| shortest(&self.terms[term])).sum()
    }

    /// The alternatives that may come next or that `tokens` end with the beginning of. These are alternatives of missing
    /// terms, and longer alternatives of a term that has just ended.
    fn begun(&self, tokens: &[TokenId], matches: &[TermMatch]) -> Vec<PartialTerm<'a>> {
        let mut begun = Vec::new();
        for (term, alternative) in self
            .terms
            .iter()
            .enumerate()
            .flat_map(|(term, alternatives)| alternatives.iter().map(move |alternative| (term, alternative)))
        {
            let found = matches.iter().find(|found| found.term == term);
            for there in 0..alternative.len().min(tokens.len() + 1) {
                let start = tokens.len() - there;
                let free = match found {
                    Some(found) => there > 0 && found.start == start && found.end == tokens.len(),
                    None => matches.iter().all(|found| start <= found.start || found.end <= start),
                };
                let first = tokens.get(start).copied().unwrap_or(alternative[0]);
                let parted = start == 0 || self.boundaries.separate(tokens[start - 1], first);
                if free && parted && tokens.ends_with(&alternative[..there]) {
                    begun.push(PartialTerm { term, alternative, tokens: there });
                }
            }
        }
        begun
    }
}

fn shortest(alternatives: &Alternatives<TokenId>) -> usize {
    alternatives.iter().map(Vec::len).min().unwrap_or(0)
}

/// Interleaves banks, which are candidates that lack equally many tokens. `candidates` are sorted best first, and
/// `missing` returns how many tokens a candidate lacks. The best of each bank come first, beginning with the bank that
/// lacks least, then the second best of each, and so on.
pub(super) fn interleave_banks<T>(candidates: Vec<T>, missing: impl Fn(&T) -> usize) -> Vec<T> {
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
