//! The meaning of a command line: typed arguments become a job in one step.
//!
//! Invariant: a `Job` is complete and consistent: options that do not go together, or not with the
//! inputs, were refused here with an error that says why. Nothing is read or loaded yet, except the
//! names of the files.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use anyhow::{Result, bail};
use kortom::document::{self, FieldFormat, Format};
use kortom::error::WithHint;
use kortom::pipeline::{PipelineOptions, PipelineTask, refuse_decoding_without_model};
use kortom::platform::is_stream;
use kortom::render::{self, Additions};
use kortom::summarize::SummaryMethod;

use super::args::{DigestArgs, GenerateArgs, SummarizeArgs, TranslateArgs};
use super::decoding::TypedDecoding;
use super::formats::{additions, check_inputs, check_lines, check_name, extension, is_for_lines, set_outputs};
use super::inputs::{Found, find};
use super::options::{
    self, AlignmentOptions, InputFormat, InputOptions, MachineOptions, MemoryOptions, OutputOptions, PrintOptions,
};
use super::pipeline_args::{PipelineArgs, global_attention, summary};
use super::settings::SettingsFile;
use super::sink::{Destination, is_folder};

/// The description of a run before it begins.
#[derive(Debug)]
pub struct Job {
    /// Whether every line of the input is one segment.
    pub lines: bool,
    /// The inputs.
    pub found: Found,
    /// The destination of the results.
    pub destination: Destination,
    /// Whether outputs that a former run finished are skipped.
    pub resume: bool,
    /// The options for reading documents, such as the field of a record.
    pub reading: document::ReadOptions,
    /// Whether the whole text of a web page is the article.
    pub html_whole: bool,
    /// The additions to documents that keep their format.
    pub additions: Additions,
    /// The options of the pipeline.
    pub pipeline: PipelineArgs,
    /// The options for messages.
    pub print: PrintOptions,
}

/// The arguments that all four commands have.
struct Common<'a> {
    task: PipelineTask,
    inputs: &'a [PathBuf],
    input: InputOptions,
    output: &'a OutputOptions,
    decoding: TypedDecoding,
    machine: &'a MachineOptions,
    print: &'a PrintOptions,
}

impl Job {
    /// The job of `kortom digest`.
    pub fn digest(args: &DigestArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: PipelineTask::Digest,
            inputs: &args.inputs.inputs,
            input: args.input.clone(),
            output: &args.output,
            decoding: TypedDecoding::new(&args.decode).sampling(&args.sampling),
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        job.pipeline.digest(&args.wanted, file)?;
        job.pipeline.memory(&args.memory, file)?;
        job.pipeline.alignment(&args.alignment, file)?;
        job.additions = additions(&args.additions, &job.found, file)?;
        Ok(job)
    }

    /// The job of `kortom translate`.
    pub fn translate(args: &TranslateArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: PipelineTask::Translate,
            inputs: &args.inputs.inputs,
            input: args.input.clone(),
            output: &args.output,
            decoding: TypedDecoding::new(&args.decode).sampling(&args.sampling).several(&args.several),
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        job.pipeline.languages(&args.languages, file)?;
        job.pipeline.terms(&args.terms, file)?;
        job.pipeline.memory(&args.memory, file)?;
        job.pipeline.alignment(&args.alignment, file)?;
        job.additions = additions(&args.additions, &job.found, file)?;
        job.pipeline.options.model = args.model.model.clone().or_else(|| file.text("model"));
        job.pipeline.options.adapter.clone_from(&args.model.adapter);
        if job.is_typed() {
            job.found.sources.iter_mut().for_each(|source| source.framing = source.output.line_framing());
        }
        Ok(job)
    }

    /// The job of another command that wants the segments of a translation and writes them in its own way: without a memory, an
    /// alignment or an output. `one_language` is the error where the texts would be in any language.
    pub fn segments(typed: TranslateArgs, one_language: &str, file: &SettingsFile) -> Result<Self> {
        let memory = MemoryOptions { no_memory: Some(true), ..MemoryOptions::default() };
        let typed = TranslateArgs { memory, alignment: AlignmentOptions::OFF, ..typed };
        let job = Self::translate(&typed, file)?;
        if job.detects() {
            bail!(one_language.to_owned().with_hint("name it with `--from`, in place of `auto`"));
        }
        Ok(job)
    }

    /// The job of `kortom summarize`.
    pub fn summarize(args: &SummarizeArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: PipelineTask::Summarize,
            inputs: &args.inputs.inputs,
            input: args.input.clone(),
            output: &args.output,
            decoding: TypedDecoding::new(&args.decode).sampling(&args.sampling),
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        let options = &mut job.pipeline.options;
        if args.read.global_attention.is_some() {
            options.decoding.first_flag.get_or_insert("global-attention".to_owned());
        }
        let summary = summary(&args.summary, args.model.as_deref(), "--model", file)?;
        if summary.method == Some(SummaryMethod::Extractive) {
            refuse_decoding_without_model(options)?;
        }
        options.model = args.model.clone().or_else(|| file.text("summary-model"));
        options.adapter.clone_from(&args.adapter);
        options.summary = Some(summary);
        options.global_attention = global_attention(&file.fill(&args.read)?);
        job.pipeline.source_language(args.from.clone());
        job.pipeline.memory(&args.memory, file)?;
        Ok(job)
    }

    /// The job of `kortom generate`.
    pub fn generate(args: &GenerateArgs, file: &SettingsFile) -> Result<Self> {
        let input_format = match args.input_format {
            None | Some(InputFormat(None | Some(Format::Lines))) => InputFormat::LINES,
            Some(InputFormat(Some(Format::Jsonl))) => InputFormat(Some(Format::Jsonl)),
            Some(_) => bail!(
                "`generate` reads lines only, or JSONL"
                    .with_hint("leave out --input-format; `translate` and `summarize` read articles")
            ),
        };
        let common = Common {
            task: PipelineTask::Generate,
            inputs: &args.inputs.inputs,
            input: InputOptions {
                input_format: Some(input_format),
                field: args.field.clone().map(|field| vec![field]),
                ..InputOptions::default()
            },
            output: &args.output,
            decoding: TypedDecoding::new(&args.decode).sampling(&args.sampling).several(&args.several),
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        job.pipeline.source_language(args.languages.from.clone());
        let options = &mut job.pipeline.options;
        if options.detects {
            bail!(
                "`generate` does not look at its sources"
                    .with_hint("name their language with `--from`, or leave it out")
            );
        }
        options.to.clone_from(&args.languages.to);
        options.model.clone_from(&args.model);
        options.global_attention = global_attention(&args.read);
        options.adapter.clone_from(&args.adapter);
        // `alignment` in the settings file is for models that translate; others would be refused for it.
        job.pipeline.alignment(&args.alignment, &SettingsFile::default())?;
        Ok(job)
    }

    /// Whether plain text is typed at a terminal, so that each line is translated as soon as it is there.
    pub fn is_typed(&self) -> bool {
        let [source] = &self.found.sources[..] else { return false };
        let plain = source.format == Format::Text && source.output == render::ReportFormat::Text;
        let shown = source.path.is_none() && matches!(self.destination, Destination::Stdout);
        self.options().task == PipelineTask::Translate && plain && shown && io::stdin().is_terminal()
    }

    /// Whether digests are printed on a terminal.
    pub fn shows_digests(&self) -> bool {
        let prints = matches!(self.destination, Destination::Stdout);
        self.options().task == PipelineTask::Digest && prints && io::stdout().is_terminal()
    }

    fn common(typed: &Common<'_>, file: &SettingsFile) -> Result<Self> {
        let input = if typed.task == PipelineTask::Generate { typed.input.clone() } else { file.fill(&typed.input)? };
        let mut output = file.fill(typed.output)?;
        output.output = output.output.filter(|output| output.as_os_str() != "-");
        // A format in the settings file that is for articles only is ignored for lines.
        let lines = input.input_format == Some(InputFormat(Some(Format::Lines)));
        if lines && typed.output.format.is_none() {
            output.format = output.format.filter(|format| is_for_lines(format.0));
        }
        let format = output.format.map(|format| format.0);
        check_lines(typed.task, &typed.decoding.values, lines, format)?;
        let leave_out = output.output.as_deref().filter(|output| is_folder(output, false));
        let mut found = find(typed.inputs, input.input_format.unwrap_or(InputFormat::AUTO), leave_out)?;
        check_inputs(&typed.input, &found)?;
        set_outputs(typed.task, &mut found.sources, format, output.output.is_some());
        let destination = Destination::plan(output.output.as_deref(), &found, extension)?;
        check_name(&destination, &found)?;
        let resume = output.resume == Some(true) && output.output.is_some();
        if let Some(stream) = output.output.as_deref().filter(|output| resume && is_stream(output)) {
            bail!(
                format!("`{}` is no file, so nothing of a former run is in it", stream.display())
                    .with_hint("leave --resume out, or write to a file")
            );
        }
        Ok(Self {
            lines,
            found,
            resume,
            destination,
            reading: reading(&input),
            html_whole: input.html_whole == Some(true),
            additions: Additions::default(),
            pipeline: PipelineArgs::new(typed.task, &typed.decoding, typed.machine, file)?,
            print: file.fill(typed.print)?,
        })
    }

    /// The options of the pipeline's models.
    pub fn options(&self) -> &PipelineOptions {
        &self.pipeline.options
    }

    /// Whether the language of each text is detected.
    pub fn detects(&self) -> bool {
        self.options().detects
    }

    /// Whether several outputs for each line were requested.
    pub fn has_n_best(&self) -> bool {
        self.options().decoding.flags.n_best.is_some()
    }
}

/// The options for reading documents.
fn reading(input: &InputOptions) -> document::ReadOptions {
    document::ReadOptions {
        fields: input.field.clone().unwrap_or_else(|| vec!["text".to_owned()]),
        field_format: match input.field_format {
            None | Some(options::FieldFormat::Text) => FieldFormat::Text,
            Some(options::FieldFormat::Markdown) => FieldFormat::Markdown,
            Some(options::FieldFormat::Html) => FieldFormat::Html,
        },
        overwrite: input.overwrite == Some(true),
        max_unpacked: input.max_unpacked.map(|unpacked| (unpacked as u64).saturating_mul(1 << 20)),
        without_comments: false,
    }
}
