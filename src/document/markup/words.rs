//! The words of a sentence, as marks are placed by them: where they are, and what two of them in different languages have in common.

use std::ops::Range;

/// The words of `text[range]`, without the punctuation around them.
pub(super) fn words(text: &str, range: &Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = range.start;
    for part in text[range.clone()].split_inclusive(char::is_whitespace) {
        let word = part.trim_start_matches(|c: char| !c.is_alphanumeric());
        let start = at + part.len() - word.len();
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        if !word.is_empty() {
            words.push(start..start + word.len());
        }
        at += part.len();
    }
    words
}

/// A word as it is compared between two languages: a number without its separators, or a name or a long word as it is; none of
/// other words, which by chance are words of both.
pub(super) fn anchor(word: &str) -> Option<String> {
    const LONG: usize = 5;
    if word.contains(|c: char| c.is_ascii_digit()) {
        return Some(word.chars().filter(|c| c.is_alphanumeric()).collect());
    }
    let is_name = word.starts_with(char::is_uppercase) && word.chars().nth(1).is_some();
    (is_name || word.chars().count() >= LONG).then(|| word.to_owned())
}

/// Whether a range stands between word boundaries.
pub(super) fn is_whole(text: &str, range: &Range<usize>) -> bool {
    !text[..range.start].ends_with(char::is_alphanumeric) && !text[range.end..].starts_with(char::is_alphanumeric)
}

/// The part of the target word `ours` that belongs to the part `covered` of the source word `theirs`: the same letters at the same
/// end, or what follows the same number, as in `19e` and `19th`.
pub(super) fn affix(theirs: &str, covered: &Range<usize>, ours: &str) -> Option<Range<usize>> {
    let part = &theirs[covered.clone()];
    if covered.end == theirs.len() {
        let number = &theirs[..covered.start];
        if ours.ends_with(part) {
            return Some(ours.len() - part.len()..ours.len());
        }
        let rest = ours.strip_prefix(number).filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))?;
        let is_rest = rest.starts_with(char::is_alphabetic) && part.contains(char::is_alphabetic);
        return is_rest.then_some(number.len()..ours.len());
    }
    (covered.start == 0 && ours.starts_with(part)).then_some(0..part.len())
}

/// Whether a text is one capital letter.
pub(super) fn is_capital(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.next().is_none()
}
