//! Splitting a text at the added tokens in it.
//!
//! Invariant: the parts together are the text, except for spaces that a token strips. At each position the longest token
//! that starts there is taken, as by transformers' trie.

use std::collections::HashMap;

use super::settings::{AddedToken, TokenizerSettings};
use super::trie::Trie;
use crate::batch::TokenId;

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextPart<'a> {
    /// Text that is still to be segmented.
    Text(&'a str),
    /// An added token.
    Token(TokenId),
}

/// Finds the added tokens of one tokenizer in texts.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    trie: Trie,
    tokens: HashMap<TokenId, AddedToken>,
}

impl Splitter {
    /// Finds these tokens, unless the settings ask for texts to be segmented as if there were none.
    pub(super) fn new(tokens: HashMap<TokenId, AddedToken>, settings: &TokenizerSettings) -> Self {
        if settings.segments_special_tokens() {
            return Self { trie: Trie::default(), tokens };
        }
        // If two ids share a content, the lower one is used.
        let mut texts: HashMap<&[u8], TokenId> = HashMap::new();
        for (&id, token) in tokens.iter().filter(|(_, token)| !token.content.is_empty()) {
            texts.entry(token.content.as_bytes()).and_modify(|lowest| *lowest = id.min(*lowest)).or_insert(id);
        }
        Self { trie: Trie::new(texts.into_iter().collect()), tokens }
    }

    /// The added token with this id.
    pub(super) fn token(&self, id: TokenId) -> Option<&AddedToken> {
        self.tokens.get(&id)
    }

    /// Splits a text at the tokens in it.
    pub(super) fn split<'a>(&self, text: &'a str) -> Vec<TextPart<'a>> {
        let mut parts = Vec::new();
        let (mut start, mut position) = (0, 0);
        while position < text.len() {
            let Some((length, id)) = self.trie.longest(&text.as_bytes()[position..]) else {
                position += 1;
                continue;
            };
            let token = &self.tokens[&id];
            let (before, mut after) = (&text[start..position], position + length);
            if token.single_word && !stands_alone(&text[..position], &text[after..]) {
                position = after;
                continue;
            }
            if token.rstrip {
                after = text.len() - text[after..].trim_start().len();
            }
            let before = if token.lstrip { before.trim_end() } else { before };
            parts.extend((!before.is_empty()).then_some(TextPart::Text(before)));
            parts.push(TextPart::Token(id));
            (start, position) = (after, after);
        }
        parts.extend((start < text.len()).then(|| TextPart::Text(&text[start..])));
        parts
    }
}

/// Whether a token between `before` and `after` is a separate word.
fn stands_alone(before: &str, after: &str) -> bool {
    (before.is_empty() || before.ends_with(' ')) && (after.is_empty() || after.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::TextPart::{Text, Token};
    use super::*;

    #[test]
    fn tokens_are_cut_out_longest_first() {
        let token = |content: &str| AddedToken::special(content);
        let splitter = Splitter::new(
            HashMap::from([
                (1, token("<x>")),
                (2, token("<x>y")),
                (3, AddedToken { lstrip: true, rstrip: true, ..token("<m>") }),
                (4, AddedToken { single_word: true, ..token("wij") }),
            ]),
            &TokenizerSettings::default(),
        );
        assert_eq!(splitter.split("é<x> <x>y"), [Text("é"), Token(1), Text(" "), Token(2)]);
        assert_eq!(splitter.split("a <m> b"), [Text("a"), Token(3), Text("b")]);
        assert_eq!(splitter.split("wij wijn"), [Token(4), Text(" wijn")]);
        assert_eq!(splitter.split(""), []);
    }
}
