//! The manual page: one for the whole program, from the same definitions as the command line.
//!
//! Invariant: every command and every option of every command is in it once; an option that several commands share
//! says which, unless all that work on articles have it.

use std::io;

use anyhow::Result;
use clap::{Arg, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::commands::{EXAMPLES, EXIT_CODES, Typed};
use super::config::VARIABLES;

/// The commands that work on articles or lines, whose options are told together.
const WORKING: [&str; 8] =
    ["digest", "translate", "summarize", "generate", "score", "compare", "glossary propose", "serve"];

/// The page, as `man` reads it.
pub fn page() -> Result<Vec<u8>> {
    let mut program = Typed::command();
    program.build();
    let mut page = Vec::new();
    let man = Man::new(program.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut body = Roff::new();
    body.control("SH", ["SYNOPSIS"]).text([bold("kortom"), roman(" COMMAND [OPTIONS] [INPUT]...")]);
    body.control("SH", ["COMMANDS"]);
    commands(&program, &mut body);
    body.control("SH", ["OPTIONS"]);
    options(&shared(&program), &mut body);
    for command in program.get_subcommands() {
        own_options(command, &mut body);
    }
    body.control("SH", ["ENVIRONMENT"]);
    for (name, meaning) in VARIABLES {
        entry(&mut body, vec![bold(name)], meaning);
    }
    body.control("SH", ["FILES"]);
    entry(
        &mut body,
        vec![roman("config.toml")],
        "Defaults of your own; `kortom config path` says where it is or would be.",
    );
    literal("EXAMPLES", EXAMPLES, &mut body);
    literal("EXIT STATUS", EXIT_CODES, &mut body);
    write(&body, &mut page)?;
    Ok(page)
}

/// Without the preamble, which the title has brought already.
fn write(body: &Roff, page: &mut Vec<u8>) -> io::Result<()> {
    io::Write::write_all(page, body.to_roff().as_bytes())
}

/// Each command with what it does, those inside commands too.
fn commands(within: &Command, body: &mut Roff) {
    for command in within.get_subcommands() {
        if command.has_subcommands() {
            commands(command, body);
            continue;
        }
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").split_whitespace().collect::<Vec<_>>().join(" ");
        entry(body, vec![bold(usage)], &about(command.get_about()));
    }
}

/// The options of the working commands: each once, with the names of those that have it.
fn shared(program: &Command) -> Vec<(&Arg, Vec<&str>)> {
    let mut shared: Vec<(&Arg, Vec<&str>)> = Vec::new();
    let find = |name: &str| name.split(' ').try_fold(program, |within, part| within.find_subcommand(part));
    for (name, command) in WORKING.into_iter().filter_map(|name| Some((name, find(name)?))) {
        for option in command.get_arguments().filter(|option| !option.is_positional()) {
            let same = |known: &&Arg| {
                known.get_long() == option.get_long() && about(known.get_help()) == about(option.get_help())
            };
            match shared.iter_mut().find(|(known, _)| same(known)) {
                Some((_, commands)) => commands.push(name),
                None => shared.push((option, vec![name])),
            }
        }
    }
    shared
}

fn options(options: &[(&Arg, Vec<&str>)], body: &mut Roff) {
    for (option, commands) in options {
        let mut help = about(option.get_help());
        if commands.len() < WORKING.len() && !commands.is_empty() {
            help = format!("{help} ({})", commands.join(", "));
        }
        entry(body, name(option), &help);
    }
}

/// The options of a command that are its own affair.
fn own_options(command: &Command, body: &mut Roff) {
    if command.has_subcommands() {
        command.get_subcommands().for_each(|inner| own_options(inner, body));
        return;
    }
    let typed = command.get_bin_name().unwrap_or_default();
    if WORKING.iter().any(|name| typed.strip_prefix("kortom ") == Some(*name)) {
        return;
    }
    let own = command.get_arguments().filter(|option| !option.is_positional() && option.get_id() != "help");
    // All options there are belong to `config show`, which only shows them.
    let own: Vec<_> = own.map(|option| (option, Vec::new())).collect();
    if own.is_empty() || typed == "kortom config show" {
        return;
    }
    body.control("SS", [format!("Options of {}", command.get_bin_name().unwrap_or(command.get_name())).as_str()]);
    options(&own, body);
}

/// An option as it is typed.
fn name(option: &Arg) -> Vec<Inline> {
    let short = option.get_short().map(|short| format!("-{short}"));
    let long = option.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let mut name = vec![bold(names.join(", "))];
    if option.get_num_args().is_some_and(|count| count.takes_values()) {
        for value in option.get_value_names().unwrap_or_default() {
            name.extend([roman(" "), italic(value.as_str())]);
        }
    }
    name
}

/// Something and what is to be said about it.
fn entry(body: &mut Roff, name: Vec<Inline>, text: &str) {
    body.control("TP", []).text(name).text([roman(text)]);
}

/// Lines that stay as they are.
fn literal(heading: &str, text: &str, body: &mut Roff) {
    body.control("SH", [heading]).control("nf", []);
    for line in text.lines() {
        body.text([roman(line)]);
    }
    body.control("fi", []);
}

fn about(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}
