//! Which models a job takes: those that were named, or else the best that are installed.
//!
//! Invariant: which model is taken when none is named, and what is said about it, is decided here and
//! nowhere else. Nothing is loaded yet; that is `engines`' part. Every error is one of models: exit code 2.

use anyhow::{Context, Result, anyhow, bail};
use kortom::hub::{BUNDLED, CatalogEntry, Hub, ModelTask, Resolved, catalog, made_for};

use super::job::{Job, Task, Wish};
use super::options::Method;
use super::progress::Screen;

/// What the catalogue knows of a model, by whichever name it was found.
pub fn known(found: &Resolved) -> Option<&'static CatalogEntry> {
    found.entry.or_else(|| kortom::hub::repository(found.files.name()))
}

/// A model that was named, and is for this task as far as we know.
fn named(hub: &Hub, name: &str, task: ModelTask, screen: &Screen) -> Result<Resolved> {
    let found = hub.resolve(name)?;
    let (made_for, certain) = match known(&found) {
        Some(entry) => (Some(entry.task), true),
        None => made_for(&found.files)?,
    };
    match made_for {
        Some(other) if other != task && certain => bail!(wrong_task(name, other, task)),
        Some(other) if other != task => screen.warning(format!(
            "`{name}` seems to be a model to {}, not to {}: look at what it makes",
            other.name(),
            task.name()
        )),
        _ => {}
    }
    Ok(found)
}

/// The model with the adapter of the job, where one was named.
pub fn adapted(hub: &Hub, job: &Job, found: Resolved) -> Result<Resolved> {
    let Some(name) = &job.adapter else { return Ok(found) };
    Ok(Resolved { files: found.files.with_adapter(hub.adapter(name)?), ..found })
}

/// That a model is made for another task.
pub fn wrong_task(name: &str, is: ModelTask, wanted: ModelTask) -> anyhow::Error {
    let (is, wanted) = (is.name(), wanted.name());
    anyhow!("`{name}` is a model to {is}, not to {wanted}\nhint: `kortom models list` shows which does what")
}

/// The model that translates: the one named, or else the best one installed.
pub fn translation(hub: &Hub, job: &Job, screen: &Screen) -> Result<Resolved> {
    if let Some(name) = &job.model {
        return adapted(hub, job, named(hub, name, ModelTask::Translate, screen)?);
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
    adapted(hub, job, found)
}

/// A summary model that was chosen.
pub struct Chosen {
    /// Where it is.
    pub found: Resolved,
    /// It reads the article and not its translation.
    pub source: bool,
}

/// The model that summarises; none where the article's own sentences do.
pub fn summary(hub: &Hub, job: &Job, wish: Wish, screen: &Screen) -> Result<Option<Chosen>> {
    if wish.method == Method::Extractive {
        job.refuse_decoding_without_model()?;
        return Ok(None);
    }
    let summarizes = job.task == Task::Summarize;
    let name = if summarizes { &job.model } else { &job.summary_model };
    // In a digest the adapter is for the translation.
    let summarising = |found| if summarizes { adapted(hub, job, found) } else { Ok(found) };
    if let Some(name) = name {
        let found = named(hub, name, ModelTask::Summarize, screen)?;
        let source = reads_source(job, name, &found)?;
        return Ok(Some(Chosen { found: summarising(found)?, source }));
    }
    let language = job.summary_language();
    if let Some(found) = hub.best_installed(ModelTask::Summarize, language, language) {
        screen.notice(format!("`{}` writes the summaries (abstractive)", found.files.name()));
        return Ok(Some(Chosen { found: summarising(found)?, source: false }));
    }
    let fitting = catalog().iter().find(|entry| entry.fits(ModelTask::Summarize, language, language));
    if wish.method == Method::Abstractive {
        let hint = fitting.map_or_else(
            || "name one with `--summary-model`, or in `kortom summarize` with `--model`".to_owned(),
            |entry| format!("`kortom models pull {}` gets one; `--method extractive` needs none", entry.alias),
        );
        bail!("no summary model for `{language}` is installed\nhint: {hint}");
    }
    job.refuse_decoding_without_model()?;
    let way = fitting.map_or_else(String::new, |entry| format!("; `kortom models pull {}` gets a model", entry.alias));
    screen.notice(format!("the summary consists of the article's own sentences (extractive){way}"));
    Ok(None)
}

/// Whether a summary model is for the language of the article and not for that of its translation.
fn reads_source(job: &Job, name: &str, found: &Resolved) -> Result<bool> {
    let Some(entry) = known(found) else { return Ok(false) };
    let reads = |language| entry.fits(ModelTask::Summarize, language, language);
    if job.detects() {
        return match job.task {
            Task::Summarize => Ok(false),
            _ if reads(job.to()) => Ok(false),
            _ => bail!("`{name}` reads the article itself, in one language\nhint: name it with `--from`"),
        };
    }
    match job.summary_language() {
        language if reads(language) => Ok(false),
        _ if job.task == Task::Digest && reads(job.from()) => Ok(true),
        language => bail!(
            "`{name}` summarises `{}`, not `{language}`\nhint: `kortom models list` shows which does what",
            entry.from.join("`, `")
        ),
    }
}
