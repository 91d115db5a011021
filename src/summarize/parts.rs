//! Dividing a text that is longer than a model's window into parts that fit.
//!
//! Invariant: the parts in order are the text, except for white space, and each fits the window. They are about equally
//! long, because a short last part would get as long a summary as the others. A part ends between two blocks; if a single
//! block is too long, between two sentences; if a single sentence is too long, inside it.

use std::ops::Range;

use anyhow::{Result, ensure};

use crate::error::WithHint;
use crate::segment::{self, Language};

/// The size of a model's window, and how to count tokens.
pub(super) struct Window<'a> {
    /// The most tokens of a source.
    pub size: usize,
    /// Counts the tokens of a source, including those that the model adds.
    pub count: &'a dyn Fn(&str) -> Result<usize>,
}

/// A text that is not divided further.
struct Unit {
    text: String,
    /// Number of tokens, without those that the model adds.
    tokens: usize,
}

/// The parts of a text, given as its blocks; one part if all of it fits, none if it is empty.
pub(super) fn parts(blocks: &[String], language: Language, window: &Window<'_>) -> Result<Vec<String>> {
    let added = (window.count)("")?;
    ensure!(
        added * 2 <= window.size,
        format!("what stands before every source takes {added} of the {} tokens that the model reads", window.size)
            .with_hint("shorten `--prefix`")
    );
    let units = units(blocks, language, window, added)?;
    let total: usize = units.iter().map(|unit| unit.tokens).sum();
    if units.is_empty() {
        return Ok(Vec::new());
    }
    // Token counts do not add up exactly when texts are joined, so the whole text is counted, unless it is far too long.
    if total <= window.size.saturating_mul(2) {
        let whole = join(&units);
        if (window.count)(&whole)? <= window.size {
            return Ok(vec![whole]);
        }
    }
    let tokens: Vec<usize> = units.iter().map(|unit| unit.tokens).collect();
    let mut capacity = window.size.saturating_sub(added).min(total.saturating_sub(1)).max(1);
    // Joined units may have more tokens than their sum. If a part does not fit, try again with less capacity.
    loop {
        let ranges = balanced(&tokens, capacity);
        let parts: Vec<String> = ranges.iter().map(|range| join(&units[range.clone()])).collect();
        let mut excess = 0;
        for (_, part) in ranges.iter().zip(&parts).filter(|(range, _)| range.len() > 1) {
            excess = excess.max((window.count)(part)?.saturating_sub(window.size));
        }
        if excess == 0 {
            return Ok(parts);
        }
        capacity = capacity.saturating_sub(excess).max(1);
    }
}

/// The units of a text: blocks that fit, sentences of blocks that do not, and pieces of sentences that do not.
fn units(blocks: &[String], language: Language, window: &Window<'_>, added: usize) -> Result<Vec<Unit>> {
    let add = |text: &str, units: &mut Vec<Unit>| -> Result<bool> {
        let tokens = (window.count)(text)?;
        let fits = tokens <= window.size;
        if fits {
            units.push(Unit { text: text.to_owned(), tokens: tokens.saturating_sub(added) });
        }
        Ok(fits)
    };
    let mut units = Vec::new();
    for block in blocks {
        if add(block, &mut units)? {
            continue;
        }
        for sentence in segment::sentences(block, language) {
            let sentence = &block[sentence];
            if add(sentence, &mut units)? {
                continue;
            }
            for piece in segment::wrap(sentence, window.size, window.count)? {
                let text = sentence[piece].to_owned();
                let tokens = (window.count)(&text)?.saturating_sub(added);
                units.push(Unit { text, tokens });
            }
        }
    }
    Ok(units)
}

fn join(units: &[Unit]) -> String {
    units.iter().map(|unit| unit.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Divides `costs` into consecutive ranges: as few as the capacity allows, with the largest as small as possible then.
fn balanced(costs: &[usize], capacity: usize) -> Vec<Range<usize>> {
    let fewest = filled(costs, capacity).len();
    let (mut least, mut most) = (1, capacity);
    while least < most {
        let middle = usize::midpoint(least, most);
        if filled(costs, middle).len() <= fewest {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    filled(costs, most)
}

/// Divides `costs` into consecutive ranges, each filled up to the capacity; a cost above it forms a range of its own.
fn filled(costs: &[usize], capacity: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut sum = 0_usize;
    for (index, &cost) in costs.iter().enumerate() {
        match ranges.last_mut() {
            Some(range) if sum + cost <= capacity => {
                range.end = index + 1;
                sum += cost;
            }
            _ => {
                ranges.push(index..index + 1);
                sum = cost;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model that adds two tokens and makes one of every four characters.
    fn count(text: &str) -> usize {
        2 + text.split(' ').map(|word| word.chars().count().div_ceil(4)).sum::<usize>()
    }

    fn divide(blocks: &[&str], size: usize) -> Vec<String> {
        let blocks: Vec<String> = blocks.iter().map(|&block| block.to_owned()).collect();
        parts(&blocks, Language::English, &Window { size, count: &|text| Ok(count(text)) }).unwrap()
    }

    #[test]
    fn nothing_is_lost_and_everything_fits() {
        let long = "word ".repeat(120) + "end. " + &"Another sentence of some length stands here. ".repeat(30);
        let word = "x".repeat(500);
        let blocks = ["A first block.", long.trim(), "A block between. With two sentences.", &word, "The last."];
        for size in [8, 11, 20, 47, 90, 200, 1000] {
            let parts = divide(&blocks, size);
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeeze(&parts.concat()), squeeze(&blocks.concat()), "{size}");
            assert!(parts.iter().all(|part| count(part) <= size), "{size}: {parts:?}");
        }
        assert_eq!(divide(&blocks, 1000), [blocks.join(" ")]);
        assert!(divide(&[], 10).is_empty());
    }

    #[test]
    fn parts_end_between_blocks_and_are_balanced() {
        // Five blocks of five tokens; four would fill the first part and leave one for the second.
        let block = "aaaa aaaa aaaa aaaa aaaa";
        let parts = divide(&[block; 5], 22);
        assert_eq!(parts.iter().map(|part| count(part)).collect::<Vec<_>>(), [17, 12]);
        // A block that is too long is divided between its sentences.
        let parts = divide(&["One two three. Four five six. Seven eight nine. Ten eleven twelve."], 13);
        assert_eq!(parts, ["One two three. Four five six.", "Seven eight nine. Ten eleven twelve."]);
    }
}
