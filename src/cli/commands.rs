//! The command line as a whole: the program and its commands.
//!
//! Invariant: only the root of the command line, the manual page and completions know all commands; a command knows no other.

use clap::{Parser, Subcommand};

use super::args::{
    BenchArgs, CompletionsArgs, ConfigArgs, DigestArgs, DoctorArgs, GenerateArgs, ServeArgs, SetupArgs, SummarizeArgs,
    TranslateArgs,
};
use super::compare::CompareArgs;
use super::memory::MemoryArgs;
use super::models::ModelsArgs;
use super::propose::GlossaryArgs;
use super::score::ScoreArgs;

/// What people do most.
pub const EXAMPLES: &str = "  \
  kortom digest article.txt                  English with a short summary on top
  kortom translate articles/ --output en/    a folder of articles into a folder
  cat article.txt | kortom translate         from standard input to standard output
  kortom summarize english.txt               a summary; the most telling sentences if no model is installed
  kortom models pull nl-en                   fetch a far better Dutch-English model";

/// What the program ends with.
pub const EXIT_CODES: &str = "0 all done, 1 some inputs failed (each is named), 2 bad arguments or an
unusable model, 130 interrupted.";

/// Translates Dutch articles to English and summarises them, on this machine, without Python.
#[derive(Debug, Parser)]
#[command(name = "kortom", version, after_help = format!("Examples:\n{EXAMPLES}\n\nExit codes: {EXIT_CODES}"), max_term_width = 100, disable_help_subcommand = true)]
pub struct Typed {
    /// What to do; without one, kortom says what to type next.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// One command of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Translate each article and put a short summary on top
    Digest(Box<DigestArgs>),
    /// Translate articles; paragraphs, headings and dates stay where they are
    Translate(Box<TranslateArgs>),
    /// Summarise English articles (or Dutch ones: --from nl)
    Summarize(Box<SummarizeArgs>),
    /// Run any seq2seq model as it is: one source per line in, one output per line out
    Generate(Box<GenerateArgs>),
    /// Answer over HTTP, for clients of `LibreTranslate` too
    Serve(Box<ServeArgs>),
    /// Score translations or summaries by references: BLEU, chrF, TER, ROUGE
    Score(Box<ScoreArgs>),
    /// Compare two models, or one with two settings, on the same input
    Compare(Box<CompareArgs>),
    /// Propose a glossary, from how a model translates the terms of articles
    Glossary(GlossaryArgs),
    /// List, fetch, inspect and remove models
    Models(ModelsArgs),
    /// Import, export, count and forget what is kept over runs
    Memory(MemoryArgs),
    /// Fetch the recommended models, after one question
    Setup(SetupArgs),
    /// Say what this machine and this build can do, and what to do about the rest
    Doctor(DoctorArgs),
    /// Measure generated tokens per second on this machine
    Bench(BenchArgs),
    /// Show the settings in effect and where each comes from
    Config(ConfigArgs),
    /// Write the completion script of a shell to standard output
    Completions(CompletionsArgs),
    /// Write the manual page to standard output
    Man,
}

impl Command {
    /// Whether the command needs nothing of the settings file.
    pub fn does_without_settings(&self) -> bool {
        matches!(self, Self::Models(_) | Self::Doctor(_) | Self::Completions(_) | Self::Man)
    }
}
