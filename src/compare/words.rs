//! Which words of two translations of a sentence differ.
//!
//! Words are found by Myers' algorithm (1986) of the crate similar. Invariant: what is left of both texts without the marked
//! ranges are the same words in the same order.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};

/// The words in which two texts differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The share of all words and signs of both texts that only one of them has, from 0 to 1.
    pub share: f64,
    /// How many words and signs that are.
    pub words: usize,
    /// The bytes of each text in which the words stand that the other lacks, in order; neighbours are one range.
    pub ranges: [Vec<Range<usize>>; 2],
}

impl Difference {
    /// The difference of two texts.
    #[must_use]
    pub fn between(one: &str, other: &str) -> Self {
        let texts = [one, other];
        let places = texts.map(words);
        let words =
            [0, 1].map(|side| -> Vec<&str> { places[side].iter().map(|place| &texts[side][place.clone()]).collect() });
        let mut ranges: [Vec<Range<usize>>; 2] = Default::default();
        let mut differing = 0;
        for edit in capture_diff_slices(Algorithm::Myers, &words[0], &words[1]) {
            let (tag, old, new) = edit.as_tag_tuple();
            if tag == DiffTag::Equal {
                continue;
            }
            differing += old.len() + new.len();
            for (side, run) in [old, new].into_iter().enumerate() {
                let within = &places[side][run];
                let ends = within.first().zip(within.last());
                ranges[side].extend(ends.map(|(first, last)| first.start..last.end));
            }
        }
        let all = words[0].len() + words[1].len();
        Self { share: differing as f64 / all.max(1) as f64, words: differing, ranges }
    }
}

/// Where the words and signs of a text are: letters and digits with apostrophes and hyphens between them make a word, any other
/// sign stands alone.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((start, c)) = letters.next() {
        if c.is_whitespace() {
            continue;
        }
        let mut end = start + c.len_utf8();
        while c.is_alphanumeric()
            && let Some(&(next, joined)) = letters.peek()
            && (joined.is_alphanumeric()
                || matches!(joined, '\'' | '’' | '-' | '.' | ',')
                    && text[next + joined.len_utf8()..].starts_with(char::is_alphanumeric))
        {
            end = next + joined.len_utf8();
            letters.next();
        }
        words.push(start..end);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, ranges: &[Range<usize>]) -> Vec<String> {
        ranges.iter().map(|range| text[range.clone()].to_owned()).collect()
    }

    #[test]
    fn words_that_differ_are_marked_on_both_sides() {
        let (one, other) = ("The mayor opened the old bridge, he said.", "The lord mayor opened a bridge, she said!");
        let found = Difference::between(one, other);
        assert_eq!(marked(one, &found.ranges[0]), ["the old", "he", "."]);
        assert_eq!(marked(other, &found.ranges[1]), ["lord", "a", "she", "!"]);
        assert_eq!((found.words, found.share), (8, 8.0 / 20.0));
    }

    #[test]
    fn signs_and_numbers_are_words_of_their_own() {
        let found = Difference::between("It's 1,5 km (far).", "It's 1.5 km (far)");
        assert_eq!(marked("It's 1,5 km (far).", &found.ranges[0]), ["1,5", "."]);
        assert_eq!(marked("It's 1.5 km (far)", &found.ranges[1]), ["1.5"]);
    }

    #[test]
    fn equal_texts_and_none_do_not_differ() {
        for (one, other) in [("", ""), ("a  b", "a b"), ("\u{e9}t\u{e9}", "\u{e9}t\u{e9}")] {
            let found = Difference::between(one, other);
            assert_eq!((found.words, found.share), (0, 0.0), "{one:?}");
        }
        assert_eq!(Difference::between("", "It rains.").words, 3);
    }
}
