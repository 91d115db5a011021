//! The decoding options that a person can give, each defined once: one row of one table.
//!
//! Responsible for: an option's field, flag, key in the settings file, transformers' name, values, class default, what it goes
//! together with, and what is said about it. The command line and the settings file are made from the rows, and the
//! resolver reads by them. Invariant: a new option is a new row. Which value wins belongs to the parent.

use anyhow::Result;
use serde_json::{Map, Number, Value, json};

use super::layers::Found;
use crate::search::EarlyStopping;

/// What may be typed for an option; the resolver checks it again, with what the checkpoint says.
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
    /// Given or not.
    Switch,
    /// One of some words; each with what it means.
    Words(&'static [(&'static str, &'static str)]),
}

/// Which options an option goes together with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All others.
    Any,
    /// Only with beam search: typing `--sample` overrules it in the settings file.
    Beams,
    /// Only with sampling: typing `--beam-size` overrules it in the settings file.
    Sampling,
    /// Only where each source can have several outputs, and only typed.
    Several,
}

/// A decoding option: all that is known of it before anybody gives it.
#[derive(Clone, Copy, Debug)]
pub struct DecodeOption {
    /// Its flag without the dashes, and its key in the settings file.
    pub flag: &'static str,
    /// transformers' name of it, in JSON files, in messages, and in `models show`.
    pub setting: &'static str,
    /// What stands for its value in help.
    pub value_name: &'static str,
    /// What may be typed.
    pub values: Values,
    /// What it goes together with.
    pub mode: Mode,
    /// What holds where nobody says, in words.
    pub unsaid: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
}

/// How the resolver reads an option in any source, and what holds where none has it.
pub(super) struct Row<T> {
    /// transformers' name of it.
    pub setting: &'static str,
    /// transformers' class default.
    pub default: T,
    /// Reads a value and checks it.
    pub read: fn(&Found) -> Result<T>,
}

/// A value under transformers' name, as transformers' files have it.
pub(super) trait Written {
    fn written(self) -> Value;
}

impl Written for usize {
    fn written(self) -> Value {
        self.into()
    }
}

impl Written for u64 {
    fn written(self) -> Value {
        self.into()
    }
}

impl Written for bool {
    fn written(self) -> Value {
        self.into()
    }
}

impl Written for f64 {
    /// A number that JSON cannot hold becomes a string, and is refused as one.
    fn written(self) -> Value {
        Number::from_f64(self).map_or_else(|| Value::String(self.to_string()), Value::Number)
    }
}

impl Written for EarlyStopping {
    fn written(self) -> Value {
        match self {
            Self::True => true.into(),
            Self::False => false.into(),
            Self::Never => "never".into(),
        }
    }
}

/// What holds where a person says nothing and a checkpoint may.
const MAKERS: &str = "as the model's makers set it";

/// Makes from the rows all that needs to know every option. The comment of a row is its help.
macro_rules! decode_options {
    ($(
        $(#[doc = $help:literal])+
        $field:ident: $type:ty {
            flag: $flag:literal, value_name: $value_name:literal, setting: $setting:literal,
            values: $values:expr, mode: $mode:expr, unsaid: $unsaid:expr,
            default: $default:expr, read: $read:expr,
        }
    )*) => {
        /// Decoding options that somebody gave; what is `None` comes from the checkpoint.
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
            unsaid: $unsaid,
            help: concat!($($help),+).trim_ascii(),
        }),*];

        impl Overrides {
            /// Nothing given.
            pub const NONE: Self = Self { $($field: None),* };

            /// What was given, and where nothing was, what `other` has.
            #[must_use]
            pub fn or(&self, other: &Self) -> Self {
                Self { $($field: self.$field.or(other.$field)),* }
            }

            /// What was given for the option with a flag, as the settings file says it; `Null` for nothing.
            #[must_use]
            pub fn get(&self, flag: &str) -> Value {
                match flag {
                    $($flag => json!(self.$field),)*
                    _ => Value::Null,
                }
            }

            /// Gives the option with a flag what the settings file says of it; `Null` takes it back.
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

            /// What was given, under transformers' names.
            pub(super) fn values(&self) -> Map<String, Value> {
                let given = [$(($setting, self.$field.map(Written::written))),*];
                given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
            }
        }

        /// The rows as the resolver reads them.
        pub(super) mod row {
            use super::{EarlyStopping, Found, Row};

            $(pub fn $field() -> Row<$type> {
                Row { setting: $setting, default: $default, read: $read }
            })*
        }
    };
}

decode_options! {
    /// Beams: candidates followed at once; 1 is fastest, 4 usually reads better
    num_beams: usize {
        flag: "beam-size", value_name: "N", setting: "num_beams",
        values: Values::AtLeastOne, mode: Mode::Beams, unsaid: MAKERS,
        default: 1, read: |found| found.count(1),
    }
    /// Above 0 favours long outputs, below 0 short ones
    length_penalty: f64 {
        flag: "length-penalty", value_name: "X", setting: "length_penalty",
        values: Values::Number, mode: Mode::Any, unsaid: MAKERS,
        default: 1.0, read: Found::number,
    }
    /// When beam search stops looking for better outputs
    early_stopping: EarlyStopping {
        flag: "early-stopping", value_name: "WHEN", setting: "early_stopping",
        values: Values::Words(&[
            ("true", "As soon as there are as many finished outputs as beams"),
            ("false", "When a better one is unlikely"),
            ("never", "When a better one is impossible"),
        ]), mode: Mode::Beams, unsaid: MAKERS,
        default: EarlyStopping::False, read: Found::early_stopping,
    }
    /// No sequence of N tokens twice in an output; 0 for no limit
    no_repeat_ngram_size: usize {
        flag: "no-repeat-ngram", value_name: "N", setting: "no_repeat_ngram_size",
        values: Values::Count, mode: Mode::Any, unsaid: MAKERS,
        default: 0, read: |found| found.count(0),
    }
    /// Above 1 discourages tokens that are already in the output
    repetition_penalty: f64 {
        flag: "repetition-penalty", value_name: "X", setting: "repetition_penalty",
        values: Values::Positive, mode: Mode::Any, unsaid: MAKERS,
        default: 1.0, read: Found::positive,
    }
    /// Fewest tokens of an output
    min_new_tokens: usize {
        flag: "min-length", value_name: "N", setting: "min_new_tokens",
        values: Values::Count, mode: Mode::Any, unsaid: MAKERS,
        default: 0, read: |found| found.count(0),
    }
    /// Most tokens of an output; one that was cut there is flagged `truncated`
    max_new_tokens: usize {
        flag: "max-length", value_name: "N", setting: "max_new_tokens",
        values: Values::AtLeastOne, mode: Mode::Any, unsaid: MAKERS,
        default: 20, read: |found| found.count(1),
    }
    /// Outputs per line, best first
    n_best: usize {
        flag: "n-best", value_name: "N", setting: "num_return_sequences",
        values: Values::AtLeastOne, mode: Mode::Several, unsaid: "1",
        default: 1, read: |found| found.count(1),
    }
    /// Draw tokens by their probability instead of searching for the best output
    sample: bool {
        flag: "sample", value_name: "", setting: "do_sample",
        values: Values::Switch, mode: Mode::Sampling, unsaid: "false",
        default: false, read: Found::truth,
    }
    /// Above 0; low is cautious, high is wild
    temperature: f64 {
        flag: "temperature", value_name: "X", setting: "temperature",
        values: Values::Positive, mode: Mode::Sampling, unsaid: MAKERS,
        default: 1.0, read: Found::positive,
    }
    /// Draw from the K likeliest tokens only
    top_k: usize {
        flag: "top-k", value_name: "K", setting: "top_k",
        values: Values::AtLeastOne, mode: Mode::Sampling, unsaid: MAKERS,
        default: 50, read: |found| found.count(0),
    }
    /// Draw from the likeliest tokens that together have probability P
    top_p: f64 {
        flag: "top-p", value_name: "P", setting: "top_p",
        values: Values::Share, mode: Mode::Sampling, unsaid: MAKERS,
        default: 1.0, read: Found::share,
    }
    /// The same seed draws the same tokens again
    seed: u64 {
        flag: "seed", value_name: "N", setting: "seed",
        values: Values::Count, mode: Mode::Sampling, unsaid: "0",
        default: 0, read: Found::seed,
    }
}

/// The option that transformers calls `setting`.
pub(super) fn called(setting: &str) -> Option<&'static DecodeOption> {
    OPTIONS.iter().find(|option| option.setting == setting)
}

impl Overrides {
    /// Takes back all that goes together with one mode only.
    pub fn leave_out(&mut self, mode: Mode) {
        for option in OPTIONS.iter().filter(|option| option.mode == mode) {
            // Nothing is of the right type for any option.
            let _ = self.set(option.flag, Value::Null);
        }
    }
}
