//! The command line: what was typed, what it means, and what is said about it.
//!
//! Invariant: standard output carries results only; everything else goes to standard error. An error
//! returned from here is one of arguments or models (exit code 2); articles that fail are counted and
//! give 1. All that is done to articles is done by the library, which knows nothing of this.

mod args;
mod articles;
mod bench;
mod commands;
mod compare;
mod completions;
mod config;
mod decode_args;
mod decoding;
mod detection;
mod doctor;
mod formats;
mod glossary;
mod inputs;
mod interrupt;
mod job;
mod lines;
mod manual;
mod memory;
mod models;
mod options;
mod pipeline_args;
mod progress;
mod propose;
mod read;
mod recall;
mod records;
mod resume_key;
mod run;
mod run_progress;
mod score;
mod serve;
mod settings;
mod setup;
mod sink;
mod source_texts;
mod term_remarks;
mod threads;
mod timings;
mod values;
mod welcome;
mod windows;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use clap::error::ErrorKind;
use kortom::error;

use commands::{Command, Typed};
use job::Job;
pub use progress::told;
use settings::SettingsFile;

/// Runs what was typed.
pub fn run() -> Result<ExitCode> {
    timings::program_start();
    let typed = match Typed::try_parse() {
        Ok(typed) => typed,
        Err(error) => return parse_error(&error),
    };
    config::set_simd()?;
    let Some(command) = typed.command else { return print(&welcome::page()) };
    // A fault in the settings file stops no command that does without it, least of all one that looks for the fault.
    let (file, fault) = match SettingsFile::load() {
        Ok(file) => (file, None),
        Err(fault) if command.does_without_settings() => (SettingsFile::default(), Some(fault)),
        Err(fault) => return Err(fault),
    };
    match command {
        Command::Digest(args) => run::run(&Job::digest(&args, &file)?),
        Command::Translate(args) => run::run(&Job::translate(&args, &file)?),
        Command::Summarize(args) => run::run(&Job::summarize(&args, &file)?),
        Command::Generate(args) => run::run(&Job::generate(&args, &file)?),
        Command::Serve(args) => serve::run(&args, &file),
        Command::Models(args) => models::run(&args),
        Command::Memory(args) => memory::run(&args, &file),
        Command::Setup(args) => setup::run(&args),
        Command::Doctor(args) => match &args.server {
            Some(address) => print(&doctor::ask(address)?),
            None => print(&doctor::report(&args, &file, fault.as_ref())),
        },
        Command::Bench(args) => bench::run(&args, &file),
        Command::Score(args) => score::run(*args, &file),
        Command::Glossary(args) => propose::run(&args, &file),
        Command::Compare(args) => compare::run(&args, &file),
        Command::Config(args) => print(&config::answer(&args, &file)?),
        Command::Completions(args) => print(&String::from_utf8_lossy(&completions::script(args.shell))),
        Command::Man => print(&String::from_utf8_lossy(&manual::page()?)),
    }
}

/// Whether an error only says that nobody reads our output any more.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error::find(error).is_some_and(broken)
}

/// Help and version are results; all else the parser says is an error, with its advice where all errors have theirs.
fn parse_error(error: &clap::Error) -> Result<ExitCode> {
    if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let said = error.render().to_string();
        let said = said.replace("\n\n  tip: ", error::HINT).replace("\n  tip: ", error::HINT);
        eprint!(
            "{}",
            said.replace("\n\nFor more information, try '--help'.", &format!("{}`--help` says more", error::HINT))
        );
        return Ok(ExitCode::from(2));
    }
    match error.print() {
        Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => Err(failed.into()),
        _ => Ok(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))),
    }
}

fn print(text: &str) -> Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
