//! How a model is to search, as far as a person says.
//!
//! Invariant: what was typed and what the settings file says stay apart, because the checkpoint's own
//! settings come between defaults and the two; `engine::settings` weighs them.

use anyhow::Result;
use kortom::engine::settings::Overrides;
use kortom::search::EarlyStopping;
use serde_json::Value;

use super::options::{self, DecodeOptions, SamplingOptions};
use super::settings::SettingsFile;

/// Decoding options as they were typed.
#[derive(Clone, Copy)]
pub struct Typed<'a> {
    /// Those of every search.
    pub decode: &'a DecodeOptions,
    /// Those of sampling.
    pub sampling: &'a SamplingOptions,
    /// How many outputs for each line.
    pub n_best: Option<usize>,
}

/// How a model is to search, where it is not left to the model.
#[derive(Clone, Debug, Default)]
pub struct Decoding {
    /// What was typed.
    pub flags: Overrides,
    /// What the settings file says.
    pub file: Overrides,
    /// Text put before every source.
    pub prefix: Option<String>,
    /// The first of these options that was typed.
    pub typed: Option<String>,
}

impl Decoding {
    /// What was typed, and what the file says where that is not overruled. A prefix in the file is for
    /// articles, not for `raw` sources.
    pub fn new(typed: &Typed<'_>, file: &SettingsFile, raw: bool) -> Result<Self> {
        let (decode, sampling) = file.decoding(typed.decode, typed.sampling)?;
        let named = [serde_json::to_value(typed.decode)?, serde_json::to_value(typed.sampling)?];
        let mut named = named.iter().filter_map(Value::as_object).flatten();
        Ok(Self {
            flags: overrides(typed.decode, typed.sampling, typed.n_best),
            file: overrides(&decode, &sampling, None),
            prefix: typed.decode.prefix.clone().or(decode.prefix.filter(|_| !raw)),
            typed: named.find(|(_, value)| !value.is_null()).map(|(name, _)| name.clone()),
        })
    }
}

fn overrides(decode: &DecodeOptions, sampling: &SamplingOptions, n_best: Option<usize>) -> Overrides {
    Overrides {
        num_beams: decode.beam_size,
        n_best,
        length_penalty: decode.length_penalty,
        early_stopping: decode.early_stopping.map(|stopping| match stopping {
            options::EarlyStopping::True => EarlyStopping::True,
            options::EarlyStopping::False => EarlyStopping::False,
            options::EarlyStopping::Never => EarlyStopping::Never,
        }),
        no_repeat_ngram_size: decode.no_repeat_ngram,
        repetition_penalty: decode.repetition_penalty,
        min_new_tokens: decode.min_length,
        max_new_tokens: decode.max_length,
        sample: sampling.sample,
        temperature: sampling.temperature,
        top_k: sampling.top_k,
        top_p: sampling.top_p,
        seed: sampling.seed,
    }
}
