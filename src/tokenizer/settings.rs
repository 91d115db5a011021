//! What a checkpoint's small files say of its tokenizer: `tokenizer_config.json`,
//! `special_tokens_map.json` and `added_tokens.json`, read into one place.
//!
//! Invariant: the order of precedence is that of transformers: where `tokenizer_config.json` lists
//! `added_tokens_decoder`, the two older files are not looked at. What the tokens do belongs to the
//! vocabularies.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::batch::TokenId;
use crate::files::ModelFiles;

/// A token that is found in the text before anything else is done to it.
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

    /// A token written as a string, or as an object with its flags.
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
pub(super) struct Settings {
    values: Map<String, Value>,
    /// Added tokens with their ids, by id.
    pub added: BTreeMap<TokenId, AddedToken>,
}

/// Lengths from here on mean "no limit": transformers writes 10^30.
const NO_LIMIT: f64 = 1e9;

impl Settings {
    pub(super) fn load(files: &ModelFiles) -> Result<Self> {
        let mut settings = Self { values: object(files, "tokenizer_config.json")?, added: BTreeMap::new() };
        if let Some(listed) = settings.values.get("added_tokens_decoder").and_then(Value::as_object) {
            for (id, token) in listed {
                let (Ok(id), Some(token)) = (id.parse(), AddedToken::parse(token)) else {
                    anyhow::bail!(
                        "`tokenizer_config.json` of the model `{}` has an added token `{id}` that makes no sense\n\
                         hint: fetch the file again",
                        files.name()
                    )
                };
                settings.added.insert(id, token);
            }
            return Ok(settings);
        }
        settings.values.extend(object(files, "special_tokens_map.json")?);
        let special: Vec<String> = settings.special_tokens().into_iter().map(|token| token.content).collect();
        for (content, id) in object(files, "added_tokens.json")? {
            let id = id.as_u64().and_then(|id| TokenId::try_from(id).ok()).with_context(|| {
                format!(
                    "`added_tokens.json` of the model `{}` has no number for `{content}`\n\
                     hint: fetch the file again",
                    files.name()
                )
            })?;
            let special = special.contains(&content);
            let token = AddedToken { special, normalized: !special, ..AddedToken::special(&content) };
            settings.added.insert(id, token);
        }
        Ok(settings)
    }

    /// Whether `tokenizer_config.json` lists the added tokens, so that no other file is asked for them.
    pub(super) fn lists_added_tokens(&self) -> bool {
        self.values.contains_key("added_tokens_decoder")
    }

    /// A setting that is a text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key)?.as_str()
    }

    /// A setting that is true or false.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.values.get(key)?.as_bool()
    }

    /// A setting that is a count.
    pub(super) fn number(&self, key: &str) -> Option<usize> {
        usize::try_from(self.values.get(key)?.as_u64()?).ok()
    }

    /// A special token with a name, such as `eos_token`; null means there is none.
    pub(super) fn token(&self, key: &str, default: &str) -> Option<AddedToken> {
        match self.values.get(key) {
            None => Some(AddedToken::special(default)),
            Some(value) => Some(AddedToken { special: true, ..AddedToken::parse(value)? }),
        }
    }

    /// The nameless special tokens, whichever of their two names the file gives the list.
    pub(super) fn extra_special_tokens(&self) -> Vec<AddedToken> {
        let list = |key: &str| self.values.get(key).and_then(Value::as_array).filter(|list| !list.is_empty());
        let list = list("extra_special_tokens").or_else(|| list("additional_special_tokens"));
        list.into_iter().flatten().filter_map(AddedToken::parse).collect()
    }

    fn special_tokens(&self) -> Vec<AddedToken> {
        const NAMES: [&str; 7] =
            ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
        let named = NAMES.iter().filter_map(|&name| AddedToken::parse(self.values.get(name)?));
        named.chain(self.extra_special_tokens()).collect()
    }

    /// The most source tokens, where the file sets a limit at all.
    pub(super) fn max_length(&self) -> Option<usize> {
        let length = self.values.get("model_max_length")?.as_f64()?;
        (1.0..NO_LIMIT).contains(&length).then_some(length as usize)
    }
}

/// A JSON file that holds an object; one that is not there is an empty one.
fn object(files: &ModelFiles, file: &str) -> Result<Map<String, Value>> {
    match files.json(file)? {
        None => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => {
            anyhow::bail!("`{file}` of the model `{}` is not a JSON object\nhint: fetch the file again", files.name())
        }
    }
}
