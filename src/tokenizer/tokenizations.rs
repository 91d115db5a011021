//! Tokenisations of words in the middle of a target.
//!
//! Invariant: a tokenisation decodes to exactly the text it was made for, so a text that the vocabulary cannot write has
//! none. Tokens are decoded to find their text, so this works for every family's mark for spaces.

use super::Tokenizer;
use crate::batch::TokenId;

/// Characters that may stand before a word without a space between.
const SIGNS: [&str; 6] = ["", "(", "\"", "-", "“", "'"];

impl Tokenizer {
    /// The tokenisations of a text: after a space, after a sign, and at the start. Empty if the vocabulary or the model's
    /// embeddings cannot write it.
    #[must_use]
    pub fn tokenizations(&self, text: &str) -> Vec<Vec<TokenId>> {
        let mut tokenizations: Vec<Vec<TokenId>> = Vec::new();
        let spaced = self.model.encode_target(&format!(" {text}")).filter(|ids| self.decode(ids).trim() == text);
        let after = |sign: &&str| {
            let sign_ids = if sign.is_empty() { Vec::new() } else { self.model.encode_target(sign)? };
            let whole = format!("{sign}{text}");
            let ids = self.model.encode_target(&whole).filter(|ids| self.decode(ids) == whole)?;
            Some(ids.strip_prefix(sign_ids.as_slice())?.to_vec())
        };
        for tokenization in spaced.into_iter().chain(SIGNS.iter().filter_map(after)) {
            let has_rows = tokenization.iter().all(|&id| (id as usize) < self.rows.target);
            if has_rows && !tokenization.is_empty() && !tokenizations.contains(&tokenization) {
                tokenizations.push(tokenization);
            }
        }
        tokenizations
    }

    /// Two facts about each token, by id: whether it begins with a letter or digit without a space before it, and whether
    /// it ends with a letter or digit.
    #[must_use]
    pub fn word_boundaries(&self) -> Vec<(bool, bool)> {
        let mut ids = self.model.encode_target("a").unwrap_or_default();
        let before = self.decode(&ids);
        // An incomplete character counts as part of a letter.
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
