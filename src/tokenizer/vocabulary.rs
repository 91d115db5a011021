//! A vocabulary: the tokens of a file and their ids.
//!
//! Invariant: every token has one id. No id is far above the number of tokens, so that ids can be indices of a table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};

use super::interner::Interner;
use crate::batch::TokenId;
use crate::error::Explain;
use crate::files::ModelFiles;

/// The number of an id without a token.
const NONE: u32 = u32::MAX;

/// A table of tokens by id and of ids by token.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    names: Interner,
    /// The id of each token, by the token's number in `names`.
    ids: Vec<TokenId>,
    /// The number in `names` of each id's token.
    by_id: Vec<u32>,
}

impl Vocabulary {
    /// Reads a JSON file of tokens and their ids.
    pub(super) fn read(files: &ModelFiles, file: &str) -> Result<Self> {
        Self::parse(&files.read(file)?).explain(|| files.broken(file))
    }

    fn parse(json: &[u8]) -> Result<Self> {
        let mut vocabulary = Self::default();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        deserializer.deserialize_map(EntriesVisitor(&mut vocabulary))?;
        deserializer.end()?;
        // No checkpoint has many unused ids. A far higher id means a broken file, and would determine the size of a
        // table.
        let limit = vocabulary.ids.len() * 2 + 1_000;
        if let Some((token, id)) = vocabulary.iter().find(|(_, id)| *id as usize > limit) {
            bail!("{} tokens, but `{token}` has id {id}", vocabulary.ids.len());
        }
        let entries = (0..).zip(&vocabulary.ids);
        for (number, &id) in entries {
            place(&mut vocabulary.by_id, id, number);
        }
        vocabulary.names.shrink_to_fit();
        vocabulary.ids.shrink_to_fit();
        Ok(vocabulary)
    }

    /// Assigns an id to a token. A token that had this id can still be found by name, and the token by an id it had.
    pub(super) fn insert(&mut self, token: &str, id: TokenId) -> Result<()> {
        let number = self.set(token, id)?;
        place(&mut self.by_id, id, number);
        Ok(())
    }

    /// Sets the id of a token; returns the token's number.
    fn set(&mut self, token: &str, id: TokenId) -> Result<u32> {
        let number = self.names.number(token)?;
        match self.ids.get_mut(number as usize) {
            Some(known) => *known = id,
            None => self.ids.push(id),
        }
        Ok(number)
    }

    pub(super) fn id(&self, token: &str) -> Option<TokenId> {
        self.names.get(token).map(|number| self.ids[number as usize])
    }

    pub(super) fn token(&self, id: TokenId) -> Option<&str> {
        self.by_id.get(id as usize).and_then(|&number| self.names.name(number))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, TokenId)> {
        self.names.iter().zip(self.ids.iter().copied())
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// A copy of the vocabulary as a map.
    pub(super) fn to_map(&self) -> HashMap<String, TokenId> {
        self.iter().map(|(token, id)| (token.to_owned(), id)).collect()
    }
}

fn place(by_id: &mut Vec<u32>, id: TokenId, number: u32) {
    if by_id.len() <= id as usize {
        by_id.resize(id as usize + 1, NONE);
    }
    by_id[id as usize] = number;
}

/// A token in JSON, which is copied only where it contains an escape.
#[derive(Deserialize)]
struct Token<'a>(#[serde(borrow)] Cow<'a, str>);

/// Deserializes entries into a vocabulary; if a token occurs twice the last entry counts, as usual in JSON.
struct EntriesVisitor<'a>(&'a mut Vocabulary);

impl<'de> Visitor<'de> for EntriesVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of tokens and their ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Token(token), id)) = map.next_entry::<Token<'de>, TokenId>()? {
            self.0.set(&token, id).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_ids_find_each_other() {
        let mut vocabulary = Vocabulary::parse(br#"{"b": 2, "a": 0, "c": 2, "a": 1}"#).unwrap();
        assert_eq!(vocabulary.iter().collect::<Vec<_>>(), [("b", 2), ("a", 1), ("c", 2)]);
        // Of two tokens with one id the last is decoded, as where transformers turns the table round.
        let tokens =
            |vocabulary: &Vocabulary| (0..4).map(|id| vocabulary.token(id).map(str::to_owned)).collect::<Vec<_>>();
        assert_eq!(tokens(&vocabulary), [None, Some("a".to_owned()), Some("c".to_owned()), None]);
        vocabulary.insert("d", 3).unwrap();
        vocabulary.insert("a", 0).unwrap();
        assert_eq!((vocabulary.id("a"), vocabulary.token(1), vocabulary.token(0)), (Some(0), Some("a"), Some("a")));
        assert_eq!((vocabulary.id("d"), vocabulary.id("e"), vocabulary.len()), (Some(3), None, 4));
    }

    #[test]
    fn what_is_no_vocabulary_is_refused() {
        for (json, said) in [
            (r#"["a"]"#, "expected an object of tokens and their ids"),
            (r#"{"a": -1}"#, "invalid value"),
            (r#"{"a": 1"#, "EOF"),
            (r#"{"a": 1} 2"#, "trailing characters"),
            (r#"{"a": 5000}"#, "1 tokens, but `a` has id 5000"),
        ] {
            let error = Vocabulary::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
