//! Remarks on terms that a run did not always translate alike, made once at its end.
//!
//! Invariant: a run without such terms has the outputs that it would have without this module, and so has every
//! output with one object or line for each of its inputs. Which terms are inconsistent belongs to
//! `kortom::consistency`.

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

/// The file of the remarks in an output folder. It is hidden, because it is not the output of an input.
const FILE: &str = ".kortom-inconsistent.json";
/// Most terms that a notice names.
const NAMED: usize = 5;

/// The remarks on the terms of a run.
pub struct TermRemarks {
    bitext: Bitext,
    /// Whether the run translates. Nobody expects the words of a summary to stand for all words of its source.
    translates: bool,
    /// The format of the object that ends the output of the run; `None` if the output has no such object.
    object: Option<ReportFormat>,
    found: Option<Vec<TermUse>>,
}

impl TermRemarks {
    /// The remarks on the terms of a job, without segments yet.
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
        Self { bitext, object: output.filter(|_| same && articles && translates && anew), translates, found: None }
    }

    /// Adds the translated segments of a text; nothing if the run does not translate.
    pub fn add(&mut self, name: &str, segments: &[Segment]) {
        if self.translates {
            self.bitext.add(name, segments);
        }
    }

    fn found(&mut self) -> &[TermUse] {
        self.found.get_or_insert_with(|| self.bitext.inconsistent())
    }

    /// The object that ends the output of the run; `None` if there are no remarks or the output has no such object.
    pub fn object(&mut self) -> Option<Body> {
        let format = self.object?;
        let found = self.found();
        if found.is_empty() { None } else { format.inconsistent(found) }
    }

    /// Prints the remarks, and writes them to a file beside the outputs if these are JSON in a folder.
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

/// Writes the terms to a file; without terms the file is removed.
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
