//! A checkpoint without its weights: what config.json says of the model, its tokenizer, and its decode settings.
//!
//! Responsible for resolving a [`Request`]. This is fast for a model of any size, since no weights are touched.

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::Value;

use crate::error::{self, WithHint};
use crate::files::ModelFiles;
use crate::language::Code;
use crate::model::spec::{AlignmentHead, GlobalAttention};
use crate::model::{Spec, family};
use crate::tokenizer::{LanguageError, LanguageTokens, Tokenizer};

use super::Request;
use super::settings::{self, Caller, DecodeSettings, SettingSources};

/// A checkpoint without its weights.
pub struct Checkpoint {
    pub(super) name: String,
    pub(super) spec: Spec,
    pub(super) tokenizer: Tokenizer,
    config: Value,
    generation_config: Option<Value>,
}

/// A request in which the checkpoint has decided everything that was left open.
#[derive(Clone, Debug, Serialize)]
pub struct ResolvedRequest {
    /// The decode settings.
    pub settings: DecodeSettings,
    /// The tokens of the requested languages.
    pub language_tokens: LanguageTokens,
    /// Text before every source.
    pub prefix: String,
    /// Which source tokens have global attention.
    pub global_attention: GlobalAttention,
    /// The head that says which words belong together, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<AlignmentHead>,
    /// Whether spaces before English punctuation are removed from the output; `None`: the checkpoint decides.
    pub clean_up: Option<bool>,
}

impl Checkpoint {
    /// Opens a checkpoint: reads all files but the weights.
    ///
    /// # Errors
    /// When a file is missing, damaged, or of another model than the other files.
    pub fn open(files: &ModelFiles) -> Result<Self> {
        let opened = || -> Result<_> {
            let (config, spec) = Self::specification(files)?;
            Self::with_specification(files, config, spec)
        };
        opened().with_context(|| format!("cannot load the model `{}`", files.name()))
    }

    /// Reads config.json, and what it says of the model.
    pub(super) fn specification(files: &ModelFiles) -> Result<(Value, Spec)> {
        let config = files.json("config.json")?.unwrap_or_default();
        let spec = family::parse(&config)?;
        Ok((config, spec))
    }

    /// Reads all files but config.json, which is read, and the weights.
    pub(super) fn with_specification(files: &ModelFiles, config: Value, spec: Spec) -> Result<Self> {
        let tokenizer = Tokenizer::load(files)?;
        let generation_config = files.json("generation_config.json")?;
        Ok(Self { name: files.full_name(), spec, tokenizer, config, generation_config })
    }

    /// The specification of the model.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The most source tokens, special ones included, that the model was made for.
    #[must_use]
    pub fn window(&self) -> usize {
        let window = self.spec.encoder.window;
        self.tokenizer.max_length().map_or(window, |most| window.min(most))
    }

    /// Resolves a request.
    ///
    /// # Errors
    /// When a setting is impossible, or the model does not know a language.
    pub fn resolve(&self, request: &Request) -> Result<ResolvedRequest> {
        let language_tokens = self.language_tokens(request)?;
        let mut settings = settings::resolve(&SettingSources {
            call: request.call.as_ref(),
            flags: &request.flags,
            user: &request.user,
            catalogue: request.catalogue.as_ref(),
            task: request.task.as_deref(),
            defaults: request.defaults.as_ref(),
            config: &self.config,
            generation_config: self.generation_config.as_ref(),
            window: self.window().min(self.spec.decoder.window),
            positions: self.spec.target_capacity(),
            after_start: language_tokens.after_start,
            caller: request.caller,
        })?;
        settings.take_languages(language_tokens.forced_bos, language_tokens.decoder_start);
        let task_prefix = || self.task_prefix(request.task.as_deref()?);
        let prefix = request.prefix.clone().or_else(task_prefix).unwrap_or_default();
        let global_attention = self.global_attention(request)?;
        if self.spec.has_global_first() {
            settings.note_global_attention(global_attention, request.global_attention.is_some());
        }
        let alignment = request.alignment.map(|head| head.of(&self.spec).map(|_| head)).transpose()?;
        Ok(ResolvedRequest {
            settings,
            language_tokens,
            prefix,
            global_attention,
            alignment,
            clean_up: request.clean_up,
        })
    }

    /// Which source tokens have global attention. For a task it is the first one, as the cards of such models recommend.
    fn global_attention(&self, request: &Request) -> Result<GlobalAttention> {
        ensure!(
            request.global_attention.is_none() || self.spec.has_global_first(),
            format!(
                "`--global-attention` does not apply to `{}`, a model of the family `{}`",
                self.name, self.spec.family
            )
            .with_hint("leave it out")
        );
        let usual = match request.task {
            // The pipelines of transformers 4 did not do this.
            Some(_) if self.spec.has_global_first() && request.caller != Caller::Pipeline => GlobalAttention::First,
            _ => GlobalAttention::None,
        };
        Ok(request.global_attention.unwrap_or(usual))
    }

    /// The tokens of the requested languages. In a pipeline, a language has a meaning only if the model takes one. The
    /// token of the target language is then always the first one generated, even if the model was trained to start from
    /// it.
    fn language_tokens(&self, request: &Request) -> Result<LanguageTokens> {
        let (from, to) = (request.from.as_deref(), request.to.as_deref());
        let found = self.tokenizer.language_tokens(from, to);
        if request.caller != Caller::Pipeline {
            return found;
        }
        if found.as_ref().is_err_and(|error| matches!(error::find(error), Some(LanguageError::NotApplicable { .. }))) {
            return self.tokenizer.language_tokens(None, None);
        }
        let mut tokens = found?;
        let told = [tokens.forced_bos, tokens.decoder_start, tokens.after_start];
        let needed = told.iter().any(Option::is_some);
        if needed && (from.is_none() || to.is_none()) {
            bail!(
                format!("`{}` must be told both languages", self.name)
                    .with_hint("give them as `src_lang` and `tgt_lang`, or in the task as `translation_nl_to_en`")
            );
        }
        (tokens.decoder_start, tokens.after_start) = (None, None);
        tokens.forced_bos = told.into_iter().flatten().next();
        Ok(tokens)
    }

    /// The key in `task_specific_params` for a task: the one for this language if there is one.
    #[must_use]
    pub fn task(&self, name: &str, language: &str) -> String {
        let special = format!("{name}_{}", Code::parse(language).short());
        let known = self.config.get("task_specific_params").is_some_and(|tasks| tasks.get(&special).is_some());
        if known { special } else { name.to_owned() }
    }

    /// The prefix that transformers 4's pipelines put before a source: the task's, else that of the whole config.json.
    /// BART's is a space, which changes its first token (<https://github.com/huggingface/transformers/issues/14673>).
    fn task_prefix(&self, task: &str) -> Option<String> {
        let own = || self.config.get("task_specific_params")?.get(task)?.get("prefix")?.as_str();
        own().or_else(|| self.config.get("prefix")?.as_str()).map(str::to_owned)
    }
}
