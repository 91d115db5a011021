//! Looking each setting up in all sources, and recording where it was found.
//!
//! Invariant: every setting that is read is recorded. Which settings exist is decided in `settings`, which values are
//! possible in `layers`.

use std::cmp::Ordering;

use anyhow::{Result, anyhow, bail};
use serde::Serialize;
use serde_json::Value;

use super::layers::{Layer, Layers, RawSetting, SettingOrigin};
use super::overrides::{Mode, OPTIONS, OptionRow, ToJson, called, row};
use super::{Caller, DecodeSettings, Setting, SettingSources, pipeline, unsupported};
use crate::batch::TokenId;
use crate::error::WithHint;
use crate::search::{Sampling, SearchOptions};

/// Settings that are recorded under another name.
const OTHER_NAMES: &[&str] = &["max_length", "bos_token_id"];

/// Looks settings up and records where they were found.
pub(super) struct Resolver<'a> {
    sources: &'a SettingSources<'a>,
    /// All sources that apply to this checkpoint.
    pub layers: Layers,
    /// config.json, if it is read only for special tokens because there is a `generation_config.json`.
    fallback: Option<Layer>,
    origins: Vec<Setting>,
    warnings: Vec<String>,
}

impl<'a> Resolver<'a> {
    pub fn new(sources: &'a SettingSources<'a>) -> Result<Self> {
        let object = |value: &Value, name: &str| {
            value
                .as_object()
                .cloned()
                .ok_or_else(|| anyhow!(format!("{name} is not a JSON object").with_hint("fetch the model again")))
        };
        let mut layers = Vec::new();
        if let Some(call) = sources.call {
            layers.push(Layer { origin: SettingOrigin::Call, values: pipeline::object(call, "`settings`")? });
        }
        layers.push(Layer { origin: SettingOrigin::Flag, values: sources.flags.values() });
        // A pipeline must give equal results on every machine, so the user's config file is not read.
        if sources.caller != Caller::Pipeline {
            layers.push(Layer { origin: SettingOrigin::UserConfig, values: sources.user.values() });
        }
        if let Some(catalogue) = sources.catalogue {
            layers
                .push(Layer { origin: SettingOrigin::Catalogue, values: object(catalogue, "the catalogue's entry")? });
        }
        let config = object(sources.config, "config.json")?;
        if let Some(task) = sources.task
            && let Some(values) = config.get("task_specific_params").and_then(|tasks| tasks.get(task)?.as_object())
        {
            layers.push(Layer { origin: SettingOrigin::Task(task.to_owned()), values: values.clone() });
        }
        let config = Layer { origin: SettingOrigin::Config, values: config };
        let above = layers.len();
        let mut fallback = None;
        if let Some(generation_config) = sources.generation_config {
            let values = object(generation_config, "generation_config.json")?;
            layers.push(Layer { origin: SettingOrigin::GenerationConfig, values });
            fallback = Some(config);
        } else {
            layers.push(config);
        }
        if sources.caller == Caller::Pipeline {
            let checkpoint = Layers(layers.split_off(above));
            layers.push(pipeline::layer(sources.defaults, &checkpoint)?);
            layers.extend(checkpoint.0);
        }
        Ok(Self { sources, layers: Layers(layers), fallback, origins: Vec::new(), warnings: Vec::new() })
    }

    fn note(&mut self, name: &'static str, value: impl Serialize, origin: impl Into<String>) {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.origins.push(Setting { name, value, origin: origin.into() });
    }

    /// A setting as `read` reads it, or the class default.
    pub fn with<T: Serialize + Clone>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl Fn(&RawSetting) -> Result<T>,
    ) -> Result<T> {
        let (value, origin) = read_or(self.layers.find(name), default, read)?;
        self.note(name, value.clone(), origin);
        Ok(value)
    }

    /// A special token as `read` reads it, or the class default. For these, config.json counts even beside a
    /// `generation_config.json`.
    pub fn special<T: Serialize + Clone>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl Fn(&RawSetting) -> Result<T>,
    ) -> Result<T> {
        let found = self.layers.find(name).or_else(|| self.fallback.as_ref()?.find(name));
        let (value, origin) = read_or(found, default, read)?;
        self.note(name, value.clone(), origin);
        Ok(value)
    }

    /// An option of the table, which the user can set too.
    pub fn option<T: ToJson + Copy>(&mut self, row: &OptionRow<T>) -> Result<T> {
        let (value, origin) = self.look_up(row)?;
        self.note(row.setting, value.to_json(), origin);
        Ok(value)
    }

    /// An option and its origin, before conflicts between sampling and beams are resolved.
    fn look_up<T: Copy>(&self, row: &OptionRow<T>) -> Result<(T, String)> {
        read_or(self.layers.find(row.setting), row.default, row.read)
    }

    /// The start tokens: `decoder_start_token_id`, or `bos_token_id`; only if there is neither, those of a config.json
    /// beside a `generation_config.json`.
    pub fn start(&mut self) -> Result<Vec<TokenId>> {
        let ours = ["decoder_start_token_id", "bos_token_id"].into_iter().find_map(|name| self.layers.find(name));
        let config = || {
            ["decoder_start_token_id", "bos_token_id"].into_iter().find_map(|name| self.fallback.as_ref()?.find(name))
        };
        let Some(found) = ours.or_else(config) else {
            bail!(
                "the checkpoint has neither `decoder_start_token_id` nor `bos_token_id`"
                    .with_hint("add `decoder_start_token_id` to its generation_config.json")
            );
        };
        let (mut start, origin) = (found.tokens()?, format!("{}, `{}`", found.source(), found.name));
        // As in transformers, the start token of config.json is ignored here, so the user is warned.
        if found.name == "bos_token_id"
            && let Some(other) = config()
            && other.name == "decoder_start_token_id"
            && other.tokens()? != start
        {
            self.warnings.push(format!(
                "generation_config.json has no `decoder_start_token_id`: decoding starts with its `bos_token_id` {start:?}, \
                 as in transformers, though config.json has `decoder_start_token_id` {}",
                other.value
            ));
        }
        let Some(language) = self.sources.after_start else {
            self.note("decoder_start_token_id", &start, origin);
            return Ok(start);
        };
        start.push(language);
        self.note("decoder_start_token_id", &start, format!("{origin}, and the target language"));
        Ok(start)
    }

    /// Whether to sample, and the number of beams. transformers can combine the two, this library cannot: the one whose
    /// origin has the higher precedence is kept.
    pub fn mode(&mut self) -> Result<(Option<Sampling>, usize)> {
        let (mut sample, mut sample_from) = self.look_up(&row::sample())?;
        let (mut beams, mut beams_from) = self.look_up(&row::num_beams())?;
        if sample && beams > 1 {
            // Origins are ordered by precedence, highest first. Both were found, since the defaults are false and 1.
            let strength = |name| self.layers.find(name).map(|found| found.origin);
            match strength("do_sample").cmp(&strength("num_beams")) {
                Ordering::Less => (beams, beams_from) = (1, format!("{sample_from}, `do_sample`")),
                Ordering::Greater => (sample, sample_from) = (false, format!("{beams_from}, `num_beams`")),
                Ordering::Equal => {
                    let beam_size = user_name("num_beams", strength("num_beams").as_ref());
                    bail!(
                        format!("sampling with {beams} beams is not supported ({sample_from}; {beams_from})")
                            .with_hint(format!(
                                "use `{beam_size} 1` to sample, or `{beam_size} N` alone for beam search"
                            ))
                    )
                }
            }
        }
        self.note("do_sample", sample, sample_from);
        self.note("num_beams", beams, beams_from);
        let sampling =
            if sample { Some(self.sampling()?) } else { self.refuse_idle_flags(Mode::Sampling, "do_sample")? };
        if beams == 1 {
            self.refuse_idle_flags::<()>(Mode::Beams, "num_beams")?;
        }
        Ok((sampling, beams))
    }

    fn sampling(&mut self) -> Result<Sampling> {
        Ok(Sampling {
            temperature: self.option(&row::temperature())?,
            top_k: self.option(&row::top_k())?,
            top_p: self.option(&row::top_p())?,
            seed: self.option(&row::seed())?,
        })
    }

    /// Refuses a flag of a mode that is not on. In a file, such a setting has no effect.
    fn refuse_idle_flags<T>(&self, mode: Mode, switch: &str) -> Result<Option<T>> {
        let others = OPTIONS.iter().filter(|option| option.mode == mode && option.setting != switch);
        let mut idle = others.filter_map(|option| self.layers.find(option.setting));
        match idle.find(|found| found.origin == SettingOrigin::Flag) {
            Some(found) => {
                let without = if mode == Mode::Beams { "`--beam-size` above 1" } else { "`--sample`" };
                bail!(
                    format!("{} does nothing without {without}", found.source()).with_hint("leave it out, or add that")
                )
            }
            None => Ok(None),
        }
    }

    /// The most new tokens after `start` start tokens.
    pub fn maximum(&mut self, start: usize) -> Result<usize> {
        let positions = self.sources.positions.map_or(usize::MAX, |positions| (positions + 1).saturating_sub(start));
        let row = row::max_new_tokens();
        let found = match self.sources.caller {
            // `max_new_tokens` takes precedence in whatever layer: transformers 4 merges all sources before it compares
            // the two.
            Caller::Pipeline => self.layers.find(row.setting).or_else(|| self.layers.find("max_length")),
            _ => self.layers.find_either(row.setting, "max_length"),
        };
        let (wanted, origin) = match &found {
            Some(found) if found.name == "max_length" => {
                let wanted = found.count(start as u64 + 1)? - start;
                (wanted, format!("{}, `max_length` {} without the start", found.source(), found.value))
            }
            Some(found) => ((row.read)(found)?, found.source()),
            // transformers limits its own default, start token included, to the positions.
            None if self.sources.caller == Caller::Generate => {
                (row.default.min(positions.saturating_sub(1)).max(1), SettingOrigin::Default.to_string())
            }
            None => (self.sources.window.saturating_sub(start).max(1), SettingOrigin::Window.to_string()),
        };
        if wanted <= positions {
            self.note("max_new_tokens", wanted, origin);
            return Ok(wanted);
        }
        match found {
            Some(found) if found.origin <= SettingOrigin::UserConfig => {
                bail!(found.wrong("more than the decoder's positions", &format!("give at most {positions}")))
            }
            Some(_) => self.warnings.push(format!(
                "the maximum is {positions} new tokens, not {wanted} ({origin}): the decoder has no more positions"
            )),
            None => {}
        }
        self.note("max_new_tokens", positions, "the decoder's positions");
        Ok(positions)
    }

    /// `min_length`, which counts the start token, and `min_new_tokens`, which takes precedence over it.
    pub fn minimum(&mut self) -> Result<(usize, usize)> {
        let row = row::min_new_tokens();
        let (new, origin) = read_or(self.layers.find(row.setting), None, |found| (row.read)(found).map(Some))?;
        self.note("min_new_tokens", new, origin);
        let (length, origin) = read_or(self.layers.find("min_length"), 0, |found| found.count(0))?;
        let Some(new) = new else {
            self.note("min_length", length, origin);
            return Ok((length, 0));
        };
        self.note("min_length", 0, "`min_new_tokens` is set");
        Ok((0, new))
    }

    /// The token that must be the first new one. Old BART checkpoints without a `generation_config.json` request
    /// `bos_token_id` by a key of their own.
    pub fn forced_bos(&mut self) -> Result<Option<TokenId>> {
        let old_way = self.layers.0.last().filter(|layer| layer.origin == SettingOrigin::Config).and_then(|config| {
            config.find("force_bos_token_to_be_generated").filter(|found| found.value == true)?;
            Some(config.find("bos_token_id"))
        });
        let found = self
            .layers
            .find("forced_bos_token_id")
            .filter(|found| old_way.is_none() || found.origin < SettingOrigin::Config);
        let found = found.or(old_way.flatten());
        let (forced, origin) = read_or(found, None, |found| found.token().map(Some))?;
        self.note("forced_bos_token_id", forced, origin);
        Ok(forced)
    }

    /// Checks all settings together, and adds warnings.
    pub fn finish(mut self, options: SearchOptions) -> Result<DecodeSettings> {
        self.check_names()?;
        if options.n_best > options.num_beams && options.sampling.is_none() {
            let found = self
                .layers
                .find("num_return_sequences")
                .ok_or_else(|| anyhow!("more hypotheses than beams".with_hint("use more beams")))?;
            let [beams, sample] = ["num_beams", "do_sample"].map(|name| user_name(name, Some(&found.origin)));
            let hint = format!("use `{beams} {}` or more, or `{sample}`", options.n_best);
            bail!(found.wrong(&format!("more than `num_beams`, which is {}", options.num_beams), &hint));
        }
        options.check()?;
        let least = options.min_new_tokens.max(options.min_length.saturating_sub(options.start.len()));
        if least >= options.max_new_tokens {
            let most = options.max_new_tokens;
            self.warnings
                .push(format!("no output can end by itself: no end before {least} new tokens, and at most {most}"));
        }
        if options.eos.is_empty() {
            self.warnings.push("the checkpoint has no `eos_token_id`: no output can end by itself".to_owned());
        }
        self.warnings.extend(unsupported::warnings(&self.layers, options.sampling.is_some()));
        Ok(DecodeSettings { options, origins: self.origins, warnings: self.warnings })
    }

    /// Refuses unknown names in the catalogue, which is part of kortom, and in calls, which are made for kortom.
    fn check_names(&self) -> Result<()> {
        let known = |name: &str| {
            self.origins.iter().any(|setting| setting.name == name)
                || OTHER_NAMES.contains(&name)
                || called(name).is_some()
        };
        for layer in &self.layers.0 {
            let in_call = matches!(layer.origin, SettingOrigin::Call | SettingOrigin::Pipeline);
            let unknown = |(name, value): &(&String, &Value)| {
                !(known(name) || in_call && unsupported::has_no_effect(name, value))
            };
            match layer.values.iter().find(unknown) {
                Some((name, _)) if layer.origin == SettingOrigin::Catalogue => {
                    bail!(format!("the catalogue sets `{name}`, which is no setting").with_hint("correct or remove it"))
                }
                Some((name, value)) if in_call => {
                    bail!(format!("`{name}` ({value}) is no setting that kortom has").with_hint("leave it out"))
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The name by which the user knows a setting: its flag, or in calls transformers' name.
fn user_name(name: &'static str, origin: Option<&SettingOrigin>) -> String {
    let in_call = matches!(origin, Some(SettingOrigin::Call | SettingOrigin::Pipeline));
    let flag = called(name).filter(|_| !in_call).map(|option| format!("--{}", option.flag));
    flag.unwrap_or_else(|| name.to_owned())
}

/// The value that was found, or the class default, with its origin.
fn read_or<T>(found: Option<RawSetting>, default: T, read: impl Fn(&RawSetting) -> Result<T>) -> Result<(T, String)> {
    match found {
        Some(found) => Ok((read(&found)?, found.source())),
        None => Ok((default, SettingOrigin::Default.to_string())),
    }
}
