//! Translations that are much shorter or longer than expected from their source, for example because a sentence was
//! dropped.
//!
//! In longer sentences, English takes about an eighth less space than Dutch; short ones vary freely. The bounds exclude
//! about one in a hundred human translations at either end (`benches/checks.py`).

use super::{Finding, Flag, Language};

/// The logarithm of the usual length of an English translation relative to its Dutch source.
const ENGLISH_OF_DUTCH: f64 = -0.12;
/// Number of characters from which on the bounds apply in full.
const FULL: f64 = 60.0;

/// Compares the lengths of source and target in characters.
pub(super) fn finding(source: &str, target: &str, from: Language) -> Option<Finding> {
    let [long, short] = [source, target].map(|text| text.trim().chars().count() as f64);
    if long == 0.0 {
        return None;
    }
    let usual = ENGLISH_OF_DUTCH * (long / FULL).min(1.0);
    let usual = if from == Language::Dutch { usual } else { -usual };
    // In a short sentence a few characters more or less mean little.
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
