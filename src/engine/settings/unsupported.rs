//! Settings of transformers that this library does not support.
//!
//! Responsible for reporting them, so that none is ignored in silence. Those that require another way of decoding are
//! errors (transformers 5 refuses them too, without code from the hub); those that change scores are warnings. Invariant:
//! a value that has no effect in transformers is not reported.

use anyhow::{Result, bail};
use serde_json::Value;

use super::layers::{Layers, RawSetting, SettingOrigin};

/// The values for which a setting has an effect.
#[derive(Clone, Copy)]
enum Matters {
    /// Whenever it is set.
    Always,
    /// When it is true.
    True,
    /// When it is above this number.
    Above(f64),
    /// When it is not this number.
    Unlike(f64),
}

/// Settings that select another way of decoding.
const MODES: [(&str, Matters); 8] = [
    ("num_beam_groups", Matters::Above(1.0)),
    ("penalty_alpha", Matters::Above(0.0)),
    ("constraints", Matters::Always),
    ("force_words_ids", Matters::Always),
    ("dola_layers", Matters::Always),
    ("low_memory", Matters::True),
    ("use_mtp", Matters::True),
    ("forced_decoder_ids", Matters::Always),
];

/// Settings that change logits or end a generation.
const RULES: [(&str, Matters); 9] = [
    ("diversity_penalty", Matters::Unlike(0.0)),
    ("encoder_repetition_penalty", Matters::Unlike(1.0)),
    ("exponential_decay_length_penalty", Matters::Always),
    ("guidance_scale", Matters::Unlike(1.0)),
    ("sequence_bias", Matters::Always),
    ("watermarking_config", Matters::Always),
    ("stop_strings", Matters::Always),
    ("max_time", Matters::Always),
    ("token_healing", Matters::True),
];

/// Settings that have an effect only with sampling.
const FILTERS: [(&str, Matters); 5] = [
    ("min_p", Matters::Always),
    ("top_h", Matters::Always),
    ("typical_p", Matters::Unlike(1.0)),
    ("epsilon_cutoff", Matters::Above(0.0)),
    ("eta_cutoff", Matters::Above(0.0)),
];

impl Matters {
    fn does(self, value: &Value) -> bool {
        match self {
            Self::Always => true,
            Self::True => *value == true,
            // A value that is not a number is always reported.
            Self::Above(number) => value.as_f64().is_none_or(|x| x > number),
            Self::Unlike(number) => value.as_f64().is_none_or(|x| (x - number).abs() > 0.0),
        }
    }
}

fn in_effect<'a>(layers: &'a Layers, settings: &'a [(&'static str, Matters)]) -> impl Iterator<Item = RawSetting> {
    settings.iter().filter_map(|&(name, matters)| layers.find(name).filter(|found| matters.does(&found.value)))
}

/// Whether a setting is unsupported here, and its value has no effect in transformers either.
pub(super) fn has_no_effect(name: &str, value: &Value) -> bool {
    let mut known = MODES.iter().chain(&RULES).chain(&FILTERS);
    value.is_null() || known.any(|(setting, matters)| *setting == name && !matters.does(value))
}

/// Refuses settings that select another way of decoding.
pub(super) fn check_modes(layers: &Layers) -> Result<()> {
    match in_effect(layers, &MODES).next() {
        Some(found) => {
            let hint = if found.origin == SettingOrigin::Call { "leave it out" } else { "remove it from that file" };
            bail!(found.wrong("a way of decoding that is not supported", hint))
        }
        None => Ok(()),
    }
}

/// One line for each setting that changes results in transformers but not here.
pub(super) fn warnings(layers: &Layers, sampling: bool) -> Vec<String> {
    let filters = if sampling { FILTERS.as_slice() } else { &[] };
    let found = in_effect(layers, &RULES).chain(in_effect(layers, filters));
    found
        .map(|found| {
            format!("`{}` {} ({}) is not supported and has no effect", found.name, found.value, found.source())
        })
        .collect()
}
