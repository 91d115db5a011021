//! The decode settings in effect for a checkpoint, and the origin of each.
//!
//! Responsible for the one function, [`resolve`], that decides between the user, the catalogue and the checkpoint. The
//! order is: one call > flag > the user's config file > catalogue > `task_specific_params` > the fallback of pipelines
//! (only for [`Caller::Pipeline`]) > `generation_config.json` > config.json (only if there is no
//! `generation_config.json`) > transformers' class default. Invariant: every field of `SearchOptions` is listed in
//! `DecodeSettings::origins`; a setting that cannot be honoured is an error or a warning, never ignored in silence.
//! Reading the files belongs to the caller. Language tokens, which replace `decoder_start_token_id` and
//! `forced_bos_token_id`, belong to the tokenizer and `engine`.
//!
//! As in transformers 5.23, `max_length` and `min_length` count the start token, but the default maximum of 20 does not;
//! `max_new_tokens` and `min_new_tokens` take precedence over them. A `generation_config.json` without
//! `decoder_start_token_id` starts with its `bos_token_id`, whatever config.json says. Departure: if
//! `generation_config.json` has no `eos_token_id`, no `pad_token_id`, or no start token at all, config.json's are taken;
//! transformers would never stop, or fail.

mod layers;
mod overrides;
mod pipeline;
mod resolver;
mod unsupported;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::batch::TokenId;
use crate::model::spec::GlobalAttention;
use crate::search::SearchOptions;

pub use layers::SettingOrigin;
pub use overrides::{DecodeOption, Mode, OPTIONS, Overrides, Values};

use layers::RawSetting;
use overrides::row;
use resolver::Resolver;

/// Which command or interface decodes; this decides the maximum length if nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The command `generate`: transformers' default of 20 new tokens.
    Generate,
    /// The commands `translate`, `summarize` and `digest`: the model's window.
    Article,
    /// The pipelines of transformers 4: 256 new tokens and 4 beams, under the conditions of those pipelines.
    Pipeline,
}

/// All sources of settings, from which [`resolve`] decides.
#[derive(Clone, Debug)]
pub struct SettingSources<'a> {
    /// Settings of one call, as an object with transformers' names.
    pub call: Option<&'a Value>,
    /// Settings from the command line.
    pub flags: &'a Overrides,
    /// Settings from the user's config file.
    pub user: &'a Overrides,
    /// Settings of an alias from the catalogue, as an object with transformers' names.
    pub catalogue: Option<&'a Value>,
    /// The task whose `task_specific_params` apply, such as `summarization`.
    pub task: Option<&'a str>,
    /// Settings that a pipeline was made with, as an object with transformers' names; only for [`Caller::Pipeline`].
    pub defaults: Option<&'a Value>,
    /// The contents of config.json.
    pub config: &'a Value,
    /// The contents of `generation_config.json`, if there is one.
    pub generation_config: Option<&'a Value>,
    /// The most tokens that an article command lets the model write, start token included.
    pub window: usize,
    /// Number of positions of the decoder; `None`: unlimited.
    pub positions: Option<usize>,
    /// A token that decoding starts with after the start token: that of the target language, in some models.
    pub after_start: Option<TokenId>,
    /// Which command or interface decodes.
    pub caller: Caller,
}

/// One setting in effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// transformers' name of the setting.
    pub name: &'static str,
    /// The value, as JSON.
    pub value: Value,
    /// Where the value comes from, in words.
    pub origin: String,
}

/// The decode settings in effect.
#[derive(Clone, Debug, Serialize)]
pub struct DecodeSettings {
    /// Options of the search.
    pub options: SearchOptions,
    /// All settings, in a fixed order, each with its origin.
    #[serde(skip)]
    pub origins: Vec<Setting>,
    /// Warnings: settings of the checkpoint that are not supported or cannot be met.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

impl DecodeSettings {
    /// Replaces the checkpoint's special tokens by those of the chosen languages.
    pub fn take_languages(&mut self, forced_bos: Option<TokenId>, start: Option<TokenId>) {
        if let Some(token) = forced_bos {
            self.options.forced_bos = Some(token);
            self.replace("forced_bos_token_id", token, "the target language");
        }
        if let Some(token) = start {
            self.options.start = vec![token];
            self.replace("decoder_start_token_id", token, "the target language");
        }
    }

    /// Lists which source tokens have global attention; `asked`: whether the request decided that.
    pub fn note_global_attention(&mut self, global: GlobalAttention, asked: bool) {
        let value = if global == GlobalAttention::First { "first" } else { "none" };
        let origin = if asked { "asked for" } else { "as its makers ask" };
        let setting = Setting { name: "global_attention", value: value.into(), origin: origin.to_owned() };
        self.origins.push(setting);
    }

    /// Sets the fewest and the most new tokens of every output.
    pub fn set_length_limits(&mut self, least: usize, most: usize) {
        let options = &mut self.options;
        options.max_new_tokens = most.max(1);
        options.min_new_tokens = least.min(options.max_new_tokens - 1);
        options.min_length = 0;
        let (least, most) = (options.min_new_tokens, options.max_new_tokens);
        for (name, value) in [("max_new_tokens", most), ("min_new_tokens", least), ("min_length", 0)] {
            self.replace(name, value, "the length asked for");
        }
    }

    fn replace(&mut self, name: &str, value: impl Into<Value>, origin: &str) {
        if let Some(setting) = self.origins.iter_mut().find(|setting| setting.name == name) {
            setting.value = value.into();
            origin.clone_into(&mut setting.origin);
        }
    }
}

/// Decides every setting from all sources.
///
/// # Errors
/// When a value is impossible, or requires a way of decoding that this library does not have; the error names the setting
/// and its origin.
pub fn resolve(sources: &SettingSources) -> Result<DecodeSettings> {
    let mut resolver = Resolver::new(sources)?;
    unsupported::check_modes(&resolver.layers)?;
    let start = resolver.start()?;
    let (sampling, num_beams) = resolver.mode()?;
    let (min_length, min_new_tokens) = resolver.minimum()?;
    let options = SearchOptions {
        num_beams,
        n_best: resolver.option(&row::n_best())?,
        length_penalty: resolver.option(&row::length_penalty())?,
        early_stopping: resolver.option(&row::early_stopping())?,
        max_new_tokens: resolver.maximum(start.len())?,
        min_length,
        min_new_tokens,
        no_repeat_ngram_size: resolver.option(&row::no_repeat_ngram_size())?,
        encoder_no_repeat_ngram_size: resolver.with("encoder_no_repeat_ngram_size", 0, |found| found.count(0))?,
        repetition_penalty: resolver.option(&row::repetition_penalty())?,
        bad_words: resolver.with("bad_words_ids", Vec::new(), RawSetting::sequences)?,
        forced_bos: resolver.forced_bos()?,
        forced_eos: resolver.with("forced_eos_token_id", Vec::new(), RawSetting::tokens)?,
        suppress: resolver.with("suppress_tokens", Vec::new(), RawSetting::tokens)?,
        begin_suppress: resolver.with("begin_suppress_tokens", Vec::new(), RawSetting::tokens)?,
        renormalize: resolver.with("renormalize_logits", false, RawSetting::truth)?,
        eos: resolver.special("eos_token_id", Vec::new(), RawSetting::tokens)?,
        pad: resolver.special("pad_token_id", None, |found| found.token().map(Some))?,
        start,
        sampling,
    };
    resolver.finish(options)
}
