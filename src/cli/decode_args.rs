//! The library's table of decoding options as arguments of the command line and as keys of the settings file.
//!
//! Invariant: no option is named here: flags, values and help are those of the rows in `kortom::engine::settings::OPTIONS`.

use std::marker::PhantomData;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use kortom::engine::settings::{DecodeOption, Mode, OPTIONS, Overrides, Values};
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::values::{at_least_one, finite, positive, share};

/// The options of one group that were given.
#[derive(Clone, Debug)]
pub struct Given<G> {
    /// The values that were given; options of other groups are unset.
    pub values: Overrides,
    group: PhantomData<G>,
}

/// A group of options that are listed together in help and belong to the same commands.
pub trait OptionGroup {
    /// The heading of the group in help; `None` keeps the heading of the options before it.
    const HEADING: Option<&'static str>;
    /// The help of the options, if it differs from that of the library's table.
    const HELP: Option<&'static str> = None;

    /// Whether options of a mode are in the group.
    fn has(mode: Mode) -> bool;
}

/// Options of every search.
#[derive(Clone, Debug)]
pub struct OfSearch;

/// Options of sampling.
#[derive(Clone, Debug)]
pub struct OfSampling;

/// Options of several outputs for a source, whatever the command.
#[derive(Clone, Debug)]
pub struct OfSeveral;

/// Options of several translations of a line.
#[derive(Clone, Debug)]
pub struct OfTranslations;

/// Options of several outputs for a line.
#[derive(Clone, Debug)]
pub struct OfLines;

impl OptionGroup for OfSearch {
    const HEADING: Option<&'static str> = None;

    fn has(mode: Mode) -> bool {
        matches!(mode, Mode::Any | Mode::Beams)
    }
}

impl OptionGroup for OfSampling {
    const HEADING: Option<&'static str> = Some("Sampling");

    fn has(mode: Mode) -> bool {
        mode == Mode::Sampling
    }
}

impl OptionGroup for OfSeveral {
    const HEADING: Option<&'static str> = None;

    fn has(mode: Mode) -> bool {
        mode == Mode::Several
    }
}

impl OptionGroup for OfTranslations {
    const HEADING: Option<&'static str> = Some("Decoding");
    const HELP: Option<&'static str> = Some(
        "How many translations of each line to give, best first; needs --input-format lines and --format json or jsonl",
    );

    fn has(mode: Mode) -> bool {
        OfSeveral::has(mode)
    }
}

impl OptionGroup for OfLines {
    const HEADING: Option<&'static str> = Some("Decoding");
    const HELP: Option<&'static str> = Some("How many outputs for each line, best first; needs --format json or jsonl");

    fn has(mode: Mode) -> bool {
        OfSeveral::has(mode)
    }
}

impl<G> Default for Given<G> {
    fn default() -> Self {
        Self { values: Overrides::NONE, group: PhantomData }
    }
}

impl<G: OptionGroup> Given<G> {
    fn options() -> impl Iterator<Item = &'static DecodeOption> {
        OPTIONS.iter().filter(|option| G::has(option.mode))
    }
}

impl<G: OptionGroup> Args for Given<G> {
    fn augment_args(command: Command) -> Command {
        let command = match G::HEADING {
            Some(heading) => command.next_help_heading(heading),
            None => command,
        };
        command.args(Self::options().map(|option| argument(option).help(G::HELP.unwrap_or(option.help))))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<G: OptionGroup> FromArgMatches for Given<G> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for DecodeOption { flag, .. } in Self::options() {
            if let Some(value) = matches.get_one::<Value>(flag) {
                let wrong = |error| clap::Error::raw(clap::error::ErrorKind::InvalidValue, error);
                self.values.set(flag, value.clone()).map_err(wrong)?;
            }
        }
        Ok(())
    }
}

impl<G: OptionGroup> Serialize for Given<G> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Self::options().map(|option| (option.flag, self.values.get(option.flag))))
    }
}

impl<'de, G: OptionGroup> Deserialize<'de> for Given<G> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = Map::<String, Value>::deserialize(deserializer)?;
        let mut given = Self::default();
        for DecodeOption { flag, .. } in Self::options() {
            let value = values.remove(*flag).unwrap_or_default();
            given.values.set(flag, value).map_err(D::Error::custom)?;
        }
        Ok(given)
    }
}

/// An option as an argument.
fn argument(option: &'static DecodeOption) -> Arg {
    let argument = Arg::new(option.flag).long(option.flag).value_name(option.value_name);
    let argument = match option.mode {
        Mode::Sampling if option.values == Values::Switch => {
            let beams = OPTIONS.iter().filter(|other| other.mode == Mode::Beams);
            argument.conflicts_with_all(beams.map(|other| other.flag))
        }
        Mode::Sampling => {
            let switch = OPTIONS.iter().filter(|other| other.mode == Mode::Sampling && other.values == Values::Switch);
            switch.fold(argument, |argument, switch| argument.requires(switch.flag))
        }
        _ => argument,
    };
    match option.values {
        // clap's action for switches would also set a value if the switch was not typed.
        Values::Switch => {
            let argument = argument.action(ArgAction::Set).num_args(0).default_missing_value("true");
            argument.value_parser(parsed::<bool, _>(str::parse))
        }
        Values::Words(words) => {
            let words = words.iter().map(|(word, meaning)| PossibleValue::new(*word).help(*meaning));
            argument.value_parser(PossibleValuesParser::new(words).map(Value::from))
        }
        Values::Count => argument.value_parser(parsed::<u64, _>(str::parse)),
        Values::AtLeastOne => argument.value_parser(parsed(at_least_one)),
        Values::Number => argument.allow_hyphen_values(true).value_parser(parsed(finite)),
        Values::Positive => argument.value_parser(parsed(positive)),
        Values::Share => argument.value_parser(parsed(share)),
    }
}

/// A parser of typed values whose result has the form of a value in the settings file.
fn parsed<T: Into<Value>, E: ToString>(
    parse: impl Fn(&str) -> Result<T, E> + Clone,
) -> impl Fn(&str) -> Result<Value, String> + Clone {
    move |typed| parse(typed).map(Into::into).map_err(|error| error.to_string())
}
