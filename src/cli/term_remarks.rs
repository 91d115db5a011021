//! What is said about the terms of a run that were not always translated alike: once, when all is done.
//!
//! Invariant: outputs of a run in which there is nothing to say are what they would be without this, and so is every output that
//! has to have one object or line for each of its input. What is inconsistent belongs to `kortom::consistency`.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Result;
use kortom::consistency::{Bitext, SEGMENTS, TermUse};
use kortom::document::Holds;
use kortom::error::WithHint;
use kortom::pipeline::PipelineTask;
use kortom::render::journal::PartFile;
use kortom::render::{Body, ReportFormat};
use kortom::translate::Segment;

use super::job::Job;
use super::progress::Screen;
use super::sink::Destination;

/// The file for it in an output folder; a hidden one, because it is no output of an input.
const FILE: &str = ".kortom-inconsistent.json";
/// How many terms a notice names.
const NAMED: usize = 5;

/// The terms of a run.
pub struct TermRemarks {
    bitext: Bitext,
    /// The format of the object that ends the output of the run, where it has one.
    object: Option<ReportFormat>,
    found: Option<Vec<TermUse>>,
}

impl TermRemarks {
    /// Remarks on what a job does.
    pub fn of(job: &Job) -> Self {
        let options = job.options();
        let sources = &job.found.sources;
        let output = sources.first().map(|source| source.output);
        let same = sources.iter().all(|source| Some(source.output) == output);
        let articles = sources.iter().all(|source| source.format.spec().holds == Holds::Article);
        let translates = matches!(options.task, PipelineTask::Translate | PipelineTask::Digest);
        // A run that was interrupted and resumed writes the same bytes as one that was not, but has not seen all terms.
        let anew = !(matches!(job.destination, Destination::File(_)) && job.resume);
        let bitext = Bitext::new(options.source_language(), options.target_language());
        Self { bitext, object: output.filter(|_| same && articles && translates && anew), found: None }
    }

    /// Adds what was translated.
    pub fn add(&mut self, name: &str, segments: &[Segment]) {
        self.bitext.add(name, segments);
    }

    fn found(&mut self) -> &[TermUse] {
        self.found.get_or_insert_with(|| self.bitext.inconsistent())
    }

    /// The object that ends the output of the run, where there is something to say and room for it.
    pub fn object(&mut self) -> Option<Body> {
        let format = self.object?;
        let found = self.found();
        if found.is_empty() { None } else { format.inconsistent(found) }
    }

    /// Tells what there is to say, and writes it beside the outputs in a folder of JSON.
    pub fn tell(&mut self, job: &Job, screen: &Screen) {
        let left_out = self.bitext.left_out();
        let format = job.found.sources.first().map(|source| source.output);
        let found = self.found();
        if let (Destination::Folder(folder, _), Some(ReportFormat::Json | ReportFormat::Jsonl)) =
            (&job.destination, format)
            && let Err(error) = write(&folder.join(FILE), found)
        {
            screen.warning(format!("{error:#}"));
        }
        if found.is_empty() {
            return;
        }
        let mut text = match found.len() {
            1 => "a term was not always translated alike: ".to_owned(),
            several => format!("{several} terms were not always translated alike: "),
        };
        text += &found.iter().take(NAMED).map(told).collect::<Vec<_>>().join("; ");
        if found.len() > NAMED {
            text += &format!("; and {} more", found.len() - NAMED);
        }
        if left_out > 0 {
            text += &format!(" (of the first {SEGMENTS} segments)");
        }
        screen
            .notice(text.with_hint("`kortom glossary propose` writes a glossary that settles how they are translated"));
    }
}

/// A term with its translations.
fn told(term: &TermUse) -> String {
    let ways: Vec<String> = term.translations.iter().map(|way| format!("`{}` {}", way.target, way.count)).collect();
    format!("`{}` ({})", term.term, ways.join(", "))
}

/// Writes the terms to a file; without any there is none.
fn write(path: &Path, terms: &[TermUse]) -> Result<()> {
    if terms.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        };
    }
    let mut file = PartFile::begin(path, 0)?;
    if let Some(body) = ReportFormat::Jsonl.inconsistent(terms) {
        file.write_body(&body)?;
    }
    file.commit()?;
    Ok(())
}
