//! The run of a job: models are loaded, inputs read, results written, failures counted.
//!
//! Invariant: a fault before the first article is an error (exit code 2). Later faults are printed and counted, and
//! give exit code 1.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, Result};
use kortom::document::Holds;
use kortom::error::WithHint;
use kortom::pipeline::{Models, Pipeline, PipelineTask};
use kortom::render::ReportFormat;
use kortom::render::journal::JournalRecord;

use super::articles::Articles;
use super::glossary;
use super::inputs::Source;
use super::interrupt;
use super::job::Job;
use super::lines::Lines;
use super::progress::{Screen, told};
use super::read::{Resume, read_ahead};
use super::recall;
use super::records::Records;
use super::resume_key::ResumeKey;
use super::run_progress::{RunProgress, Tally, gauges};
use super::sink::{Destination, Sink};
use super::term_remarks::TermRemarks;
use super::threads;
use super::timings::{Timings, program_start};
use super::windows::{Windows, Work, drive};

/// Runs a job, and returns the exit code.
pub fn run(job: &Job) -> Result<ExitCode> {
    interrupt::catch(resumes(job).then_some("the same command with `--resume` goes on from here"))?;
    threads::start(job.pipeline.threads)?;
    let mut screen = Screen::new(&job.print.messages);
    let missing = |screen: &Screen| job.found.failures.iter().for_each(|failure| screen.failure(failure));
    if job.found.sources.is_empty() {
        missing(&screen);
        return Ok(ExitCode::FAILURE);
    }
    if job.shows_digests() {
        screen.postpone_notices();
    }
    let pipeline = Pipeline::load_with(job.options().clone(), &screen)?;
    missing(&screen);
    let pipeline = glossary::add(pipeline, job.pipeline.glossary.as_deref(), &screen)?;
    let pipeline = recall::add(pipeline, job.pipeline.memory.as_ref())?;
    let models = pipeline.models();
    if job.is_typed() {
        screen.notice("type a line and press Enter: it is translated; `:q` or Ctrl-D leaves");
    } else if job.found.sources.iter().any(|source| source.path.is_none()) && io::stdin().is_terminal() {
        screen.notice("reading what you type; end with Ctrl-D on a line of its own");
    }
    let resume = resume(job, &pipeline)?;
    let sink = sink(job, &resume)?;
    if !job.is_typed() {
        screen.begin(run_progress(job, models));
    }
    let piped = job.found.sources.iter().any(|source| source.path.is_none());
    let windows = match models.sample()? {
        true if piped => Windows::Unhurried,
        true => Windows::Repeatable,
        false => Windows::Prompt,
    };
    let mut remarks = TermRemarks::of(job);
    let done = if job.lines {
        let model = Box::new(|lines: &[&str], detected: Option<&str>| Ok(pipeline.lines(lines, detected)?));
        let mut lines = Lines { model, n_best: job.has_n_best(), detects: job.detects(), models };
        work(&mut lines, job, windows, sink, resume, &mut remarks, &screen)
    } else if let (PipelineTask::Generate, Some(model)) = (job.options().task, &models.translation) {
        let mut records = Records { model, field: job.reading.fields.concat(), n_best: job.has_n_best() };
        work(&mut records, job, Windows::Prompt, sink, resume, &mut remarks, &screen)
    } else {
        work(&mut Articles { job, pipeline: &pipeline }, job, windows, sink, resume, &mut remarks, &screen)
    };
    screen.end();
    recall::tell(&pipeline, &screen);
    let (summaries, first_word) =
        done.as_ref().map_or_else(|_| Default::default(), |tally| (tally.summaries, tally.first_word));
    if let Some(longer) = models.longer(job.options().task).filter(|_| summaries.passes > 1) {
        screen.notice(longer);
    }
    let code = match done {
        Ok(tally) => {
            remarks.tell(job, &screen);
            finish(job, &tally, &screen)
        }
        Err(error) if super::is_closed_pipe(&error) => return Err(error),
        // Of a file the error says by itself what could not be written.
        Err(error) if job.destination.folder().is_some() => {
            screen.error(told(&error));
            ExitCode::FAILURE
        }
        Err(error) => {
            screen.error(format!("cannot write the output: {}", told(&error)));
            ExitCode::FAILURE
        }
    };
    if job.print.timings == Some(true) {
        let first_word = first_word.map(|time| time.duration_since(program_start()));
        eprintln!("{}", Timings { first_word, summaries, ..Timings::of(models) }.line());
    }
    Ok(code)
}

/// The sink of the results. Several digests on standard output get a header line each.
fn sink(job: &Job, resume: &Resume) -> Result<Sink> {
    let first = job.found.sources.first().context("there is nothing to read")?;
    let headers = job.options().task == PipelineTask::Digest && job.found.several && first.output == ReportFormat::Text;
    Sink::new(job.destination.clone(), first.framing, resume.settings.is_some(), headers)
}

/// The progress of the run before it begins: sizes and counts, if they are known.
fn run_progress(job: &Job, models: &Models) -> RunProgress {
    let sources = &job.found.sources;
    let sizes: Option<Vec<u64>> = sources.iter().map(Source::size).collect();
    let one_each = sources.iter().all(|source| source.format.spec().holds == Holds::Article);
    let noun = match job.options().task {
        _ if job.lines => "lines",
        PipelineTask::Generate => "records",
        _ => "articles",
    };
    RunProgress::new(noun, sizes.map(|sizes| sizes.iter().sum()), one_each.then_some(sources.len()), gauges(models))
}

/// Reads, works and writes until there is nothing left.
fn work<W: Work>(
    work: &mut W,
    job: &Job,
    windows: Windows,
    mut sink: Sink,
    resume: Resume,
    remarks: &mut TermRemarks,
    screen: &Screen,
) -> Result<Tally> {
    let events = read_ahead(work, job.found.sources.clone(), job.destination.clone(), resume);
    drive(work, &events, windows, &mut sink, remarks, screen)
}

/// Whether a run records what it has done. For a single file it does so only when asked to, so that no journal is left
/// beside it.
fn resumes(job: &Job) -> bool {
    match job.destination {
        Destination::Stdout => false,
        Destination::File(_) => job.resume,
        Destination::Folder(..) => true,
    }
}

/// The settings that a run records, and the journal of former runs if it resumes.
fn resume(job: &Job, pipeline: &Pipeline) -> Result<Resume> {
    let Some(folder) = job.destination.folder() else { return Ok(Resume::default()) };
    if !resumes(job) {
        return Ok(Resume::default());
    }
    let settings = ResumeKey::new(job, pipeline)?.hash()?;
    let record = if job.resume { JournalRecord::load(&folder)? } else { JournalRecord::default() };
    Ok(Resume { settings: Some(settings), record })
}

/// Prints how the run went, and returns its exit code.
fn finish(job: &Job, tally: &Tally, screen: &Screen) -> ExitCode {
    let failed = tally.failed + job.found.failures.len();
    if tally.skipped > 0 {
        screen.notice(format!("{} finished before, not done again", tally.skipped));
    }
    if tally.flags.any() {
        screen.warning(format!("{}", tally.flags).with_hint("`--format html` and `--format json` show which and why"));
    }
    let strict = job.print.strict == Some(true) && tally.flags.any();
    if failed > 0 && failed + tally.done + tally.skipped > 1 {
        screen.error(format!("{failed} failed, {} done", tally.done + tally.skipped));
    }
    if strict {
        screen.error("with `--strict`, a flagged segment is a failure");
    }
    ExitCode::from(u8::from(failed > 0 || strict))
}
