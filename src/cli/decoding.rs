//! How a model is to search, as far as a person says.
//!
//! Invariant: what was typed and what the settings file says stay apart, because the checkpoint's own
//! settings come between defaults and the two; `engine::settings` weighs them.

use anyhow::Result;
use kortom::engine::settings::{OPTIONS, Overrides};
use kortom::pipeline::DecodingLayers;

use super::decode_args::Given;
use super::options::{DecodeOptions, SamplingOptions};
use super::settings::SettingsFile;

/// Decoding options as they were typed.
#[derive(Clone, Debug, Default)]
pub struct TypedDecoding {
    /// Text put before every source.
    prefix: Option<String>,
    /// How to search.
    pub values: Overrides,
}

impl TypedDecoding {
    /// Those of a search.
    pub fn new(decode: &DecodeOptions) -> Self {
        Self { prefix: decode.prefix.clone(), values: decode.search.values.clone() }
    }

    /// Those of sampling too.
    pub fn sampling(self, sampling: &SamplingOptions) -> Self {
        Self { values: self.values.or(&sampling.values), ..self }
    }

    /// And how many outputs there are for each source.
    pub fn several<G>(self, several: &Given<G>) -> Self {
        Self { values: self.values.or(&several.values), ..self }
    }
}

/// What was typed, and what the file says where that is not overruled. A prefix in the file is for
/// articles, not for `raw` sources.
pub fn layers(typed: &TypedDecoding, file: &SettingsFile, raw: bool) -> Result<DecodingLayers> {
    let (prefix, file) = file.decoding(&typed.values)?;
    let mut named = OPTIONS.iter().filter(|option| !typed.values.get(option.flag).is_null());
    let named = typed.prefix.as_ref().map(|_| "prefix").or_else(|| named.next().map(|option| option.flag));
    Ok(DecodingLayers {
        flags: typed.values.clone(),
        file,
        prefix: typed.prefix.clone().or(prefix.filter(|_| !raw)),
        first_flag: named.map(str::to_owned),
    })
}
