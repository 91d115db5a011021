//! The terms of a run's source: names, capitalised words in a row, and compound nouns.
//!
//! Invariant: a term is first recognised where only that explains its form: by a capital within a sentence, or as a long noun after
//! an article. Then it is found everywhere, also at the start of a sentence and in the plural. Of overlapping terms the longest is
//! taken.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::check::words::{Token, TokenKind, plain};
use crate::check::{is_common, is_in_calendar, is_ordinary, is_put_together, starts_sentence};
use crate::glossary::plurals;
use crate::language::Language;
use crate::summarize::is_stop_word;

/// Small words that may stand within a name.
const PARTICLES: [&str; 9] = ["van", "de", "der", "den", "het", "ten", "ter", "of", "the"];
/// Determiners: words that stand before a noun.
const DETERMINERS: [&str; 14] =
    ["de", "het", "een", "deze", "dit", "elke", "elk", "iedere", "ieder", "geen", "hun", "onze", "ons", "mijn"];
/// Endings of adjectives, adverbs and numbers.
const OTHER_ENDINGS: [&str; 15] = [
    "lijk", "lijke", "isch", "ische", "ende", "ieve", "onale", "bare", "loze", "zame", "achtige", "tien", "tig",
    "honderd", "duizend",
];
/// Beginnings of participles, which end in -de or -te before a noun.
const PARTICIPLES: [&str; 6] = ["ge", "aange", "opge", "uitge", "be", "ver"];
/// Least number of letters of a noun that is a term even if its parts are unknown.
const LONG: usize = 9;
/// Least number of letters of a word that counts as a noun, whatever follows it.
const VERY_LONG: usize = 12;
/// Least number of letters of a shorter noun, which has to consist of known words.
const COMPOUND: usize = 6;

/// A term that was found in a segment, and its tokens.
type FoundTerm = (usize, Range<usize>);

/// A unit in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitPlace {
    /// The number of the unit.
    pub(super) unit: u32,
    /// The first position of the unit in the segment, as a share of the segment's length.
    pub(super) position: f64,
}

/// The source as units: terms, and other words that are not function words.
pub(super) struct SourceUnits {
    /// The terms. The units with the lowest numbers are the terms, in this order.
    pub(super) terms: Vec<String>,
    /// The units of each segment, each once, in the order of their numbers.
    pub(super) segments: Vec<Vec<UnitPlace>>,
    /// The segments that each unit is in.
    postings: Vec<Vec<u32>>,
}

impl SourceUnits {
    /// The units of tokenised segments. A term is in at least `occurrences` of them.
    pub(super) fn find(sources: &[Vec<Token>], language: Language, occurrences: usize) -> Self {
        let patterns = Patterns::new(sources, language);
        let mut found: Vec<Vec<FoundTerm>> = sources.iter().map(|tokens| patterns.find(tokens)).collect();
        let mut counts = vec![0; patterns.terms.len()];
        for matches in &found {
            let terms: HashSet<usize> = matches.iter().map(|(term, _)| *term).collect();
            for term in terms {
                counts[term] += 1;
            }
        }
        // Terms that are too rare are treated as ordinary words.
        let kept: Vec<usize> = (0..counts.len()).filter(|&term| counts[term] >= occurrences).collect();
        let numbers: HashMap<usize, usize> = kept.iter().copied().zip(0..).collect();
        for matches in &mut found {
            matches.retain_mut(|(term, _)| numbers.get(term).map(|number| *term = *number).is_some());
        }
        let terms = kept.iter().map(|&term| patterns.terms[term].clone()).collect();
        Self { terms, segments: Vec::new(), postings: Vec::new() }.with_words(sources, &found, language)
    }

    /// The units with those of each segment: its terms, and the words outside them.
    fn with_words(mut self, sources: &[Vec<Token>], found: &[Vec<FoundTerm>], language: Language) -> Self {
        let mut words: HashMap<&str, u32> = HashMap::new();
        for (tokens, found) in sources.iter().zip(found) {
            let at = |place: usize| place as f64 / tokens.len() as f64;
            let term = |(term, range): &FoundTerm| UnitPlace { unit: *term as u32, position: at(range.start) };
            let mut here: Vec<UnitPlace> = found.iter().map(term).collect();
            for (place, token) in tokens.iter().enumerate() {
                let is_word = token.kind == TokenKind::Letters && !is_stop_word(&token.lower, language);
                if is_word && !found.iter().any(|(_, range)| range.contains(&place)) {
                    let next = (self.terms.len() + words.len()) as u32;
                    let unit = *words.entry(&token.lower).or_insert(next);
                    here.push(UnitPlace { unit, position: at(place) });
                }
            }
            here.sort_by_key(|one| one.unit);
            here.dedup_by_key(|one| one.unit);
            self.segments.push(here);
        }
        self.postings = vec![Vec::new(); self.terms.len() + words.len()];
        for (place, here) in self.segments.iter().enumerate() {
            for one in here {
                self.postings[one.unit as usize].push(place as u32);
            }
        }
        self
    }

    /// The segments that a term is in.
    pub(super) fn places(&self, term: usize) -> Vec<usize> {
        self.postings[term].iter().map(|&place| place as usize).collect()
    }

    /// Number of segments that a unit is in.
    pub(super) fn count(&self, unit: u32) -> usize {
        self.postings[unit as usize].len()
    }
}

/// The candidates for terms.
struct Patterns {
    terms: Vec<String>,
    /// The terms that begin with a word in small letters, each with all its words; the longest first.
    starts: HashMap<String, Vec<(usize, Vec<String>)>>,
}

impl Patterns {
    fn new(sources: &[Vec<Token>], language: Language) -> Self {
        let mut terms: Vec<Vec<String>> = Vec::new();
        let mut known: HashSet<Vec<String>> = HashSet::new();
        for tokens in sources {
            for range in names(tokens, language) {
                let words: Vec<String> = tokens[range].iter().map(|token| token.text.to_owned()).collect();
                if known.insert(words.clone()) {
                    terms.push(words);
                }
            }
        }
        let mut patterns = Self { terms: Vec::new(), starts: HashMap::new() };
        for words in terms {
            let text = joined(&words);
            patterns.add(&text, words);
        }
        if language == Language::Dutch {
            for (noun, forms) in nouns(sources, language) {
                let term = patterns.add(&noun, vec![noun.clone()]);
                for form in forms {
                    patterns.starts.entry(form.clone()).or_default().push((term, vec![form]));
                }
            }
        }
        for starting in patterns.starts.values_mut() {
            starting.sort_by_key(|(_, words)| usize::MAX - words.len());
        }
        patterns
    }

    fn add(&mut self, text: &str, words: Vec<String>) -> usize {
        self.terms.push(text.to_owned());
        let term = self.terms.len() - 1;
        let first = words[0].to_lowercase();
        self.starts.entry(first).or_default().push((term, words));
        term
    }

    /// The terms of a segment and their tokens.
    fn find(&self, tokens: &[Token]) -> Vec<FoundTerm> {
        let mut found = Vec::new();
        let mut place = 0;
        while place < tokens.len() {
            let starting = self.starts.get(&tokens[place].lower).map(Vec::as_slice).unwrap_or_default();
            let is_here = |words: &[String]| {
                let here = tokens.get(place..place + words.len());
                here.is_some_and(|here| here.iter().zip(words).all(|(token, word)| is_word(token, word)))
            };
            match starting.iter().find(|(_, words)| is_here(words)) {
                Some((term, words)) => {
                    found.push((*term, place..place + words.len()));
                    place += words.len();
                }
                None => place += 1,
            }
        }
        found
    }
}

/// Whether a token is a word of a term: capitals of the term must be there, small letters may be capitals.
fn is_word(token: &Token, word: &str) -> bool {
    token.text == word || (token.lower == word && token.kind == TokenKind::Letters)
}

/// Words of a name as they are written.
fn joined(words: &[String]) -> String {
    words.join(" ").replace(" - ", "-")
}

/// The ranges of the names in a sentence.
fn names(tokens: &[Token], language: Language) -> Vec<Range<usize>> {
    let mut names = Vec::new();
    let mut place = 0;
    while place < tokens.len() {
        let end = name_end(tokens, place);
        let mut start = place;
        place = end.max(place + 1);
        if start == end {
            continue;
        }
        // The first word of a sentence has a capital anyway.
        if starts_sentence(tokens, start) && (end - start == 1 || is_ordinary(&plain(tokens[start].text), language)) {
            start += 1;
            start += tokens[start..end].iter().take_while(|token| !token.is_capitalised()).count();
        }
        let ordinary = |token: &Token| {
            let word = plain(token.text);
            is_in_calendar(&word) || is_ordinary(&word, language) || word.chars().count() < 2
        };
        if start < end && !(end - start == 1 && ordinary(&tokens[start])) {
            names.push(start..end);
        }
    }
    names
}

/// The end of the row of capitalised words that begins at `start`; `start` itself if there are none.
fn name_end(tokens: &[Token], start: usize) -> usize {
    let is_capitalised = |place: usize| tokens.get(place).is_some_and(Token::is_capitalised);
    if !is_capitalised(start) {
        return start;
    }
    let mut end = start + 1;
    loop {
        let follows = tokens.get(end).is_some_and(|token| !token.glued);
        let hyphen = tokens.get(end).is_some_and(|token| token.is("-") && token.glued);
        let particles = tokens[end..]
            .iter()
            .take(2)
            .take_while(|token| !token.glued && PARTICLES.contains(&token.lower.as_str()) && !token.is_capitalised())
            .count();
        if follows && is_capitalised(end) {
            end += 1;
        } else if hyphen && is_capitalised(end + 1) && tokens[end + 1].glued {
            end += 2;
        } else if particles > 0 && is_capitalised(end + particles) && !tokens[end + particles].glued {
            end += particles + 1;
        } else {
            return end;
        }
    }
}

/// The compound nouns of a run, each with those of its plurals that occur.
fn nouns(sources: &[Vec<Token>], language: Language) -> Vec<(String, Vec<String>)> {
    let mut words: HashSet<&str> = HashSet::new();
    // For each word: how often it follows an article, and how often it is then followed by a word that cannot follow an adjective.
    let mut found: HashMap<&str, (usize, usize)> = HashMap::new();
    for tokens in sources {
        for (place, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Letters) {
            words.insert(&token.lower);
            let before = place.checked_sub(1).map(|before| &tokens[before]);
            let determined = before.is_some_and(|before| DETERMINERS.contains(&before.lower.as_str()) && !token.glued);
            if determined && is_long_noun(token, language) {
                let (all, ended) = found.entry(&token.lower).or_default();
                *all += 1;
                let next = tokens.get(place + 1).filter(|next| next.kind == TokenKind::Letters && !next.glued);
                *ended += usize::from(next.is_none_or(|next| is_stop_word(&next.lower, language)));
            }
        }
    }
    found.retain(|word, (all, ended)| {
        let letters = word.chars().count();
        *ended * 3 >= *all || (*all == 1 && letters >= LONG) || letters >= VERY_LONG
    });
    let beginnings: HashSet<String> = found.keys().map(|word| beginning(word)).collect();
    let mut singulars: HashMap<&str, &str> = HashMap::new();
    let mut forms: HashMap<&str, Vec<String>> = HashMap::new();
    for &word in words.iter().filter(|word| beginnings.contains(&beginning(word))) {
        let there: Vec<&str> = plurals(word).iter().filter_map(|plural| words.get(plural.as_str()).copied()).collect();
        if found.contains_key(word) || there.iter().any(|plural| found.contains_key(plural)) {
            singulars.extend(there.iter().map(|&plural| (plural, word)));
            forms.insert(word, there.into_iter().map(str::to_owned).collect());
        }
    }
    let mut nouns: Vec<(String, Vec<String>)> = forms
        .into_iter()
        .filter(|(word, _)| singulars.get(word).is_none_or(|singular| singular == word))
        .map(|(word, forms)| (word.to_owned(), forms))
        .collect();
    nouns.sort();
    nouns
}

/// Whether a word after an article is probably a noun for a glossary: it is long, not one of the most common words, and does not end
/// like an adjective.
fn is_long_noun(token: &Token, language: Language) -> bool {
    let word = token.lower.as_str();
    let letters = word.chars().count();
    let is_participle =
        PARTICIPLES.iter().any(|start| word.starts_with(start)) && (word.ends_with("de") || word.ends_with("te"));
    let is_other = OTHER_ENDINGS.iter().any(|ending| word.ends_with(ending)) || is_participle;
    let is_long = letters >= LONG || (letters >= COMPOUND && is_put_together(word, language));
    let is_common = is_common(&plain(word), language) || is_stop_word(word, language) || is_in_calendar(word);
    !token.is_capitalised() && is_long && !is_other && !is_common
}

fn beginning(word: &str) -> String {
    word.chars().take(5).collect()
}
