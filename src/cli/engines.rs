//! Models, from their names to something that generates.
//!
//! Invariant: which model is taken when none is named, and what is said about it, is decided here and
//! nowhere else. Every error is one of models: exit code 2.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use kortom::check::{self, Finding};
use kortom::device::{DeviceChoice, Placement};
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{Engine, Generation, Request, Session};
use kortom::hub::{BUNDLED, Hub, Resolved, Task as ModelTask};
use kortom::translate::Segment;
use serde_json::Value;

use super::course::Gauge;
use super::job::{Job, Task, Wish};
use super::options::{MachineOptions, Method};
use super::progress::Screen;
use super::timings::Timings;

/// A checkpoint that is loaded, and what is wanted from it.
pub struct Model {
    engine: Engine,
    request: Request,
    /// What tells apart two models of the same name.
    fingerprint: String,
}

/// The models of a job.
#[derive(Default)]
pub struct Models {
    /// The one that translates, or generates.
    pub translation: Option<Model>,
}

impl Models {
    /// Loads what the job needs, and says what was chosen where nothing was named.
    pub fn load(job: &Job, screen: &Screen) -> Result<Self> {
        let hub = Hub::from_env(job.machine.offline == Some(true));
        if let Some(wish) = &job.summary {
            check_summary(job, *wish, screen)?;
        }
        let found = match job.task {
            Task::Digest | Task::Translate => translation(&hub, job, screen)?,
            Task::Generate => hub.resolve(job.model.as_deref().unwrap_or_default())?,
            Task::Summarize => return Ok(Self::default()),
        };
        let placement = placement(&job.machine, screen)?;
        Ok(Self { translation: Some(Model::load(&found, &placement, job.request(), screen)?) })
    }

    /// What has to be said about their work since the last time.
    pub fn notices(&self) -> Vec<String> {
        self.translation.iter().flat_map(Model::notices).collect()
    }

    /// What they have measured so far.
    pub fn timings(&self) -> Timings {
        let work = self.translation.as_ref().map(|model| model.engine.work()).unwrap_or_default();
        Timings { load: work.load, encode: work.encode, decode: work.decode, tokens: work.generated_tokens }
    }

    /// How far each of them is, to be asked from any thread.
    pub fn gauges(&self) -> Vec<Gauge> {
        let gauge = |model: &Model| {
            let gauge = model.engine.gauge();
            Box::new(move || gauge.read()) as Gauge
        };
        self.translation.iter().map(gauge).collect()
    }

    /// All that decides what they give, for the journal.
    pub fn describe(&self) -> Result<String> {
        let Some(model) = &self.translation else { return Ok(String::new()) };
        let session = model.session()?;
        let (name, prefix) = (model.engine.name(), session.prefix());
        let options = &session.settings().options;
        Ok(format!("{name} {} {prefix:?} {:?} {options:?}", model.fingerprint, session.languages()))
    }
}

/// Where to compute; said when it was left to us.
pub fn placement(machine: &MachineOptions, screen: &Screen) -> Result<Placement> {
    let device = machine.device.unwrap_or_default();
    let mut placement = Placement::choose(device, machine.compute_type.unwrap_or_default())?;
    if machine.no_cache != Some(true) {
        placement.cache = stored();
    }
    if device == DeviceChoice::Auto {
        screen.notice(&placement.sentence);
    }
    Ok(placement)
}

/// The folder of eight-bit weights that later starts find ready.
pub fn stored() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("kortom"))
}

/// A model that was named, and is for this task as far as we know.
fn named(hub: &Hub, name: &str, task: ModelTask) -> Result<Resolved> {
    let found = hub.resolve(name)?;
    if let Some(entry) = found.entry.filter(|entry| entry.task != task) {
        bail!(
            "`{}` is a model to {}, not to {}\nhint: `kortom models list` shows which does what",
            entry.alias,
            entry.task.name(),
            task.name()
        );
    }
    Ok(found)
}

/// The model that translates: the one named, or else the best one installed.
pub fn translation(hub: &Hub, job: &Job, screen: &Screen) -> Result<Resolved> {
    if let Some(name) = &job.model {
        return named(hub, name, ModelTask::Translate);
    }
    let (from, to) = (job.from(), job.to());
    let found = hub.best_installed(ModelTask::Translate, from, to).with_context(|| {
        format!("no installed model translates from `{from}` to `{to}`\nhint: `kortom models list` shows which do")
    })?;
    if found.files.name() == BUNDLED {
        screen.notice(
            "no better model is installed, so the small built-in one translates, a demonstration; \
             `kortom models pull nl-en` gets a far better one",
        );
    }
    Ok(found)
}

/// Summaries are made of the article's own sentences; whoever asks for others is told.
fn check_summary(job: &Job, wish: Wish, screen: &Screen) -> Result<()> {
    let named = if job.task == Task::Summarize { &job.model } else { &job.summary_model };
    if wish.method == Method::Abstractive || named.is_some() {
        bail!(
            "this version of kortom has no abstractive summaries\n\
             hint: leave out the summary model and --method; the summary then consists of the article's own sentences"
        );
    }
    job.refuse_decoding_without_model()?;
    if wish.method == Method::Auto {
        screen.notice("the summary consists of the article's own sentences (extractive)");
    }
    Ok(())
}

/// Changes when a file of a model that has no revision does.
fn fingerprint(found: &Resolved) -> String {
    if found.files.revision().is_some() {
        return String::new();
    }
    let file = |name| {
        let file = found.files.path(name)?.metadata().ok()?;
        Some(format!("{name} {} {:?}\n", file.len(), file.modified().ok()?))
    };
    found.files.names().filter_map(file).collect()
}

impl Model {
    /// Makes a model ready, and sees that it can do what is wanted.
    pub fn load(found: &Resolved, placement: &Placement, request: Request, screen: &Screen) -> Result<Self> {
        let engine = Engine::load(&found.files, placement)?;
        if engine.placement().dtype != placement.dtype {
            screen.notice(format!("`{}`: {}", engine.name(), engine.placement().sentence));
        }
        let known = found.entry.filter(|_| request.caller == Caller::Article).and_then(|entry| entry.prefix.clone());
        let settings = found.entry.filter(|entry| !entry.settings.is_empty());
        let catalogue = settings.map(|entry| Value::Object(entry.settings.clone()));
        let request = Request { prefix: request.prefix.clone().or(known), catalogue, ..request };
        let model = Self { engine, request, fingerprint: fingerprint(found) };
        for warning in &model.session()?.settings().warnings {
            screen.warning(warning);
        }
        let seconds = model.engine.work().load.as_secs_f64();
        screen.detail(format!("loaded `{}` in {seconds:.2} s", model.engine.name()));
        Ok(model)
    }

    /// What has to be said about its work since the last time.
    pub fn notices(&self) -> Vec<String> {
        self.engine.take_notices()
    }

    /// Something that generates.
    pub fn session(&self) -> Result<Session<'_>> {
        self.engine.session(&self.request)
    }

    /// The same, with other flags.
    pub fn session_with(&self, flags: Overrides) -> Result<Session<'_>> {
        self.engine.session(&Request { flags, ..self.request.clone() })
    }
}

/// Lines as they are, a segment for each.
pub fn generate(session: &Session<'_>, lines: &[&str]) -> Result<Vec<Segment>> {
    let segment = |(source, generation): (&&str, Generation)| {
        let mut segment = Segment {
            source: (*source).to_owned(),
            target: generation.text,
            score: Some(generation.score),
            tokens: generation.target_tokens,
            hypotheses: generation.hypotheses,
            ..Segment::default()
        };
        segment.note(generation.truncated.then(Finding::truncated));
        // Nothing is known of the languages here, nor whether the target is a translation.
        segment.note(check::repetition(source, &segment.target));
        segment
    };
    Ok(lines.iter().zip(session.generate(lines)?).map(segment).collect())
}
