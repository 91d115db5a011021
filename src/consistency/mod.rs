//! The translations of terms over a whole run, and the terms that were not always translated alike.
//!
//! The segments of a run are a bitext: terms are aligned with words of the translations by the number of segments that they share.
//! A translation counts only if it is found at least twice, because a wrong remark costs a reader more than a missing one.
//! Invariant: the result depends only on the segments and their order. Memory is bounded: of a longer run only the first segments
//! are used. Terms are found in Dutch and English, as in `check`.

mod alignment;
mod terms;

use std::collections::HashMap;

use serde::Serialize;

use crate::check::words::tokens;
use crate::language::Language;
use crate::translate::Segment;

use alignment::{TargetSegment, TermAlignment};
use terms::SourceUnits;

/// The most segments of a run that are used.
pub const SEGMENTS: usize = 20_000;
/// The least number of segments with a term.
const OCCURRENCES: usize = 3;
/// The least number of segments with a translation of a term.
const BELIEVED: usize = 2;

/// The segments of a run.
#[derive(Debug, Default)]
pub struct Bitext {
    languages: Option<(Language, Language)>,
    /// The names of the texts that have a pair.
    texts: Vec<String>,
    /// The name of the text that was added last, and the number of its segments so far.
    last: (String, usize),
    pairs: Vec<SentencePair>,
    left_out: usize,
}

/// A segment and its translation.
#[derive(Debug)]
struct SentencePair {
    source: String,
    target: String,
    text: usize,
    number: usize,
}

/// A term and its translations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TermUse {
    /// The term in the language of the source.
    pub term: String,
    /// Number of segments with the term.
    pub count: usize,
    /// Its translations, the most frequent first. A segment in which no translation of the term was found is in none of them.
    pub translations: Vec<TermTranslation>,
}

/// One translation of a term.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TermTranslation {
    /// The words in the translation.
    pub target: String,
    /// Number of segments with them.
    pub count: usize,
    /// The segments.
    pub places: Vec<TermPlace>,
}

/// A segment that has a term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TermPlace {
    /// The name of the text.
    pub input: String,
    /// The number of the segment in the text, from 1.
    pub segment: usize,
}

impl Bitext {
    /// A bitext without segments, between two languages, given by their codes.
    #[must_use]
    pub fn new(from: &str, to: &str) -> Self {
        let languages = Language::known(from).zip(Language::known(to)).filter(|(from, to)| from != to);
        Self { languages, ..Self::default() }
    }

    /// Adds segments of a text; further ones of the same text may follow.
    pub fn add(&mut self, name: &str, segments: &[Segment]) {
        if self.last.0 != name {
            self.last = (name.to_owned(), 0);
        }
        for segment in segments {
            self.last.1 += 1;
            if self.languages.is_none() || segment.score.is_none() {
                continue;
            }
            if self.is_full() {
                self.left_out += 1;
                continue;
            }
            // Of lines each is a text of its own, so names are kept only with pairs.
            if self.texts.last() != Some(&self.last.0) {
                self.texts.push(self.last.0.clone());
            }
            let (source, target) = (segment.source.clone(), segment.target.clone());
            self.pairs.push(SentencePair { source, target, text: self.texts.len() - 1, number: self.last.1 });
        }
    }

    /// Whether the bitext has all segments that it can use.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pairs.len() == SEGMENTS
    }

    /// Number of segments that were left out because there are too many.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The terms of at least three segments with a translation that was found at least twice; the most frequent terms first.
    #[must_use]
    pub fn terms(&self) -> Vec<TermUse> {
        let Some((from, to)) = self.languages else { return Vec::new() };
        let sources: Vec<_> = self.pairs.iter().map(|pair| tokens(&pair.source)).collect();
        let units = SourceUnits::find(&sources, from, OCCURRENCES);
        let targets: Vec<TargetSegment> = self.pairs.iter().map(|pair| TargetSegment::new(&pair.target, to)).collect();
        let alignment = TermAlignment::new(&units, &targets);
        let mut terms: Vec<TermUse> = (0..units.terms.len())
            .map(|term| {
                let places = units.places(term);
                let found = places.iter().filter_map(|&place| Some((place, alignment.translation(term, place)?)));
                let text = units.terms[term].clone();
                TermUse { translations: self.translations(found, &text), count: places.len(), term: text }
            })
            .filter(|term| term.translations.first().is_some_and(|most| most.count >= BELIEVED))
            .collect();
        terms.sort_by_key(|term| usize::MAX - term.count);
        terms
    }

    /// The terms that were not always translated alike.
    #[must_use]
    pub fn inconsistent(&self) -> Vec<TermUse> {
        self.terms().into_iter().filter(|term| term.translations.len() > 1).collect()
    }

    /// The translations of a term with their places. A translation that has all words of a more frequent one counts as that one.
    fn translations(&self, found: impl Iterator<Item = (usize, alignment::Span)>, term: &str) -> Vec<TermTranslation> {
        let mut ways: Vec<Way> = Vec::new();
        let mut numbers: HashMap<Vec<String>, usize> = HashMap::new();
        for (place, span) in found {
            let way = *numbers.entry(span.words.clone()).or_insert_with(|| {
                ways.push(Way { words: span.words.clone(), spellings: Vec::new(), places: Vec::new() });
                ways.len() - 1
            });
            ways[way].spellings.push(span.text);
            ways[way].places.push(place);
        }
        ways.sort_by_key(|way| usize::MAX - way.places.len());
        let mut kept: Vec<Way> = Vec::new();
        for way in ways {
            match kept.iter_mut().find(|other| is_same(&way.words, &other.words)) {
                Some(other) => other.places.extend(way.places),
                None => kept.push(way),
            }
        }
        kept.retain(|way| way.places.len() >= BELIEVED || way.words == words_of(term));
        kept.sort_by_key(|way| usize::MAX - way.places.len());
        kept.into_iter().map(|way| self.translation(way, term)).collect()
    }

    fn translation(&self, mut way: Way, term: &str) -> TermTranslation {
        way.places.sort_unstable();
        let place = |&pair: &usize| {
            let SentencePair { text, number, .. } = &self.pairs[pair];
            TermPlace { input: self.texts[*text].clone(), segment: *number }
        };
        let places: Vec<TermPlace> = way.places.iter().map(place).collect();
        TermTranslation { target: way.spelling(term), count: places.len(), places }
    }
}

/// A translation of a term while its occurrences are counted.
struct Way {
    words: Vec<String>,
    spellings: Vec<String>,
    places: Vec<usize>,
}

impl Way {
    /// The most frequent spelling, the shorter one of two. A term in small letters has a capital only at the start of a sentence.
    fn spelling(&self, term: &str) -> String {
        let small = term.chars().all(|c| !c.is_uppercase());
        let mut counts: HashMap<String, usize> = HashMap::new();
        for spelling in &self.spellings {
            let one_capital = spelling.chars().filter(|c| c.is_uppercase()).count() == 1;
            let mut letters = spelling.chars();
            let spelling = match letters.next() {
                Some(first) if small && one_capital => first.to_lowercase().chain(letters).collect(),
                _ => spelling.clone(),
            };
            *counts.entry(spelling).or_default() += 1;
        }
        let rank = |(spelling, count): &(String, usize)| (usize::MAX - count, spelling.len(), spelling.clone());
        counts.into_iter().min_by_key(rank).map(|(spelling, _)| spelling).unwrap_or_default()
    }
}

/// Whether two translations count as one: they are forms of the same words, or one is a part of the other. A part may be all that
/// was found of a translation.
fn is_same(words: &[String], others: &[String]) -> bool {
    let forms = |(one, other): (&String, &String)| {
        let shared = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
        let (shorter, longer) =
            (one.chars().count().min(other.chars().count()), one.chars().count().max(other.chars().count()));
        shared >= 3 && (shared + 1 >= shorter || shared * 10 >= shorter * 7) && longer <= shorter + 5
    };
    let same_length = words.len() == others.len() && words.iter().zip(others).all(forms);
    same_length || is_part(words, others) || is_part(others, words)
}

/// Whether `others` contains all of `words` next to each other.
fn is_part(words: &[String], others: &[String]) -> bool {
    others.windows(words.len().max(1)).any(|window| window == words)
}

/// The words of a term in the form in which words of translations are compared.
fn words_of(term: &str) -> Vec<String> {
    tokens(term).iter().map(|token| alignment::lemma(&token.lower)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_run_only_the_first_segments_and_their_texts_are_kept() {
        let segment = |score| Segment { source: "De raad.".to_owned(), score, ..Segment::default() };
        let mut bitext = Bitext::new("nl", "en");
        bitext.add("copied", &[segment(None)]);
        bitext.add("a", &[segment(None), segment(Some(-1.0))]);
        bitext.add("a", &[segment(Some(-1.0))]);
        for line in 0..SEGMENTS {
            bitext.add(&format!("b:{line}"), &[segment(Some(-1.0))]);
        }
        assert_eq!((bitext.pairs.len(), bitext.left_out()), (SEGMENTS, 2));
        assert_eq!((bitext.texts.len(), bitext.texts[0].as_str()), (SEGMENTS - 1, "a"));
        assert_eq!([0, 1, 2].map(|pair| bitext.pairs[pair].number), [2, 3, 1]);
    }
}
