//! `kortom glossary propose`: a glossary from how a model translates the terms of articles.
//!
//! Invariant: what is written is a glossary that `--glossary` reads. Which terms there are belongs to `kortom::consistency`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use kortom::consistency::{Bitext, SEGMENTS, TermTranslation, TermUse};
use kortom::pipeline::Pipeline;

use super::args::{Inputs, TranslateArgs, TranslationModel};
use super::glossary;
use super::interrupt;
use super::job::Job;
use super::options::{
    DecodeOptions, InputOptions, LanguageOptions, MachineOptions, MessageOptions, PrintOptions, TermOptions,
};
use super::progress::{Screen, told};
use super::settings::SettingsFile;
use super::source_texts::SourceTexts;
use super::threads;

/// A translation is proposed if at least one in this many occurrences of its term has it.
const SHARE: usize = 3;
/// Most places of another translation that are named.
const NAMED: usize = 5;

/// `kortom glossary`.
#[derive(Args, Debug)]
pub struct GlossaryArgs {
    /// What to do with glossaries.
    #[command(subcommand)]
    pub command: GlossaryCommand,
}

/// One command of `kortom glossary`.
#[derive(Debug, Subcommand)]
pub enum GlossaryCommand {
    /// Translate articles and write a glossary of their terms: the most frequent translation of each, others as comments
    Propose(Box<ProposeArgs>),
}

/// `kortom glossary propose`.
#[derive(Args, Debug)]
pub struct ProposeArgs {
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
    pub decode: DecodeOptions,
    #[command(flatten)]
    pub machine: MachineOptions,
    #[command(flatten)]
    pub messages: MessageOptions,
}

/// Translates the articles, and prints the proposed glossary.
pub fn run(args: &GlossaryArgs, file: &SettingsFile) -> Result<ExitCode> {
    let GlossaryCommand::Propose(args) = &args.command;
    let mut screen = Screen::new(&args.messages);
    let job = job(args, file)?;
    interrupt::catch(None)?;
    threads::start(job.pipeline.threads)?;
    let bitext = Bitext::new(job.options().source_language(), job.options().target_language());
    let mut proposal = Proposal { job: &job, pipeline: None, bitext, failed: 0, is_cut: false };
    let failed = SourceTexts::in_windows(&job, &mut screen, |texts, screen| proposal.add(texts, screen))?;
    let Proposal { pipeline: Some(pipeline), bitext, failed: not_translated, is_cut, .. } = proposal else {
        return Ok(ExitCode::FAILURE);
    };
    if is_cut || bitext.left_out() > 0 {
        screen.warning(format!("only the first {SEGMENTS} segments were looked at for terms"));
    }
    let proposed: Vec<TermUse> = bitext.terms().into_iter().filter(is_proposed).collect();
    if proposed.is_empty() {
        screen.notice("no term comes at least three times with a translation that could be found");
    }
    let model = pipeline.models().translation()?.engine().name();
    super::print(&(head(model) + &proposed.iter().map(lines).collect::<String>()))?;
    Ok(ExitCode::from(u8::from(failed + not_translated > 0)))
}

/// What was translated so far.
struct Proposal<'a> {
    job: &'a Job,
    /// The pipeline, once there is something to translate.
    pipeline: Option<Pipeline>,
    bitext: Bitext,
    /// Number of texts that could not be translated; each was printed.
    failed: usize,
    /// Whether texts were left out because there are enough segments.
    is_cut: bool,
}

impl Proposal<'_> {
    /// Translates a window of texts, unless there are enough segments.
    fn add(&mut self, texts: &SourceTexts, screen: &mut Screen) -> Result<()> {
        if self.bitext.is_full() {
            self.is_cut = true;
            return Ok(());
        }
        if self.pipeline.is_none() {
            let pipeline = Pipeline::load_with(self.job.options().clone(), screen)?;
            self.pipeline = Some(glossary::add(pipeline, self.job.pipeline.glossary.as_deref(), screen)?);
        }
        let Some(pipeline) = &self.pipeline else { return Ok(()) };
        let (translated, failures) = texts.translate(pipeline, screen);
        for failure in &failures {
            screen.error(format!("`{}`: {}", failure.name, told(&failure.error)));
        }
        self.failed += failures.len();
        for (name, segments) in texts.names().zip(&translated) {
            self.bitext.add(name, segments.as_deref().unwrap_or_default());
        }
        Ok(())
    }
}

/// The job that `translate` would have.
fn job(args: &ProposeArgs, file: &SettingsFile) -> Result<Job> {
    let typed = TranslateArgs {
        inputs: Inputs { inputs: args.inputs.inputs.clone() },
        model: TranslationModel { model: args.model.model.clone(), adapter: args.model.adapter.clone() },
        languages: args.languages.clone(),
        terms: args.terms.clone(),
        input: args.input.clone(),
        decode: args.decode.clone(),
        machine: args.machine.clone(),
        print: PrintOptions { messages: args.messages.clone(), ..PrintOptions::default() },
        ..TranslateArgs::default()
    };
    Job::segments(typed, "a glossary has terms of one language", file)
}

/// Whether a term is proposed: it is not a name that is always copied, and its most frequent translation is frequent
/// enough.
fn is_proposed(term: &TermUse) -> bool {
    let most = term.translations.first();
    let kept = term.translations.len() == 1 && most.is_some_and(|way| way.target == term.term);
    !kept && most.is_some_and(|way| way.count * SHARE >= term.count)
}

fn head(model: &str) -> String {
    format!(
        "# Terms as `{model}` translated them, for `--glossary`. Read them before you use them.\n\
         # A line that begins with # is not used. Below a term are its other translations: to have one of them, take its # away and\n\
         # put one before the line of the term.\n"
    )
}

/// The line of a term, and a comment for each other translation.
fn lines(term: &TermUse) -> String {
    let Some((most, others)) = term.translations.split_first() else { return String::new() };
    let rival = |way: &TermTranslation| format!("#   in {}\n#{}\t{}\n", places(way), term.term, way.target);
    let found = format!("# {} of {} times:\n{}\t{}\n", most.count, term.count, term.term, most.target);
    found + &others.iter().map(rival).collect::<String>()
}

/// The places of the segments with a translation, in words.
fn places(way: &TermTranslation) -> String {
    let named: Vec<String> =
        way.places.iter().take(NAMED).map(|place| format!("{} {}", place.input, place.segment)).collect();
    let more = if way.count > NAMED { format!(" and {} more", way.count - NAMED) } else { String::new() };
    format!("{}{more}", named.join(", "))
}
