//! Models, from their names to something that generates.
//!
//! Invariant: which model is taken when none is named, and what is said about it, is decided here and
//! nowhere else. Every error is one of models: exit code 2.

use anyhow::{Context, Result, bail};
use kortom::check::Flag;
use kortom::device::{DeviceChoice, Placement};
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{Engine, Generation, Request, Session};
use kortom::hub::{BUNDLED, Hub, Resolved, Task as ModelTask};
use kortom::translate::Segment;

use super::job::{Job, Task, Wish};
use super::options::{MachineOptions, Method};
use super::progress::Screen;
use super::timings::Timings;

/// A checkpoint that is loaded, and what is wanted from it.
pub struct Model {
    engine: Engine,
    request: Request,
}

/// The models of a job.
#[derive(Default)]
pub struct Models {
    /// The one that translates, or generates.
    pub translation: Option<Model>,
    /// The one that writes summaries.
    pub summary: Option<Model>,
}

impl Models {
    /// Loads what the job needs, and says what was chosen where nothing was named.
    pub fn load(job: &Job, screen: &Screen) -> Result<Self> {
        let hub = Hub::from_env(job.machine.offline == Some(true));
        let translation = match job.task {
            Task::Digest | Task::Translate => Some(translation(&hub, job, screen)?),
            Task::Generate => Some(hub.resolve(job.model.as_deref().unwrap_or_default())?),
            Task::Summarize => None,
        };
        let summary = match &job.summary {
            Some(wish) => summary(&hub, job, *wish, screen)?,
            None => None,
        };
        if translation.is_none() && summary.is_none() {
            return Ok(Self::default());
        }
        let placement = placement(&job.machine, screen)?;
        let load = |found: Option<Resolved>, request: Request| {
            found.map(|found| Model::load(&found, &placement, request, screen)).transpose()
        };
        let summary_task = Some("summarization".to_owned());
        // In a digest, decoding options are those of the translation.
        let for_summary = if job.task == Task::Summarize { job.request() } else { Request::new(Caller::Article) };
        Ok(Self {
            translation: load(translation, job.request())?,
            summary: load(summary, Request { task: summary_task, ..for_summary })?,
        })
    }

    /// All models that there are.
    fn all(&self) -> impl Iterator<Item = &Model> {
        self.translation.iter().chain(&self.summary)
    }

    /// What all of them have measured so far.
    pub fn timings(&self) -> Timings {
        let mut sum = Timings::default();
        for work in self.all().map(|model| model.engine.work()) {
            sum.load += work.load;
            sum.encode += work.encode;
            sum.decode += work.decode;
            sum.tokens += work.generated_tokens;
        }
        sum
    }

    /// All that decides what they give, for the journal.
    pub fn describe(&self) -> Result<String> {
        let describe = |model: &Model| -> Result<String> {
            let session = model.session()?;
            let prefix = session.prefix();
            Ok(format!("{} {prefix:?} {:?}\n", model.engine.name(), session.settings().options))
        };
        self.all().map(describe).collect()
    }
}

/// Where to compute; said when it was left to us.
pub fn placement(machine: &MachineOptions, screen: &Screen) -> Result<Placement> {
    let device = machine.device.unwrap_or_default();
    let placement = Placement::choose(device, machine.compute_type.unwrap_or_default())?;
    if device == DeviceChoice::Auto {
        screen.notice(&placement.sentence);
    }
    Ok(placement)
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

/// The model that writes summaries, if one is to.
fn summary(hub: &Hub, job: &Job, wish: Wish, screen: &Screen) -> Result<Option<Resolved>> {
    if wish.method == Method::Extractive {
        return Ok(None);
    }
    let name = if job.task == Task::Summarize { &job.model } else { &job.summary_model };
    if let Some(name) = name {
        return named(hub, name, ModelTask::Summarize).map(Some);
    }
    let language = job.summary_language();
    let found = hub.best_installed(ModelTask::Summarize, language, language);
    if found.is_none() && wish.method == Method::Abstractive {
        bail!("an abstractive summary needs a summary model, and none is installed\nhint: kortom models pull cnn");
    }
    if found.is_none() {
        job.refuse_decoding_without_model()?;
        screen.notice(
            "no summary model is installed, so summaries consist of the article's own sentences (extractive); \
             `kortom models pull cnn` gets one that writes them",
        );
    }
    Ok(found)
}

impl Model {
    /// Makes a model ready, and sees that it can do what is wanted.
    pub fn load(found: &Resolved, placement: &Placement, request: Request, screen: &Screen) -> Result<Self> {
        let engine = Engine::load(&found.files, placement)?;
        let known = found.entry.filter(|_| request.caller == Caller::Article).and_then(|entry| entry.prefix.clone());
        let model = Self { engine, request: Request { prefix: request.prefix.clone().or(known), ..request } };
        for warning in &model.session()?.settings().warnings {
            screen.warning(warning);
        }
        let seconds = model.engine.work().load.as_secs_f64();
        screen.detail(format!("loaded `{}` in {seconds:.2} s", model.engine.name()));
        Ok(model)
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
    let segment = |(source, generation): (&&str, Generation)| Segment {
        source: (*source).to_owned(),
        target: generation.text,
        score: Some(generation.score),
        tokens: generation.target_tokens,
        flags: if generation.truncated { vec![Flag::Truncated] } else { Vec::new() },
        hypotheses: generation.hypotheses,
    };
    Ok(lines.iter().zip(session.generate(lines)?).map(segment).collect())
}
