//! The options, in groups: one definition each for the command line and for the settings file.
//!
//! Invariant: every field is an `Option`, `None` meaning "not said here", and its name is both the
//! flag and the key of the settings file. Which value wins is decided in `settings`; what values
//! mean, and which go together, in `job`.

mod alignment;
mod written;

use std::sync::LazyLock;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use kortom::device::{ComputeType, DeviceChoice};
use kortom::document::{self, FORMATS};
use kortom::render;
use serde::{Deserialize, Serialize};

use super::decode_args::{Given, OfSampling, OfSearch, OfSeveral};
use super::values::{self, at_least_one};
pub use alignment::{AlignmentOptions, alignment_head, layer_and_head};
use written::{as_text, as_value, in_bounds, one_or_many};

/// Devices and how much of them to use.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Machine")]
pub struct MachineOptions {
    /// Where to compute: auto, cpu, cuda, cuda:N, metal [default: auto]
    #[arg(long, value_name = "DEVICE")]
    #[serde(with = "as_text")]
    pub device: Option<DeviceChoice>,
    /// Number format of the weights: auto, f32, f16, bf16, int8 [default: auto, which is f16 on a card; on the CPU int8 for models
    /// that translate as well in it, except in `generate`, else f32]
    #[arg(long, value_name = "TYPE")]
    #[serde(with = "as_text")]
    pub compute_type: Option<ComputeType>,
    /// CPU threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    #[serde(deserialize_with = "in_bounds::threads")]
    pub threads: Option<usize>,
    /// Source tokens processed together; less needs less memory
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    #[serde(deserialize_with = "in_bounds::at_least_one")]
    pub batch_tokens: Option<usize>,
    /// Do not store eight-bit weights for a faster next start, nor use stored ones
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub no_cache: Option<bool>,
    /// Open no network connection at all
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub offline: Option<bool>,
}

/// From which language to which.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Models")]
pub struct LanguageOptions {
    /// Language of the source, as a code; auto looks at each article and works only on what the model reads [default: nl]
    #[arg(long, value_name = "CODE")]
    pub from: Option<String>,
    /// Language of the output, as a code [default: en]
    #[arg(long, value_name = "CODE")]
    pub to: Option<String>,
}

/// Which words a translation must use.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Models")]
pub struct TermOptions {
    /// Terms that the translation must use: a file with a source term, a tab and the required target term on each line
    #[arg(long, value_name = "FILE")]
    pub glossary: Option<std::path::PathBuf>,
}

/// What is known of earlier runs.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Memory")]
pub struct MemoryOptions {
    /// Keep what is made in this file over runs, and do not ask a model twice: a path, on for the usual place, or off [default: off]
    #[arg(long, value_name = "FILE")]
    pub memory: Option<String>,
    /// Use no memory, whatever else is said
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub no_memory: Option<bool>,
    /// List known translations of sources that are similar by so many percent, in JSON and TMX; they are never used
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub memory_fuzzy: Option<u8>,
}

/// How sources are read. In `digest` this acts on the summary model.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Models")]
pub struct ReadOptions {
    /// Which tokens of a source see all others and are seen by all, in models that leave it to the caller (LED) [default:
    /// first for a summary, else none]
    #[arg(long, value_name = "WHICH")]
    pub global_attention: Option<GlobalAttention>,
}

/// How the output is searched for. In `digest` these act on the translation; the summary model keeps its own.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Decoding (default: as the model's makers set it)")]
pub struct DecodeOptions {
    /// Text put before every source, in place of the model's own task prefix
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prefix: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    pub search: Given<OfSearch>,
}

/// Chance instead of beam search.
pub type SamplingOptions = Given<OfSampling>;

/// How the input is read.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input and output")]
pub struct InputOptions {
    /// Format of the input [default: auto, by the file's name; standard input is text]
    #[arg(long, value_name = "FORMAT")]
    #[serde(with = "as_value")]
    pub input_format: Option<InputFormat>,
    /// Field of a JSONL object that holds the article, or path to it (article.body), or column of a table, by its name or counted
    /// from 1 [default: text]; may be given several times; all others pass through
    #[arg(long, value_name = "NAME")]
    #[serde(with = "one_or_many")]
    pub field: Option<Vec<String>>,
    /// What such a field holds: text, markdown or html [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub field_format: Option<FieldFormat>,
    /// Take all text of a web page, not only its article
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub html_whole: Option<bool>,
    /// Translate also what has a translation already: in PO and XLIFF
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub overwrite: Option<bool>,
    /// What the text of a document may take when it is unpacked, in MiB [default: 256]
    #[arg(long, value_name = "MIB", value_parser = at_least_one)]
    #[serde(deserialize_with = "in_bounds::at_least_one")]
    pub max_unpacked: Option<usize>,
}

/// Where the output goes, and how.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input and output")]
pub struct OutputOptions {
    /// Format of the output [default: that of the input]
    #[arg(long, value_name = "FORMAT")]
    #[serde(with = "as_value")]
    pub format: Option<OutputFormat>,
    /// File to write; a folder when it is one, ends in /, or there are several inputs
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<std::path::PathBuf>,
    /// Skip what a former run with the same inputs, model and settings has finished
    #[arg(long, num_args = 0, default_missing_value = "true", requires = "output")]
    pub resume: Option<bool>,
}

/// What is added to documents that stay what they are.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input and output")]
pub struct AdditionOptions {
    /// Put each paragraph of the source above its translation: in DOCX, ODT, EPUB and web pages
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub bilingual: Option<bool>,
    /// Say what needs a look in comments on the sentences: in DOCX and ODT
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub comments: Option<bool>,
}

/// What a summary is to be like.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Summary")]
pub struct SummaryOptions {
    /// short, medium, long (2, 3, 6 sentences), a number of sentences, or a share of the article's such as 20%; a model
    /// writes at most that many [default: medium; with a model as its makers set it]
    #[arg(long, value_name = "LENGTH", value_parser = summary_length)]
    pub summary_length: Option<String>,
    /// abstractive: written by a model; extractive: the article's own sentences; auto: the first if a summary model
    /// is installed
    #[arg(long, value_name = "METHOD")]
    pub method: Option<Method>,
}

/// What is said on standard error, and what counts as a failure.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Messages")]
pub struct PrintOptions {
    /// Exit with 1 when any segment carries a flag
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub strict: Option<bool>,
    /// One line on standard error: model load, encode, decode, generated tokens/s, peak memory
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub timings: Option<bool>,
    #[command(flatten)]
    #[serde(flatten)]
    pub messages: MessageOptions,
}

/// How much is said on the way.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Messages")]
pub struct MessageOptions {
    /// No progress, notices or warnings; errors are still told
    #[arg(long, num_args = 0, default_missing_value = "true", conflicts_with = "verbose")]
    pub quiet: Option<bool>,
    /// Say more: the device, the model and how long things took
    #[arg(short, long, num_args = 0, default_missing_value = "true")]
    pub verbose: Option<bool>,
}

/// Models named apart from the command they belong to, as the settings file does.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Models")]
pub struct ModelNames {
    /// Translation model: an alias, a folder, or owner/name[@revision]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Summary model: an alias, a folder, or owner/name[@revision]
    #[arg(long, value_name = "NAME")]
    pub summary_model: Option<String>,
}

/// Every option there is: the settings file, and `kortom config show`.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AllOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub models: ModelNames,
    #[command(flatten)]
    #[serde(flatten)]
    pub languages: LanguageOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub terms: TermOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub memory: MemoryOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub machine: MachineOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub read: ReadOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub decode: DecodeOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub several: Given<OfSeveral>,
    #[command(flatten)]
    #[serde(flatten)]
    pub sampling: SamplingOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub input: InputOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub additions: AdditionOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub alignment: AlignmentOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub summary: SummaryOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub print: PrintOptions,
}

/// Which tokens of a source see all others and are seen by all.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum GlobalAttention {
    /// None
    None,
    /// The first
    First,
}

/// How input is to be read: by the file's name (standard input is text), or as it was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputFormat(pub Option<document::Format>);

impl InputFormat {
    /// By the file's name.
    pub const AUTO: Self = Self(None);
    /// Every line a segment.
    pub const LINES: Self = Self(Some(document::Format::Lines));
}

/// How output is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFormat(pub render::ReportFormat);

/// What can be named as `--input-format`: of web pages, `--html-whole` says that all is meant.
static INPUT_FORMATS: LazyLock<Vec<InputFormat>> = LazyLock::new(|| {
    let named = FORMATS.iter().map(|spec| spec.format).filter(|format| *format != document::Format::HtmlWhole);
    std::iter::once(InputFormat::AUTO).chain(named.map(|format| InputFormat(Some(format)))).collect()
});

/// What can be named as `--format`.
static OUTPUT_FORMATS: LazyLock<Vec<OutputFormat>> =
    LazyLock::new(|| render::FORMATS.iter().map(|(format, ..)| OutputFormat(*format)).collect());

impl ValueEnum for InputFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &INPUT_FORMATS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self.0 {
            None => PossibleValue::new("auto").help("By the file's name; standard input is text"),
            Some(format) => PossibleValue::new(format.name()).help(format.spec().help),
        })
    }
}

impl ValueEnum for OutputFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &OUTPUT_FORMATS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()).help(self.0.help()))
    }
}

/// How a summary is made.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Abstractive when a summary model is installed, else extractive
    Auto,
    /// Written by a model
    Abstractive,
    /// The article's own sentences
    Extractive,
}

/// What a field of a record or of a table holds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FieldFormat {
    /// Plain text
    Text,
    /// Markdown
    Markdown,
    /// A web page, or a piece of one
    Html,
}

/// Text that `kortom::summarize::Length` understands; kept as text so that it can be shown again.
fn summary_length(typed: &str) -> Result<String, String> {
    match typed.parse::<kortom::summarize::Length>() {
        Ok(_) => Ok(typed.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
