//! Words as Python splits them, and the n-grams that two sequences have in common.

use std::collections::HashMap;
use std::hash::Hash;

/// How many n-grams two sequences have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// n-grams of the hypothesis.
    pub hypothesis: u32,
    /// n-grams of the reference.
    pub reference: u32,
    /// n-grams of both, each as often as the one that has it less often.
    pub common: u32,
}

/// Counts the runs of `n` neighbours.
pub fn overlap<T: Eq + Hash>(hypothesis: &[T], reference: &[T], n: usize) -> Overlap {
    let mut left: HashMap<&[T], u32> = HashMap::new();
    for gram in reference.windows(n) {
        *left.entry(gram).or_default() += 1;
    }
    let mut common = 0;
    for gram in hypothesis.windows(n) {
        if let Some(left) = left.get_mut(gram).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    let grams = |items: &[T]| (items.len() + 1).saturating_sub(n) as u32;
    Overlap { hypothesis: grams(hypothesis), reference: grams(reference), common }
}

/// What Python's `str.split()` takes for a space: Unicode's white space, and the four separators of ASCII.
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// The words between spaces.
pub fn words(text: &str) -> Vec<&str> {
    text.split(is_space).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_ngrams_are_counted_as_often_as_both_have_them() {
        let words = |text| super::words(text);
        let found = overlap(&words("the the the cat"), &words("the cat the dog\u{1c}sat"), 1);
        assert_eq!(found, Overlap { hypothesis: 4, reference: 5, common: 3 });
        assert_eq!(overlap(&words("a"), &words(""), 2), Overlap { hypothesis: 0, reference: 0, common: 0 });
    }
}
