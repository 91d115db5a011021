//! Translations much shorter or longer than their source lets expect, as when a sentence was dropped.
//!
//! English takes about an eighth less room than Dutch, in longer sentences; in short ones anything goes.
//! The bounds leave out about one in a hundred human translations at either end (`benches/checks.py`).

use super::{Finding, Flag, Language};

/// How much room a translation takes, as the logarithm of its share of the source's.
const ENGLISH_OF_DUTCH: f64 = -0.12;
/// The bounds apply from this many characters on.
const FULL: f64 = 60.0;

/// Compares lengths in characters.
pub(super) fn finding(source: &str, target: &str, from: Language) -> Option<Finding> {
    let [long, short] = [source, target].map(|text| text.trim().chars().count() as f64);
    if long == 0.0 {
        return None;
    }
    let usual = ENGLISH_OF_DUTCH * (long / FULL).min(1.0);
    let usual = if from == Language::Dutch { usual } else { -usual };
    // Some characters more or less say little about a short sentence.
    let found = ((short + 10.0) / (long + 10.0)).ln() - usual;
    let expected = (long * usual.exp()).round();
    let reason = if found < -(0.30 + 5.0 / (long + 10.0)) {
        format!("{short} characters where about {expected} are to be expected: something may have been dropped")
    } else if found > 0.28 + 6.0 / (long + 10.0) {
        format!("{short} characters where about {expected} are to be expected: something may have been added")
    } else {
        return None;
    };
    Some(Finding::new(Flag::Length, reason))
}
