//! Summaries made of the most important sentences of an article.
//!
//! A sentence is central if many others are similar to it, and more so if those are central themselves (`LexRank`:
//! <https://arxiv.org/abs/1109.2128>). News says the most important things first, so an early sentence scores higher, and
//! so does one that opens a paragraph. A short sentence scores lower, and so does one that repeats a chosen sentence
//! (maximal marginal relevance). Invariant: the sentences are whole sentences of the article in its order, and equal
//! articles give equal summaries. Headings, captions and dates are never among them.
//!
//! Mean ROUGE F1 of three sentences on 48 articles of our own (`benches/rouge.py`); the constants were chosen on the
//! other half:
//!
//! | held-out 24 | ROUGE-1 | ROUGE-2 | ROUGE-L |
//! |---|---|---|---|
//! | first three sentences | 41.7 | 18.3 | 28.6 |
//! | `TextRank` | 38.6 | 14.4 | 26.6 |
//! | this module | 45.4 | 21.7 | 32.5 |

use std::collections::BTreeMap;

use super::{Length, Summary, SummaryMethod, body, stop_words};
use crate::document::{BlockKind, Document};
use crate::segment::{self, Language, on_one_line};

/// The share of a sentence's weight that comes from similar sentences; each has the rest by itself.
const DAMPING: f64 = 0.85;
/// Number of rounds of the power iteration; after these, weights change only in the sixth digit.
const ROUNDS: usize = 50;
/// The most sentences in the graph, which grows quadratically; beyond that, similarity to the whole text replaces it.
const MOST_IN_GRAPH: usize = 1500;
/// The weight of an early position, relative to centrality.
const POSITION: f64 = 0.3;
/// The weight of opening a paragraph, in addition to position and centrality.
const OPENING: f64 = 0.3;
/// The weight of novelty, relative to the score.
const NOVELTY: f64 = 0.5;
/// The factor on the score of a sentence that makes little sense alone.
const DEPENDENT: f64 = 0.9;
/// The number of words below which a sentence's score is reduced in proportion.
const FULL_LENGTH: usize = 20;
/// The similarity above which two sentences count as equal in content.
const SAME: f64 = 0.8;
/// Number of letters of a word that are compared: about what remains without its endings.
const STEM: usize = 7;
/// The number of content words below which a sentence says too little to stand alone.
const FEWEST_WORDS: usize = 3;

/// A sentence, and the weight of each of its words as a vector of length 1.
struct RankedSentence {
    text: String,
    words: BTreeMap<usize, f64>,
    /// Number of words, stop words included.
    length: usize,
    /// Whether it is the first of its paragraph.
    opens: bool,
    /// Whether it can be understood without the sentence before it.
    stands_alone: bool,
}

/// The summary of `document`, whose language is `language`.
#[must_use]
pub fn summarize(document: &Document, length: Length, language: Language) -> Summary {
    let sentences = sentences(document, language);
    let count = length.of(sentences.len());
    let likeness = |a: usize, b: usize| dot(&sentences[a].words, &sentences[b].words);
    let mut scores = scores(&sentences);
    if scores.len() <= MOST_IN_GRAPH {
        prefer_first(&mut scores, likeness);
    }
    let chosen = choose(&scores, count, likeness);
    Summary::new(chosen.into_iter().map(|index| sentences[index].text.clone()).collect(), SummaryMethod::Extractive)
}

/// The sentences that a summary can be made of.
fn sentences(document: &Document, language: Language) -> Vec<RankedSentence> {
    let mut sentences = Vec::new();
    for block in body(document) {
        let ranges = segment::sentences(&block.text, language);
        sentences.extend(ranges.into_iter().enumerate().map(|(place, range)| {
            let text = on_one_line(&block.text[range]);
            let stands_alone = stands_alone(&text, language);
            let opens = place == 0 && block.kind == BlockKind::Paragraph;
            RankedSentence { length: words(&text).count(), words: BTreeMap::new(), opens, stands_alone, text }
        }));
    }
    weigh(&mut sentences, language);
    sentences
}

/// The words of a sentence.
fn words(sentence: &str) -> impl Iterator<Item = &str> {
    sentence.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The content words of a sentence, cut to their stems.
fn terms(sentence: &str, language: Language) -> impl Iterator<Item = String> {
    words(sentence)
        .map(str::to_lowercase)
        .filter(move |word| !stop_words::is_stop_word(word, language))
        .map(|word| word.chars().take(STEM).collect())
}

/// Sets the weight of each word of each sentence: the fewer sentences have the word, the higher.
fn weigh(sentences: &mut [RankedSentence], language: Language) {
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    let mut containing: Vec<usize> = Vec::new();
    for sentence in &mut *sentences {
        for term in terms(&sentence.text, language) {
            let next = index.len();
            let term = *index.entry(term).or_insert(next);
            if term == containing.len() {
                containing.push(0);
            }
            *sentence.words.entry(term).or_default() += 1.0;
        }
        for &term in sentence.words.keys() {
            containing[term] += 1;
        }
    }
    let total = sentences.len() as f64;
    for sentence in sentences {
        let words = &mut sentence.words;
        for (&term, weight) in &mut *words {
            // tf-idf, with the logarithm of the term's frequency.
            *weight = (1.0 + weight.ln()) * (1.0 + (total / containing[term] as f64).ln());
        }
        let norm = words.values().map(|weight| weight * weight).sum::<f64>().sqrt();
        for weight in words.values_mut() {
            *weight /= norm;
        }
        sentence.stands_alone &= sentence.words.len() >= FEWEST_WORDS;
    }
}

/// Whether a sentence makes sense without the one before it: it does not refer back, it ends like a statement, and it
/// closes the quotations that it opens.
fn stands_alone(text: &str, language: Language) -> bool {
    let points_back = words(text).next().is_some_and(|word| stop_words::points_back(&word.to_lowercase(), language));
    let opened = text.matches(['“', '„', '«']).count() + text.matches(",,").count();
    let closed = text.matches(['”', '»']).count() + text.matches("''").count() + text.matches("’’").count();
    let quoted = opened == closed && text.matches('"').count().is_multiple_of(2);
    let states = text.trim_end_matches(['"', '\'', '”', '’', ')']).ends_with(['.', '!']);
    !points_back && quoted && states
}

fn dot(a: &BTreeMap<usize, f64>, b: &BTreeMap<usize, f64>) -> f64 {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    few.iter().filter_map(|(term, weight)| many.get(term).map(|other| weight * other)).sum()
}

/// The score by which each sentence is chosen, from 0 to about 1.
fn scores(sentences: &[RankedSentence]) -> Vec<f64> {
    let central = if sentences.len() <= MOST_IN_GRAPH { centrality(sentences) } else { likeness_to_whole(sentences) };
    let most = central.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    sentences
        .iter()
        .zip(central)
        .enumerate()
        .map(|(index, (sentence, central))| {
            let early = 1.0 / (1.0 + index as f64).sqrt();
            let opening = if sentence.opens { OPENING } else { 0.0 };
            let score = (1.0 - POSITION) * central / most + POSITION * early + opening;
            let alone = if sentence.stands_alone { 1.0 } else { DEPENDENT };
            score * alone * sentence.length.min(FULL_LENGTH) as f64 / FULL_LENGTH as f64
        })
        .collect()
}

/// Limits the score of a sentence that repeats an earlier one to the earlier one's score.
fn prefer_first(scores: &mut [f64], likeness: impl Fn(usize, usize) -> f64) {
    for later in 1..scores.len() {
        let first = (0..later).find(|&first| likeness(first, later) > SAME);
        if let Some(first) = first {
            scores[later] = scores[later].min(scores[first]);
        }
    }
}

/// The weight of each sentence in the graph of similarities: it gets weight from similar sentences in proportion to their
/// similarity. Departure from `LexRank`: rows are not normalised to distributions. Otherwise two sentences that are
/// similar to each other and nothing else would keep all their weight between them.
fn centrality(sentences: &[RankedSentence]) -> Vec<f64> {
    let count = sentences.len();
    let mut likeness = vec![vec![0.0; count]; count];
    for a in 0..count {
        for b in a + 1..count {
            let like = dot(&sentences[a].words, &sentences[b].words);
            (likeness[a][b], likeness[b][a]) = (like, like);
        }
    }
    let most = likeness.iter().map(|row| row.iter().sum()).fold(f64::MIN_POSITIVE, f64::max);
    let mut weights = vec![1.0; count];
    for _ in 0..ROUNDS {
        let heard = |row: &Vec<f64>| row.iter().zip(&weights).map(|(like, weight)| like * weight).sum::<f64>();
        weights = likeness.iter().map(|row| 1.0 - DAMPING + DAMPING * heard(row) / most).collect();
    }
    weights
}

/// The similarity of each sentence to all sentences together.
fn likeness_to_whole(sentences: &[RankedSentence]) -> Vec<f64> {
    let mut whole: BTreeMap<usize, f64> = BTreeMap::new();
    for (&term, weight) in sentences.iter().flat_map(|sentence| &sentence.words) {
        *whole.entry(term).or_default() += weight;
    }
    sentences.iter().map(|sentence| dot(&sentence.words, &whole)).collect()
}

/// Chooses `count` sentences one by one, each time the one that adds most; returns their indices in ascending order. In
/// very long articles novelty is ignored, since its computation grows quadratically.
fn choose(scores: &[f64], count: usize, likeness: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let mut left: Vec<usize> = (0..scores.len()).collect();
    let mut said = vec![0.0_f64; scores.len()];
    let mut chosen: Vec<usize> = Vec::with_capacity(count);
    if scores.len() > MOST_IN_GRAPH {
        left.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        chosen.extend(left.drain(..count));
    }
    while chosen.len() < count {
        let worth = |index: usize| scores[index] - NOVELTY * said[index];
        // Among equals the earlier one is chosen.
        let best = (0..left.len()).min_by(|&a, &b| worth(left[b]).total_cmp(&worth(left[a])).then(a.cmp(&b)));
        let Some(best) = best.map(|at| left.remove(at)) else { break };
        for &index in &left {
            said[index] = said[index].max(likeness(index, best));
        }
        chosen.push(best);
    }
    chosen.sort_unstable();
    chosen
}
