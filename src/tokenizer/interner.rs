//! An interner, which numbers texts.
//!
//! Invariant: numbers count from 0, and each text has one number. The texts lie side by side in one buffer. A vocabulary
//! has up to a quarter of a million of them, most of a few bytes; as separate strings they would take more memory than a
//! translation does.

use anyhow::{Context, Result};
use string_interner::StringInterner;
use string_interner::backend::StringBackend;
use string_interner::symbol::{Symbol, SymbolU32};

/// Texts, numbered in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Interner(StringInterner<StringBackend<SymbolU32>>);

impl Interner {
    /// An interner with room for so many texts.
    pub(super) fn with_room(texts: usize) -> Self {
        Self(StringInterner::with_capacity(texts))
    }

    /// The number of a text; a new text is added with the next number.
    ///
    /// # Errors
    /// When there are no numbers left.
    pub(super) fn number(&mut self, name: &str) -> Result<u32> {
        // The interner would panic if no number is left.
        SymbolU32::try_from_usize(self.0.len()).context("there are too many texts")?;
        Ok(self.0.get_or_intern(name).to_usize() as u32)
    }

    /// The number of a text, if it has one.
    pub(super) fn get(&self, name: &str) -> Option<u32> {
        self.0.get(name).map(|symbol| symbol.to_usize() as u32)
    }

    /// The text with this number.
    pub(super) fn name(&self, number: u32) -> Option<&str> {
        self.0.resolve(SymbolU32::try_from_usize(number as usize)?)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All texts, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, name)| name)
    }

    /// Frees unused memory.
    pub(super) fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number() {
        let mut names = Interner::default();
        let numbers: Vec<u32> = ["a", "", "één", "a"].iter().map(|name| names.number(name).unwrap()).collect();
        assert_eq!(numbers, [0, 1, 2, 0]);
        names.shrink_to_fit();
        assert_eq!(names.iter().collect::<Vec<_>>(), ["a", "", "één"]);
        assert_eq!((names.get("één"), names.get("b"), names.len()), (Some(2), None, 3));
        assert_eq!((names.name(2), names.name(3), names.name(u32::MAX)), (Some("één"), None, None));
    }
}
