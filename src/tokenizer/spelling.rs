//! How words are written in the middle of a target, in tokens.
//!
//! Invariant: a spelling decodes to the very text it was made for, so a text that the vocabulary cannot write has
//! none. What tokens look like is seen by decoding them, whatever marks a family has for spaces.

use super::Tokenizer;
use crate::batch::TokenId;

/// What may stand before a word without a space between them.
const SIGNS: [&str; 6] = ["", "(", "\"", "-", "“", "'"];

impl Tokenizer {
    /// The ways in which tokens write a text after a space, and right after a sign or at the start; none where the
    /// vocabulary or the model cannot.
    #[must_use]
    pub fn spellings(&self, text: &str) -> Vec<Vec<TokenId>> {
        let mut spellings: Vec<Vec<TokenId>> = Vec::new();
        let spaced = self.model.encode_target(&format!(" {text}")).filter(|ids| self.decode(ids).trim() == text);
        let after = |sign: &&str| {
            let sign_ids = if sign.is_empty() { Vec::new() } else { self.model.encode_target(sign)? };
            let whole = format!("{sign}{text}");
            let ids = self.model.encode_target(&whole).filter(|ids| self.decode(ids) == whole)?;
            Some(ids.strip_prefix(sign_ids.as_slice())?.to_vec())
        };
        for spelling in spaced.into_iter().chain(SIGNS.iter().filter_map(after)) {
            let has_rows = spelling.iter().all(|&id| (id as usize) < self.rows.target);
            if has_rows && !spelling.is_empty() && !spellings.contains(&spelling) {
                spellings.push(spelling);
            }
        }
        spellings
    }

    /// By token: whether it begins with a letter or digit that no space parts from the word before, and whether
    /// it ends with one.
    #[must_use]
    pub fn word_boundaries(&self) -> Vec<(bool, bool)> {
        let mut ids = self.model.encode_target("a").unwrap_or_default();
        let before = self.decode(&ids);
        // Part of a character is taken for part of a letter.
        let is_letter = |c: char| c.is_alphanumeric() || c == char::REPLACEMENT_CHARACTER;
        let edge = |id: TokenId| {
            ids.push(id);
            let text = self.decode(&ids);
            ids.pop();
            let token = text.strip_prefix(&before).unwrap_or_default();
            (token.starts_with(is_letter), token.ends_with(is_letter))
        };
        (0..self.vocabulary_size() as TokenId).map(edge).collect()
    }
}
