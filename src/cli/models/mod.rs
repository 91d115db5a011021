//! `kortom models`: list, fetch, look at, check and remove models.
//!
//! Invariant: what was asked for goes to standard output, as text or JSON; what a person should know besides goes to
//! standard error. Everything is decided in `kortom::hub`; here it is only asked and printed.

mod add;
mod installed;
mod list;
mod pull;
mod show;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use kortom::hub::{Hub, HubOptions};
use serde_json::Value;

/// `kortom models`.
#[derive(Args, Debug)]
pub struct ModelsArgs {
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// What to do with models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Show the models on this machine, which one would be used, and those that can be fetched
    List {
        #[command(flatten)]
        common: ListingOptions,
    },
    /// Fetch a model into the shared Hugging Face cache, or bring it up to date and mend it there
    Pull {
        /// An alias, or owner/name[@revision]
        name: String,
        /// Accept a licence that forbids commercial use
        #[arg(long)]
        accept_license: bool,
        /// Only show which files would be fetched, and their sizes
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        common: ListingOptions,
    },
    /// Copy a model's folder into the shared Hugging Face cache, without a network
    Add {
        /// The folder: that of a model, or of a repository in the cache of another machine
        folder: PathBuf,
        /// An alias, or owner/name[@revision] [default: what the folder's name says]
        name: Option<String>,
        #[command(flatten)]
        common: ListingOptions,
    },
    /// Show what a model is, its licence and files, and the decode settings in effect
    Show {
        /// An alias, a folder, or owner/name[@revision]
        name: String,
        #[command(flatten)]
        common: ListingOptions,
    },
    /// Read all files again and compare them with the hashes they were fetched with
    Verify {
        /// The model; without one, all that are installed
        name: Option<String>,
        #[command(flatten)]
        common: ListingOptions,
    },
    /// Remove a model from the cache; with @revision, only what that revision alone uses
    Rm {
        /// An alias, or owner/name[@revision]
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        common: ListingOptions,
    },
    /// Print the folder of a model
    Path {
        /// An alias, a folder, or owner/name[@revision]
        name: String,
        #[command(flatten)]
        common: ListingOptions,
    },
}

/// Options of every one of these commands.
#[derive(Args, Clone, Copy, Debug)]
pub struct ListingOptions {
    /// How to print the result
    #[arg(long, value_enum, default_value_t = ListingFormat::Text)]
    format: ListingFormat,
    /// Open no socket at all (also `HF_HUB_OFFLINE=1`)
    #[arg(long)]
    offline: bool,
    /// Print no progress and no notices
    #[arg(long, short)]
    quiet: bool,
}

/// How to print the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListingFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Runs one of the commands.
///
/// # Errors
/// When there is no such model, it cannot be fetched, or the output cannot be written.
pub fn run(args: &ModelsArgs) -> Result<ExitCode> {
    match &args.command {
        ModelsCommand::List { common } => list::run(*common),
        ModelsCommand::Pull { name, accept_license, dry_run, common } => {
            if *dry_run {
                pull::plan(name, *common)
            } else {
                pull::run(name, *accept_license, *common)
            }
        }
        ModelsCommand::Add { folder, name, common } => add::run(folder, name.as_deref(), *common),
        ModelsCommand::Show { name, common } => show::run(name, *common),
        ModelsCommand::Verify { name, common } => installed::verify(name.as_deref(), *common),
        ModelsCommand::Rm { name, yes, common } => installed::remove(name, *yes, *common),
        ModelsCommand::Path { name, common } => installed::path(name, *common),
    }
}

impl ListingOptions {
    fn hub(self) -> Hub {
        let mut options = HubOptions::from_env(self.offline);
        options.progress = !self.quiet;
        Hub::new(options)
    }

    /// Prints the one or the other form.
    fn print(self, value: &Value, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        match self.format {
            ListingFormat::Json => writeln!(out, "{value:#}")?,
            ListingFormat::Text => out.write_all(text.as_bytes())?,
        }
        Ok(out.flush()?)
    }

    fn notice(self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }
}

/// Columns as wide as their widest cell, the last as it is.
fn table(rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.collect();
    let mut widths = vec![0; rows.iter().map(Vec::len).max().unwrap_or(0)];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let cells: Vec<String> = cells.map(|(cell, &width)| format!("{cell:width$}")).collect();
        format!("  {}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// From which languages to which, for people.
fn languages(from: &[String], to: &[String]) -> String {
    let one = |list: &[String]| list.join(",").replace('*', "many");
    if from.is_empty() { String::new() } else { format!("{} > {}", one(from), one(to)) }
}
