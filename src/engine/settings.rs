//! Which decode settings are in effect for a checkpoint, and where each comes from.
//!
//! Responsible for: the one function, [`resolve`], that decides between the user, the catalogue and the
//! checkpoint: one call > flag > the user's config file > catalogue > `task_specific_params` > what pipelines fall back to
//! (only for [`Caller::Pipeline`]) > `generation_config.json` > config.json (only if there is no `generation_config.json`) >
//! transformers' class default. Invariant:
//! every field of `SearchOptions` is listed in `DecodeSettings::origins`; a setting that cannot be honoured is
//! an error or a warning, never silence. Leaves reading the files to the caller, and language tokens, which
//! replace `decoder_start_token_id` and `forced_bos_token_id`, to the tokenizer and `engine`.
//!
//! From transformers 5.23: `max_length` and `min_length` count the start token; the default maximum of 20
//! does not. `max_new_tokens` and `min_new_tokens` win over them. A `generation_config.json` without
//! `decoder_start_token_id` starts with its `bos_token_id`, whatever config.json says. Departure: where
//! `generation_config.json` has no `eos_token_id`, `pad_token_id`, or start at all, config.json's are taken; transformers
//! would never stop, or fail.

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

/// Which command or interface decodes; it decides the maximum length when nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// `generate`: transformers' default of 20 new tokens.
    Generate,
    /// `translate`, `summarize`, `digest`: the model's window.
    Article,
    /// The pipelines of transformers 4: 256 new tokens and 4 beams, where those say so.
    Pipeline,
}

/// All sources of settings.
#[derive(Clone, Debug)]
pub struct SettingSources<'a> {
    /// Settings of one call, an object under transformers' names.
    pub call: Option<&'a Value>,
    /// From the command line.
    pub flags: &'a Overrides,
    /// From the user's config file.
    pub user: &'a Overrides,
    /// The catalogue's settings of an alias, an object under transformers' names.
    pub catalogue: Option<&'a Value>,
    /// The task whose `task_specific_params` apply, such as `summarization`.
    pub task: Option<&'a str>,
    /// What a pipeline was made with, an object under transformers' names; only for [`Caller::Pipeline`].
    pub defaults: Option<&'a Value>,
    /// config.json
    pub config: &'a Value,
    /// `generation_config.json`
    pub generation_config: Option<&'a Value>,
    /// The most tokens an article command lets the model write, start token included.
    pub window: usize,
    /// How many positions the decoder has; `None` where nothing ends them.
    pub positions: Option<usize>,
    /// What decoding starts from after the start token.
    pub after_start: Option<TokenId>,
    /// Which command or interface decodes.
    pub caller: Caller,
}

/// One effective setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// transformers' name of the setting.
    pub name: &'static str,
    /// The value, as JSON.
    pub value: Value,
    /// Where the value comes from, in words.
    pub origin: String,
}

/// The settings in effect.
#[derive(Clone, Debug, Serialize)]
pub struct DecodeSettings {
    /// Options of the search.
    pub options: SearchOptions,
    /// All settings, in a fixed order, with where they come from.
    #[serde(skip)]
    pub origins: Vec<Setting>,
    /// Warnings: what the checkpoint asks for and does not get, and what cannot be met.
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

    /// Lists which source tokens have global attention, and whether the request says so.
    pub fn note_global_attention(&mut self, global: GlobalAttention, asked: bool) {
        let value = if global == GlobalAttention::First { "first" } else { "none" };
        let origin = if asked { "asked for" } else { "as its makers ask" };
        let setting = Setting { name: "global_attention", value: value.into(), origin: origin.to_owned() };
        self.origins.push(setting);
    }

    /// Gives every output `least` to `most` new tokens.
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
/// When a value is not possible, or asks for a way of decoding that this library does not have; the error
/// names the setting and where it comes from.
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
