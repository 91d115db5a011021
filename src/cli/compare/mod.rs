//! `kortom compare`: two models, or one with two settings, beside each other.
//!
//! Invariant: everything typed is understood and everything is read before a model is loaded. The systems are used one after the
//! other, so that none takes time or memory from the other; one that cannot be used leaves the result of the other complete.
//! What is compared belongs to `kortom::compare`.

mod system;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use kortom::compare::Comparison;
use kortom::error::WithHint;
use kortom::render::comparison;

use super::args::{Inputs, TranslateArgs, TranslationModel};
use super::interrupt;
use super::job::Job;
use super::options::{
    DecodeOptions, InputFormat, InputOptions, LanguageOptions, MachineOptions, MessageOptions, PrintOptions,
    SamplingOptions, TermOptions,
};
use super::progress::Screen;
use super::settings::SettingsFile;
use super::source_texts::SourceTexts;
use super::threads;
use super::values::at_least_one;
use system::NamedSystem;

/// Number of segments that are shown in text.
const SHOWN: usize = 10;

/// Printed under the help of `compare`.
const COMPARING: &str = "\
  kortom compare kortom-nl-en nl-en articles/            two models
  kortom compare nl-en:beam-size=1 nl-en:beam-size=4 article.txt
  kortom compare nl-en:compute-type=f32 nl-en:compute-type=int8 article.txt
  kortom compare nl-en ./mine:adapter=./lora --reference dev.en dev.nl
  kortom compare nl-en nl-en:beam-size=4 articles/ --format html > page.html

Options after a name count for that one only, all others for both.";

/// `kortom compare`.
#[derive(Args, Debug)]
#[command(after_help = COMPARING)]
pub struct CompareArgs {
    /// The first model: an alias, a folder, or owner/name[@revision]; behind it what counts for it alone, as
    /// NAME:option=value,option=value. Without a name (`:beam-size=4`) the best one installed
    #[arg(value_name = "A")]
    pub first: String,
    /// The second model, in the same way
    #[arg(value_name = "B")]
    pub second: String,
    #[command(flatten)]
    pub inputs: Inputs,
    /// What the translations should be, line by line; each line of the input is a segment then
    #[arg(long, value_name = "FILE", help_heading = "Input and output")]
    pub reference: Option<PathBuf>,
    /// Format of the output [default: text]
    #[arg(long, value_name = "FORMAT", help_heading = "Input and output")]
    pub format: Option<ComparisonFormat>,
    /// Show only the N segments that differ most [default: 10 in text, else all]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Input and output")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub languages: LanguageOptions,
    #[command(flatten)]
    pub terms: TermOptions,
    #[command(flatten)]
    pub input: InputOptions,
    #[command(flatten)]
    pub decode: DecodeOptions,
    #[command(flatten)]
    pub sampling: SamplingOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    #[command(flatten)]
    pub messages: MessageOptions,
}

/// How a comparison is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ComparisonFormat {
    /// A table, and the segments that differ most
    Text,
    /// One page with both beside the source
    Html,
    /// One object
    Json,
}

/// Reads the inputs, translates them with both systems, compares and prints.
pub fn run(args: &CompareArgs, file: &SettingsFile) -> Result<ExitCode> {
    let mut screen = Screen::new(&args.messages);
    let named = [NamedSystem::parse(&args.first)?, NamedSystem::parse(&args.second)?];
    let [one, other] = named.each_ref().map(|system| job(args, system, file));
    let jobs = [one?, other?];
    interrupt::catch(None)?;
    threads::start(jobs[0].pipeline.threads)?;
    let mut texts = SourceTexts::read(&jobs[0], &mut screen);
    if let Some(reference) = &args.reference {
        texts.add_references(reference)?;
    }
    if texts.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let mut failed = texts.failed;
    let mut translate = |place: usize| {
        let translated = system::translate(&named[place], &jobs[place], &texts, &mut screen);
        failed += translated.failed;
        (translated.system, translated.segments)
    };
    let (first, second) = (translate(0), translate(1));
    let systems = [first.0, second.0];
    if systems.iter().all(|system| system.error.is_some()) {
        return Ok(ExitCode::from(2));
    }
    let options = jobs[0].options();
    let languages = (options.source_language().to_owned(), options.target_language().to_owned());
    let comparison = Comparison::new(systems, languages, texts.with(first.1, second.1));
    super::print(&match args.format {
        None | Some(ComparisonFormat::Text) => comparison::text(&comparison, args.limit.unwrap_or(SHOWN)),
        Some(ComparisonFormat::Html) => comparison::page(&comparison, args.limit),
        Some(ComparisonFormat::Json) => comparison::json(&comparison, args.limit),
    })?;
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// The job that `translate` would have with a system.
fn job(args: &CompareArgs, system: &NamedSystem, file: &SettingsFile) -> Result<Job> {
    let (decode, sampling) = system.decoding(&args.decode, &args.sampling);
    let lines = args.reference.is_some();
    if lines && !matches!(args.input.input_format, None | Some(InputFormat::LINES)) {
        bail!("references are for lines".with_hint("leave out --input-format, or --reference"));
    }
    let input_format = if lines { Some(InputFormat::LINES) } else { args.input.input_format };
    let typed = TranslateArgs {
        inputs: Inputs { inputs: args.inputs.inputs.clone() },
        model: TranslationModel { model: system.model.clone(), adapter: system.options.adapter.clone() },
        languages: args.languages.clone(),
        terms: args.terms.clone(),
        input: InputOptions { input_format, ..args.input.clone() },
        decode,
        sampling,
        machine: system.machine(&args.machine),
        print: PrintOptions { messages: args.messages.clone(), ..PrintOptions::default() },
        ..TranslateArgs::default()
    };
    Job::segments(typed, "what is compared is in one language", file)
}
