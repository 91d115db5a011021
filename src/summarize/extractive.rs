//! Chooses the sentences that say most of an article.
//!
//! A sentence is central when many others are like it, and more so when those are central themselves
//! (`LexRank`: <https://arxiv.org/abs/1109.2128>); news says the most important things first, so an early
//! sentence counts for more, and so does one that opens a paragraph; a short one says little; and what a chosen sentence
//! has said already counts for less (maximal marginal relevance). Invariant: the sentences are those of the article,
//! whole, in its order, and the same article gives the same ones every time. Headings, captions and dates are never
//! among them.
//!
//! Mean ROUGE F1 of three sentences on 48 articles of our own (`benches/rouge.py`); the constants were chosen on the other
//! half:
//!
//! | held-out 24 | ROUGE-1 | ROUGE-2 | ROUGE-L |
//! |---|---|---|---|
//! | first three sentences | 41.7 | 18.3 | 28.6 |
//! | `TextRank` | 38.6 | 14.4 | 26.6 |
//! | here | 45.4 | 21.7 | 32.5 |

use std::collections::BTreeMap;

use super::{Length, Summary, SummaryMethod, body, stop_words};
use crate::document::{BlockKind, Document};
use crate::segment::{self, Language, on_one_line};

/// How much of a sentence's weight comes from others like it; the rest each has by itself.
const DAMPING: f64 = 0.85;
/// Rounds of the power iteration: by then the weights change in the sixth digit.
const ROUNDS: usize = 50;
/// Beyond this many sentences the graph, which grows with the square, gives way to likeness to the whole.
const MOST_IN_GRAPH: usize = 1500;
/// The weight of an early position, against centrality.
const POSITION: f64 = 0.3;
/// The weight of opening a paragraph, beside these two.
const OPENING: f64 = 0.3;
/// The weight of novelty, against importance.
const NOVELTY: f64 = 0.5;
/// The factor on the score of a sentence that makes little sense alone.
const DEPENDENT: f64 = 0.9;
/// A sentence of fewer words than this counts for less in proportion.
const FULL_LENGTH: usize = 20;
/// Two sentences that are more alike than this say the same.
const SAME: f64 = 0.8;
/// Letters of a word that are compared: about what is left when its endings are taken off.
const STEM: usize = 7;
/// A sentence with fewer content words than this says too little to stand alone.
const FEWEST_WORDS: usize = 3;

/// A sentence and the weight of each word in it, as a vector of length 1.
struct RankedSentence {
    text: String,
    words: BTreeMap<usize, f64>,
    /// How many words the sentence has, stop words included.
    length: usize,
    /// Whether it is the first of its paragraph.
    opens: bool,
    /// Whether it can be understood without the sentence before it.
    stands_alone: bool,
}

/// The summary of `document`, which is in `language`.
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

/// The sentences a summary can be made of.
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

/// The words of a sentence that mean something, cut to their stems.
fn terms(sentence: &str, language: Language) -> impl Iterator<Item = String> {
    words(sentence)
        .map(str::to_lowercase)
        .filter(move |word| !stop_words::is_stop_word(word, language))
        .map(|word| word.chars().take(STEM).collect())
}

/// Gives each word of each sentence its weight: higher the fewer sentences have it.
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
            *weight = (1.0 + weight.ln()) * (1.0 + (total / containing[term] as f64).ln());
        }
        let norm = words.values().map(|weight| weight * weight).sum::<f64>().sqrt();
        for weight in words.values_mut() {
            *weight /= norm;
        }
        sentence.stands_alone &= sentence.words.len() >= FEWEST_WORDS;
    }
}

/// Whether a sentence makes sense without the one before: it points back to nothing, ends as a statement
/// does, and closes the quotation it opens.
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

/// How much each sentence deserves to be chosen: from 0 to about 1.
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

/// Limits the score of a sentence that repeats an earlier one to the score of that.
fn prefer_first(scores: &mut [f64], likeness: impl Fn(usize, usize) -> f64) {
    for later in 1..scores.len() {
        let first = (0..later).find(|&first| likeness(first, later) > SAME);
        if let Some(first) = first {
            scores[later] = scores[later].min(scores[first]);
        }
    }
}

/// The weight of each sentence in the graph of likenesses: it gets weight from those it is like, as much
/// as it is like them. Each row is not made a distribution, as `LexRank` does: then two sentences that
/// are like each other and nothing else would keep all their weight between them.
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

/// Chooses `count` sentences one by one, each time the one that adds most; in the article's order. Of
/// very many, what each adds to all others is not asked: that too grows with the square.
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
        // Of equals the earlier one.
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
