//! What was typed becomes what it means, in one step.
//!
//! Invariant: a `Job` is complete and consistent: options that do not go together, or not with the
//! inputs, were refused here with an error that says why. Nothing is read or loaded yet, except the
//! names of the files.

use std::path::PathBuf;

use anyhow::{Result, bail};
use kortom::engine::Request;
use kortom::engine::settings::{Caller, Overrides};
use kortom::render::Format;
use kortom::search::EarlyStopping;
use kortom::summarize::Length;

use super::args::{BenchArgs, DigestArgs, GenerateArgs, SummarizeArgs, TranslateArgs};
use super::inputs::{Found, Source, find};
use super::options::{
    self, DecodeOptions, InputFormat, InputOptions, LanguageOptions, MachineOptions, Method, OutputOptions,
    PrintOptions, SamplingOptions, SummaryOptions,
};
use super::settings::{SettingsFile, offline_environment};
use super::sink::{Destination, is_folder};

/// What kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Translate, and summarise the translation.
    Digest,
    /// Translate.
    Translate,
    /// Summarise.
    Summarize,
    /// Lines through a model as it is.
    Generate,
}

/// A summary that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// How it is to be made.
    pub method: Method,
    /// How long it is to be.
    pub length: Length,
}

/// All there is to know before the work begins.
#[derive(Debug)]
pub struct Job {
    /// What kind of work.
    pub task: Task,
    /// Every line is one segment.
    pub lines: bool,
    /// What there is to read.
    pub found: Found,
    /// Where the results go.
    pub destination: Destination,
    /// Skip what is finished.
    pub resume: bool,
    /// The JSONL field that holds the article.
    pub field: String,
    /// The model of the task, as it was named.
    pub model: Option<String>,
    /// The summary model of a digest, as it was named.
    pub summary_model: Option<String>,
    /// Language of the source, where it was named.
    pub from: Option<String>,
    /// Language of the output, where it was named.
    pub to: Option<String>,
    /// The summary, for those tasks that make one.
    pub summary: Option<Wish>,
    /// How to search.
    pub decoding: Decoding,
    /// Where to compute.
    pub machine: MachineOptions,
    /// What to say.
    pub print: PrintOptions,
}

/// How a model is to search, where it is not left to the model.
#[derive(Clone, Debug, Default)]
pub struct Decoding {
    /// What was typed.
    pub flags: Overrides,
    /// What the settings file says.
    pub file: Overrides,
    /// Text put before every source.
    pub prefix: Option<String>,
    /// The first of these options that was typed.
    typed: Option<String>,
}

impl Decoding {
    fn new(typed: &Common<'_>, file: &SettingsFile) -> Result<Self> {
        let (decode, sampling) = file.decoding(typed.decode, typed.sampling)?;
        let named = [serde_json::to_value(typed.decode)?, serde_json::to_value(typed.sampling)?];
        let mut named = named.iter().filter_map(serde_json::Value::as_object).flatten();
        Ok(Self {
            flags: overrides(typed.decode, typed.sampling, typed.n_best),
            prefix: typed.decode.prefix.clone().or(if typed.task == Task::Generate {
                None
            } else {
                decode.prefix.clone()
            }),
            file: overrides(&decode, &sampling, None),
            typed: named.find(|(_, value)| !value.is_null()).map(|(name, _)| name.clone()),
        })
    }
}

fn overrides(decode: &DecodeOptions, sampling: &SamplingOptions, n_best: Option<usize>) -> Overrides {
    Overrides {
        num_beams: decode.beam_size,
        n_best,
        length_penalty: decode.length_penalty,
        early_stopping: decode.early_stopping.map(|stopping| match stopping {
            options::EarlyStopping::True => EarlyStopping::True,
            options::EarlyStopping::False => EarlyStopping::False,
            options::EarlyStopping::Never => EarlyStopping::Never,
        }),
        no_repeat_ngram_size: decode.no_repeat_ngram,
        repetition_penalty: decode.repetition_penalty,
        min_new_tokens: decode.min_length,
        max_new_tokens: decode.max_length,
        sample: sampling.sample,
        temperature: sampling.temperature,
        top_k: sampling.top_k,
        top_p: sampling.top_p,
        seed: sampling.seed,
    }
}

/// What all four tasks have in common.
struct Common<'a> {
    task: Task,
    inputs: &'a [PathBuf],
    input: InputOptions,
    output: &'a OutputOptions,
    decode: &'a DecodeOptions,
    sampling: &'a SamplingOptions,
    n_best: Option<usize>,
    machine: &'a MachineOptions,
    print: &'a PrintOptions,
}

impl Job {
    /// `kortom digest`.
    pub fn digest(args: &DigestArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: Task::Digest,
            inputs: &args.inputs.inputs,
            input: args.input.clone(),
            output: &args.output,
            decode: &args.decode,
            sampling: &args.sampling,
            n_best: None,
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        job.languages(&args.languages, file)?;
        job.model = args.model.model.clone().or_else(|| file.text("model"));
        job.summary_model = args.summary_model.clone().or_else(|| file.text("summary-model"));
        job.summary = Some(wish(&args.summary, args.summary_model.as_deref(), "--summary-model", file)?);
        Ok(job)
    }

    /// `kortom translate`.
    pub fn translate(args: &TranslateArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: Task::Translate,
            inputs: &args.inputs.inputs,
            input: args.input.clone(),
            output: &args.output,
            decode: &args.decode,
            sampling: &args.sampling,
            n_best: args.n_best,
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        job.languages(&args.languages, file)?;
        job.model = args.model.model.clone().or_else(|| file.text("model"));
        Ok(job)
    }

    /// `kortom summarize`.
    pub fn summarize(args: &SummarizeArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: Task::Summarize,
            inputs: &args.inputs.inputs,
            input: args.input.clone(),
            output: &args.output,
            decode: &args.decode,
            sampling: &args.sampling,
            n_best: None,
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        let wish = wish(&args.summary, args.model.as_deref(), "--model", file)?;
        if wish.method == Method::Extractive {
            job.refuse_decoding_without_model()?;
        }
        job.from.clone_from(&args.from);
        job.model = args.model.clone().or_else(|| file.text("summary-model"));
        job.summary = Some(wish);
        Ok(job)
    }

    /// `kortom generate`.
    pub fn generate(args: &GenerateArgs, file: &SettingsFile) -> Result<Self> {
        if !matches!(args.input_format, None | Some(InputFormat::Auto | InputFormat::Lines)) {
            bail!(
                "`generate` reads lines only\nhint: leave out --input-format; `translate` and `summarize` read articles"
            );
        }
        let common = Common {
            task: Task::Generate,
            inputs: &args.inputs.inputs,
            input: InputOptions { input_format: Some(InputFormat::Lines), field: None },
            output: &args.output,
            decode: &args.decode,
            sampling: &args.sampling,
            n_best: args.n_best,
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        job.from.clone_from(&args.languages.from);
        job.to.clone_from(&args.languages.to);
        job.model.clone_from(&args.model);
        Ok(job)
    }

    /// `kortom bench`: as if a translation were wanted.
    pub fn bench(args: &BenchArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: Task::Translate,
            inputs: &[],
            input: InputOptions::default(),
            output: &OutputOptions::default(),
            decode: &DecodeOptions::default(),
            sampling: &SamplingOptions::default(),
            n_best: None,
            machine: &args.machine,
            print: &PrintOptions::default(),
        };
        let mut job = Self::common(&common, &SettingsFile::default())?;
        job.machine = file.fill(&args.machine)?;
        job.model = args.model.clone().or_else(|| file.text("model"));
        Ok(job)
    }

    fn common(typed: &Common<'_>, file: &SettingsFile) -> Result<Self> {
        let input = if typed.task == Task::Generate { typed.input.clone() } else { file.fill(&typed.input)? };
        let mut output = file.fill(typed.output)?;
        // A default for articles says nothing about lines.
        let lines = input.input_format == Some(InputFormat::Lines);
        if lines && typed.output.format.is_none() {
            output.format = output.format.filter(|format| is_for_lines(*format));
        }
        refuse_for_lines(typed, lines, output.format)?;
        let leave_out = output.output.as_deref().filter(|output| is_folder(output, false));
        let mut found = find(typed.inputs, input.input_format.unwrap_or(InputFormat::Auto), leave_out)?;
        refuse_field(typed.input.field.as_deref(), &found)?;
        set_outputs(&mut found.sources, output.format, output.output.is_some())?;
        let destination = Destination::plan(output.output.as_deref(), &found, extension)?;
        let mut machine = file.fill(typed.machine)?;
        machine.offline = Some(machine.offline == Some(true) || offline_environment());
        Ok(Self {
            task: typed.task,
            lines,
            found,
            resume: output.resume == Some(true) && output.output.is_some(),
            destination,
            field: input.field.unwrap_or_else(|| "text".to_owned()),
            model: None,
            summary_model: None,
            from: None,
            to: None,
            summary: None,
            decoding: Decoding::new(typed, file)?,
            machine,
            print: file.fill(typed.print)?,
        })
    }

    /// Language of the source.
    pub fn from(&self) -> &str {
        self.from.as_deref().unwrap_or("nl")
    }

    /// Language of the output.
    pub fn to(&self) -> &str {
        self.to.as_deref().unwrap_or("en")
    }

    /// Language of what is summarised.
    pub fn summary_language(&self) -> &str {
        if self.task == Task::Summarize { self.from.as_deref().unwrap_or("en") } else { self.to() }
    }

    /// What is wanted from the model of the task.
    pub fn request(&self) -> Request {
        let caller = if self.task == Task::Generate { Caller::Generate } else { Caller::Article };
        let mut request = Request::new(caller);
        request.flags = self.decoding.flags.clone();
        request.user = self.decoding.file.clone();
        request.prefix.clone_from(&self.decoding.prefix);
        request.from.clone_from(&self.from);
        request.to.clone_from(&self.to);
        request.batch_tokens = self.machine.batch_tokens.unwrap_or(request.batch_tokens);
        request
    }

    /// Several outputs for each line were asked for.
    pub fn has_n_best(&self) -> bool {
        self.decoding.flags.n_best.is_some()
    }

    /// Options that say how a model searches mean nothing to a summary that is made without one.
    pub fn refuse_decoding_without_model(&self) -> Result<()> {
        match &self.decoding.typed {
            Some(name) if self.task == Task::Summarize => {
                bail!("`--{name}` does not apply to extractive summaries, which need no model\nhint: leave it out")
            }
            _ => Ok(()),
        }
    }

    fn languages(&mut self, typed: &LanguageOptions, file: &SettingsFile) -> Result<()> {
        let languages = file.fill(typed)?;
        self.from = languages.from;
        self.to = languages.to;
        Ok(())
    }
}

/// The summary asked for; `model` is the flag's value, if it was typed.
fn wish(typed: &SummaryOptions, model: Option<&str>, flag: &str, file: &SettingsFile) -> Result<Wish> {
    let summary = file.fill(typed)?;
    let mut method = summary.method.unwrap_or(Method::Auto);
    if model.is_some() && typed.method == Some(Method::Extractive) {
        bail!("`{flag}` does not apply to extractive summaries, which need no model\nhint: leave one of the two out");
    }
    if model.is_some() {
        method = Method::Abstractive;
    }
    let length = summary.summary_length.map_or(Ok(Length::default()), |length| length.parse())?;
    Ok(Wish { method, length })
}

/// Formats of output that have a line for a line.
fn is_for_lines(format: options::Format) -> bool {
    matches!(format, options::Format::Text | options::Format::Json | options::Format::Jsonl)
}

fn refuse_for_lines(typed: &Common<'_>, lines: bool, format: Option<options::Format>) -> Result<()> {
    if lines && matches!(typed.task, Task::Digest | Task::Summarize) {
        bail!(
            "lines are no articles, so there is nothing to summarise\n\
             hint: use `kortom translate --input-format lines`, or `kortom generate` for a model of your own"
        );
    }
    if let Some(format) = format.filter(|format| lines && !is_for_lines(*format)) {
        let name = serde_json::to_value(format)?;
        bail!(
            "lines cannot be written as {}\nhint: use --format text, json or jsonl",
            name.as_str().unwrap_or_default()
        );
    }
    if typed.n_best.is_some() && !lines {
        bail!("`--n-best` applies to lines only\nhint: add --input-format lines, or use `kortom generate`");
    }
    let several = typed.n_best.is_some_and(|n| n > 1);
    if several && !matches!(format, Some(options::Format::Json | options::Format::Jsonl)) {
        bail!("several outputs for a line do not fit into text\nhint: add --format jsonl");
    }
    if typed.decode.beam_size == Some(1) && typed.decode.early_stopping.is_some() {
        bail!("`--early-stopping` applies to two beams or more\nhint: leave it out, or raise --beam-size");
    }
    Ok(())
}

fn refuse_field(field: Option<&str>, found: &Found) -> Result<()> {
    let applies = found.sources.iter().any(|source| source.format == InputFormat::Jsonl);
    if field.is_some() && !applies && !found.sources.is_empty() {
        bail!("`--field` applies to JSONL input only\nhint: add --input-format jsonl, or leave it out");
    }
    Ok(())
}

/// Decides how each source's results are written. Without a format, each keeps its own; on standard
/// output, where they follow each other, sources of different formats become text.
fn set_outputs(sources: &mut [Source], asked: Option<options::Format>, apart: bool) -> Result<()> {
    let asked = asked.map(rendered).transpose()?;
    let mixed = !apart && sources.windows(2).any(|pair| own(pair[0].format) != own(pair[1].format));
    for source in sources {
        source.output = asked.unwrap_or_else(|| if mixed { Format::Text } else { own(source.format) });
    }
    Ok(())
}

/// The output format that is an input's own.
fn own(input: InputFormat) -> Format {
    match input {
        InputFormat::Markdown => Format::Markdown,
        InputFormat::Jsonl => Format::Jsonl,
        _ => Format::Text,
    }
}

fn rendered(format: options::Format) -> Result<Format> {
    Ok(match format {
        options::Format::Text => Format::Text,
        options::Format::Markdown => Format::Markdown,
        options::Format::Html => bail!("HTML is not written yet\nhint: use --format markdown"),
        options::Format::Json => Format::Json,
        options::Format::Jsonl => Format::Jsonl,
    })
}

/// The extension of a source's output: its own where that is one of the format's.
fn extension(source: &Source) -> String {
    source.output.extension().to_owned()
}
