//! Which words of a sentence and of its translation belong together, carried from what the model saw and wrote to what stands
//! in the article.
//!
//! Invariant: a range never grows beyond the words that were exchanged: what stands in the place of a word (an address for its
//! mask, another quotation mark) takes over the word's range, and what is lost takes its pairs along.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};

use super::Segment;
use super::sentence::{Attempt, Part};
use crate::engine::WordAlignment;

/// Pairs of ranges of bytes, in a source and in its target.
pub(super) type Pairs = Vec<[Range<usize>; 2]>;

impl Attempt {
    /// The pairs of the sentence `source` that this attempt made `target` of, from those of its texts: what a model was given
    /// and how it aligned that, by the number of a text.
    pub fn pairs<'t>(&self, source: &str, target: &str, text: impl Fn(usize) -> (&'t str, &'t WordAlignment)) -> Pairs {
        let (mut given, mut written, mut pairs) = (String::new(), String::new(), Pairs::new());
        for part in &self.parts {
            match part {
                Part::Asked(number, joint) => {
                    let (source, alignment) = text(*number);
                    given.push_str(joint);
                    written.push_str(joint);
                    let [from, to] = [given.len(), written.len()];
                    let moved = |[theirs, ours]: &[Range<usize>; 2]| {
                        [theirs.start + from..theirs.end + from, ours.start + to..ours.end + to]
                    };
                    pairs.extend(alignment.pairs.iter().map(moved));
                    given.push_str(source);
                    written.push_str(&alignment.target);
                }
                Part::Kept(text) => {
                    given.push_str(text);
                    written.push_str(text);
                }
            }
        }
        carried(&pairs, [&given, &written], [source, target])
    }
}

impl Segment {
    /// Adds which words belong together, as a model said of its own text.
    pub fn align(&mut self, found: &WordAlignment) {
        let pairs = carried(&found.pairs, [&self.source, &found.target], [&self.source, &self.target]);
        self.alignment = Some(in_characters(&pairs, &self.source, &self.target));
    }
}

/// Pairs of ranges in two texts as ranges of two others that say nearly the same.
pub(super) fn carried(pairs: &Pairs, [source, target]: [&str; 2], [to_source, to_target]: [&str; 2]) -> Pairs {
    let (theirs, ours) = (Carrier::new(source, to_source), Carrier::new(target, to_target));
    let carry = |[one, other]: &[Range<usize>; 2]| Some([theirs.range(one)?, ours.range(other)?]);
    pairs.iter().filter_map(carry).collect()
}

/// Carries ranges from one text to another that says nearly the same.
struct Carrier<'a> {
    from: Vec<&'a str>,
    to: Vec<&'a str>,
    /// For each token of the first text, the same one of the second, in their order.
    same: Vec<Option<usize>>,
}

impl<'a> Carrier<'a> {
    fn new(from: &'a str, to: &'a str) -> Self {
        let (from, to) = (tokens(from), tokens(to));
        let same = common(&from, &to);
        Self { from, to, same }
    }

    /// A range of bytes in the second text; none where nothing is left of it.
    fn range(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let mut at = 0;
        let starts = self.from.iter().map(|token| {
            at += token.len();
            at - token.len()
        });
        let inside =
            |(_, (start, token)): &(usize, (usize, &&str))| *start < range.end && range.start < start + token.len();
        let inside = starts.zip(&self.from).enumerate().filter(inside).map(|(index, _)| index);
        let inside: Vec<usize> = inside.collect();
        let (first, last) = (*inside.first()?, *inside.last()?);
        let first = self.same[first]
            .unwrap_or_else(|| self.same[..first].iter().rev().flatten().next().map_or(0, |before| before + 1));
        let end = match self.same[last] {
            Some(last) => last + 1,
            None => self.same[last..].iter().flatten().next().copied().unwrap_or(self.to.len()),
        };
        let byte = |token: usize| self.to[..token].iter().map(|token| token.len()).sum::<usize>();
        let found = self.to.get(first..end)?.concat();
        let start = byte(first) + found.len() - found.trim_start().len();
        Some(start..start + found.trim().len()).filter(|range| !range.is_empty())
    }
}

/// A text as runs of letters and digits, and other characters one by one.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let run = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (token, after) = rest.split_at(if run == 0 { c.len_utf8() } else { run });
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// For each token of one list, the same one of another, in a longest sequence that both have (Myers 1986, of the crate similar).
fn common(from: &[&str], to: &[&str]) -> Vec<Option<usize>> {
    let mut same = vec![None; from.len()];
    for edit in capture_diff_slices(Algorithm::Myers, from, to) {
        let (tag, old, new) = edit.as_tag_tuple();
        if tag == DiffTag::Equal {
            old.zip(new).for_each(|(one, other)| same[one] = Some(other));
        }
    }
    same
}

/// Pairs of ranges of characters, from those of bytes.
pub(super) fn in_characters(pairs: &Pairs, source: &str, target: &str) -> Vec<[[usize; 2]; 2]> {
    let count = |text: &str, end: usize| text[..end].chars().count();
    let range = |text: &str, range: &Range<usize>| [count(text, range.start), count(text, range.end)];
    pairs.iter().map(|[theirs, ours]| [range(source, theirs), range(target, ours)]).collect()
}

/// Pairs of ranges of bytes, from those of characters.
pub(super) fn in_bytes(pairs: &[[[usize; 2]; 2]], source: &str, target: &str) -> Pairs {
    let byte = |text: &str, place: usize| text.char_indices().nth(place).map_or(text.len(), |(at, _)| at);
    let range = |text: &str, [start, end]: [usize; 2]| byte(text, start)..byte(text, end);
    pairs.iter().map(|&[theirs, ours]| [range(source, theirs), range(target, ours)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carry<'t>(from: &str, to: &'t str, word: &str) -> Option<&'t str> {
        let start = from.find(word).unwrap();
        Carrier::new(from, to).range(&(start..start + word.len())).map(|range| &to[range])
    }

    #[test]
    fn what_stands_in_the_place_of_a_word_takes_its_range() {
        let (from, to) = ("Kijk op XA, \"nu\" dus.", "Kijk op https://www.x.nl/a, \u{201e}nu\u{201d} dus.");
        assert_eq!(carry(from, to, "XA"), Some("https://www.x.nl/a"));
        assert_eq!(carry(from, to, "nu"), Some("nu"));
        assert_eq!(carry(from, to, "\""), Some("\u{201e}"));
        assert_eq!(carry(from, to, "Kijk op XA"), Some("Kijk op https://www.x.nl/a"));
        assert_eq!(carry("a b c", "a c", "b"), None);
        assert_eq!(carry("een\ntwee", "een twee", "twee"), Some("twee"));
        assert_eq!(tokens("\u{e9}\u{e9}n, 2!"), ["\u{e9}\u{e9}n", ",", " ", "2", "!"]);
    }

    #[test]
    fn characters_and_bytes_are_each_others() {
        let (source, target) = ("\u{e9}\u{e9}n ja", "\u{20ac} one");
        let pairs = vec![[0..5, 4..7], [6..8, 0..3]];
        let characters = in_characters(&pairs, source, target);
        assert_eq!(characters, [[[0, 3], [2, 5]], [[4, 6], [0, 1]]]);
        assert_eq!(in_bytes(&characters, source, target), pairs);
    }
}
