//! The value of an option: what was typed takes precedence, then the environment, then the settings file.
//!
//! Invariant: the file's keys are the options' names, taken from their one definition in `options`;
//! an unknown key or a value of the wrong kind is an error that names the file. Defaults belong to
//! `job`, and where an option is the model's to decide, to the engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kortom::engine::settings::{Mode, OPTIONS, Overrides};
use kortom::error::WithHint;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::options::{AllOptions, DecodeOptions, SamplingOptions};

/// The user's settings file.
#[derive(Debug, Default)]
pub struct SettingsFile {
    path: Option<PathBuf>,
    values: Map<String, Value>,
}

impl SettingsFile {
    /// The path of the file, whether it exists or not; `None` on a system without a folder for settings.
    pub fn location() -> Option<PathBuf> {
        Some(dirs::config_dir()?.join("kortom").join("config.toml"))
    }

    /// Reads the file; empty settings when there is none.
    pub fn load() -> Result<Self> {
        let Some(path) = Self::location() else { return Ok(Self::default()) };
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read the settings file `{}`", path.display())),
        }
    }

    /// Parses the file, and checks every key and value.
    fn parse(text: &str, path: &Path) -> Result<Self> {
        let file = path.display();
        let mut values: Map<String, Value> = toml::from_str(text)
            .map_err(|error| anyhow::anyhow!("the settings file `{file}` is not valid TOML: {}", error.message()))?;
        let known = fields(&AllOptions::default())?;
        if let Some(key) = values.keys().find(|key| !known.contains_key(*key)) {
            let names = known.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            bail!(
                format!("the settings file `{file}` has an unknown option `{key}`")
                    .with_hint(format!("it may have {names}"))
            );
        }
        // In TOML one writes true, not "true".
        if let Some(Value::Bool(when)) = values.get("early-stopping") {
            let when = when.to_string();
            values.insert("early-stopping".to_owned(), Value::String(when));
        }
        for (key, value) in &values {
            let one = Map::from_iter([(key.clone(), value.clone())]);
            serde_json::from_value::<AllOptions>(Value::Object(one))
                .map_err(|error| anyhow::anyhow!("the settings file `{file}` has a bad value for `{key}`: {error}"))?;
        }
        Ok(Self { path: Some(path.to_owned()), values })
    }

    /// The options that were typed, completed by those of the file.
    pub fn fill<Group: DeserializeOwned + Serialize>(&self, typed: &Group) -> Result<Group> {
        let mut filled = fields(typed)?;
        for (key, value) in &mut filled {
            if let Some(default) = self.values.get(key).filter(|_| value.is_null()) {
                *value = default.clone();
            }
        }
        serde_json::from_value(Value::Object(filled)).context("cannot apply the settings file")
    }

    /// The prefix and the decoding options of the file. A typed beam size rules out sampling in the file, and typed
    /// sampling rules out its beam size.
    pub fn decoding(&self, typed: &Overrides) -> Result<(Option<String>, Overrides)> {
        let decode = self.fill(&DecodeOptions::default())?;
        let mut values = decode.search.values.or(&self.fill(&SamplingOptions::default())?.values);
        if typed.sample == Some(true) {
            values.leave_out(Mode::Beams);
        } else if typed.num_beams.is_some() || values.sample != Some(true) {
            values.leave_out(Mode::Sampling);
        }
        Ok((decode.prefix, values))
    }

    /// One text value of the file.
    pub fn text(&self, key: &str) -> Option<String> {
        self.values.get(key)?.as_str().map(str::to_owned)
    }

    /// For every option: its value and where it is from, in the order of their definition.
    pub fn origins(&self, typed: &AllOptions) -> Result<Vec<(String, String, String)>> {
        let environment = environment();
        let origin = |(key, typed): (String, Value)| {
            let (value, from) = if !typed.is_null() {
                (shown(&typed), "flag".to_owned())
            } else if let Some((value, variable)) = environment.get(key.as_str()) {
                (value.clone(), format!("environment ({variable})"))
            } else if let (Some(value), Some(path)) = (self.values.get(&key), &self.path) {
                (shown(value), format!("file ({})", path.display()))
            } else {
                (default(&key).to_owned(), "default".to_owned())
            };
            (key, value, from)
        };
        Ok(fields(typed)?.into_iter().map(origin).collect())
    }
}

/// Whether the environment asks for no network.
pub fn offline_environment() -> bool {
    std::env::var("HF_HUB_OFFLINE")
        .is_ok_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"))
}

/// Options the environment sets: key -> value, variable.
fn environment() -> BTreeMap<&'static str, (String, &'static str)> {
    let mut set = BTreeMap::new();
    if offline_environment() {
        set.insert("offline", ("true".to_owned(), "HF_HUB_OFFLINE"));
    }
    set
}

fn fields<Group: Serialize>(group: &Group) -> Result<Map<String, Value>> {
    match serde_json::to_value(group).context("cannot list the options")? {
        Value::Object(fields) => Ok(fields),
        _ => bail!("a group of options is not a struct"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The default of an option, as `config show` prints it.
fn default(key: &str) -> &'static str {
    if let Some(option) = OPTIONS.iter().find(|option| option.flag == key) {
        return option.unset;
    }
    match key {
        "model" => "the best one installed",
        "summary-model" => "the best one installed, if any",
        "from" => "nl",
        "to" => "en",
        "device" | "compute-type" | "input-format" | "method" => "auto",
        "threads" => "one per core",
        "offline" | "no-cache" | "resume" | "strict" | "timings" | "quiet" | "verbose" | "html-whole" | "overwrite"
        | "bilingual" | "comments" | "no-memory" | "alignment" => "false",
        "field" | "field-format" => "text",
        "max-unpacked" => "256",
        "format" => "that of the input",
        "output" => "standard output",
        "summary-length" => "medium; with a model as its makers set it",
        "batch-tokens" => "enough to keep the machine busy",
        "prefix" => "the model's, if any",
        "glossary" | "memory-fuzzy" => "none",
        "memory" => "off",
        "alignment-head" => "the one that the catalogue names",
        "global-attention" => "first for a summary, else none",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use kortom::search::EarlyStopping;

    use super::*;

    fn settings(text: &str) -> Result<SettingsFile> {
        SettingsFile::parse(text, Path::new("config.toml"))
    }

    #[test]
    fn the_file_fills_only_what_was_not_typed() {
        let file = settings("beam-size = 2\nlength-penalty = 1\nearly-stopping = true").unwrap();
        let mut typed = DecodeOptions::default();
        typed.search.values.num_beams = Some(6);
        let filled = file.fill(&typed).unwrap().search.values;
        assert_eq!((filled.num_beams, filled.length_penalty), (Some(6), Some(1.0)));
        assert_eq!(filled.early_stopping, Some(EarlyStopping::True));
    }

    #[test]
    fn what_is_typed_decides_between_beams_and_sampling() {
        let file = settings("sample = true\ntemperature = 0.5\nbeam-size = 3").unwrap();
        let beams = Overrides { num_beams: Some(4), ..Overrides::NONE };
        let (_, values) = file.decoding(&beams).unwrap();
        assert_eq!(values, Overrides { num_beams: Some(3), ..Overrides::NONE });
        let sample = Overrides { sample: Some(true), ..Overrides::NONE };
        let (_, values) = file.decoding(&sample).unwrap();
        assert_eq!(values, Overrides { sample: Some(true), temperature: Some(0.5), ..Overrides::NONE });
    }

    #[test]
    fn bad_keys_and_values_are_named() {
        let unknown = settings("beam_size = 2").unwrap_err().to_string();
        assert!(unknown.contains("unknown option `beam_size`") && unknown.contains("`beam-size`"), "{unknown}");
        let bad = settings("beam-size = \"many\"").unwrap_err().to_string();
        assert!(bad.contains("bad value for `beam-size`"), "{bad}");
        assert!(settings("beam-size 2").unwrap_err().to_string().contains("not valid TOML"));
    }
}
