//! `kortom score`: how near translations or summaries come to references.
//!
//! Invariant: nothing is translated before all files were read and seen to go together; what is wrong with them is an error of
//! arguments. What the numbers are belongs to `kortom::score`.

mod shown;
pub mod texts;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use kortom::error::WithHint;
use kortom::pipeline::Pipeline;
use kortom::score::rouge::{Agreement, Rouge};
use kortom::score::{Counts, Metric, Resampling, Score};
use serde_json::Value;

use super::args::{Inputs, TranslateArgs, TranslationModel};
use super::job::Job;
use super::options::{
    DecodeOptions, InputFormat, InputOptions, LanguageOptions, MachineOptions, MessageOptions, PrintOptions,
};
use super::progress::Screen;
use super::run_progress::{RunProgress, gauges};
use super::settings::SettingsFile;
use super::threads;
use super::values::at_least_one;
use texts::{System, Texts};

/// Number of lines ending in a separate full stop from which on a text was probably tokenised.
const TOKENIZED: usize = 100;

/// Printed under the help of `score`.
const SCORING: &str = "\
  kortom score --reference ref.en one.en two.en             a line of scores for each file
  kortom score --reference ref.en --paired bs one.en two.en     is two.en better than one.en?
  kortom score --reference ref.en --source dev.nl --model nl-en
  kortom score --reference gold.jsonl --field summary mine.jsonl

The numbers are those of sacreBLEU 2.6 and rouge-score 0.1.2.";

/// `kortom score`.
#[derive(Args, Debug)]
#[command(after_help = SCORING)]
pub struct ScoreArgs {
    /// Translations or summaries, one on each line of a file, or - for standard input, which is also what is read when nothing
    /// is given; in a test the first file is the baseline
    #[arg(value_name = "HYPOTHESES")]
    pub hypotheses: Vec<PathBuf>,
    /// What they should be, line by line
    #[arg(long, value_name = "FILE", help_heading = "Input and output")]
    pub reference: PathBuf,
    /// Sentences, line by line, that are translated first and then scored beside the files
    #[arg(long, value_name = "FILE", help_heading = "Input and output")]
    pub source: Option<PathBuf>,
    /// The files are JSONL, and this field holds the text; its lines are the sentences of ROUGE-Lsum
    #[arg(long, value_name = "NAME", conflicts_with = "source", help_heading = "Input and output")]
    pub field: Option<String>,
    /// Format of the output [default: text]
    #[arg(long, value_name = "FORMAT", help_heading = "Input and output")]
    pub format: Option<ScoreFormat>,
    /// Digits behind the point
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = digits, help_heading = "Input and output")]
    pub width: usize,
    /// 95 % confidence intervals, by bootstrap resampling
    #[arg(long, group = "resampled", help_heading = "Significance")]
    pub confidence: bool,
    /// Whether each file differs from the first: bs by paired bootstrap, ar by approximate randomization
    #[arg(long, value_name = "TEST", group = "resampled", help_heading = "Significance")]
    pub paired: Option<Test>,
    /// How many resamples or trials [default: 1000; 10000 with --paired ar]
    #[arg(long, value_name = "N", requires = "resampled", value_parser = at_least_one, help_heading = "Significance")]
    pub samples: Option<usize>,
    /// The seed of the resamples [default: 12345]
    #[arg(long, value_name = "N", requires = "resampled", help_heading = "Significance")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub model: TranslationModel,
    #[command(flatten)]
    pub languages: LanguageOptions,
    #[command(flatten)]
    pub decode: DecodeOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    #[command(flatten)]
    pub messages: MessageOptions,
}

/// How scores are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScoreFormat {
    /// A line for each system, and the signatures
    Text,
    /// An array with an object for each system
    Json,
}

/// A test of whether two systems differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Test {
    /// Paired bootstrap resampling
    Bs,
    /// Paired approximate randomization
    Ar,
}

/// The scores of a system.
struct Scored {
    name: String,
    segments: usize,
    metrics: Vec<Score>,
    rouge: [Agreement; 4],
}

/// Reads the texts, translates the source if there is one, scores and prints.
pub fn run(args: ScoreArgs, file: &SettingsFile) -> Result<ExitCode> {
    let mut screen = Screen::new(&args.messages);
    let mut texts = Texts::read(&args)?;
    check(&args, &texts)?;
    let (resampling, shown, width) = (resampling(&args), args.format, args.width);
    if let Some(source) = texts.source.take() {
        texts.systems.push(translate(args, &source, file, &mut screen)?);
    }
    for system in &texts.systems {
        warn_of_tokens(system, &screen);
    }
    let scored = score(&texts, resampling.as_ref());
    super::print(&match shown {
        Some(ScoreFormat::Json) => shown::json(&scored, resampling.as_ref(), width)?,
        _ => shown::text(&scored, resampling.as_ref(), width),
    })
}

/// Refuses options that do not go together.
fn check(args: &ScoreArgs, texts: &Texts) -> Result<()> {
    if args.paired.is_some() && texts.systems.len() + usize::from(texts.source.is_some()) < 2 {
        bail!("a test compares at least two systems".with_hint("give a second file, or use --confidence for one"));
    }
    if args.source.is_some() {
        return Ok(());
    }
    let groups = [
        serde_json::to_value(&args.languages)?,
        serde_json::to_value(&args.decode)?,
        serde_json::to_value(&args.machine)?,
    ];
    let mut typed = groups.iter().filter_map(Value::as_object).flatten().filter(|(_, value)| !value.is_null());
    let named = |option: &Option<String>, name| option.as_ref().map(|_| name);
    let model = named(&args.model.model, "model").or_else(|| named(&args.model.adapter, "adapter"));
    if let Some(name) = model.or_else(|| typed.next().map(|(name, _)| name.as_str())) {
        bail!(
            format!("`--{name}` is for what is translated first")
                .with_hint(format!("name that file with --source, or leave `--{name}` out"))
        );
    }
    Ok(())
}

fn resampling(args: &ScoreArgs) -> Option<Resampling> {
    let swaps = args.paired == Some(Test::Ar);
    let samples = args.samples.unwrap_or(if swaps { 10_000 } else { 1000 });
    let wanted = args.confidence || args.paired.is_some();
    let tests = args.paired.is_some();
    wanted.then(|| Resampling { samples, seed: args.seed.unwrap_or(12345), tests, swaps })
}

/// Translates the lines of a source, as `translate --input-format lines` does.
fn translate(args: ScoreArgs, source: &[String], file: &SettingsFile, screen: &mut Screen) -> Result<System> {
    let input = InputOptions { input_format: Some(InputFormat::LINES), ..InputOptions::default() };
    let typed = TranslateArgs {
        inputs: Inputs { inputs: args.source.into_iter().collect() },
        model: args.model,
        languages: args.languages,
        input,
        decode: args.decode,
        machine: args.machine,
        print: PrintOptions { messages: args.messages, ..PrintOptions::default() },
        ..TranslateArgs::default()
    };
    let job = Job::segments(typed, "the lines of a source are in one language", file)?;
    threads::start(job.pipeline.threads)?;
    let pipeline = Pipeline::load_with(job.options().clone(), screen)?;
    let models = pipeline.models();
    let name = models.translation()?.engine().name().to_owned();
    let asked: Vec<&str> = source.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    let bytes = source.iter().map(|line| line.len() as u64 + 1).sum();
    screen.begin(RunProgress::new("lines", Some(bytes), None, gauges(models)));
    screen.working(bytes);
    let segments = pipeline.lines(&asked, None);
    screen.end();
    models.notices().iter().for_each(|notice| screen.notice(notice));
    let mut targets = segments?.into_iter().map(|segment| segment.target);
    let line = |line: &String| if line.is_empty() { Some(String::new()) } else { targets.next() };
    let lines: Option<Vec<String>> = source.iter().map(line).collect();
    Ok(System { name, lines: lines.context("the model gave no result for a line")? })
}

fn warn_of_tokens(system: &System, screen: &Screen) {
    if system.lines.iter().filter(|line| line.ends_with(" .")).count() >= TOKENIZED {
        screen.warning(
            format!(
                "`{}`: {TOKENIZED} lines or more end in ` .`, as lines do that were divided into tokens",
                system.name
            )
            .with_hint("score the text as readers get it"),
        );
    }
}

/// Every system by every metric, the first one as the baseline.
fn score(texts: &Texts, resampling: Option<&Resampling>) -> Vec<Scored> {
    let rouge = |system: &System| Rouge::ALL.map(|rouge| rouge.mean(&system.lines, &texts.reference));
    let mut scored: Vec<Scored> = (texts.systems.iter())
        .map(|system| Scored {
            name: system.name.clone(),
            segments: system.lines.len(),
            metrics: Vec::new(),
            rouge: rouge(system),
        })
        .collect();
    for metric in Metric::ALL {
        let counts: Vec<Counts> =
            texts.systems.iter().map(|system| metric.count(&system.lines, &texts.reference)).collect();
        for (place, scored) in scored.iter_mut().enumerate() {
            scored.metrics.push(Score::new(metric, &counts, place, resampling));
        }
    }
    scored
}

/// Parses a number of digits; more than 12 would be noise.
fn digits(typed: &str) -> Result<usize, String> {
    match typed.parse() {
        Ok(number) if number <= 12 => Ok(number),
        _ => Err("it must be a whole number of at most 12".to_owned()),
    }
}
