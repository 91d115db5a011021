//! Source text that is left untranslated in the target.
//!
//! Invariant: names, numbers and code stay unchanged in any translation, so only words in lower case count. If the
//! language is known, one of them must be a short word that only this language has. Where the whole text is copied, two words
//! are enough, if one of them is such a word and does not stand in names.

use super::words::{Token, TokenKind};
use super::{Finding, Flag, Language};

/// Number of consecutive source words in lower case that are no coincidence in the target.
const ENOUGH: usize = 4;

const DUTCH: [&str; 40] = [
    "de", "het", "een", "van", "dat", "niet", "zijn", "met", "voor", "ook", "maar", "naar", "bij", "uit", "wordt",
    "aan", "werd", "ze", "hij", "er", "om", "door", "dan", "nog", "wel", "geen", "deze", "dit", "die", "en", "op",
    "te", "heeft", "hebben", "ik", "je", "wij", "worden", "moet", "zich",
];

const ENGLISH: [&str; 36] = [
    "the", "a", "an", "of", "and", "that", "not", "are", "with", "for", "also", "but", "to", "by", "from", "at", "she",
    "he", "it", "they", "this", "these", "has", "have", "been", "be", "which", "who", "his", "her", "their", "will",
    "would", "can", "should", "you",
];

/// Words that names have as well: "Vincent van der Meer", "Alphen aan den Rijn", "Lord of the Rings".
const IN_NAMES: [&str; 12] = ["van", "de", "het", "aan", "op", "te", "bij", "en", "of", "the", "and", "a"];

/// The finding for consecutive words that the target copies from the source, if there are enough.
pub(super) fn finding(source: &[Token], target: &[Token], from: Option<Language>) -> Option<Finding> {
    let (at, length) = longest(source, target);
    let run = &target[at..at + length];
    let small = run.iter().filter(|token| is_small(token)).count();
    let theirs: &[&str] = match from {
        Some(Language::Dutch) => &DUTCH,
        Some(Language::English) => &ENGLISH,
        None => &[],
    };
    let proves = |token: &&Token| theirs.contains(&token.lower.as_str());
    let to_the_end = length == target.len();
    let whole = to_the_end && length == source.len();
    let proof = if from.is_some() { run.iter().any(|token| proves(&token)) } else { whole };
    let is_no_name = whole && run.iter().filter(proves).any(|token| !IN_NAMES.contains(&token.lower.as_str()));
    let enough = if is_no_name { 2 } else { ENOUGH - usize::from(to_the_end) };
    if !proof || small < enough {
        return None;
    }
    let words: Vec<&str> = run.iter().map(|token| token.text).take(6).collect();
    let more = if run.len() > 6 { " …" } else { "" };
    Some(Finding::new(Flag::Untranslated, format!("`{}{more}` is not translated", words.join(" "))))
}

fn is_small(token: &Token) -> bool {
    token.kind == TokenKind::Letters && token.text.chars().count() > 1 && token.text.starts_with(char::is_lowercase)
}

/// The start in the target, and the length, of the longest run of tokens that is also in the source. Only runs that begin
/// with a pair of words that is rare in the source are followed, which keeps the search linear.
fn longest(source: &[Token], target: &[Token]) -> (usize, usize) {
    let mut places = std::collections::HashMap::new();
    for (at, pair) in source.windows(2).enumerate() {
        let known: &mut Vec<usize> = places.entry((pair[0].lower.as_str(), pair[1].lower.as_str())).or_default();
        if known.len() < 4 {
            known.push(at);
        }
    }
    let (mut best, mut at) = ((0, 0), 0);
    while at + 1 < target.len() {
        let pair = (target[at].lower.as_str(), target[at + 1].lower.as_str());
        let runs = places.get(&pair).into_iter().flatten();
        let length = runs.map(|&from| common(&source[from..], &target[at..])).max().unwrap_or(0);
        if length > best.1 {
            best = (at, length);
        }
        at += length.max(1);
    }
    best
}

fn common(source: &[Token], target: &[Token]) -> usize {
    source.iter().zip(target).take_while(|(from, to)| from.lower == to.lower).count()
}
