//! Layers of settings, highest precedence first: looking a value up, and recording where it was found.
//!
//! Responsible for reading one setting in the right type, or reporting which setting of which source is wrong. Invariant:
//! `null` counts as not set, as in transformers. Which settings exist belongs to the parent module.

use std::fmt;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use crate::batch::TokenId;
use crate::error::WithHint;
use crate::search::EarlyStopping;

/// The origin of a setting, highest precedence first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingOrigin {
    /// The settings of one call.
    Call,
    /// A flag on the command line.
    Flag,
    /// The user's config file.
    UserConfig,
    /// The catalogue of known checkpoints.
    Catalogue,
    /// The checkpoint's `task_specific_params` of this task.
    Task(String),
    /// The fallback of a pipeline of transformers 4.
    Pipeline,
    /// The checkpoint's `generation_config.json`.
    GenerationConfig,
    /// The checkpoint's `config.json`.
    Config,
    /// The model's window.
    Window,
    /// transformers' class default.
    Default,
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call => write!(f, "the call"),
            Self::Flag => write!(f, "flag"),
            Self::UserConfig => write!(f, "config file"),
            Self::Catalogue => write!(f, "catalogue"),
            Self::Task(task) => write!(f, "config.json, task `{task}`"),
            Self::Pipeline => write!(f, "the pipeline"),
            Self::GenerationConfig => write!(f, "generation_config.json"),
            Self::Config => write!(f, "config.json"),
            Self::Window => write!(f, "the model's window"),
            Self::Default => write!(f, "default"),
        }
    }
}

/// One source of settings, with transformers' names.
pub(super) struct Layer {
    pub origin: SettingOrigin,
    pub values: Map<String, Value>,
}

/// All sources of settings, highest precedence first.
pub(super) struct Layers(pub Vec<Layer>);

/// The value of a setting in one layer, not checked yet.
#[derive(Clone)]
pub(super) struct RawSetting {
    pub name: &'static str,
    pub value: Value,
    pub origin: SettingOrigin,
}

impl Layers {
    /// The value with this name in the first layer that has one.
    pub fn find(&self, name: &'static str) -> Option<RawSetting> {
        self.0.iter().find_map(|layer| layer.find(name))
    }

    /// The value with either name in the first layer that has one; within a layer, `name` takes precedence.
    pub fn find_either(&self, name: &'static str, other: &'static str) -> Option<RawSetting> {
        self.0.iter().find_map(|layer| layer.find(name).or_else(|| layer.find(other)))
    }
}

impl Layer {
    pub fn find(&self, name: &'static str) -> Option<RawSetting> {
        let value = self.values.get(name).filter(|value| !value.is_null())?.clone();
        Some(RawSetting { name, value, origin: self.origin.clone() })
    }
}

impl RawSetting {
    /// An error about this value: what is wrong with it (`what`), and the remedy (`hint`).
    pub fn wrong(&self, what: &str, hint: &str) -> anyhow::Error {
        anyhow::anyhow!(format!("`{}` is {} ({}): {what}", self.name, self.value, self.source()).with_hint(hint))
    }

    /// The origin of the value; for a flag, with the flag's name.
    pub fn source(&self) -> String {
        match (&self.origin, super::overrides::called(self.name)) {
            (SettingOrigin::Flag, Some(option)) => format!("flag `--{}`", option.flag),
            _ => self.origin.to_string(),
        }
    }

    /// The value as a count of at least `least`.
    pub fn count(&self, least: u64) -> Result<usize> {
        // transformers' own files sometimes have counts such as 4.0.
        let whole = self.value.as_f64().filter(|x| x.fract() == 0.0 && *x >= 0.0 && *x < 1e9).map(|x| x as u64);
        match self.value.as_u64().or(whole) {
            Some(count) if count >= least => Ok(count as usize),
            _ => Err(self.wrong("not possible", &format!("give a whole number, {least} or more"))),
        }
    }

    /// The value as a finite number.
    pub fn number(&self) -> Result<f64> {
        match self.value.as_f64() {
            Some(number) if number.is_finite() => Ok(number),
            _ => Err(self.wrong("not a number", "give a number")),
        }
    }

    /// The value as a number above 0.
    pub fn positive(&self) -> Result<f64> {
        match self.number()? {
            number if number > 0.0 => Ok(number),
            _ => Err(self.wrong("not possible", "give a number above 0")),
        }
    }

    /// The value as a number between 0 and 1.
    pub fn share(&self) -> Result<f64> {
        match self.number()? {
            share if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err(self.wrong("not possible", "give a number between 0 and 1")),
        }
    }

    /// The value as the end of a beam search.
    pub fn early_stopping(&self) -> Result<EarlyStopping> {
        match &self.value {
            Value::Bool(true) => Ok(EarlyStopping::True),
            Value::Bool(false) => Ok(EarlyStopping::False),
            Value::String(word) if word == "never" => Ok(EarlyStopping::Never),
            _ => Err(self.wrong("none of true, false and \"never\"", "give one of these")),
        }
    }

    /// The value as a seed of random numbers.
    pub fn seed(&self) -> Result<u64> {
        self.value.as_u64().ok_or_else(|| self.wrong("not a seed", "give a whole number, 0 or more"))
    }

    /// The value as a boolean.
    pub fn truth(&self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.wrong("neither true nor false", "give true or false"))
    }

    /// The value as one token.
    pub fn token(&self) -> Result<TokenId> {
        match self.tokens()?[..] {
            [token] if !self.value.is_array() => Ok(token),
            _ => Err(self.wrong("not one token", "give one token id")),
        }
    }

    /// The value as one token or a list of tokens.
    pub fn tokens(&self) -> Result<Vec<TokenId>> {
        let token = |value: &Value| value.as_u64().and_then(|token| TokenId::try_from(token).ok());
        let tokens = match &self.value {
            Value::Array(values) => values.iter().map(token).collect(),
            value => token(value).map(|token| vec![token]),
        };
        tokens.ok_or_else(|| self.wrong("not a token", "token ids are whole numbers, 0 or more"))
    }

    /// The value as a list of lists of tokens.
    pub fn sequences(&self) -> Result<Vec<Vec<TokenId>>> {
        let Value::Array(sequences) = &self.value else {
            bail!(self.wrong("not a list of lists of tokens", "give it as [[1, 2], [3]]"));
        };
        let each = sequences.iter().map(|value| match value {
            Value::Array(tokens) if !tokens.is_empty() => Self { value: value.clone(), ..self.clone() }.tokens(),
            _ => Err(self.wrong("not a list of lists of tokens", "give it as [[1, 2], [3]]")),
        });
        each.collect()
    }
}
