//! The options of a pipeline: which models, for which languages, and how they decode.
//!
//! Invariant: options that are left open are decided in one place: models by `choice`, decoding options by the
//! checkpoint.

use std::path::PathBuf;

use serde::Serialize;

use crate::device::{ComputeType, DeviceChoice};
use crate::engine::settings::{Caller, Overrides};
use crate::engine::{AlignmentHead, GlobalAttention, Request};
use crate::summarize::{Length, SummaryMethod};

/// What a pipeline makes of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum PipelineTask {
    /// A translation and a summary of it.
    #[default]
    Digest,
    /// A translation.
    Translate,
    /// A summary.
    Summarize,
    /// The model's output for the text as it is.
    Generate,
}

/// The options of a summary.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct SummaryRequest {
    /// The method. With `None` a model writes the summary if one is installed; otherwise it consists of sentences of
    /// the article.
    pub method: Option<SummaryMethod>,
    /// The length. `None` leaves it to the model; a summary without a model then has the default length.
    pub length: Option<Length>,
}

/// Decoding options that are not left to the checkpoint. Those of the caller take precedence over those of the
/// settings file.
#[derive(Clone, Debug, Default)]
pub struct DecodingLayers {
    /// The options that the caller set.
    pub flags: Overrides,
    /// The options in the user's settings file.
    pub file: Overrides,
    /// A text that is put before every source.
    pub prefix: Option<String>,
    /// The name of the first option that the caller set, for the error message if no model is used.
    pub first_flag: Option<String>,
}

/// The options that a pipeline is loaded by. The default translates from Dutch to English with the best installed
/// model.
#[derive(Clone, Debug, Default)]
pub struct PipelineOptions {
    /// The task of the pipeline.
    pub task: PipelineTask,
    /// The model of the task: an alias, a folder, or `owner/name[@revision]`. `None` takes the best one installed.
    pub model: Option<String>,
    /// A LoRA adapter of that model: a folder, or `owner/name[@revision]`.
    pub adapter: Option<String>,
    /// The model that writes the summaries of a digest. `None` takes the best one installed, if there is one.
    pub summary_model: Option<String>,
    /// The code of the sources' language, `nl` if `None`.
    pub from: Option<String>,
    /// Whether sources are in different languages. The caller then detects the language of each, and passes it with
    /// the text.
    pub detects: bool,
    /// The code of the language of the translations, `en` if `None`.
    pub to: Option<String>,
    /// The summary, if one is wanted.
    pub summary: Option<SummaryRequest>,
    /// The tokens of a source with global attention, for models whose callers choose these.
    pub global_attention: Option<GlobalAttention>,
    /// Which words of a translation and of its source belong together is said, where the model has a head for that.
    pub aligns: bool,
    /// The head that says so where it is asked. `None` takes the one that the catalogue names.
    pub alignment_head: Option<AlignmentHead>,
    /// The decoding options of the model of the task.
    pub decoding: DecodingLayers,
    /// The device. `None` takes the first GPU, or else the CPU.
    pub device: Option<DeviceChoice>,
    /// The type to compute in. `None` takes one that fits the device.
    pub compute_type: Option<ComputeType>,
    /// The folder in which int8 weights are kept for later starts. With `None` they are not kept.
    pub cache: Option<PathBuf>,
    /// Whether no network connection may be opened.
    pub offline: bool,
    /// Most source tokens of a batch, padding included. `None` takes a number that fits the device.
    pub batch_tokens: Option<usize>,
}

impl PipelineOptions {
    /// Options for Dutch articles that `model` translates to English, each with a summary on top. The model is an alias, a
    /// folder, or `owner/name[@revision]`.
    #[must_use]
    pub fn digest(model: &str) -> Self {
        Self { model: Some(model.to_owned()), summary: Some(SummaryRequest::default()), ..Self::default() }
    }

    /// The code of the sources' language.
    #[must_use]
    pub fn source_language(&self) -> &str {
        self.from.as_deref().unwrap_or("nl")
    }

    /// The code of the language of the translations.
    #[must_use]
    pub fn target_language(&self) -> &str {
        self.to.as_deref().unwrap_or("en")
    }

    /// The code of the language of the texts to summarise, for a summary model that does not read the source of a
    /// translation.
    #[must_use]
    pub fn summary_language(&self) -> &str {
        match self.task {
            PipelineTask::Summarize => self.from.as_deref().unwrap_or("en"),
            _ => self.target_language(),
        }
    }

    /// Whether the caller or the settings file sets the length of a summary in tokens.
    #[must_use]
    pub fn sets_summary_tokens(&self) -> bool {
        let says = |options: &Overrides| options.min_new_tokens.is_some() || options.max_new_tokens.is_some();
        self.task == PipelineTask::Summarize && (says(&self.decoding.flags) || says(&self.decoding.file))
    }

    /// The request for the model of the task.
    pub(super) fn request(&self) -> Request {
        let generates = self.task == PipelineTask::Generate;
        let DecodingLayers { flags, file, prefix, .. } = self.decoding.clone();
        Request {
            flags,
            user: file,
            prefix,
            from: self.from.clone(),
            to: self.to.clone(),
            batch_tokens: self.batch_tokens,
            alignment: self.alignment_head.filter(|_| self.aligns),
            global_attention: self.global_attention.filter(|_| generates),
            ..Request::new(if generates { Caller::Generate } else { Caller::Article })
        }
    }

    /// The request for the summary model. In a digest, decoding options are for the translation model only.
    pub(super) fn summary_request(&self) -> Request {
        let global_attention = self.global_attention;
        if self.task == PipelineTask::Summarize {
            return Request { from: None, global_attention, alignment: None, ..self.request() };
        }
        Request { batch_tokens: self.batch_tokens, global_attention, ..Request::new(Caller::Article) }
    }
}
