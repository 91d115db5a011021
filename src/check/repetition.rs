//! Words that a model repeats over and over.
//!
//! Responsible for finding loops: words that are repeated immediately, four words that occur again and again, and letters
//! that are repeated within a word. Invariant: repetitions that the source has as well do not count. No knowledge of a
//! language is needed.

use std::collections::HashMap;

use super::words::{Token, TokenKind, tokens};
use super::{Finding, Flag};

/// The longest run of words whose immediate repetition is detected.
const LONGEST: usize = 12;
/// The number of words in the sequences that are counted anywhere.
const GRAM: usize = 4;
/// The number of occurrences from which on such a sequence is a loop.
const OFTEN: usize = 3;

/// A loop in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Loop {
    /// The repeated words or letters.
    words: String,
    /// Number of times that they occur.
    times: usize,
    /// Number of tokens that only repeat.
    excess: usize,
}

/// The finding for a loop in the target that the source does not have.
#[must_use]
pub fn repetition(source: &str, target: &str) -> Option<Finding> {
    let found = worst(source, target)?;
    Some(Finding::new(Flag::Repetition, format!("`{}` stands there {} times", found.words, found.times)))
}

/// Number of tokens of a target that only repeat earlier ones.
#[must_use]
pub fn repeated(source: &str, target: &str) -> usize {
    worst(source, target).map_or(0, |found| found.excess)
}

/// The worst loop of the target, except loops of a kind that the source repeats as often.
fn worst(source: &str, target: &str) -> Option<Loop> {
    let (from, to) = (tokens(source), tokens(target));
    let most = |found: Vec<Loop>| found.into_iter().max_by_key(|found| found.excess);
    let own = [adjacent(&from), frequent(&from), spelled(&from)].map(|found| found.map_or(0, |found| found.times));
    let found = [adjacent(&to), frequent(&to), spelled(&to)].into_iter().zip(own);
    most(found.filter_map(|(found, own)| found.filter(|found| found.times > own)).collect())
}

fn text(tokens: &[Token]) -> String {
    let mut text = String::new();
    for (place, token) in tokens.iter().enumerate() {
        if place > 0 && !token.glued {
            text.push(' ');
        }
        text += token.text;
    }
    text
}

/// The longest immediate repetition of words.
fn adjacent(tokens: &[Token]) -> Option<Loop> {
    let mut worst: Option<Loop> = None;
    for period in 1..=LONGEST.min(tokens.len() / 2) {
        let mut run = 0;
        for at in period..=tokens.len() {
            if at < tokens.len() && tokens[at].lower == tokens[at - period].lower {
                run += 1;
                continue;
            }
            let words = &tokens[at - run - period..at - run];
            let times = run / period + 1;
            if is_loop(words, times) && worst.as_ref().is_none_or(|worst| run > worst.excess) {
                worst = Some(Loop { words: text(words), times, excess: run });
            }
            run = 0;
        }
    }
    worst
}

/// Whether these words, `times` times in a row, are more than emphasis, a list, or a row of punctuation.
fn is_loop(words: &[Token], times: usize) -> bool {
    let letters = words.iter().filter(|token| token.kind == TokenKind::Letters).count();
    let doubled = ["that", "had", "is", "very", "so", "no", "ha", "bye", "dat", "die", "heel", "nee", "ja", "in"];
    match words {
        [word] if word.kind == TokenKind::Letters => {
            times > 2
                || (times == 2 && !word.glued && !doubled.contains(&word.lower.as_str()) && !word.is_capitalised())
        }
        _ => letters > 0 && (times > 2 || (times == 2 && letters > 1)),
    }
}

/// The sequence of [`GRAM`] words that occurs most often, if often enough.
fn frequent(tokens: &[Token]) -> Option<Loop> {
    let mut counts: HashMap<Vec<&str>, (usize, usize)> = HashMap::new();
    for (at, gram) in tokens.windows(GRAM).enumerate() {
        if gram.iter().filter(|token| token.kind == TokenKind::Letters).count() > GRAM / 2 {
            let words = gram.iter().map(|token| token.lower.as_str()).collect();
            counts.entry(words).or_insert((0, at)).0 += 1;
        }
    }
    // Among equals the first, so that the result does not depend on the map's order.
    let (times, at) = counts.into_values().max_by_key(|&(times, at)| (times, usize::MAX - at))?;
    (times >= OFTEN).then(|| Loop { words: text(&tokens[at..at + GRAM]), times, excess: (times - 1) * GRAM })
}

/// Letters that are repeated within a word, as in `anananananan`.
fn spelled(tokens: &[Token]) -> Option<Loop> {
    for token in tokens.iter().filter(|token| token.kind == TokenKind::Letters) {
        let letters: Vec<char> = token.lower.chars().collect();
        for period in 1..=4 {
            let mut run = 0;
            for at in period..letters.len() {
                run = if letters[at] == letters[at - period] { run + 1 } else { 0 };
                let times = run / period + 1;
                if times > 4 && run > 8 {
                    let words = letters[at + 1 - period..=at].iter().collect();
                    return Some(Loop { words, times, excess: 1 });
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_found() {
        let loops = [
            ("He said the the man came.", "the", 2),
            ("It was the man the man who came.", "the man", 2),
            ("No, no, no, no, no, no.", "No,", 5),
            ("The mayor of the city of the city of the city spoke.", "of the city", 3),
            ("He wants to go to a and he wants to go to b and he wants to go to c.", "he wants to go", 3),
            ("Ananananananana.", "na", 5),
        ];
        for (target, words, times) in loops {
            let found = worst("De bron.", target).unwrap_or_else(|| panic!("{target}"));
            assert_eq!((found.words.to_lowercase(), found.times), (words.to_lowercase(), times), "{target}");
        }
    }

    #[test]
    fn what_is_no_loop_or_the_source_s_own_is_none() {
        let pairs = [
            ("Hij zei dat dat niet kon.", "He said that that was impossible."),
            ("Nee, nee, nee!", "No, no, no!"),
            ("Bora Bora is mooi.", "Bora Bora is beautiful."),
            ("a b c", "1 1 1 1 1"),
            ("lijst", "- - - - -"),
        ];
        for (source, target) in pairs {
            assert_eq!(worst(source, target), None, "{target}");
        }
    }
}
