//! The decode settings that a person can give, on the command line or in the config file.
//!
//! Responsible for: their names there and in transformers. Invariant: every field is one entry of `FLAGS`.
//! Leaves the checking of values to the parent, which knows where they came from.

use serde_json::{Map, Value};

use crate::search::EarlyStopping;

/// Settings a person gave; what is `None` comes from the checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--beam-size`
    pub num_beams: Option<usize>,
    /// `--n-best`
    pub n_best: Option<usize>,
    /// `--length-penalty`
    pub length_penalty: Option<f64>,
    /// `--early-stopping`
    pub early_stopping: Option<EarlyStopping>,
    /// `--no-repeat-ngram`
    pub no_repeat_ngram_size: Option<usize>,
    /// `--repetition-penalty`
    pub repetition_penalty: Option<f64>,
    /// `--min-length`: new tokens before an end is allowed
    pub min_new_tokens: Option<usize>,
    /// `--max-length`: most new tokens
    pub max_new_tokens: Option<usize>,
    /// `--sample`
    pub sample: Option<bool>,
    /// `--temperature`
    pub temperature: Option<f64>,
    /// `--top-k`
    pub top_k: Option<usize>,
    /// `--top-p`
    pub top_p: Option<f64>,
    /// `--seed`
    pub seed: Option<u64>,
}

/// transformers' name of each, and its flag.
const FLAGS: [(&str, &str); 13] = [
    ("num_beams", "--beam-size"),
    ("num_return_sequences", "--n-best"),
    ("length_penalty", "--length-penalty"),
    ("early_stopping", "--early-stopping"),
    ("no_repeat_ngram_size", "--no-repeat-ngram"),
    ("repetition_penalty", "--repetition-penalty"),
    ("min_new_tokens", "--min-length"),
    ("max_new_tokens", "--max-length"),
    ("do_sample", "--sample"),
    ("temperature", "--temperature"),
    ("top_k", "--top-k"),
    ("top_p", "--top-p"),
    ("seed", "--seed"),
];

/// The flag of the setting that transformers calls `name`.
pub(super) fn flag(name: &str) -> Option<&'static str> {
    FLAGS.iter().find(|(setting, _)| *setting == name).map(|&(_, flag)| flag)
}

impl Overrides {
    /// Nothing given.
    pub const NONE: Self = Self {
        num_beams: None,
        n_best: None,
        length_penalty: None,
        early_stopping: None,
        no_repeat_ngram_size: None,
        repetition_penalty: None,
        min_new_tokens: None,
        max_new_tokens: None,
        sample: None,
        temperature: None,
        top_k: None,
        top_p: None,
        seed: None,
    };

    /// The settings under transformers' names; a number that JSON cannot hold becomes a string, and is
    /// refused as one.
    pub(super) fn values(&self) -> Map<String, Value> {
        let number = |number: Option<f64>| {
            number.map(|x| serde_json::Number::from_f64(x).map_or_else(|| Value::String(x.to_string()), Value::Number))
        };
        let count = |count: Option<usize>| count.map(Value::from);
        let early_stopping = self.early_stopping.map(|stopping| match stopping {
            EarlyStopping::True => Value::Bool(true),
            EarlyStopping::False => Value::Bool(false),
            EarlyStopping::Never => Value::from("never"),
        });
        let values = [
            count(self.num_beams),
            count(self.n_best),
            number(self.length_penalty),
            early_stopping,
            count(self.no_repeat_ngram_size),
            number(self.repetition_penalty),
            count(self.min_new_tokens),
            count(self.max_new_tokens),
            self.sample.map(Value::from),
            number(self.temperature),
            count(self.top_k),
            number(self.top_p),
            self.seed.map(Value::from),
        ];
        let named = FLAGS.iter().zip(values);
        named.filter_map(|(&(name, _), value)| Some((name.to_owned(), value?))).collect()
    }
}
