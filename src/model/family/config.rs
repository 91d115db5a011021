//! Typed reading of config.json, with errors for values that make no sense.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::error::{Explain, WithHint};

/// The contents of a config.json, or of an object inside it.
pub(super) struct Config<'a>(pub(super) &'a Value);

impl Config<'_> {
    pub(super) fn size(&self, key: &str) -> Result<usize> {
        self.optional_size(key)?.explain(|| {
            format!("config.json has no `{key}`").with_hint("take config.json from the repository the weights are from")
        })
    }

    pub(super) fn size_or(&self, key: &str, default: usize) -> Result<usize> {
        Ok(self.optional_size(key)?.unwrap_or(default))
    }

    pub(super) fn optional_size(&self, key: &str) -> Result<Option<usize>> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64() {
                // No published checkpoint comes near this; a larger number means a damaged file.
                Some(size) if size < 1 << 28 => Ok(Some(size as usize)),
                _ => {
                    bail!(format!("`{key}` in config.json is {value}, not a size").with_hint("fetch config.json again"))
                }
            },
        }
    }

    /// The strings of a list.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<&str>> {
        self.0.get(key)?.as_array()?.iter().map(Value::as_str).collect()
    }

    /// Whether config.json has the key, even if its value is null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some()
    }

    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.0.get(key).and_then(Value::as_f64)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key).and_then(Value::as_bool)
    }

    /// One size for each layer, or a single one for all.
    pub(super) fn sizes_or(&self, key: &str, default: usize) -> Result<Vec<usize>> {
        let Some(Value::Array(list)) = self.0.get(key) else { return Ok(vec![self.size_or(key, default)?]) };
        let size = |value: &Value| value.as_u64().filter(|size| *size < 1 << 28).map(|size| size as usize);
        list.iter().map(size).collect::<Option<_>>().explain(|| {
            format!("`{key}` in config.json is not a size for each layer").with_hint("fetch config.json again")
        })
    }

    /// The value of `model_type`, for messages.
    pub(super) fn family(&self) -> String {
        self.text("model_type").unwrap_or_default().to_owned()
    }

    /// The configuration inside this one under a key.
    pub(super) fn within(&self, key: &str) -> Result<Config<'_>> {
        let inner = self.0.get(key).filter(|value| value.is_object());
        inner.map(Config).explain(|| {
            format!("config.json has no `{key}`").with_hint("take config.json from the repository the weights are from")
        })
    }

    /// The class of transformers that the checkpoint was saved from.
    pub(super) fn class(&self) -> Option<&str> {
        self.0.get("architectures")?.get(0)?.as_str()
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }
}
