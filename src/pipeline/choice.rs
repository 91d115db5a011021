//! The choice of a pipeline's models: those that were named, or else the best that are installed.
//!
//! Invariant: only this module decides which model is used when none is named, and what the user is told about it. It
//! loads nothing.

use anyhow::{Result, anyhow, bail};

use super::Listener;
use super::options::{PipelineOptions, PipelineTask, SummaryRequest};
use crate::engine::{AlignmentHead, Request};
use crate::error::{Explain, WithHint};
use crate::hub::{self, BUNDLED, CatalogEntry, Hub, ModelTask, Resolved, catalog, made_for};
use crate::summarize::SummaryMethod;

/// A summary model that was chosen.
pub struct ChosenSummary {
    /// The model's files.
    pub found: Resolved,
    /// Whether the model reads the article and not its translation.
    pub source: bool,
}

/// A model's entry in the catalogue, found by its alias or by its repository.
pub fn known(found: &Resolved) -> Option<&'static CatalogEntry> {
    found.entry.or_else(|| hub::repository(found.files.name()))
}

/// The head of a model that aligns words: the one that the options name, or else the one that the catalogue knows.
pub fn alignment_head(options: &PipelineOptions, found: &Resolved) -> Option<AlignmentHead> {
    let known = || known(found)?.alignment_head.map(|[layer, head]| AlignmentHead { layer, head: head as usize });
    options.alignment_head.or_else(known)
}

/// The request for the model that translates, with the head that aligns words where the options ask for an alignment.
///
/// # Errors
/// When an alignment is wanted, no head was named, and the catalogue knows none of this model.
pub fn aligning(options: &PipelineOptions, found: &Resolved) -> Result<Request> {
    let request = options.request();
    let head = alignment_head(options, found);
    if options.aligns && head.is_none() {
        let error = format!("of the model `{}` no head is known that aligns words", found.files.name());
        let hint = "name one with `--alignment-head LAYER,HEAD`, or leave out `--alignment`";
        bail!(error.with_hint(hint));
    }
    Ok(Request { alignment: head.filter(|_| options.aligns), ..request })
}

/// A model that was named.
///
/// # Errors
/// When there is no such model, or it is certainly made for another task. If that is only likely, there is a warning.
fn named(hub: &Hub, name: &str, task: ModelTask, listener: &dyn Listener) -> Result<Resolved> {
    let found = hub.resolve(name)?;
    let (made_for, certain) = match known(&found) {
        Some(entry) => (Some(entry.task), true),
        None => made_for(&found.files)?,
    };
    match made_for {
        Some(other) if other != task && certain => bail!(wrong_task(name, other, task)),
        Some(other) if other != task => listener.warning(&format!(
            "`{name}` seems to be a model to {}, not to {}: look at what it makes",
            other.name(),
            task.name()
        )),
        _ => {}
    }
    Ok(found)
}

/// A model with the adapter of the options, if one was named.
pub fn adapted(hub: &Hub, options: &PipelineOptions, found: Resolved) -> Result<Resolved> {
    let Some(name) = &options.adapter else { return Ok(found) };
    Ok(Resolved { files: found.files.with_adapter(hub.adapter(name)?), ..found })
}

/// The error for a model that is made for another task.
pub fn wrong_task(name: &str, is: ModelTask, wanted: ModelTask) -> anyhow::Error {
    let (is, wanted) = (is.name(), wanted.name());
    anyhow!(
        format!("`{name}` is a model to {is}, not to {wanted}").with_hint("`kortom models list` shows which does what")
    )
}

/// Chooses the model that translates: the one that was named, or else the best one installed.
pub fn translation(hub: &Hub, options: &PipelineOptions, listener: &dyn Listener) -> Result<Resolved> {
    if let Some(name) = &options.model {
        return adapted(hub, options, named(hub, name, ModelTask::Translate, listener)?);
    }
    let (from, to) = (options.source_language(), options.target_language());
    let found = hub.best_installed(ModelTask::Translate, from, to).explain(|| {
        format!("no installed model translates from `{from}` to `{to}`")
            .with_hint("`kortom models list` shows which do")
    })?;
    if found.files.name() == BUNDLED {
        listener.notice(
            "no better model is installed, so the small built-in one translates, a demonstration; \
             `kortom models pull nl-en` gets a far better one",
        );
    }
    adapted(hub, options, found)
}

/// Chooses the model that summarises; `None` if the summary consists of the article's own sentences.
pub fn summary(
    hub: &Hub,
    options: &PipelineOptions,
    wanted: SummaryRequest,
    listener: &dyn Listener,
) -> Result<Option<ChosenSummary>> {
    if wanted.method == Some(SummaryMethod::Extractive) {
        refuse_decoding_without_model(options)?;
        return Ok(None);
    }
    let summarizes = options.task == PipelineTask::Summarize;
    let name = if summarizes { &options.model } else { &options.summary_model };
    // In a digest the adapter is for the translation model.
    let summarising = |found| if summarizes { adapted(hub, options, found) } else { Ok(found) };
    if let Some(name) = name {
        let found = named(hub, name, ModelTask::Summarize, listener)?;
        let source = reads_source(options, name, &found)?;
        return Ok(Some(ChosenSummary { found: summarising(found)?, source }));
    }
    let language = options.summary_language();
    if let Some(found) = hub.best_installed(ModelTask::Summarize, language, language) {
        listener.notice(&format!("`{}` writes the summaries (abstractive)", found.files.name()));
        return Ok(Some(ChosenSummary { found: summarising(found)?, source: false }));
    }
    let fitting = catalog().iter().find(|entry| entry.fits(ModelTask::Summarize, language, language));
    if wanted.method == Some(SummaryMethod::Abstractive) {
        let hint = fitting.map_or_else(
            || "name one with `--summary-model`, or in `kortom summarize` with `--model`".to_owned(),
            |entry| format!("`kortom models pull {}` gets one; `--method extractive` needs none", entry.alias),
        );
        bail!(format!("no summary model for `{language}` is installed").with_hint(hint));
    }
    refuse_decoding_without_model(options)?;
    let way = fitting.map_or_else(String::new, |entry| format!("; `kortom models pull {}` gets a model", entry.alias));
    listener.notice(&format!("the summary consists of the article's own sentences (extractive){way}"));
    Ok(None)
}

/// Whether a summary model is for the language of the article and not for that of its translation.
///
/// # Errors
/// When the model is for neither, or articles are in several languages and it reads them itself.
fn reads_source(options: &PipelineOptions, name: &str, found: &Resolved) -> Result<bool> {
    let Some(entry) = known(found) else { return Ok(false) };
    let reads = |language| entry.fits(ModelTask::Summarize, language, language);
    if options.detects {
        return match options.task {
            PipelineTask::Summarize => Ok(false),
            _ if reads(options.target_language()) => Ok(false),
            _ => {
                bail!(format!("`{name}` reads the article itself, in one language").with_hint("name it with `--from`"))
            }
        };
    }
    match options.summary_language() {
        language if reads(language) => Ok(false),
        _ if options.task == PipelineTask::Digest && reads(options.source_language()) => Ok(true),
        language => bail!(
            format!("`{name}` summarises `{}`, not `{language}`", entry.from.join("`, `"))
                .with_hint("`kortom models list` shows which does what")
        ),
    }
}

/// Refuses decoding options and an adapter for summaries that are made without a model.
///
/// # Errors
/// When the caller set one of these.
pub fn refuse_decoding_without_model(options: &PipelineOptions) -> Result<()> {
    let adapter = options.adapter.as_ref().map(|_| "adapter");
    match options.decoding.first_flag.as_deref().or(adapter) {
        Some(name) if options.task == PipelineTask::Summarize => {
            bail!(
                format!("`--{name}` does not apply to extractive summaries, which need no model")
                    .with_hint("leave it out")
            )
        }
        _ => Ok(()),
    }
}
