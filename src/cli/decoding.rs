//! The decoding options that the user set.
//!
//! Invariant: options that were typed and those of the settings file are kept apart; `engine::settings` decides which
//! take precedence over those of the checkpoint.

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
    /// The options of the search.
    pub values: Overrides,
}

impl TypedDecoding {
    /// The options of a search, as they were typed.
    pub fn new(decode: &DecodeOptions) -> Self {
        Self { prefix: decode.prefix.clone(), values: decode.search.values.clone() }
    }

    /// These options together with those of sampling.
    pub fn sampling(self, sampling: &SamplingOptions) -> Self {
        Self { values: self.values.or(&sampling.values), ..self }
    }

    /// These options together with the number of outputs for each source.
    pub fn several<G>(self, several: &Given<G>) -> Self {
        Self { values: self.values.or(&several.values), ..self }
    }
}

/// The layers of decoding options: what was typed, and the options of the settings file that this does not rule out.
/// A prefix in the file is for articles, and not for `raw` sources.
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
