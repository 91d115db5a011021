//! The arguments of each command: which groups of options belong to it. Commands with a folder of their own have theirs there.
//!
//! Invariant: a command lists only options that act on it, so that an option that does not apply is
//! refused by the parser itself; what depends on two options together is refused in `job`. The
//! options themselves, which the settings file shares, are in `options`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::decode_args::{Given, OfLines, OfTranslations};
use super::options::{
    AdditionOptions, AlignmentOptions, AllOptions, DecodeOptions, InputFormat, InputOptions, LanguageOptions,
    MachineOptions, MemoryOptions, MessageOptions, OutputOptions, PrintOptions, ReadOptions, SamplingOptions,
    SummaryOptions, TermOptions, alignment_head,
};
use super::values::{at_least_one, host};

/// Printed under the help of `completions`.
const LOADING: &str = "\
To have them in every new shell:
  bash    kortom completions bash > ~/.local/share/bash-completion/completions/kortom
  zsh     kortom completions zsh > ~/.zfunc/_kortom     (with `fpath+=~/.zfunc` above `compinit` in ~/.zshrc)
  fish    kortom completions fish > ~/.config/fish/completions/kortom.fish";

/// Printed under the help of `serve`.
const SERVING: &str = "\
Ask it as you would ask LibreTranslate, with any of its clients:
  curl http://127.0.0.1:5000/translate -d q='Goedemorgen.' -d source=nl -d target=en
  curl http://127.0.0.1:5000/digest -d q='Het regent vandaag in de stad.'
  curl http://127.0.0.1:5000/openapi.json       everything it answers";

/// `kortom digest`.
#[derive(Args, Debug)]
pub struct DigestArgs {
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub input: InputOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub additions: AdditionOptions,
    #[command(flatten)]
    pub alignment: AlignmentOptions,
    #[command(flatten)]
    pub decode: DecodeOptions,
    #[command(flatten)]
    pub sampling: SamplingOptions,
    #[command(flatten)]
    pub memory: MemoryOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    #[command(flatten)]
    pub print: PrintOptions,
}

/// `kortom translate`.
#[derive(Args, Debug, Default)]
pub struct TranslateArgs {
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub model: TranslationModel,
    #[command(flatten)]
    pub languages: LanguageOptions,
    #[command(flatten)]
    pub terms: TermOptions,
    #[command(flatten)]
    pub input: InputOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub additions: AdditionOptions,
    #[command(flatten)]
    pub alignment: AlignmentOptions,
    #[command(flatten)]
    pub decode: DecodeOptions,
    #[command(flatten)]
    pub several: Given<OfTranslations>,
    #[command(flatten)]
    pub sampling: SamplingOptions,
    #[command(flatten)]
    pub memory: MemoryOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    #[command(flatten)]
    pub print: PrintOptions,
}

/// `kortom summarize`.
#[derive(Args, Debug)]
pub struct SummarizeArgs {
    #[command(flatten)]
    pub inputs: Inputs,
    /// Model that writes the summary: an alias, a folder, or owner/name[@revision] [default: the best one installed, if
    /// any]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub model: Option<String>,
    /// LoRA adapter that is merged into the model as it is loaded: a folder, or owner/name[@revision]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub adapter: Option<String>,
    /// Language of the articles, as a code; auto looks at each [default: en]
    #[arg(long, value_name = "CODE", help_heading = "Models")]
    pub from: Option<String>,
    #[command(flatten)]
    pub summary: SummaryOptions,
    #[command(flatten)]
    pub input: InputOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub read: ReadOptions,
    #[command(flatten)]
    pub decode: DecodeOptions,
    #[command(flatten)]
    pub sampling: SamplingOptions,
    #[command(flatten)]
    pub memory: MemoryOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    #[command(flatten)]
    pub print: PrintOptions,
}

/// `kortom generate`.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub inputs: Inputs,
    /// The model: an alias, a folder, or owner/name[@revision]
    #[arg(long, value_name = "NAME", required = true, help_heading = "Models")]
    pub model: Option<String>,
    /// LoRA adapter that is merged into the model as it is loaded: a folder, or owner/name[@revision]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub adapter: Option<String>,
    #[command(flatten)]
    pub languages: LanguageOptions,
    /// `lines`, every line one source; or `jsonl`, every record one, which may say how in its field `generate` [default: lines]
    #[arg(long, value_name = "FORMAT", help_heading = "Input and output")]
    pub input_format: Option<InputFormat>,
    /// The field of JSONL that holds the source [default: text]
    #[arg(long, value_name = "NAME", help_heading = "Input and output")]
    pub field: Option<String>,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub alignment: AlignmentOptions,
    #[command(flatten)]
    pub read: ReadOptions,
    #[command(flatten)]
    pub decode: DecodeOptions,
    #[command(flatten)]
    pub several: Given<OfLines>,
    #[command(flatten)]
    pub sampling: SamplingOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    #[command(flatten)]
    pub print: PrintOptions,
}

/// `kortom serve`.
#[derive(Args, Debug)]
#[command(after_help = SERVING)]
pub struct ServeArgs {
    /// The address to listen on; only this machine can reach the usual one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = host, help_heading = "Server")]
    pub host: IpAddr,
    /// The port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 5000, help_heading = "Server")]
    pub port: u16,
    /// A file with a key on each line; whoever has none of them is refused
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub api_keys: Option<PathBuf>,
    /// Most bytes of a request
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = at_least_one, help_heading = "Server")]
    pub max_body: usize,
    /// Most characters of the texts of a request
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = at_least_one, help_heading = "Server")]
    pub max_chars: usize,
    /// Most requests that are worked on or wait; further ones are told to come back
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least_one, help_heading = "Server")]
    pub max_requests: usize,
    /// Most seconds a request may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Server")]
    pub timeout: u64,
    #[command(flatten)]
    pub wanted: Wanted,
    /// The head of the decoder's cross-attention that aligns words, where a request asks for that: layer and head counted
    /// from 0; layer -1 is the last [default: the one that the catalogue names]
    #[arg(long, value_name = "LAYER,HEAD", value_parser = alignment_head, allow_hyphen_values = true, help_heading = "Models")]
    pub alignment_head: Option<String>,
    #[command(flatten)]
    pub decode: DecodeOptions,
    #[command(flatten)]
    pub memory: MemoryOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    #[command(flatten)]
    pub messages: MessageOptions,
}

/// `kortom setup`.
#[derive(Args, Debug)]
pub struct SetupArgs {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Open no network connection, and say how models get here without one
    #[arg(long)]
    pub offline: bool,
}

/// `kortom doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Open no network connection
    #[arg(long)]
    pub offline: bool,
    /// Only ask the server at this address whether it is well; exit code 2 if not
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Option<String>,
}

/// `kortom bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// The model to measure [default: what `translate` would take]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub model: Option<String>,
    #[command(flatten)]
    pub machine: MachineOptions,
}

/// `kortom config`.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// What to do with the settings.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// One command of `kortom config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every option, its value, and where that comes from: flag, environment, file, default
    Show(Box<AllOptions>),
    /// Where the settings file is, or would be
    Path,
}

/// `kortom completions`.
#[derive(Args, Debug)]
#[command(after_help = LOADING)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// What to read.
#[derive(Args, Debug, Default)]
pub struct Inputs {
    /// Files, folders (searched for files of every format that --input-format names), or - for standard input, which is also
    /// what is read when nothing is given
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
}

/// What a digest is to be like, whether of files or of requests.
#[derive(Args, Debug)]
pub struct Wanted {
    #[command(flatten)]
    pub model: TranslationModel,
    /// Model that writes the summary: an alias, a folder, or owner/name[@revision] [default: the best one installed, if
    /// any]; one for the language of the article summarises that, any other the translation
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub summary_model: Option<String>,
    #[command(flatten)]
    pub languages: LanguageOptions,
    #[command(flatten)]
    pub terms: TermOptions,
    #[command(flatten)]
    pub read: ReadOptions,
    #[command(flatten)]
    pub summary: SummaryOptions,
}

/// The model that translates.
#[derive(Args, Debug, Default)]
pub struct TranslationModel {
    /// Translation model: an alias (`kortom models list`), a folder, or owner/name[@revision] on the Hugging Face hub
    /// [default: the best one installed]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub model: Option<String>,
    /// LoRA adapter that is merged into it as it is loaded: a folder, or owner/name[@revision]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub adapter: Option<String>,
}
