//! Models, from their files to something that generates.
//!
//! Invariant: a model that was loaded can do what the job wants of it, and is told the same things about
//! languages and tasks whoever asks. Which files those are, `choice` says. Every error is one of models: exit code 2.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use kortom::check::{self, Finding};
use kortom::detect;
use kortom::device::{DeviceChoice, Placement};
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{Engine, Generation, Request, ResolvedRequest, Session};
use kortom::files::ModelFiles;
use kortom::hub::{self, Hub, ModelTask, Resolved};
use kortom::tokenizer::LanguageError;
use kortom::translate::Segment;
use serde::Serialize;
use serde_json::Value;

use super::choice::{self, Chosen, wrong_task};
use super::course::Gauge;
use super::job::{Job, Task};
use super::options::MachineOptions;
use super::progress::Screen;
use super::timings::Timings;
use crate::serve::models as serve;

/// What checkpoints call the task of summaries.
const SUMMARIZATION: &str = "summarization";

/// A checkpoint that is loaded, and what is wanted from it.
pub struct Model {
    engine: Engine,
    request: Request,
    /// Languages it reads, `*` for many; none where only the model itself can tell.
    reads: Vec<String>,
    /// What tells apart two models of the same name.
    fingerprint: String,
}

/// The model that writes summaries.
pub struct SummaryModel {
    /// The model.
    pub model: Model,
    /// It reads the article and not its translation.
    pub source: bool,
}

/// All that decides what a model gives for a text.
#[derive(Serialize)]
pub struct ModelKey {
    name: String,
    fingerprint: String,
    placement: String,
    settled: ResolvedRequest,
}

/// The models of a job.
#[derive(Default)]
pub struct Models {
    /// The one that translates, or generates.
    pub translation: Option<Model>,
    /// The one that summarises.
    pub summary: Option<SummaryModel>,
}

impl Models {
    /// Loads what the job needs, and says what was chosen where nothing was named.
    pub fn load(job: &Job, screen: &Screen) -> Result<Self> {
        let hub = Hub::from_env(job.machine.offline == Some(true));
        let translation = match job.task {
            Task::Digest | Task::Translate => Some(choice::translation(&hub, job, screen)?),
            Task::Generate => Some(choice::adapted(&hub, job, hub.resolve(job.model.as_deref().unwrap_or_default())?)?),
            Task::Summarize => None,
        };
        let summary = job.summary.map(|wish| choice::summary(&hub, job, wish, screen)).transpose()?.flatten();
        if translation.is_none() && summary.is_none() {
            return Ok(Self::default());
        }
        let placement = placement(&job.machine)?;
        // `generate` gives what transformers gives.
        let placement = if job.task == Task::Generate { placement.without_implicit_int8() } else { placement };
        let translates =
            |found: Resolved| Model::new(Engine::load(&found.files, &placement)?, &found, job.request(), screen);
        let summarises = |found: Chosen| SummaryModel::load(&found, &placement, job, screen);
        let models = Self {
            translation: translation.map(translates).transpose()?,
            summary: summary.map(summarises).transpose()?,
        };
        say_where(&models.all().collect::<Vec<_>>(), &job.machine, &placement, screen);
        if job.detects() {
            models.readers(job).try_for_each(Model::knows_its_languages)?;
        }
        Ok(models)
    }

    /// The same for a server, which may be asked for other languages than these.
    pub fn for_serving(self, usual: &serve::Pair) -> Result<serve::Models> {
        let served = |model: Model| serve::Model { engine: model.engine, request: model.request };
        let summary = self.summary.map(|summary| serve::SummaryModel {
            language: if summary.source { usual.from.clone() } else { usual.to.clone() },
            source: summary.source,
            model: served(summary.model),
        });
        serve::Models::new(served(self.translation.context("there is no model that translates")?), summary, usual)
    }

    fn all(&self) -> impl Iterator<Item = &Model> {
        self.translation.iter().chain(self.summary.iter().map(|summary| &summary.model))
    }

    /// Those that read the articles themselves.
    fn readers(&self, job: &Job) -> impl Iterator<Item = &Model> {
        let summary = self.summary.as_ref().filter(|_| job.task == Task::Summarize);
        self.translation.iter().chain(summary.map(|summary| &summary.model))
    }

    /// What has to be said about their work since the last time.
    pub fn notices(&self) -> Vec<String> {
        self.all().flat_map(Model::notices).collect()
    }

    /// What they have measured so far.
    pub fn timings(&self) -> Timings {
        self.all().fold(Timings::default(), |sum, model| {
            let work = model.engine.stats();
            Timings {
                load: sum.load + work.load,
                encode: sum.encode + work.encode,
                decode: sum.decode + work.decode,
                tokens: sum.tokens + work.generated_tokens,
                ..sum
            }
        })
    }

    /// Whether any of them draws its outputs by chance.
    pub fn sample(&self) -> Result<bool> {
        let sampling = self.all().map(|model| Ok(model.session()?.settings().options.sampling.is_some()));
        Ok(sampling.collect::<Result<Vec<_>>>()?.contains(&true))
    }

    /// What is said when the summary model had to divide articles, where the catalogue has a model that reads more at once.
    pub fn longer(&self, task: Task) -> Option<String> {
        let Model { engine, reads, .. } = &self.summary.as_ref()?.model;
        let language = reads.first().filter(|known| *known != "*").map_or("en", String::as_str);
        let entry = hub::longer(language, engine.window())?;
        let most = entry.window.unwrap_or_default();
        Some(format!(
            "articles of more than {} tokens were summarised in parts, for `{}` reads no more at once\n\
             hint: `{option} {alias}` reads {most} (once: kortom models pull {alias})",
            engine.window(),
            engine.name(),
            option = if task == Task::Summarize { "--model" } else { "--summary-model" },
            alias = entry.alias
        ))
    }

    /// How far each of them is, to be asked from any thread.
    pub fn gauges(&self) -> Vec<Gauge> {
        let gauge = |model: &Model| {
            let gauge = model.engine.live_stats();
            Box::new(move || gauge.read()) as Gauge
        };
        self.all().map(gauge).collect()
    }

    /// All that decides what they give, of each in turn.
    pub fn keys(&self) -> Result<Vec<ModelKey>> {
        self.all().map(Model::key).collect()
    }
}

/// Where to compute.
fn placement(machine: &MachineOptions) -> Result<Placement> {
    let placement = Placement::choose(machine.device.unwrap_or_default(), machine.compute_type.unwrap_or_default())?;
    Ok(placement.with_cache(if machine.no_cache == Some(true) { None } else { stored() }))
}

/// Says where models compute and in which type, if that was left to us or is not what was asked for.
fn say_where(models: &[&Model], machine: &MachineOptions, asked: &Placement, screen: &Screen) {
    let named = machine.device.is_some_and(|device| device != DeviceChoice::Auto);
    let descriptions: Vec<&str> = models.iter().map(|model| model.placement().description.as_str()).collect();
    if named && descriptions.iter().all(|description| *description == asked.description) {
        return;
    }
    if let [first, others @ ..] = &descriptions[..]
        && others.iter().all(|other| other == first)
    {
        screen.notice(first);
        return;
    }
    for (model, sentence) in models.iter().zip(descriptions) {
        screen.notice(format!("`{}`: {sentence}", model.engine.name()));
    }
}

/// The folder of eight-bit weights that later starts find ready.
pub fn stored() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("kortom"))
}

impl SummaryModel {
    /// Makes a summary model ready for the language of what it is to read.
    fn load(chosen: &Chosen, placement: &Placement, job: &Job, screen: &Screen) -> Result<Self> {
        let engine = Engine::load(&chosen.found.files, placement)?;
        let language = if chosen.source { job.from() } else { job.summary_language() };
        let mut request = job.summary_request();
        request.task = Some(engine.task(SUMMARIZATION, language));
        let languages = engine.tokenizer().languages(Some(language), Some(language));
        if !languages.as_ref().is_err_and(has_none) {
            let told = languages.with_context(|| format!("`{}` does not summarise `{language}`", engine.name()))?;
            if !told.text_prefix.is_empty() {
                // It is told its target in the text, as only models that translate are.
                bail!(wrong_task(engine.name(), ModelTask::Translate, ModelTask::Summarize));
            }
            request.from = Some(language.to_owned());
            request.to.clone_from(&request.from);
        }
        let model = Model::new(engine, &chosen.found, request, screen)?;
        Ok(Self { model, source: chosen.source })
    }
}

/// Whether a model of one language has no languages to choose from.
fn has_none(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<LanguageError>(), Some(LanguageError::NotApplicable { .. }))
}

/// Changes when a file of a model that has no revision does.
fn fingerprint(found: &Resolved) -> String {
    let of_files = |files: &ModelFiles| {
        let file = |name| {
            let file = files.path(name)?.metadata().ok()?;
            Some(format!("{name} {} {:?}\n", file.len(), file.modified().ok()?))
        };
        let named = files.revision().is_none().then(|| files.names().filter_map(file).collect::<String>());
        named.unwrap_or_default()
    };
    of_files(&found.files) + &found.files.adapter().map(of_files).unwrap_or_default()
}

impl Model {
    /// Loads a model alone, and says where it computes.
    pub fn load(found: &Resolved, machine: &MachineOptions, request: Request, screen: &Screen) -> Result<Self> {
        let placement = placement(machine)?;
        let model = Self::new(Engine::load(&found.files, &placement)?, found, request, screen)?;
        say_where(&[&model], machine, &placement, screen);
        Ok(model)
    }

    /// Makes a model ready, and sees that it can do what is wanted.
    fn new(engine: Engine, found: &Resolved, request: Request, screen: &Screen) -> Result<Self> {
        let known = found.entry.filter(|_| request.caller == Caller::Article).and_then(|entry| entry.prefix.clone());
        let settings = found.entry.filter(|entry| !entry.settings.is_empty());
        let catalogue = settings.map(|entry| Value::Object(entry.settings.clone()));
        let request = Request { prefix: request.prefix.clone().or(known), catalogue, ..request };
        let reads = choice::known(found).map(|entry| entry.from.clone()).unwrap_or_default();
        let model = Self { engine, request, reads, fingerprint: fingerprint(found) };
        for warning in &model.session()?.settings().warnings {
            screen.warning(warning);
        }
        let seconds = model.engine.stats().load.as_secs_f64();
        screen.detail(format!("loaded `{}` in {seconds:.2} s", model.engine.name()));
        Ok(model)
    }

    /// Where it computes.
    pub fn placement(&self) -> &Placement {
        self.engine.placement()
    }

    /// What has to be said about its work since the last time.
    pub fn notices(&self) -> Vec<String> {
        self.engine.take_notices()
    }

    /// All that decides what it gives.
    fn key(&self) -> Result<ModelKey> {
        let Placement { device, dtype, int8, .. } = self.placement();
        Ok(ModelKey {
            name: self.engine.name().to_owned(),
            fingerprint: self.fingerprint.clone(),
            placement: format!("{:?} {dtype:?} {int8}", device.location()),
            settled: self.session()?.resolved().clone(),
        })
    }

    /// Something that generates.
    pub fn session(&self) -> Result<Session<'_>> {
        self.engine.session(&self.request)
    }

    /// The same for texts that were found to be in a language.
    pub fn session_from(&self, from: &str) -> Result<Session<'_>> {
        let refused = || {
            let (name, language) = (self.engine.name(), detect::name(from));
            anyhow!(
                "this is in {language}, which `{name}` does not read\n\
                 hint: `kortom models list` shows models for other languages; if it is not {language}, name it with `--from`"
            )
        };
        if !self.reads.is_empty() && !self.reads.iter().any(|known| known == "*" || known == from) {
            return Err(refused());
        }
        let from = from.to_owned();
        let mut request = self.request.clone();
        if request.task.is_none() {
            request.from = Some(from);
        } else {
            request.task = Some(self.engine.task(SUMMARIZATION, &from));
            // A model of one language has none to choose from.
            request.from = request.from.map(|_| from);
            request.to.clone_from(&request.from);
        }
        let unknown = |error: &anyhow::Error| error.downcast_ref::<LanguageError>().is_some();
        self.engine.session(&request).map_err(|error| if unknown(&error) { refused() } else { error })
    }

    /// Sees that it can be told which languages it reads: without that, none can be refused.
    fn knows_its_languages(&self) -> Result<()> {
        let translates = self.request.task.is_none();
        let knows = if translates && self.reads.is_empty() {
            let asked = self.engine.tokenizer().languages(Some("nl"), self.request.to.as_deref());
            match asked {
                Ok(languages) => languages.from.is_some(),
                Err(error) if has_none(&error) => return Err(error),
                Err(_) => true,
            }
        } else {
            !self.reads.is_empty() || self.request.from.is_some()
        };
        if !knows {
            bail!("`{}` does not say which language it reads\nhint: name it with `--from`", self.engine.name());
        }
        Ok(())
    }

    /// Something that generates what else a caller makes of the usual request.
    pub fn session_for(&self, wanted: impl FnOnce(Request) -> Request) -> Result<Session<'_>> {
        self.engine.session(&wanted(self.request.clone()))
    }

    /// The same, with other flags.
    pub fn session_with(&self, flags: Overrides) -> Result<Session<'_>> {
        self.engine.session(&Request { flags, ..self.request.clone() })
    }
}

/// Lines as they are, a segment for each.
pub fn generate(session: &Session<'_>, lines: &[&str]) -> Result<Vec<Segment>> {
    let generations = session.generate(lines)?;
    Ok(lines.iter().zip(generations).map(|(source, generation)| segment(source, generation)).collect())
}

/// What a model made of a source, with what can be said of it where nothing is known of the languages, nor whether it is a
/// translation.
pub fn segment(source: &str, generation: Generation) -> Segment {
    let mut segment = Segment {
        source: source.to_owned(),
        target: generation.text,
        score: Some(generation.score),
        tokens: generation.target_tokens,
        hypotheses: generation.hypotheses,
        ..Segment::default()
    };
    segment.note(generation.truncated.then(Finding::truncated));
    segment.note(check::repetition(source, &segment.target));
    segment
}
