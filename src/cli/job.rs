//! What was typed becomes what it means, in one step.
//!
//! Invariant: a `Job` is complete and consistent: options that do not go together, or not with the
//! inputs, were refused here with an error that says why. Nothing is read or loaded yet, except the
//! names of the files.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use anyhow::{Result, bail};
use kortom::document::{self, FieldFormat, Format};
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{GlobalAttention, Request};
use kortom::render::{self, Additions};
use kortom::summarize::Length;
use serde::Serialize;

use super::args::{BenchArgs, DigestArgs, GenerateArgs, ServeArgs, SummarizeArgs, TranslateArgs, Wanted};
use super::decoding::{Decoding, Typed};
use super::forms::{additions, check_inputs, check_lines, extension, is_for_lines, set_outputs};
use super::inputs::{Found, find};
use super::options::{
    self, InputFormat, InputOptions, LanguageOptions, MachineOptions, Method, OutputOptions, PrintOptions, ReadOptions,
    SummaryOptions, TermOptions,
};
use super::settings::{SettingsFile, offline_environment};
use super::sink::{Destination, is_folder};

/// The language that means: look.
const AUTO: &str = "auto";

/// What kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Wish {
    /// How it is to be made.
    pub method: Method,
    /// How long it is to be, where somebody says.
    pub length: Option<Length>,
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
    /// Which part of an input is meant, and what it holds.
    pub reading: document::ReadOptions,
    /// All of a web page is the article.
    pub html_whole: bool,
    /// What is added to documents that stay what they are.
    pub additions: Additions,
    /// The model of the task, as it was named.
    pub model: Option<String>,
    /// The adapter of that model, as it was named.
    pub adapter: Option<String>,
    /// The summary model of a digest, as it was named.
    pub summary_model: Option<String>,
    /// Language of the source, where it was named, or `auto`.
    pub from: Option<String>,
    /// Language of the output, where it was named.
    pub to: Option<String>,
    /// The file of terms that the translation must use.
    pub glossary: Option<PathBuf>,
    /// The summary, for those tasks that make one.
    pub summary: Option<Wish>,
    /// Which tokens of a source see everything, where somebody says.
    pub global_attention: Option<GlobalAttention>,
    /// How to search.
    pub decoding: Decoding,
    /// Where to compute.
    pub machine: MachineOptions,
    /// What to say.
    pub print: PrintOptions,
}

/// What all four tasks have in common.
struct Common<'a> {
    task: Task,
    inputs: &'a [PathBuf],
    input: InputOptions,
    output: &'a OutputOptions,
    decoding: Typed,
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
            decoding: Typed::new(&args.decode).sampling(&args.sampling),
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?.digesting(&args.wanted, file)?;
        job.additions = additions(&args.additions, &job.found, file)?;
        Ok(job)
    }

    /// `kortom translate`.
    pub fn translate(args: &TranslateArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: Task::Translate,
            inputs: &args.inputs.inputs,
            input: args.input.clone(),
            output: &args.output,
            decoding: Typed::new(&args.decode).sampling(&args.sampling).several(&args.several),
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        job.languages(&args.languages, file)?;
        job.terms(&args.terms, file)?;
        job.additions = additions(&args.additions, &job.found, file)?;
        job.model = args.model.model.clone().or_else(|| file.text("model"));
        job.adapter.clone_from(&args.model.adapter);
        if job.is_typed() {
            job.found.sources.iter_mut().for_each(|source| source.framing = source.output.line_framing());
        }
        Ok(job)
    }

    /// `kortom summarize`.
    pub fn summarize(args: &SummarizeArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: Task::Summarize,
            inputs: &args.inputs.inputs,
            input: args.input.clone(),
            output: &args.output,
            decoding: Typed::new(&args.decode).sampling(&args.sampling),
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        if args.read.global_attention.is_some() {
            job.decoding.typed.get_or_insert("global-attention".to_owned());
        }
        let wish = wish(&args.summary, args.model.as_deref(), "--model", file)?;
        if wish.method == Method::Extractive {
            job.refuse_decoding_without_model()?;
        }
        job.from.clone_from(&args.from);
        job.model = args.model.clone().or_else(|| file.text("summary-model"));
        job.adapter.clone_from(&args.adapter);
        job.summary = Some(wish);
        job.global_attention = global_attention(&file.fill(&args.read)?);
        Ok(job)
    }

    /// `kortom generate`.
    pub fn generate(args: &GenerateArgs, file: &SettingsFile) -> Result<Self> {
        let input_format = match args.input_format {
            None | Some(InputFormat(None | Some(Format::Lines))) => InputFormat::LINES,
            Some(InputFormat(Some(Format::Jsonl))) => InputFormat(Some(Format::Jsonl)),
            Some(_) => bail!(
                "`generate` reads lines only, or JSONL\nhint: leave out --input-format; `translate` and `summarize` read articles"
            ),
        };
        let common = Common {
            task: Task::Generate,
            inputs: &args.inputs.inputs,
            input: InputOptions {
                input_format: Some(input_format),
                field: args.field.clone().map(|field| vec![field]),
                ..InputOptions::default()
            },
            output: &args.output,
            decoding: Typed::new(&args.decode).sampling(&args.sampling).several(&args.several),
            machine: &args.machine,
            print: &args.print,
        };
        let mut job = Self::common(&common, file)?;
        job.from.clone_from(&args.languages.from);
        if job.detects() {
            bail!("`generate` does not look at its sources\nhint: name their language with `--from`, or leave it out");
        }
        job.to.clone_from(&args.languages.to);
        job.model.clone_from(&args.model);
        job.global_attention = global_attention(&args.read);
        job.adapter.clone_from(&args.adapter);
        Ok(job)
    }

    /// `kortom serve`: as if digests were wanted, of inputs that are yet to come.
    pub fn serve(args: &ServeArgs, file: &SettingsFile) -> Result<Self> {
        let print = PrintOptions { messages: args.messages.clone(), ..PrintOptions::default() };
        let common = Common {
            task: Task::Digest,
            inputs: &[],
            input: InputOptions::default(),
            output: &OutputOptions::default(),
            decoding: Typed::new(&args.decode),
            machine: &args.machine,
            print: &print,
        };
        Self::common(&common, file)?.digesting(&args.wanted, file)
    }

    /// `kortom bench`: as if a translation were wanted.
    pub fn bench(args: &BenchArgs, file: &SettingsFile) -> Result<Self> {
        let common = Common {
            task: Task::Translate,
            inputs: &[],
            input: InputOptions::default(),
            output: &OutputOptions::default(),
            decoding: Typed::default(),
            machine: &args.machine,
            print: &PrintOptions::default(),
        };
        let mut job = Self::common(&common, &SettingsFile::default())?;
        job.machine = file.fill(&args.machine)?;
        job.model = args.model.clone().or_else(|| file.text("model"));
        Ok(job)
    }

    /// Somebody types plain text at a terminal, and wants each line translated when it is there.
    pub fn is_typed(&self) -> bool {
        let [source] = &self.found.sources[..] else { return false };
        let plain = source.format == Format::Text && source.output == render::ReportFormat::Text;
        let shown = source.path.is_none() && matches!(self.destination, Destination::Stdout);
        self.task == Task::Translate && plain && shown && io::stdin().is_terminal()
    }

    fn common(typed: &Common<'_>, file: &SettingsFile) -> Result<Self> {
        let input = if typed.task == Task::Generate { typed.input.clone() } else { file.fill(&typed.input)? };
        let mut output = file.fill(typed.output)?;
        // A default for articles says nothing about lines.
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
        let mut machine = file.fill(typed.machine)?;
        machine.offline = Some(machine.offline == Some(true) || offline_environment());
        Ok(Self {
            task: typed.task,
            lines,
            found,
            resume: output.resume == Some(true) && output.output.is_some(),
            destination,
            reading: reading(&input),
            html_whole: input.html_whole == Some(true),
            additions: Additions::default(),
            model: None,
            adapter: None,
            summary_model: None,
            from: None,
            to: None,
            glossary: None,
            summary: None,
            global_attention: None,
            decoding: Decoding::new(&typed.decoding, file, typed.task == Task::Generate)?,
            machine,
            print: file.fill(typed.print)?,
        })
    }

    /// Language of the source; where each text is asked for its own, that of most.
    pub fn from(&self) -> &str {
        self.named().unwrap_or("nl")
    }

    /// Each text is asked which language it is in.
    pub fn detects(&self) -> bool {
        self.from.as_deref() == Some(AUTO)
    }

    /// Language of the source, where somebody says.
    fn named(&self) -> Option<&str> {
        self.from.as_deref().filter(|from| *from != AUTO)
    }

    /// Language of the output.
    pub fn to(&self) -> &str {
        self.to.as_deref().unwrap_or("en")
    }

    /// Language of what is summarised.
    pub fn summary_language(&self) -> &str {
        if self.task == Task::Summarize { self.named().unwrap_or("en") } else { self.to() }
    }

    /// What is wanted from the model of the task.
    pub fn request(&self) -> Request {
        let caller = if self.task == Task::Generate { Caller::Generate } else { Caller::Article };
        let mut request = Request::new(caller);
        request.flags = self.decoding.flags.clone();
        request.user = self.decoding.file.clone();
        request.prefix.clone_from(&self.decoding.prefix);
        request.from = self.named().map(str::to_owned);
        request.to.clone_from(&self.to);
        request.batch_tokens = self.machine.batch_tokens;
        if self.task == Task::Generate {
            request.global_attention = self.global_attention;
        }
        request
    }

    /// What is wanted from the summary model: in a digest, options of decoding are for the translation.
    pub fn summary_request(&self) -> Request {
        let global_attention = self.global_attention;
        if self.task == Task::Summarize {
            return Request { from: None, global_attention, ..self.request() };
        }
        Request { batch_tokens: self.machine.batch_tokens, global_attention, ..Request::new(Caller::Article) }
    }

    /// Somebody said how many tokens a summary has.
    pub fn summary_has_room(&self) -> bool {
        let says = |options: &Overrides| options.min_new_tokens.is_some() || options.max_new_tokens.is_some();
        self.task == Task::Summarize && (says(&self.decoding.flags) || says(&self.decoding.file))
    }

    /// Several outputs for each line were asked for.
    pub fn has_n_best(&self) -> bool {
        self.decoding.flags.n_best.is_some()
    }

    /// Options that say how a model searches mean nothing to a summary that is made without one.
    pub fn refuse_decoding_without_model(&self) -> Result<()> {
        let adapter = self.adapter.as_ref().map(|_| "adapter");
        match self.decoding.typed.as_deref().or(adapter) {
            Some(name) if self.task == Task::Summarize => {
                bail!("`--{name}` does not apply to extractive summaries, which need no model\nhint: leave it out")
            }
            _ => Ok(()),
        }
    }

    /// Chance does not heed a glossary, and its terms are of one language.
    fn terms(&mut self, typed: &TermOptions, file: &SettingsFile) -> Result<()> {
        self.glossary = file.fill(typed)?.glossary;
        if self.glossary.is_some() && self.decoding.flags.sample.or(self.decoding.file.sample) == Some(true) {
            bail!(
                "a glossary does not apply to outputs that are drawn by chance\nhint: leave out --sample or --glossary"
            );
        }
        if self.glossary.is_some() && self.detects() {
            bail!("a glossary has terms of one language\nhint: name it with `--from`, in place of `auto`");
        }
        Ok(())
    }

    /// The same, with what is wanted of a digest.
    fn digesting(mut self, wanted: &Wanted, file: &SettingsFile) -> Result<Self> {
        self.languages(&wanted.languages, file)?;
        self.terms(&wanted.terms, file)?;
        self.model = wanted.model.model.clone().or_else(|| file.text("model"));
        self.adapter.clone_from(&wanted.model.adapter);
        self.summary_model = wanted.summary_model.clone().or_else(|| file.text("summary-model"));
        self.summary = Some(wish(&wanted.summary, wanted.summary_model.as_deref(), "--summary-model", file)?);
        self.global_attention = global_attention(&file.fill(&wanted.read)?);
        Ok(self)
    }

    fn languages(&mut self, typed: &LanguageOptions, file: &SettingsFile) -> Result<()> {
        let languages = file.fill(typed)?;
        self.from = languages.from;
        self.to = languages.to;
        Ok(())
    }
}

/// Which part of an input is meant, and what it holds.
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
    }
}

/// As the engine knows it.
fn global_attention(read: &ReadOptions) -> Option<GlobalAttention> {
    read.global_attention.map(|which| match which {
        options::GlobalAttention::None => GlobalAttention::None,
        options::GlobalAttention::First => GlobalAttention::First,
    })
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
    let length = summary.summary_length.map(|length| length.parse()).transpose()?;
    Ok(Wish { method, length })
}
