//! The models of a pipeline: loading them, and sessions of them.
//!
//! Invariant: a loaded model can do what the options want, and the request for its languages and its task is made in
//! one place. Which files a model has belongs to `choice`.

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use serde_json::Value;

use super::Listener;
use super::choice::{self, ChosenSummary, wrong_task};
use super::options::{PipelineOptions, PipelineTask};
use super::remember::fingerprint;
use crate::detect;
use crate::device::{DeviceChoice, Placement};
use crate::engine::settings::{Caller, Overrides};
use crate::engine::{AlignmentHead, Engine, Request, ResolvedRequest, Session};
use crate::error::{self, Error, ErrorKind, WithHint};
use crate::files::ModelFiles;
use crate::hub::{self, Hub, ModelTask, Resolved};
use crate::tokenizer::LanguageError;

/// The name of the task of summaries in `task_specific_params` of checkpoints.
const SUMMARIZATION: &str = "summarization";

/// A loaded checkpoint, and the request for its outputs.
pub struct LoadedModel {
    engine: Engine,
    request: Request,
    /// The languages that the model reads by the catalogue, `*` for many; empty if the catalogue does not know the
    /// model.
    reads: Vec<String>,
    /// Sizes and times of the model's files on disk, by which two models of one name differ; empty if the model has a
    /// revision.
    fingerprint: String,
    files: ModelFiles,
    /// The head that aligns words, where one is known.
    alignment_head: Option<AlignmentHead>,
}

/// A model that writes summaries.
pub struct SummaryModel {
    /// The model.
    pub model: LoadedModel,
    /// Whether the model reads the article and not its translation.
    pub source: bool,
    /// The code of the language that the model reads.
    pub language: String,
}

/// All that decides the output of a model for a text.
#[derive(Serialize)]
pub struct ModelKey {
    name: String,
    fingerprint: String,
    placement: String,
    settled: ResolvedRequest,
}

/// The models of a pipeline.
#[derive(Default)]
pub struct Models {
    /// The model that translates, or generates.
    #[doc(hidden)]
    pub translation: Option<LoadedModel>,
    /// The model that summarises.
    #[doc(hidden)]
    pub summary: Option<SummaryModel>,
}

impl ModelKey {
    /// The key with `identity` in place of the model's name and fingerprint, so that it does not depend on where the
    /// model lies.
    pub(super) fn named(self, identity: &str) -> Self {
        Self { name: identity.to_owned(), fingerprint: String::new(), ..self }
    }
}

impl Models {
    /// Chooses and loads the models that the options ask for. `listener` receives notices and warnings about them.
    ///
    /// # Errors
    /// When there is no such model, it cannot be used, or it cannot do what is wanted.
    #[doc(hidden)]
    pub fn load(options: &PipelineOptions, listener: &dyn Listener) -> Result<Self> {
        let hub = Hub::from_env(options.offline);
        let translation = match options.task {
            PipelineTask::Digest | PipelineTask::Translate => Some(choice::translation(&hub, options, listener)?),
            PipelineTask::Generate => {
                let found = hub.resolve(options.model.as_deref().unwrap_or_default())?;
                Some(choice::adapted(&hub, options, found)?)
            }
            PipelineTask::Summarize => None,
        };
        let summary = options.summary.map(|wanted| choice::summary(&hub, options, wanted, listener));
        let summary = summary.transpose()?.flatten();
        if translation.is_none() && summary.is_none() {
            return Ok(Self::default());
        }
        let placement = placement(options)?;
        // `generate` must have the outputs of transformers, so it never uses int8 unless that was requested.
        let placement =
            if options.task == PipelineTask::Generate { placement.without_implicit_int8() } else { placement };
        let translates = |found: Resolved| {
            let request = choice::aligning(options, &found)?;
            let model = LoadedModel::new(Engine::load(&found.files, &placement)?, &found, request, listener)?;
            anyhow::Ok(LoadedModel { alignment_head: choice::alignment_head(options, &found), ..model })
        };
        let summarises = |chosen: ChosenSummary| SummaryModel::load(&chosen, &placement, options, listener);
        let models = Self {
            translation: translation.map(translates).transpose()?,
            summary: summary.map(summarises).transpose()?,
        };
        say_where(&models.all().collect::<Vec<_>>(), options, &placement, listener);
        if options.detects {
            models.readers(options).try_for_each(LoadedModel::knows_its_languages)?;
        }
        Ok(models)
    }

    /// All models: first the one that translates, then the one that summarises.
    #[doc(hidden)]
    pub fn all(&self) -> impl Iterator<Item = &LoadedModel> {
        self.translation.iter().chain(self.summary.iter().map(|summary| &summary.model))
    }

    /// The model that translates, or generates.
    ///
    /// # Errors
    /// When the pipeline has no such model.
    #[doc(hidden)]
    pub fn translation(&self) -> Result<&LoadedModel> {
        self.translation.as_ref().context("there is no model that translates")
    }

    /// The models that read the sources themselves.
    fn readers(&self, options: &PipelineOptions) -> impl Iterator<Item = &LoadedModel> {
        let summary = self.summary.as_ref().filter(|_| options.task == PipelineTask::Summarize);
        self.translation.iter().chain(summary.map(|summary| &summary.model))
    }

    /// The notices about the work of the models since the last call.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.all().flat_map(LoadedModel::notices).collect()
    }

    /// Whether any of the models samples its outputs.
    ///
    /// # Errors
    /// When a model cannot do what the options want.
    #[doc(hidden)]
    pub fn sample(&self) -> Result<bool> {
        let sampling = self.all().map(|model| Ok(model.session()?.settings().options.sampling.is_some()));
        Ok(sampling.collect::<Result<Vec<_>>>()?.contains(&true))
    }

    /// The notice for articles that the summary model had to divide; `None` if the catalogue has no model with a
    /// longer window.
    #[must_use]
    pub fn longer(&self, task: PipelineTask) -> Option<String> {
        let LoadedModel { engine, reads, .. } = &self.summary.as_ref()?.model;
        let language = reads.first().filter(|known| *known != "*").map_or("en", String::as_str);
        let entry = hub::longer(language, engine.window())?;
        let most = entry.window.unwrap_or_default();
        let option = if task == PipelineTask::Summarize { "--model" } else { "--summary-model" };
        let alias = &entry.alias;
        let text = format!(
            "articles of more than {} tokens were summarised in parts, for `{}` reads no more at once",
            engine.window(),
            engine.name()
        );
        let hint = format!("`{option} {alias}` reads {most} (once: kortom models pull {alias})");
        Some(text.with_hint(hint).to_string())
    }

    /// The key of each model, in the order of [`Self::all`].
    ///
    /// # Errors
    /// When a model cannot do what the options want.
    #[doc(hidden)]
    pub fn keys(&self) -> Result<Vec<ModelKey>> {
        self.all().map(LoadedModel::key).collect()
    }
}

/// The device and type of the options.
fn placement(options: &PipelineOptions) -> Result<Placement> {
    let placement = Placement::choose(options.device.unwrap_or_default(), options.compute_type.unwrap_or_default());
    let placement = placement.map_err(|error| Error::from(error).or_kind(ErrorKind::Device))?;
    Ok(placement.with_cache(options.cache.clone()))
}

/// Reports the device and type of each model, unless the device was named and the models use what was requested.
fn say_where(models: &[&LoadedModel], options: &PipelineOptions, asked: &Placement, listener: &dyn Listener) {
    let named = options.device.is_some_and(|device| device != DeviceChoice::Auto);
    let descriptions: Vec<&str> = models.iter().map(|model| model.engine.placement().description.as_str()).collect();
    if named && descriptions.iter().all(|description| *description == asked.description) {
        return;
    }
    if let [first, others @ ..] = &descriptions[..]
        && others.iter().all(|other| other == first)
    {
        listener.notice(first);
        return;
    }
    for (model, description) in models.iter().zip(descriptions) {
        listener.notice(&format!("`{}`: {description}", model.engine.name()));
    }
}

impl SummaryModel {
    /// Loads a summary model for the language of the texts that it will read.
    fn load(
        chosen: &ChosenSummary,
        placement: &Placement,
        options: &PipelineOptions,
        listener: &dyn Listener,
    ) -> Result<Self> {
        let engine = Engine::load(&chosen.found.files, placement)?;
        let language = if chosen.source { options.source_language() } else { options.summary_language() };
        let mut request = options.summary_request();
        request.task = Some(engine.task(SUMMARIZATION, language));
        let languages = engine.tokenizer().language_tokens(Some(language), Some(language));
        if !languages.as_ref().is_err_and(has_none) {
            let told = languages.with_context(|| format!("`{}` does not summarise `{language}`", engine.name()))?;
            if !told.text_prefix.is_empty() {
                // Only models that translate have a prefix with the target language.
                bail!(wrong_task(engine.name(), ModelTask::Translate, ModelTask::Summarize));
            }
            request.from = Some(language.to_owned());
            request.to.clone_from(&request.from);
        }
        let model = LoadedModel::new(engine, &chosen.found, request, listener)?;
        Ok(Self { model, source: chosen.source, language: language.to_owned() })
    }
}

/// Whether an error says that the model has no languages to choose from.
fn has_none(error: &anyhow::Error) -> bool {
    matches!(error::find(error), Some(LanguageError::NotApplicable { .. }))
}

impl LoadedModel {
    /// A model with its request, completed by the catalogue.
    ///
    /// # Errors
    /// When the model cannot do what the request wants.
    fn new(engine: Engine, found: &Resolved, request: Request, listener: &dyn Listener) -> Result<Self> {
        let known = found.entry.filter(|_| request.caller == Caller::Article).and_then(|entry| entry.prefix.clone());
        let settings = found.entry.filter(|entry| !entry.settings.is_empty());
        let catalogue = settings.map(|entry| Value::Object(entry.settings.clone()));
        let request = Request { prefix: request.prefix.clone().or(known), catalogue, ..request };
        let reads = choice::known(found).map(|entry| entry.from.clone()).unwrap_or_default();
        let (fingerprint, files) = (fingerprint(found), found.files.clone());
        let model = Self { engine, request, reads, fingerprint, files, alignment_head: None };
        for warning in &model.session()?.settings().warnings {
            listener.warning(warning);
        }
        let seconds = model.engine.stats().load.as_secs_f64();
        listener.detail(&format!("loaded `{}` in {seconds:.2} s", model.engine.name()));
        Ok(model)
    }

    /// The engine of the model.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The request for the model's outputs, which [`Self::session_for`] can change.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The head that says which words belong together: the one that the options name, or else the one that the catalogue
    /// knows. `None` for a model of which no head is known, and for one that summarises.
    #[must_use]
    pub fn alignment_head(&self) -> Option<AlignmentHead> {
        self.alignment_head
    }

    /// The notices about the work of the model since the last call.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.engine.take_notices()
    }

    /// The files of the model.
    #[must_use]
    pub fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// The key of the model with its own request.
    fn key(&self) -> Result<ModelKey> {
        let key = self.key_of(&self.session()?);
        Ok(ModelKey { fingerprint: key.fingerprint + &self.files.embedded_checksums(), ..key })
    }

    /// The key of the model with the settings of a session.
    pub(super) fn key_of(&self, session: &Session) -> ModelKey {
        let Placement { device, dtype, int8, .. } = self.engine.placement();
        ModelKey {
            name: self.engine.name().to_owned(),
            fingerprint: self.fingerprint.clone(),
            placement: format!("{:?} {dtype:?} {int8}", device.location()),
            settled: session.resolved().clone(),
        }
    }

    /// A session for the model's request.
    ///
    /// # Errors
    /// When the model cannot do what the request wants.
    pub fn session(&self) -> Result<Session<'_>> {
        self.engine.session(&self.request)
    }

    /// A session for texts that were detected to be in the language `from`.
    ///
    /// # Errors
    /// When the model does not read that language.
    pub fn session_from(&self, from: &str) -> Result<Session<'_>> {
        let refused = || {
            let (name, language) = (self.engine.name(), detect::name(from));
            let hint = format!(
                "`kortom models list` shows models for other languages; if it is not {language}, name it with `--from`"
            );
            let error = format!("this is in {language}, which `{name}` does not read").with_hint(hint);
            anyhow!(error.or_kind(ErrorKind::Language))
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
            // A model of one language takes no language codes.
            request.from = request.from.map(|_| from);
            request.to.clone_from(&request.from);
        }
        let unknown = |error: &anyhow::Error| error::find::<LanguageError>(error).is_some();
        self.engine.session(&request).map_err(|error| if unknown(&error) { refused() } else { error })
    }

    /// Checks that the languages which the model reads are known; otherwise a text in another language could not be
    /// refused.
    fn knows_its_languages(&self) -> Result<()> {
        let translates = self.request.task.is_none();
        let knows = if translates && self.reads.is_empty() {
            let asked = self.engine.tokenizer().language_tokens(Some("nl"), self.request.to.as_deref());
            match asked {
                Ok(languages) => languages.from.is_some(),
                Err(error) if has_none(&error) => return Err(error),
                Err(_) => true,
            }
        } else {
            !self.reads.is_empty() || self.request.from.is_some()
        };
        if !knows {
            bail!(
                format!("`{}` does not say which language it reads", self.engine.name())
                    .with_hint("name it with `--from`")
                    .or_kind(ErrorKind::Language)
            );
        }
        Ok(())
    }

    /// A session for the model's request after `wanted` has changed it.
    ///
    /// # Errors
    /// When the model cannot do what the request wants.
    pub fn session_for(&self, wanted: impl FnOnce(Request) -> Request) -> Result<Session<'_>> {
        self.engine.session(&wanted(self.request.clone()))
    }

    /// A session for the model's request with other decoding options.
    ///
    /// # Errors
    /// When the model cannot do what the request wants.
    pub fn session_with(&self, flags: Overrides) -> Result<Session<'_>> {
        self.engine.session(&Request { flags, ..self.request.clone() })
    }
}
