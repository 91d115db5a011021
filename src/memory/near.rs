//! Sources that are similar to a given one (fuzzy matches).
//!
//! Two sources are similar by 1 - d / n, where d is the Levenshtein distance of their characters and n the length of the longer.
//! Most candidates are ruled out by their length and by the bag distance, which is never above d (Bartolini, Ciaccia, Patella:
//! String Matching with Metric Trees Using an Approximate Distance, 2002).

use std::collections::HashMap;

use rusqlite::{Connection, params};
use serde::Serialize;

use super::Memory;

/// The most translations that are offered for a source.
const MOST: usize = 5;

/// A known translation of a source that is nearly the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Similar {
    /// The source of the translation.
    pub source: String,
    /// The translation.
    pub target: String,
    /// The similarity of the sources in percent, rounded down.
    pub similarity: u8,
}

impl Memory {
    /// Known translations of sources that are similar to this one by `percent` or more, the most similar first.
    pub(super) fn similar(&self, source: &str, from: &str, to: &str, percent: u8) -> Vec<Similar> {
        self.attempt(|state| similar(&state.connection, source, from, to, percent))
    }
}

fn similar(connection: &Connection, source: &str, from: &str, to: &str, percent: u8) -> rusqlite::Result<Vec<Similar>> {
    let length = source.chars().count();
    let (least, most) = (length * usize::from(percent) / 100, length * 100 / usize::from(percent.max(1)));
    // Of a source that a person corrected, only that counts.
    let mut query = connection.prepare(
        "SELECT source, target FROM corrections WHERE source_language = ?1 AND target_language = ?2 \
         AND length(source) BETWEEN ?3 AND ?4 UNION SELECT source, target FROM kept WHERE source_language = ?1 \
         AND target_language = ?2 AND kind = 'segment' AND length(source) BETWEEN ?3 AND ?4 AND NOT EXISTS \
         (SELECT 1 FROM corrections AS one WHERE one.source_language = ?1 AND one.target_language = ?2 AND one.source = kept.source)",
    )?;
    let mut rows = query.query(params![from, to, least as i64, most as i64])?;
    let mut found: Vec<Similar> = Vec::new();
    while let Some(row) = rows.next()? {
        let (known, target): (String, String) = (row.get(0)?, row.get(1)?);
        let similarity = similarity(source, &known, percent).filter(|_| known != source);
        found.extend(similarity.map(|similarity| Similar { source: known, target, similarity }));
    }
    found.sort_by(|one, other| {
        (other.similarity, &one.source, &one.target).cmp(&(one.similarity, &other.source, &other.target))
    });
    found.truncate(MOST);
    Ok(found)
}

/// The similarity of two texts in percent, rounded down; `None` if it is below `percent`.
fn similarity(one: &str, other: &str, percent: u8) -> Option<u8> {
    let longest = one.chars().count().max(other.chars().count());
    let most = longest * usize::from(100 - percent.min(100)) / 100;
    if bag_distance(one, other) > most {
        return None;
    }
    let distance = levenshtein(one, other);
    (distance <= most).then(|| ((longest - distance) * 100 / longest.max(1)) as u8)
}

/// The bag distance: of the characters that each text has and the other lacks, the larger number.
fn bag_distance(one: &str, other: &str) -> usize {
    let mut counts: HashMap<char, i64> = HashMap::new();
    one.chars().for_each(|c| *counts.entry(c).or_default() += 1);
    other.chars().for_each(|c| *counts.entry(c).or_default() -= 1);
    let sum = |sign: i64| counts.values().map(|count| (sign * count).max(0)).sum::<i64>();
    sum(1).max(sum(-1)) as usize
}

/// The Levenshtein distance: the least number of insertions, deletions and substitutions of characters between two
/// texts.
fn levenshtein(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (place, &theirs) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(c != theirs);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        for (one, other, distance) in
            [("", "", 0), ("kat", "", 3), ("kitten", "sitting", 3), ("één", "een", 2), ("ab", "ba", 2)]
        {
            assert_eq!(levenshtein(one, other), distance, "{one} {other}");
            assert_eq!(levenshtein(other, one), distance, "{other} {one}");
            assert!(bag_distance(one, other) <= distance);
        }
        assert_eq!(bag_distance("ab", "ba"), 0);
    }

    #[test]
    fn similarity_is_in_percent_of_the_longer_text() {
        assert_eq!(similarity("De kat slaapt.", "De kat slaapt!", 90), Some(92));
        assert_eq!(similarity("De kat slaapt.", "De hond slaapt.", 90), None);
        assert_eq!(similarity("De kat slaapt.", "De hond slaapt.", 70), Some(73));
        assert_eq!(similarity("gelijk", "gelijk", 100), Some(100));
    }
}
