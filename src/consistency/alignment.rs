//! The words of a translation that stand for a term of its source.
//!
//! The association of a source unit and a target word is Dunning's log-likelihood ratio (1993, <https://aclanthology.org/J93-1003>)
//! of the segments that have them. Within a segment, a word belongs to the unit with which it is associated most, as in competitive
//! linking (Melamed 2000, <https://aclanthology.org/J00-2004>). So `new` in `the new council` belongs to `nieuwe`, and not to
//! `gemeenteraad`, if the source has both.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use super::terms::{SourceUnits, UnitPlace};
use super::{BELIEVED, words_of};
use crate::check::starts_sentence;
use crate::check::words::{Token, TokenKind, plain, tokens};
use crate::language::Language;
use crate::summarize::is_stop_word;

/// The least log-likelihood ratio of an association: chance alone reaches it in one of a hundred cases.
const ASSOCIATED: f64 = 6.63;
/// The least log-likelihood ratio for a word beside an associated one: chance alone reaches it in one of twenty cases.
const BESIDE: f64 = 3.84;
/// Small words that may stand inside of a term's translation: `Court of Appeal`.
const BETWEEN: usize = 1;

/// The translation of a segment.
pub(super) struct TargetSegment<'t> {
    text: &'t str,
    tokens: Vec<Token<'t>>,
    /// The words without endings; `None` for signs, numbers and function words.
    words: Vec<Option<String>>,
}

/// Words of a translation that stand for a term.
pub(super) struct Span {
    /// The words as they are written in the translation.
    pub(super) text: String,
    /// The words in small letters and without endings.
    pub(super) words: Vec<String>,
}

/// Source units and translations, with the numbers of segments that they share.
pub(super) struct TermAlignment<'a> {
    units: &'a SourceUnits,
    targets: &'a [TargetSegment<'a>],
    /// The segments that a word is in.
    postings: HashMap<&'a str, Vec<u32>>,
    /// For each word, the number of segments that it shares with each unit; computed when it is first needed.
    together: RefCell<HashMap<&'a str, HashMap<u32, u32>>>,
}

impl<'t> TargetSegment<'t> {
    /// The words of a translation into a language.
    pub(super) fn new(text: &'t str, language: Language) -> Self {
        let tokens = tokens(text);
        let word = |token: &Token| {
            let says_something = token.kind == TokenKind::Letters && !is_stop_word(&token.lower, language);
            says_something.then(|| lemma(&token.lower))
        };
        let words = tokens.iter().map(word).collect();
        Self { text, tokens, words }
    }
}

/// An English word without the ending of a plural or possessive. These are rules of spelling, so they also shorten words that are
/// no plurals. That is harmless, because the results are only compared with each other.
pub(super) fn lemma(word: &str) -> String {
    let word = plain(word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word));
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 2) {
        return format!("{stem}y");
    }
    let sibilant = ["sses", "shes", "ches", "xes"].iter().any(|ending| word.ends_with(ending));
    let stem = if sibilant { word.strip_suffix("es") } else { word.strip_suffix('s') };
    match stem {
        Some(stem) if stem.len() > 1 && !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
        _ => word,
    }
}

impl<'a> TermAlignment<'a> {
    /// Prepares segments whose source consists of these units.
    pub(super) fn new(units: &'a SourceUnits, targets: &'a [TargetSegment<'a>]) -> Self {
        let mut postings: HashMap<&str, Vec<u32>> = HashMap::new();
        for (place, target) in targets.iter().enumerate() {
            for word in target.words.iter().flatten() {
                let places = postings.entry(word).or_default();
                if places.last() != Some(&(place as u32)) {
                    places.push(place as u32);
                }
            }
        }
        Self { units, targets, postings, together: RefCell::default() }
    }

    /// The words that stand for a term in the translation of a segment; `None` if they are not found.
    pub(super) fn translation(&self, term: usize, place: usize) -> Option<Span> {
        let target = &self.targets[place];
        self.copied(term, target).or_else(|| {
            let range = self.links(place).remove(&(term as u32))?;
            Some(target.span(target.with_article(range)))
        })
    }

    /// For each unit of a segment, the range of its words in the translation. The pair of a unit and a word with the strongest
    /// association is linked first. A word belongs to one unit, and the words of a unit are next to each other.
    fn links(&self, place: usize) -> HashMap<u32, Range<usize>> {
        let target = &self.targets[place];
        let mut pairs = Vec::new();
        for (at, word) in target.words.iter().enumerate().filter_map(|(at, word)| Some((at, word.as_deref()?))) {
            for &UnitPlace { unit, position } in &self.units.segments[place] {
                let strength = self.association(word, unit);
                if self.count(word, unit) >= BELIEVED && strength >= BESIDE {
                    let apart = (position - at as f64 / target.tokens.len() as f64).abs();
                    pairs.push((strength, apart, unit, at));
                }
            }
        }
        pairs.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.total_cmp(&other.1)));
        let mut linked: HashMap<u32, Range<usize>> = HashMap::new();
        let mut taken = vec![false; target.tokens.len()];
        for (strength, _, unit, at) in pairs {
            let alone = || (strength >= ASSOCIATED).then_some(at..at + 1);
            let range = linked.get(&unit).map_or_else(alone, |range| target.joined(range, at));
            if let Some(range) = range.filter(|_| !taken[at]) {
                taken[at] = true;
                linked.insert(unit, range);
            }
        }
        linked
    }

    /// The place of a name that the translation has unchanged.
    fn copied(&self, term: usize, target: &TargetSegment) -> Option<Span> {
        let text = &self.units.terms[term];
        if !text.starts_with(char::is_uppercase) {
            return None;
        }
        let words: Vec<Token> = tokens(text);
        let same = |here: &[Token]| here.iter().zip(&words).all(|(one, other)| one.text == other.text);
        let start = target.tokens.windows(words.len()).position(same)?;
        let span = target.span(start..start + words.len());
        Some(Span { words: words_of(text), ..span })
    }

    /// Number of segments that have both a word and a unit.
    fn count(&self, word: &'a str, unit: u32) -> usize {
        let mut together = self.together.borrow_mut();
        let counts = together.entry(word).or_insert_with(|| {
            let mut counts = HashMap::new();
            for &place in &self.postings[word] {
                for one in &self.units.segments[place as usize] {
                    *counts.entry(one.unit).or_default() += 1;
                }
            }
            counts
        });
        counts.get(&unit).copied().unwrap_or(0) as usize
    }

    /// The log-likelihood ratio of a word and a unit; 0 if they are together less often than by chance.
    fn association(&self, word: &'a str, unit: u32) -> f64 {
        let both = self.count(word, unit);
        log_likelihood(both, self.units.count(unit), self.postings[word].len(), self.targets.len())
    }
}

/// Dunning's log-likelihood ratio of two events among `all` segments: one is in `one` of them, the other in `other`, and `both` have
/// the two together. 0 if that is less often than by chance.
fn log_likelihood(both: usize, one: usize, other: usize, all: usize) -> f64 {
    let [both, one, other, all] = [both, one, other, all].map(|count| count as f64);
    if both * all <= one * other {
        return 0.0;
    }
    let cell = |observed: f64, expected: f64| if observed > 0.0 { observed * (observed / expected).ln() } else { 0.0 };
    let (rest, remaining) = (all - one, all - other);
    2.0 * (cell(both, one * other / all)
        + cell(one - both, one * remaining / all)
        + cell(other - both, rest * other / all)
        + cell(rest - (other - both), rest * remaining / all))
}

impl TargetSegment<'_> {
    /// A range of tokens, extended by one more token if only a hyphen or a small word is between them.
    fn joined(&self, range: &Range<usize>, at: usize) -> Option<Range<usize>> {
        let between = if at < range.start { at + 1..range.start } else { range.end..at };
        let is_small = |place: usize| {
            let token = &self.tokens[place];
            self.words[place].is_none() && (token.kind == TokenKind::Letters || token.is("-"))
        };
        let near = between.len() <= BETWEEN && between.into_iter().all(is_small);
        near.then_some(range.start.min(at)..range.end.max(at + 1))
    }

    /// A range of tokens, extended by an article before it if that belongs to a name, as in `The Hague`: if it has a capital although
    /// it does not begin a sentence.
    fn with_article(&self, range: Range<usize>) -> Range<usize> {
        let article = range.start.checked_sub(1).filter(|&before| {
            self.tokens[before].text == "The" && before > 0 && !starts_sentence(&self.tokens, before)
        });
        article.unwrap_or(range.start)..range.end
    }

    fn span(&self, range: Range<usize>) -> Span {
        let tokens = &self.tokens[range];
        let text = tokens.first().zip(tokens.last()).map(|(first, last)| &self.text[first.start..last.end()]);
        Span {
            text: text.unwrap_or_default().to_owned(),
            words: tokens.iter().map(|token| lemma(&token.lower)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_the_paper() {
        // The first row of Dunning's table: `the swiss` 110 times, `the` elsewhere 2442, `swiss` elsewhere 111, neither 29114.
        let found = log_likelihood(110, 110 + 111, 110 + 2442, 110 + 2442 + 111 + 29114);
        assert!((found - 270.72).abs() < 0.005, "{found}");
        assert!(log_likelihood(1, 50, 50, 100) <= 0.0, "less often than by chance");
    }

    #[test]
    fn endings_do_not_matter() {
        for (word, same) in
            [("parties", "party"), ("boxes", "box"), ("mayor's", "mayor"), ("buses", "buse"), ("gas", "gas")]
        {
            assert_eq!(lemma(word), lemma(same), "{word}");
        }
        assert_ne!(lemma("court"), lemma("council"));
    }
}
