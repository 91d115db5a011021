//! Settings of a checkpoint's tokenizer, read from `tokenizer_config.json`, `special_tokens_map.json` and
//! `added_tokens.json`.
//!
//! Invariant: the order of precedence is that of transformers. If `tokenizer_config.json` has `added_tokens_decoder`, the
//! two older files are not read. Special tokens without names in `tokenizer_config.json`, even if null, take precedence
//! over those in `special_tokens_map.json`. What the tokens do belongs to the vocabularies.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value};

use crate::batch::TokenId;
use crate::error::{Explain, WithHint};
use crate::files::ModelFiles;

/// A token that is found in a text before the text is segmented.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // As in the files.
pub(super) struct AddedToken {
    pub content: String,
    pub special: bool,
    pub lstrip: bool,
    pub rstrip: bool,
    pub single_word: bool,
    pub normalized: bool,
}

impl AddedToken {
    pub(super) fn special(content: &str) -> Self {
        Self {
            content: content.to_owned(),
            special: true,
            lstrip: false,
            rstrip: false,
            single_word: false,
            normalized: false,
        }
    }

    /// Parses a token that is written as a string, or as an object with flags.
    pub(super) fn parse(value: &Value) -> Option<Self> {
        let flag = |name: &str| value.get(name).and_then(Value::as_bool);
        let content = value.as_str().or_else(|| value.get("content")?.as_str())?;
        let special = flag("special").unwrap_or(true);
        Some(Self {
            special,
            lstrip: flag("lstrip").unwrap_or(false),
            rstrip: flag("rstrip").unwrap_or(false),
            single_word: flag("single_word").unwrap_or(false),
            normalized: flag("normalized").unwrap_or(!special),
            ..Self::special(content)
        })
    }
}

/// The settings of one checkpoint's tokenizer.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenizerSettings {
    values: Map<String, Value>,
    /// Added tokens by their ids.
    pub added: BTreeMap<TokenId, AddedToken>,
}

/// The key of the special tokens without names.
pub(super) const EXTRA: &str = "extra_special_tokens";
/// The key of the special tokens without names before transformers 5.
pub(super) const OLDER_EXTRA: &str = "additional_special_tokens";

/// Lengths from here on mean that there is no limit: transformers writes 10^30.
const NO_LIMIT: f64 = 1e9;

impl TokenizerSettings {
    pub(super) fn load(files: &ModelFiles) -> Result<Self> {
        let mut values = object(files, "tokenizer_config.json")?;
        // The older key of this list; in special_tokens_map.json it remains a separate list.
        if values.get(EXTRA).is_none_or(is_nothing)
            && let Some(list) = values.remove(OLDER_EXTRA)
        {
            values.insert(EXTRA.to_owned(), list);
        }
        let mut settings = Self { values, added: BTreeMap::new() };
        if let Some(listed) = settings.values.get("added_tokens_decoder").and_then(Value::as_object) {
            for (id, token) in listed {
                let (Ok(id), Some(token)) = (id.parse(), AddedToken::parse(token)) else {
                    anyhow::bail!(
                        format!(
                            "`tokenizer_config.json` of the model `{}` has an added token `{id}` that makes no sense",
                            files.name()
                        )
                        .with_hint("fetch the file again")
                    )
                };
                settings.added.insert(id, token);
            }
            return Ok(settings);
        }
        for (key, mut value) in object(files, "special_tokens_map.json")? {
            if let (EXTRA, Value::Array(more), Some(Value::Array(known))) =
                (key.as_str(), &mut value, settings.values.get(EXTRA))
            {
                more.splice(0..0, known.iter().cloned());
            }
            settings.values.insert(key, value);
        }
        let special: Vec<String> = settings.special_tokens().into_iter().map(|token| token.content).collect();
        for (content, id) in object(files, "added_tokens.json")? {
            let id = id.as_u64().and_then(|id| TokenId::try_from(id).ok()).explain(|| {
                format!("`added_tokens.json` of the model `{}` has no number for `{content}`", files.name())
                    .with_hint("fetch the file again")
            })?;
            let special = special.contains(&content);
            let token = AddedToken { special, normalized: !special, ..AddedToken::special(&content) };
            settings.added.insert(id, token);
        }
        Ok(settings)
    }

    /// Whether `tokenizer_config.json` lists the added tokens, so that no other file is read for them.
    pub(super) fn lists_added_tokens(&self) -> bool {
        self.values.contains_key("added_tokens_decoder")
    }

    /// The value of a setting.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// A setting as a string.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key)?.as_str()
    }

    /// A setting as a boolean.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.values.get(key)?.as_bool()
    }

    /// A setting as a count.
    pub(super) fn number(&self, key: &str) -> Option<usize> {
        usize::try_from(self.values.get(key)?.as_u64()?).ok()
    }

    /// A special token with a name, such as `eos_token`; `None` if its value is null.
    pub(super) fn token(&self, key: &str, default: &str) -> Option<AddedToken> {
        match self.values.get(key) {
            None => Some(AddedToken::special(default)),
            Some(value) => Some(AddedToken { special: true, ..AddedToken::parse(value)? }),
        }
    }

    /// The special tokens without names, for classes that define none of their own.
    pub(super) fn extra_special_tokens(&self) -> Vec<AddedToken> {
        let older = || self.tokens(OLDER_EXTRA).filter(|_| !self.has(EXTRA));
        self.tokens(EXTRA).or_else(older).unwrap_or_default()
    }

    /// A list of tokens; `None` if the setting is not a list.
    pub(super) fn tokens(&self, key: &str) -> Option<Vec<AddedToken>> {
        Some(self.values.get(key)?.as_array()?.iter().filter_map(AddedToken::parse).collect())
    }

    /// Whether special tokens that a text itself has are segmented as any other text, instead of being found before.
    pub(super) fn segments_special_tokens(&self) -> bool {
        self.flag("split_special_tokens").unwrap_or(false)
    }

    /// Whether the setting is present, even if it is null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    fn special_tokens(&self) -> Vec<AddedToken> {
        const NAMES: [&str; 7] =
            ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
        let named = NAMES.iter().filter_map(|&name| AddedToken::parse(self.values.get(name)?));
        named.chain(self.tokens(EXTRA).unwrap_or_default()).collect()
    }

    /// The most source tokens, if the file sets a limit.
    pub(super) fn max_length(&self) -> Option<usize> {
        let length = self.values.get("model_max_length")?.as_f64()?;
        (1.0..NO_LIMIT).contains(&length).then_some(length as usize)
    }
}

/// Whether Python would take the value for false.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

/// The object in a JSON file; an empty one if there is no such file.
fn object(files: &ModelFiles, file: &str) -> Result<Map<String, Value>> {
    match files.json(file)? {
        None => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => {
            anyhow::bail!(
                format!("`{file}` of the model `{}` is not a JSON object", files.name())
                    .with_hint("fetch the file again")
            )
        }
    }
}
