//! The translation edit rate of a corpus: edits and shifts for each word of the reference, as Tercom and sacreBLEU count them.

use std::collections::HashMap;

use super::edits::{Edit, EditMatrix};
use super::ngrams::words;
use super::{ScoreValue, Width};

/// The most words that are shifted together.
const LONGEST_SHIFT: usize = 10;
/// The furthest that words are shifted.
const FURTHEST_SHIFT: usize = 50;
/// No more shifts than these are tried in a segment.
const MOST_TRIED: usize = 1000;

/// A shift of words in the hypothesis. Later fields decide where earlier ones are equal: most edits saved, then most words, then
/// the earliest words, then the earliest target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shift {
    saved: i64,
    length: usize,
    start: std::cmp::Reverse<usize>,
    target: std::cmp::Reverse<usize>,
}

/// Edits and shifts, and words of the reference.
pub fn count(hypothesis: &str, reference: &str) -> Vec<u32> {
    let (hypothesis, reference) = (hypothesis.to_lowercase(), reference.to_lowercase());
    let mut names = HashMap::new();
    let mut number = |text| {
        let numbered = words(text).into_iter().map(|word| {
            let next = names.len() as u32;
            *names.entry(word).or_insert(next)
        });
        numbered.collect::<Vec<u32>>()
    };
    let (hypothesis, reference) = (number(&hypothesis), number(&reference));
    vec![edits(hypothesis, &reference), reference.len() as u32]
}

/// Edits for each word, in percent. A hypothesis of nothing at all is wholly wrong.
pub fn score(sums: &[f64], width: Width) -> ScoreValue {
    let (edits, words) = (sums[0], sums[1]);
    if words > 0.0 {
        return ScoreValue { value: width.round(100.0 * width.round(edits / words)), width };
    }
    ScoreValue { value: if edits > 0.0 { 100.0 } else { 0.0 }, width: Width::Double }
}

/// Shifts words as long as that saves edits, then counts the edits that are left.
fn edits(mut hypothesis: Vec<u32>, reference: &[u32]) -> u32 {
    if reference.is_empty() {
        return hypothesis.len() as u32;
    }
    let mut beam = EditMatrix::new(reference, hypothesis.len());
    let (mut shifts, mut tried) = (0, 0);
    loop {
        let best = best_shift(&hypothesis, reference, &mut beam, &mut tried);
        let Some(best) = best.filter(|best| best.saved > 0 && tried < MOST_TRIED) else { break };
        hypothesis = shifted(&hypothesis, best.start.0, best.length, best.target.0);
        shifts += 1;
    }
    shifts + beam.distance(&hypothesis)
}

/// The shift that saves most, among those of wrong words to a place where the reference has them and the hypothesis has not.
fn best_shift(words: &[u32], reference: &[u32], beam: &mut EditMatrix<'_>, tried: &mut usize) -> Option<Shift> {
    let before = beam.distance(words);
    let alignment = Alignment::new(&beam.edits(words.len()));
    let mut best = None;
    for (start, place, length) in equal_runs(words, reference) {
        let right = |wrong: &[bool], at: usize| !wrong[at..at + length].contains(&true);
        let inside = (start..start + length).map(|at| at as i64).any(|at| at == alignment.places[place]);
        if right(&alignment.hypothesis, start) || right(&alignment.reference, place) || inside {
            continue;
        }
        let mut last = None;
        for target in alignment.targets(place, length) {
            if last.replace(target) == Some(target) {
                continue;
            }
            let after = beam.distance(&shifted(words, start, length, target));
            let saved = i64::from(before) - i64::from(after);
            let (start, target) = (std::cmp::Reverse(start), std::cmp::Reverse(target));
            best = best.max(Some(Shift { saved, length, start, target }));
            *tried += 1;
        }
        if *tried >= MOST_TRIED {
            break;
        }
    }
    best
}

/// Words of the hypothesis that stand in the reference too: where they begin in both, and how many they are.
fn equal_runs(words: &[u32], reference: &[u32]) -> impl Iterator<Item = (usize, usize, usize)> {
    let starts = (0..words.len()).flat_map(|start| (0..reference.len()).map(move |place| (start, place)));
    starts.filter(|(start, place)| start.abs_diff(*place) <= FURTHEST_SHIFT).flat_map(|(start, place)| {
        let pairs = words[start..].iter().zip(&reference[place..]);
        let equal = pairs.take(LONGEST_SHIFT).take_while(|(one, other)| one == other).count();
        (1..=equal).map(move |length| (start, place, length))
    })
}

/// The words with `length` of them, from `start` on, put before those that stood at `target`.
fn shifted(words: &[u32], start: usize, length: usize, target: usize) -> Vec<u32> {
    let end = start + length;
    let moved = &words[start..end];
    if target < start {
        [&words[..target], moved, &words[target..start], &words[end..]].concat()
    } else if target > end {
        [&words[..start], &words[end..target], moved, &words[target..]].concat()
    } else {
        // The target lies in the words themselves: it counts without them.
        let target = (target + length).min(words.len());
        [&words[..start], &words[end..target], moved, &words[target..]].concat()
    }
}

/// Which word of the hypothesis stands for which of the reference.
struct Alignment {
    /// For each word of the reference the place in the hypothesis; -1 is before all words.
    places: Vec<i64>,
    /// Words of the reference that are not right.
    reference: Vec<bool>,
    /// Words of the hypothesis that are not right.
    hypothesis: Vec<bool>,
}

impl Alignment {
    fn new(edits: &[Edit]) -> Self {
        let mut alignment = Self { places: Vec::new(), reference: Vec::new(), hypothesis: Vec::new() };
        for edit in edits {
            let wrong = *edit != Edit::Keep;
            if *edit != Edit::Insert {
                alignment.hypothesis.push(wrong);
            }
            if *edit != Edit::Delete {
                alignment.places.push(alignment.hypothesis.len() as i64 - 1);
                alignment.reference.push(wrong);
            }
        }
        alignment
    }

    /// Where words of the hypothesis are put to stand at a place of the reference: behind what stands for the word before it, or for
    /// each of its own.
    fn targets(&self, place: usize, length: usize) -> impl Iterator<Item = usize> {
        let before = place.checked_sub(1).map_or(0, |place| self.places[place] + 1);
        let own = self.places[place..place + length].iter().map(|at| at + 1);
        std::iter::once(before).chain(own).map(|at| at as usize)
    }
}
