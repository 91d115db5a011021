//! ROUGE of summaries (Lin, 2004) as the package rouge-score 0.1.2 gives it, without its stemmer.
//!
//! Words are runs of a to z and digits after lowercasing: letters with accents divide a word, as they do there.

use std::collections::{BTreeSet, HashMap};

use super::ngrams::overlap;

/// A ROUGE metric: what is compared of two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rouge {
    /// Words.
    One,
    /// Pairs of words.
    Two,
    /// The longest common subsequence of words.
    L,
    /// The union of the longest common subsequences of the lines, which are sentences.
    Lsum,
}

/// How much two texts have in common, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// The share of the hypothesis that is in the reference.
    pub precision: f64,
    /// The share of the reference that is in the hypothesis.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub fmeasure: f64,
}

impl Rouge {
    /// All metrics, in the order in which they are printed.
    pub const ALL: [Self; 4] = [Self::One, Self::Two, Self::L, Self::Lsum];

    /// The name in print.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "ROUGE-1",
            Self::Two => "ROUGE-2",
            Self::L => "ROUGE-L",
            Self::Lsum => "ROUGE-Lsum",
        }
    }

    /// The name in rouge-score.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::One => "rouge1",
            Self::Two => "rouge2",
            Self::L => "rougeL",
            Self::Lsum => "rougeLsum",
        }
    }

    /// One hypothesis beside its reference.
    #[must_use]
    pub fn compare(self, hypothesis: &str, reference: &str) -> Agreement {
        if self == Self::Lsum {
            return summaries(hypothesis, reference);
        }
        let (hypothesis, reference) = (tokens(hypothesis), tokens(reference));
        let (common, n) = match self {
            Self::One | Self::Two => {
                let n = if self == Self::One { 1 } else { 2 };
                (overlap(&hypothesis, &reference, n).common as usize, n)
            }
            Self::L | Self::Lsum => (subsequence(&reference, &hypothesis).len(), 1),
        };
        let grams = |tokens: &[String]| (tokens.len() + 1).saturating_sub(n);
        Agreement::new(common, grams(&hypothesis), grams(&reference))
    }

    /// The mean over all segments.
    #[must_use]
    pub fn mean(self, hypotheses: &[impl AsRef<str>], references: &[impl AsRef<str>]) -> Agreement {
        let pairs = hypotheses.iter().zip(references);
        let each: Vec<_> = pairs.map(|(one, other)| self.compare(one.as_ref(), other.as_ref())).collect();
        let mean = |part: fn(&Agreement) -> f64| each.iter().map(part).sum::<f64>() / each.len().max(1) as f64;
        Agreement {
            precision: mean(|one| one.precision),
            recall: mean(|one| one.recall),
            fmeasure: mean(|one| one.fmeasure),
        }
    }
}

impl Agreement {
    fn new(common: usize, hypothesis: usize, reference: usize) -> Self {
        let share = |of: usize| common as f64 / of.max(1) as f64;
        let (precision, recall) = (share(hypothesis), share(reference));
        let sum = precision + recall;
        let fmeasure = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
        Self { precision, recall, fmeasure }
    }
}

fn tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// ROUGE-L of summaries, section 3.2 of the paper; no word counts more often than either summary has it.
fn summaries(hypothesis: &str, reference: &str) -> Agreement {
    let sentences = |text: &str| text.split('\n').map(tokens).collect::<Vec<_>>();
    let (hypothesis, reference) = (sentences(hypothesis), sentences(reference));
    let (mut own, mut other) = (frequencies(&hypothesis), frequencies(&reference));
    let mut hits = 0;
    for sentence in &reference {
        let union: BTreeSet<usize> = hypothesis.iter().flat_map(|one| subsequence(sentence, one)).collect();
        for place in union {
            let left = [&mut own, &mut other].map(|counts| counts.get_mut(sentence[place].as_str()));
            if let [Some(own), Some(other)] = left
                && *own > 0
                && *other > 0
            {
                *own -= 1;
                *other -= 1;
                hits += 1;
            }
        }
    }
    let words = |sentences: &[Vec<String>]| sentences.iter().map(Vec::len).sum();
    Agreement::new(hits, words(&hypothesis), words(&reference))
}

fn frequencies(sentences: &[Vec<String>]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for word in sentences.iter().flatten() {
        *counts.entry(word.as_str()).or_default() += 1;
    }
    counts
}

/// Places of a longest common subsequence in the reference. Of several, the one that rouge-score reads out of its table.
fn subsequence(reference: &[String], hypothesis: &[String]) -> Vec<usize> {
    let columns = hypothesis.len() + 1;
    let mut table = vec![0u32; columns * (reference.len() + 1)];
    for (row, word) in reference.iter().enumerate() {
        for (column, other) in hypothesis.iter().enumerate() {
            let at = (row + 1) * columns + column + 1;
            table[at] =
                if word == other { table[at - columns - 1] + 1 } else { table[at - columns].max(table[at - 1]) };
        }
    }
    let (mut row, mut column) = (reference.len(), hypothesis.len());
    let mut places = Vec::new();
    while row > 0 && column > 0 {
        let at = row * columns + column;
        if reference[row - 1] == hypothesis[column - 1] {
            places.push(row - 1);
            row -= 1;
            column -= 1;
        } else if table[at - 1] > table[at - columns] {
            column -= 1;
        } else {
            row -= 1;
        }
    }
    places.reverse();
    places
}
