//! The fallback settings of a pipeline of transformers 4, with a precedence between a task's own settings and the
//! checkpoint's.
//!
//! As in transformers 4.57 (`Pipeline.__init__`, `Text2TextGenerationPipeline._default_generation_config`), there are
//! four beams even if the checkpoint sets another number. There are 256 new tokens, unless the checkpoint or the
//! pipeline's constructor sets a `max_length` other than the class default. Invariant: settings that a pipeline was made
//! with take precedence over both.

use anyhow::{Result, anyhow};
use serde_json::{Map, Value};

use super::layers::{Layer, Layers, SettingOrigin};
use crate::error::WithHint;

const BEAMS: u64 = 4;
const NEW_TOKENS: u64 = 256;
/// The class default of `max_length`, which counts as not set.
const DEFAULT_LENGTH: u64 = 20;

/// The object of settings in `value`; `whose` names it in the error.
pub(super) fn object(value: &Value, whose: &str) -> Result<Map<String, Value>> {
    value
        .as_object()
        .cloned()
        .ok_or_else(|| anyhow!(format!("{whose} is not a JSON object").with_hint("give it as {\"num_beams\": 4}")))
}

/// The layer of a pipeline that was made with these settings; its place is above the layers of its checkpoint.
pub(super) fn layer(made_with: Option<&Value>, checkpoint: &Layers) -> Result<Layer> {
    let made_with = made_with.map(|value| object(value, "`defaults`")).transpose()?.unwrap_or_default();
    let of_checkpoint = checkpoint.find("max_length").map(|found| found.value);
    let length = made_with.get("max_length").filter(|value| !value.is_null()).cloned().or(of_checkpoint);
    let mut values = Map::from_iter([("num_beams".to_owned(), Value::from(BEAMS))]);
    if length.is_none_or(|length| length.as_u64() == Some(DEFAULT_LENGTH)) {
        values.insert("max_new_tokens".to_owned(), Value::from(NEW_TOKENS));
    }
    values.extend(made_with);
    Ok(Layer { origin: SettingOrigin::Pipeline, values })
}
