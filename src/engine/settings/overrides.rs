//! The decoding options that the user can set, each defined once, as a row of one table.
//!
//! Responsible for an option's field, flag, key in the settings file, transformers' name, values, class default, the
//! options it can be combined with, and its help text. The command line and the settings file are made from the rows, and
//! the resolver reads settings by them. Invariant: a new option is a new row. Which value takes precedence is decided in
//! the parent module.

use anyhow::Result;
use serde_json::{Map, Number, Value, json};

use super::layers::RawSetting;
use crate::search::EarlyStopping;

/// The values that the user may give for an option; the resolver checks them again, as it does the checkpoint's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// A whole number, 0 or more.
    Count,
    /// A whole number above 0.
    AtLeastOne,
    /// Any finite number.
    Number,
    /// A number above 0.
    Positive,
    /// A number above 0, at most 1.
    Share,
    /// A flag without a value.
    Switch,
    /// One of some words, each with its meaning.
    Words(&'static [(&'static str, &'static str)]),
}

/// The options that an option can be combined with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All other options.
    Any,
    /// Only beam search; giving `--sample` overrides the option in the settings file.
    Beams,
    /// Only sampling; giving `--beam-size` overrides the option in the settings file.
    Sampling,
    /// Only commands where each source can have several outputs, and only on the command line.
    Several,
}

/// A decoding option: everything about it except its value.
#[derive(Clone, Copy, Debug)]
pub struct DecodeOption {
    /// The flag without its dashes, which is also the key in the settings file.
    pub flag: &'static str,
    /// transformers' name for the option, in JSON files, in messages, and in `models show`.
    pub setting: &'static str,
    /// The placeholder for the option's value in help.
    pub value_name: &'static str,
    /// The values that the user may give.
    pub values: Values,
    /// The options that it can be combined with.
    pub mode: Mode,
    /// The default if no source sets the option, in words.
    pub unset: &'static str,
    /// The effect of the option, in one line.
    pub help: &'static str,
}

/// How the resolver reads an option from any source, and the default if no source has it.
pub(super) struct OptionRow<T> {
    /// transformers' name for the option.
    pub setting: &'static str,
    /// transformers' class default.
    pub default: T,
    /// Reads a value and checks it.
    pub read: fn(&RawSetting) -> Result<T>,
}

/// Conversion of an option's value to JSON as in transformers' files.
pub(super) trait ToJson {
    fn to_json(self) -> Value;
}

impl ToJson for usize {
    fn to_json(self) -> Value {
        self.into()
    }
}

impl ToJson for u64 {
    fn to_json(self) -> Value {
        self.into()
    }
}

impl ToJson for bool {
    fn to_json(self) -> Value {
        self.into()
    }
}

impl ToJson for f64 {
    /// A number that JSON cannot represent becomes a string, which is then refused.
    fn to_json(self) -> Value {
        Number::from_f64(self).map_or_else(|| Value::String(self.to_string()), Value::Number)
    }
}

impl ToJson for EarlyStopping {
    fn to_json(self) -> Value {
        match self {
            Self::True => true.into(),
            Self::False => false.into(),
            Self::Never => "never".into(),
        }
    }
}

/// The default, in words, of options that a checkpoint may set.
const MAKERS: &str = "as the model's makers set it";

/// Generates, from the rows of the table, everything that lists all options. The doc comment of a row is its help text.
macro_rules! decode_options {
    ($(
        $(#[doc = $help:literal])+
        $field:ident: $type:ty {
            flag: $flag:literal, value_name: $value_name:literal, setting: $setting:literal,
            values: $values:expr, mode: $mode:expr, unset: $unset:expr,
            default: $default:expr, read: $read:expr,
        }
    )*) => {
        /// Decoding options that the user gave; those that are `None` come from the checkpoint.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Overrides {
            $($(#[doc = $help])+ pub $field: Option<$type>,)*
        }

        /// All decoding options, in the order in which help lists them.
        pub const OPTIONS: &[DecodeOption] = &[$(DecodeOption {
            flag: $flag,
            setting: $setting,
            value_name: $value_name,
            values: $values,
            mode: $mode,
            unset: $unset,
            help: concat!($($help),+).trim_ascii(),
        }),*];

        impl Overrides {
            /// No options given.
            pub const NONE: Self = Self { $($field: None),* };

            /// These options, completed by those of `other` where they are `None`.
            #[must_use]
            pub fn or(&self, other: &Self) -> Self {
                Self { $($field: self.$field.or(other.$field)),* }
            }

            /// The value of the option with this flag, as written in the settings file; `Null` if it is not given.
            #[must_use]
            pub fn get(&self, flag: &str) -> Value {
                match flag {
                    $($flag => json!(self.$field),)*
                    _ => Value::Null,
                }
            }

            /// Sets the option with this flag to a value as written in the settings file; `Null` removes it.
            ///
            /// # Errors
            /// When the value is of another type.
            pub fn set(&mut self, flag: &str, value: Value) -> serde_json::Result<()> {
                match flag {
                    $($flag => self.$field = serde_json::from_value(value)?,)*
                    _ => {}
                }
                Ok(())
            }

            /// The given options, by transformers' names.
            pub(super) fn values(&self) -> Map<String, Value> {
                let given = [$(($setting, self.$field.map(ToJson::to_json))),*];
                given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
            }
        }

        /// The rows in the form that the resolver reads.
        pub(super) mod row {
            use super::{EarlyStopping, RawSetting, OptionRow};

            $(pub fn $field() -> OptionRow<$type> {
                OptionRow { setting: $setting, default: $default, read: $read }
            })*
        }
    };
}

decode_options! {
    /// Beams: candidates followed at once; 1 is fastest, 4 usually reads better
    num_beams: usize {
        flag: "beam-size", value_name: "N", setting: "num_beams",
        values: Values::AtLeastOne, mode: Mode::Beams, unset: MAKERS,
        default: 1, read: |found| found.count(1),
    }
    /// Above 0 favours long outputs, below 0 short ones
    length_penalty: f64 {
        flag: "length-penalty", value_name: "X", setting: "length_penalty",
        values: Values::Number, mode: Mode::Any, unset: MAKERS,
        default: 1.0, read: RawSetting::number,
    }
    /// When beam search stops looking for better outputs
    early_stopping: EarlyStopping {
        flag: "early-stopping", value_name: "WHEN", setting: "early_stopping",
        values: Values::Words(&[
            ("true", "As soon as there are as many finished outputs as beams"),
            ("false", "When a better one is unlikely"),
            ("never", "When a better one is impossible"),
        ]), mode: Mode::Beams, unset: MAKERS,
        default: EarlyStopping::False, read: RawSetting::early_stopping,
    }
    /// No sequence of N tokens twice in an output; 0 for no limit
    no_repeat_ngram_size: usize {
        flag: "no-repeat-ngram", value_name: "N", setting: "no_repeat_ngram_size",
        values: Values::Count, mode: Mode::Any, unset: MAKERS,
        default: 0, read: |found| found.count(0),
    }
    /// Above 1 discourages tokens that are already in the output
    repetition_penalty: f64 {
        flag: "repetition-penalty", value_name: "X", setting: "repetition_penalty",
        values: Values::Positive, mode: Mode::Any, unset: MAKERS,
        default: 1.0, read: RawSetting::positive,
    }
    /// Fewest tokens of an output
    min_new_tokens: usize {
        flag: "min-length", value_name: "N", setting: "min_new_tokens",
        values: Values::Count, mode: Mode::Any, unset: MAKERS,
        default: 0, read: |found| found.count(0),
    }
    /// Most tokens of an output; one that was cut there is flagged `truncated`
    max_new_tokens: usize {
        flag: "max-length", value_name: "N", setting: "max_new_tokens",
        values: Values::AtLeastOne, mode: Mode::Any, unset: MAKERS,
        default: 20, read: |found| found.count(1),
    }
    /// Outputs per line, best first
    n_best: usize {
        flag: "n-best", value_name: "N", setting: "num_return_sequences",
        values: Values::AtLeastOne, mode: Mode::Several, unset: "1",
        default: 1, read: |found| found.count(1),
    }
    /// Draw tokens by their probability instead of searching for the best output
    sample: bool {
        flag: "sample", value_name: "", setting: "do_sample",
        values: Values::Switch, mode: Mode::Sampling, unset: "false",
        default: false, read: RawSetting::truth,
    }
    /// Above 0; low is cautious, high is wild
    temperature: f64 {
        flag: "temperature", value_name: "X", setting: "temperature",
        values: Values::Positive, mode: Mode::Sampling, unset: MAKERS,
        default: 1.0, read: RawSetting::positive,
    }
    /// Draw from the K likeliest tokens only
    top_k: usize {
        flag: "top-k", value_name: "K", setting: "top_k",
        values: Values::AtLeastOne, mode: Mode::Sampling, unset: MAKERS,
        default: 50, read: |found| found.count(0),
    }
    /// Draw from the likeliest tokens that together have probability P
    top_p: f64 {
        flag: "top-p", value_name: "P", setting: "top_p",
        values: Values::Share, mode: Mode::Sampling, unset: MAKERS,
        default: 1.0, read: RawSetting::share,
    }
    /// The same seed draws the same tokens again
    seed: u64 {
        flag: "seed", value_name: "N", setting: "seed",
        values: Values::Count, mode: Mode::Sampling, unset: "0",
        default: 0, read: RawSetting::seed,
    }
}

/// The option whose name in transformers is `setting`.
pub(super) fn called(setting: &str) -> Option<&'static DecodeOption> {
    OPTIONS.iter().find(|option| option.setting == setting)
}

impl Overrides {
    /// Removes all options of one mode.
    pub fn leave_out(&mut self, mode: Mode) {
        for option in OPTIONS.iter().filter(|option| option.mode == mode) {
            // `Null` is valid for every option.
            let _ = self.set(option.flag, Value::Null);
        }
    }
}
