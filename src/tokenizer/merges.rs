//! Merges of byte-pair encoding within words, as subword-nmt learns them (Sennrich et al. 2016).
//!
//! Invariant: among all neighbours in a word, those whose merge was learned first are merged first, wherever they stand.
//! The end-of-word mark is part of the last character.

use std::collections::HashMap;

/// The mark at the end of a word.
pub(super) const END: &str = "</w>";

/// Pairs that are merged, with the order in which they were learned.
#[derive(Debug, Default)]
pub(super) struct Merges {
    ranks: HashMap<String, HashMap<String, u32>>,
}

impl Merges {
    /// Parses merges.txt from line `first` on. A line has the two parts of a merge; what follows them is ignored.
    pub(super) fn parse(text: &str, first: usize) -> Self {
        let mut merges = Self::default();
        let lines: Vec<&str> = text.split('\n').collect();
        // As in transformers, text after the last line break is not a line.
        let lines = lines.iter().take(lines.len().saturating_sub(1)).skip(first);
        for (rank, line) in (0..).zip(lines) {
            let mut parts = line.split_whitespace();
            if let (Some(left), Some(right)) = (parts.next(), parts.next()) {
                merges.ranks.entry(left.to_owned()).or_default().insert(right.to_owned(), rank);
            }
        }
        merges
    }

    /// The pieces of a word; the last one has the end-of-word mark.
    pub(super) fn pieces(&self, word: &str) -> Vec<String> {
        let mut pieces: Vec<String> = word.chars().map(String::from).collect();
        if let Some(last) = pieces.last_mut() {
            last.push_str(END);
        }
        while let Some((left, right)) = self.earliest(&pieces) {
            let mut joined = Vec::with_capacity(pieces.len());
            let mut rest = pieces.iter();
            while let Some(piece) = rest.next() {
                if *piece == left && rest.as_slice().first() == Some(&right) {
                    joined.push(format!("{left}{right}"));
                    rest.next();
                } else {
                    joined.push(piece.clone());
                }
            }
            pieces = joined;
        }
        pieces
    }

    /// The pair of neighbours whose merge was learned first.
    fn earliest(&self, pieces: &[String]) -> Option<(String, String)> {
        let ranked = pieces.windows(2).filter_map(|pair| Some((self.ranks.get(&pair[0])?.get(&pair[1])?, pair)));
        ranked.min_by_key(|(rank, _)| **rank).map(|(_, pair)| (pair[0].clone(), pair[1].clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_first_is_joined_first_wherever_it_stands() {
        let merges = Merges::parse("a b 9\nb a</w> 8\nab ab 7\nx", 0);
        assert_eq!(merges.pieces("ababa"), ["abab", "a</w>"]);
        assert_eq!(merges.pieces("ba"), ["ba</w>"]);
        assert_eq!(merges.pieces("q"), ["q</w>"]);
        assert!(merges.pieces("").is_empty());
        assert_eq!(Merges::parse("#version\na b\n", 1).pieces("abc"), ["ab", "c</w>"]);
    }
}
