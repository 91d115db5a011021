//! What is wanted of a pipeline before any model is looked for: which models, for which languages, and how they decode.
//!
//! Invariant: what the options leave open is settled in one place: by `choice` where it is about models, by the checkpoint
//! where it is about decoding.

use std::path::PathBuf;

use serde::Serialize;

use crate::device::{ComputeType, DeviceChoice};
use crate::engine::settings::{Caller, Overrides};
use crate::engine::{AlignmentHead, GlobalAttention, Request};
use crate::summarize::{Length, SummaryMethod};

/// What a pipeline does to a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum PipelineTask {
    /// Translates it and summarises the translation.
    #[default]
    Digest,
    /// Translates it.
    Translate,
    /// Summarises it.
    Summarize,
    /// Gives it to the model as it is.
    Generate,
}

/// A summary that is wanted.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct SummaryRequest {
    /// How the summary is made. `None` has a model write it if one is installed, and else takes sentences of the article.
    pub method: Option<SummaryMethod>,
    /// How long the summary is. `None` leaves it to the model; a summary without a model has its usual length.
    pub length: Option<Length>,
}

/// How a model decodes, where that is not left to the checkpoint. What the caller sets outranks what the settings file says.
#[derive(Clone, Debug, Default)]
pub struct DecodingLayers {
    /// What the caller sets.
    pub flags: Overrides,
    /// What the user's settings file says.
    pub file: Overrides,
    /// Text before every source.
    pub prefix: Option<String>,
    /// The name of the first option that the caller set, for the error if no model is there that decodes.
    pub first_flag: Option<String>,
}

/// Everything that a pipeline is loaded by. The default translates from Dutch to English with the best model that is installed.
#[derive(Clone, Debug, Default)]
pub struct PipelineOptions {
    /// What the pipeline does to a text.
    pub task: PipelineTask,
    /// The model of the task: an alias, a folder, or `owner/name[@revision]`. `None` takes the best one installed.
    pub model: Option<String>,
    /// A LoRA adapter of that model: a folder, or `owner/name[@revision]`.
    pub adapter: Option<String>,
    /// The model that writes the summaries of a digest. `None` takes the best one installed, if there is one.
    pub summary_model: Option<String>,
    /// The code of the sources' language, `nl` if `None`.
    pub from: Option<String>,
    /// Every source is in a language of its own, which the caller detects and passes with the text.
    pub detects: bool,
    /// The code of the language of the translations, `en` if `None`.
    pub to: Option<String>,
    /// The summary, if one is wanted.
    pub summary: Option<SummaryRequest>,
    /// Which tokens of a source see all others, for models that leave that open.
    pub global_attention: Option<GlobalAttention>,
    /// Which words of a translation and of its source belong together is said, where the model has a head for that.
    pub aligns: bool,
    /// The head that says so. `None` takes the one that the catalogue names.
    pub alignment_head: Option<AlignmentHead>,
    /// How the model of the task decodes.
    pub decoding: DecodingLayers,
    /// Where to compute. `None` takes the first GPU, or else the CPU.
    pub device: Option<DeviceChoice>,
    /// The type to compute in. `None` takes what suits the device.
    pub compute_type: Option<ComputeType>,
    /// The folder in which int8 weights are kept for later starts. `None` keeps none.
    pub cache: Option<PathBuf>,
    /// Open no network connection.
    pub offline: bool,
    /// Padded source tokens per batch. `None` takes what suits the device.
    pub batch_tokens: Option<usize>,
}

impl PipelineOptions {
    /// Options for Dutch articles that `model` translates to English, each with a summary on top. The model is an alias, a
    /// folder, or `owner/name[@revision]`.
    #[must_use]
    pub fn digest(model: &str) -> Self {
        Self { model: Some(model.to_owned()), summary: Some(SummaryRequest::default()), ..Self::default() }
    }

    /// The code of the sources' language; where each has its own, that of most.
    #[must_use]
    pub fn source_language(&self) -> &str {
        self.from.as_deref().unwrap_or("nl")
    }

    /// The code of the language of the translations.
    #[must_use]
    pub fn target_language(&self) -> &str {
        self.to.as_deref().unwrap_or("en")
    }

    /// The code of the language of what is summarised, for a summary model that does not read the source.
    #[must_use]
    pub fn summary_language(&self) -> &str {
        match self.task {
            PipelineTask::Summarize => self.from.as_deref().unwrap_or("en"),
            _ => self.target_language(),
        }
    }

    /// Whether the caller or the settings file says how many tokens a summary has.
    #[must_use]
    pub fn sets_summary_tokens(&self) -> bool {
        let says = |options: &Overrides| options.min_new_tokens.is_some() || options.max_new_tokens.is_some();
        self.task == PipelineTask::Summarize && (says(&self.decoding.flags) || says(&self.decoding.file))
    }

    /// What is wanted from the model of the task.
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
            alignment: self.alignment_head,
            global_attention: self.global_attention.filter(|_| generates),
            ..Request::new(if generates { Caller::Generate } else { Caller::Article })
        }
    }

    /// What is wanted from the summary model. In a digest, options of decoding are for the translation.
    pub(super) fn summary_request(&self) -> Request {
        let global_attention = self.global_attention;
        if self.task == PipelineTask::Summarize {
            return Request { from: None, global_attention, alignment: None, ..self.request() };
        }
        Request { batch_tokens: self.batch_tokens, global_attention, ..Request::new(Caller::Article) }
    }
}
