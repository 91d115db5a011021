//! chrF and chrF++ of a corpus.

use super::ngrams::{Overlap, is_space, overlap, words};
use super::{ScoreValue, Width};

/// The longest n-grams of characters.
const CHARACTER_ORDER: usize = 6;
/// The longest n-grams of words in chrF++.
pub const WORD_ORDER: usize = 2;
/// The weight of recall relative to precision: β² with β = 2.
const FACTOR: f64 = 4.0;

/// For each order the n-grams of the hypothesis, of the reference and in common: characters first, then words up to `word_order`.
pub fn count(hypothesis: &str, reference: &str, word_order: usize) -> Vec<u32> {
    let characters = |text: &str| text.chars().filter(|&c| !is_space(c)).collect::<Vec<char>>();
    let (own, other) = (characters(hypothesis), characters(reference));
    let of_characters = (1..=CHARACTER_ORDER).map(|n| overlap(&own, &other, n));
    let (own, other) = (without_signs(hypothesis), without_signs(reference));
    let of_words = (1..=word_order).map(|n| overlap(&own, &other, n));
    let numbers = |found: Overlap| {
        // If the reference is too short for n-grams of this order, those of the hypothesis do not count against it.
        let hypothesis = if found.reference > 0 { found.hypothesis } else { 0 };
        [hypothesis, found.reference, found.common]
    };
    of_characters.chain(of_words).flat_map(numbers).collect()
}

/// The F-score of the mean precision and the mean recall over the orders that both sides have, from 0 to 100.
pub fn score(sums: &[f64], width: Width) -> ScoreValue {
    let [mut precision, mut recall, mut orders] = [0.0; 3];
    for order in sums.chunks_exact(3) {
        let (hypothesis, reference, common) = (order[0], order[1], order[2]);
        if hypothesis > 0.0 && reference > 0.0 {
            precision = width.round(precision + width.round(common / hypothesis));
            recall = width.round(recall + width.round(common / reference));
            orders += 1.0;
        }
    }
    if precision + recall == 0.0 {
        return ScoreValue { value: 0.0, width: Width::Double };
    }
    let (precision, recall) = (width.round(precision / orders), width.round(recall / orders));
    let product = width.round(width.round((1.0 + FACTOR) * precision) * recall);
    let mean = width.round(product / width.round(width.round(FACTOR * precision) + recall));
    ScoreValue { value: width.round(100.0 * mean), width }
}

/// Words, each without a sign of ASCII at its end, or else at its beginning, which is a word of its own.
fn without_signs(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for word in words(text) {
        let (first, last) = (word.chars().next().map_or(0, char::len_utf8), word.len() - 1);
        // A sign of ASCII has one byte.
        let is_sign = |at: usize| word.as_bytes()[at].is_ascii_punctuation();
        match word {
            _ if first == word.len() => found.push(word),
            _ if is_sign(last) => found.extend([&word[..last], &word[last..]]),
            _ if is_sign(0) => found.extend([&word[..1], &word[1..]]),
            _ => found.push(word),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sign_leaves_a_word() {
        assert_eq!(
            without_signs("(hi) 'tis \u{e9}! \u{1f600} - so..."),
            ["(hi", ")", "'", "tis", "\u{e9}", "!", "\u{1f600}", "-", "so..", "."]
        );
    }
}
