//! The completion script of a shell, from the same definitions as the command line.
//!
//! Invariant: every suggested value can be typed. Other values may be possible too, such as a folder in place of a
//! model's alias; they are only not suggested.

use clap::builder::{PossibleValuesParser, ValueHint};
use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;

use super::commands::Typed;

/// The completion script for a shell.
pub fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut hinted(Typed::command()), "kortom", &mut script);
    script
}

fn hinted(command: Command) -> Command {
    let others = command.get_name() != "models";
    let command = command.mut_args(suggest);
    if others {
        command.mut_subcommands(hinted)
    } else {
        command.mut_subcommands(|inner| hinted(inner).mut_args(alias))
    }
}

/// Suggests aliases for the positional arguments of `kortom models`, which are models.
fn alias(arg: Arg) -> Arg {
    if arg.is_positional() { arg.value_parser(PossibleValuesParser::new(aliases())) } else { arg }
}

fn aliases() -> Vec<&'static str> {
    kortom::hub::catalog().iter().map(|entry| entry.alias.as_str()).collect()
}

/// Adds suggestions for the value of an option whose parser has none, and keeps shells from suggesting files.
fn suggest(arg: Arg) -> Arg {
    let values: Vec<&str> = match arg.get_long() {
        Some("model" | "summary-model") => aliases(),
        Some("device") => vec!["auto", "cpu", "cuda", "metal"],
        Some("compute-type") => vec!["auto", "f32", "f16", "bf16", "int8"],
        Some("summary-length") => vec!["short", "medium", "long"],
        _ if takes_value(&arg) && arg.get_value_hint() == ValueHint::Unknown => {
            return arg.value_hint(ValueHint::Other);
        }
        _ => return arg,
    };
    arg.value_parser(PossibleValuesParser::new(values))
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values() && arg.get_num_args().is_none_or(|count| count.takes_values())
}
