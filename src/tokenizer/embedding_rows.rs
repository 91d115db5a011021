//! The tokens that have rows in a model's embeddings.
//!
//! Invariant: a tokenizer that is accepted may have tokens without a row, as published models do
//! (<https://github.com/huggingface/transformers/issues/3108>), but only tokens that most texts lack. A text with such a
//! token is refused when it is encoded.

use anyhow::{Result, bail};
use serde_json::Value;

use super::TokenModel;
use super::languages::LanguageTable;
use crate::batch::TokenId;
use crate::error::WithHint;
use crate::files::ModelFiles;

/// The numbers of rows of a model's embeddings; `usize::MAX` if config.json does not have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EmbeddingRows {
    /// Rows of the encoder's embedding.
    pub(super) source: usize,
    /// Rows of the decoder's embedding.
    pub(super) target: usize,
}

impl EmbeddingRows {
    pub(super) fn of(config: &Value) -> Self {
        let size = |key: &str| Some(config.get(key)?.as_u64()? as usize);
        // FSMT has a vocabulary for each language.
        if let (Some(source), Some(target)) = (size("src_vocab_size"), size("tgt_vocab_size")) {
            return Self { source, target };
        }
        let half = |key: &str| Some(config.get(key)?.get("vocab_size")?.as_u64()? as usize);
        if let (None, Some(source)) = (size("vocab_size"), half("encoder")) {
            return Self { source, target: half("decoder").unwrap_or(source) };
        }
        let source = size("vocab_size").unwrap_or(usize::MAX);
        let apart = config.get("share_encoder_decoder_embeddings").and_then(Value::as_bool) == Some(false);
        Self { source, target: size("decoder_vocab_size").filter(|_| apart).unwrap_or(source) }
    }

    /// The first of some source tokens that the model has no row for.
    pub(super) fn lacking(&self, ids: &[TokenId]) -> Option<TokenId> {
        ids.iter().copied().find(|&id| id as usize >= self.source)
    }

    /// Refuses a source text with a token that the model has no row for.
    pub(super) fn check(&self, ids: &[TokenId], tokenizer: &TokenModel, model: &str) -> Result<()> {
        match self.lacking(ids) {
            None => Ok(()),
            Some(id) => bail!(
                format!(
                    "the text has `{}`, which is token {id}, but the model `{model}` has {} rows and none for it",
                    tokenizer.token(id).unwrap_or_default(),
                    self.source
                )
                .with_hint("take it out of the text")
            ),
        }
    }
}

/// Refuses the tokenizer of another model. That is one where most tokens have no row, one where a token around every text
/// has no row, or one that lacks the model's special tokens.
pub(super) fn check(
    files: &ModelFiles,
    config: &Value,
    model: &TokenModel,
    language_table: &LanguageTable,
) -> Result<()> {
    const HINT: &str = "the files are of two different models; fetch them again, all from one place";
    let (name, size, rows) = (files.name(), model.size(), EmbeddingRows::of(config));
    if size > rows.source {
        // Some published models have a few tokens too many, so only a majority without rows is an error.
        let (tokens, lacking) = model.count(rows.source);
        if 2 * lacking > tokens {
            bail!(
                format!(
                    "the tokenizer of the model `{name}` has {tokens} tokens, but its config.json has room for {} \
                 (`vocab_size`): {lacking} of them have no row in the model, which is more than half",
                    rows.source
                )
                .with_hint(HINT)
            );
        }
    }
    if let Some(id) = rows.lacking(&[&language_table.prefix[..], &language_table.suffix].concat()) {
        bail!(
            format!(
                "the tokenizer of the model `{name}` has {size} tokens, but its config.json has room for {} (`vocab_size`): \
                 `{}`, which stands in every text, is token {id} and has no row in the model",
                rows.source,
                model.token(id).unwrap_or_default()
            )
            .with_hint(HINT)
        );
    }
    for key in ["eos_token_id", "pad_token_id"] {
        if let Some(id) = config.get(key).and_then(Value::as_u64)
            && id >= size as u64
        {
            bail!(
                format!(
                    "the tokenizer of the model `{name}` has {size} tokens, but its config.json has {id} as `{key}`"
                )
                .with_hint(HINT)
            );
        }
    }
    Ok(())
}
