//! `kortom memory`: what is kept over runs is imported, exported, counted and forgotten.
//!
//! Invariant: results go to standard output, and what a person should know besides to standard error. What a memory does belongs to
//! `kortom::memory`; here it is only asked.

mod amounts;
mod import;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use kortom::document::tmx;
use kortom::error::{Explain, WithHint};
use kortom::language::Code;
use kortom::memory::{Forget, Memory, MemoryStats, Prune};

use super::models::ListingFormat;
use super::pipeline_args::usual_memory;
use super::settings::SettingsFile;

/// Printed under the help of `memory`.
const REMEMBERING: &str = "\
  kortom translate news/ --output en/ --memory on      keep what is translated
  kortom memory import corrected.tsv                   from now on these win over any model
  kortom memory export --format tmx > memory.tmx
  kortom memory prune --older-than 90d --max-size 500M";

/// `kortom memory`.
#[derive(Args, Debug)]
#[command(after_help = REMEMBERING)]
pub struct MemoryArgs {
    #[command(subcommand)]
    pub command: MemoryCommand,
}

/// What to do with a memory.
#[derive(Debug, Subcommand)]
pub enum MemoryCommand {
    /// Take translations that win over any model: from a table, from TMX, or from a corrected report of kortom
    Import(import::ImportArgs),
    /// Write all translations to standard output, corrections first
    Export {
        /// Format of the output
        #[arg(long, value_enum, default_value_t = ExportFormat::Tsv)]
        format: ExportFormat,
        /// Only what people corrected
        #[arg(long)]
        corrections: bool,
        /// File to write [default: standard output]
        #[arg(long, value_name = "PATH")]
        output: Option<PathBuf>,
        /// Language of the sources, as a code [default: all]
        #[arg(long, value_name = "CODE")]
        from: Option<String>,
        /// Language of the translations, as a code [default: all]
        #[arg(long, value_name = "CODE")]
        to: Option<String>,
        #[command(flatten)]
        file: MemoryFile,
    },
    /// Show where the memory is and what it holds
    Stats {
        /// How to print the result
        #[arg(long, value_enum, default_value_t = ListingFormat::Text)]
        format: ListingFormat,
        #[command(flatten)]
        file: MemoryFile,
    },
    /// Remove what models made: what was not used for long, what one model made, or as much as makes the file small; corrections stay
    Prune {
        /// What was not used for so long: 90d, 12w, 1y
        #[arg(long, value_name = "AGE", value_parser = amounts::days)]
        older_than: Option<u32>,
        /// What this model made
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// What was used longest ago, until the file is no larger: 500M, 2G
        #[arg(long, value_name = "SIZE", value_parser = amounts::bytes)]
        max_size: Option<u64>,
        #[command(flatten)]
        file: MemoryFile,
    },
    /// Forget every source and translation with a text in it, all corrections, or all there is
    Forget {
        /// The text, in small or large letters
        #[arg(conflicts_with_all = ["corrections", "all"])]
        text: Option<String>,
        /// All corrections
        #[arg(long, conflicts_with = "all")]
        corrections: bool,
        /// All there is
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        file: MemoryFile,
    },
}

/// Which memory is meant.
#[derive(Args, Clone, Debug)]
pub struct MemoryFile {
    /// The file of the memory [default: that of the settings file, else the one that `--memory on` means]
    #[arg(long, value_name = "FILE")]
    memory: Option<PathBuf>,
}

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Source, tabulator, translation on each line
    Tsv,
    /// A translation memory, TMX 1.4
    Tmx,
}

/// Runs one of the commands.
///
/// # Errors
/// When there is no such memory, it cannot be used, or the output cannot be written.
pub fn run(args: &MemoryArgs, settings: &SettingsFile) -> Result<ExitCode> {
    match &args.command {
        MemoryCommand::Import(args) => return import::run(args, settings),
        MemoryCommand::Export { format, corrections, output, from, to, file } => {
            let memory = Memory::open_existing(&file.path(settings)?)?;
            let wanted =
                ExportFilter { format: *format, corrections: *corrections, from: from.as_deref(), to: to.as_deref() };
            match output {
                None => wanted.write(&memory, &mut io::stdout().lock())?,
                Some(path) => {
                    let file = File::create(path).explain(|| {
                        format!("cannot write `{}`", path.display())
                            .with_hint("name a file in a folder that may be written")
                    })?;
                    wanted.write(&memory, &mut BufWriter::new(file))?;
                }
            }
        }
        MemoryCommand::Stats { format, file } => {
            let stats = Memory::open_existing(&file.path(settings)?)?.stats()?;
            super::print(&match format {
                ListingFormat::Json => format!("{:#}\n", serde_json::to_value(&stats)?),
                ListingFormat::Text => shown(&stats),
            })?;
        }
        MemoryCommand::Prune { older_than, model, max_size, file } => {
            let prune = Prune { older_than: *older_than, model: model.clone(), max_size: *max_size };
            if prune == Prune::default() {
                bail!("nothing was said to be removed".with_hint("add --older-than, --model or --max-size"));
            }
            let memory = Memory::open_existing(&file.path(settings)?)?;
            let removed = memory.prune(&prune)?;
            super::print(&format!("{removed} texts removed; {}\n", size(&memory.stats()?)))?;
        }
        MemoryCommand::Forget { text, corrections, all, file } => {
            let forget = match text {
                Some(text) if text.trim().is_empty() => {
                    bail!("there is no text to look for".with_hint("--all forgets all there is"))
                }
                Some(text) => Forget::With(text.clone()),
                None if *corrections => Forget::Corrections,
                None if *all => Forget::All,
                None => {
                    bail!("nothing was said to be forgotten".with_hint("give a text, or add --corrections or --all"))
                }
            };
            let forgotten = Memory::open_existing(&file.path(settings)?)?.forget(&forget)?;
            super::print(&format!("{forgotten} texts forgotten\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl MemoryFile {
    /// The file that is meant.
    fn path(&self, settings: &SettingsFile) -> Result<PathBuf> {
        self.memory
            .clone()
            .or_else(|| usual(settings))
            .explain(|| "this system has no folder for data".with_hint("name a file: `--memory FILE`"))
    }
}

/// The file of the memory where none is named: that of the settings file, else the usual one.
pub fn usual(settings: &SettingsFile) -> Option<PathBuf> {
    let set = settings.text("memory").filter(|path| !matches!(path.as_str(), "on" | "off"));
    set.map(PathBuf::from).or_else(usual_memory)
}

/// What is exported, and how.
struct ExportFilter<'a> {
    format: ExportFormat,
    corrections: bool,
    from: Option<&'a str>,
    to: Option<&'a str>,
}

impl ExportFilter<'_> {
    fn write(&self, memory: &Memory, out: &mut dyn Write) -> Result<()> {
        let is_wanted =
            |asked: Option<&str>, code: &str| asked.is_none_or(|asked| Code::parse(asked).serves(&Code::parse(code)));
        let mut between = None;
        if self.format == ExportFormat::Tmx {
            out.write_all(tmx::OPEN.as_bytes())?;
        }
        memory.units(self.corrections, |unit| {
            if !is_wanted(self.from, &unit.from) || !is_wanted(self.to, &unit.to) {
                return Ok(());
            }
            if self.format == ExportFormat::Tmx {
                return unit.write_tmx(out);
            }
            let languages = (unit.from.clone(), unit.to.clone());
            let (from, to) = between.get_or_insert_with(|| languages.clone());
            if (&*from, &*to) != (&languages.0, &languages.1) {
                bail!(
                    format!(
                        "a table has two languages, and the memory has `{from}` to `{to}` and `{}` to `{}`",
                        languages.0, languages.1
                    )
                    .with_hint("name those you want with --from and --to, or export TMX")
                );
            }
            unit.write_tsv(out)
        })?;
        if self.format == ExportFormat::Tmx {
            out.write_all(tmx::CLOSE.as_bytes())?;
        }
        Ok(out.flush()?)
    }
}

/// What a memory holds, for people.
fn shown(stats: &MemoryStats) -> String {
    let MemoryStats { file, segments, summaries, corrections, models, .. } = stats;
    let mut page = format!("{file}, {}\n", size(stats));
    page += &format!("{segments} segments and {summaries} summaries of models, {corrections} corrections\n");
    for share in models {
        page += &format!("  {} texts by {}, {} > {}\n", share.texts, share.model, share.from, share.to);
    }
    page
}

/// How large a memory is, for people.
pub fn size(stats: &MemoryStats) -> String {
    match stats.bytes {
        bytes @ 0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        bytes => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}
