//! The options of a pipeline, from the typed arguments and the settings file.
//!
//! Invariant: options of models, languages, decoding and the machine get their meaning here, for all commands.

use std::path::PathBuf;

use anyhow::{Result, bail};
use kortom::engine;
use kortom::error::{Explain, WithHint};
use kortom::pipeline::{DecodingLayers, PipelineOptions, PipelineTask, SummaryRequest};
use kortom::summarize;

use super::args::{BenchArgs, ServeArgs, Wanted};
use super::decoding::{TypedDecoding, layers};
use super::options::{
    self, AlignmentOptions, GlobalAttention, LanguageOptions, MachineOptions, MemoryOptions, Method, ReadOptions,
    SummaryOptions, TermOptions,
};
use super::settings::{SettingsFile, offline_environment};

/// The language code that asks for detection.
const AUTO: &str = "auto";

/// The memory of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedMemory {
    /// The file.
    pub path: PathBuf,
    /// The percentage from which on similar sources are listed; `None` lists none.
    pub similar: Option<u8>,
}

/// The options of a pipeline, and what the command line needs beside them.
#[derive(Debug)]
pub struct PipelineArgs {
    /// The options.
    pub options: PipelineOptions,
    /// The file of terms that the translation must use.
    pub glossary: Option<PathBuf>,
    /// The memory, if one is used.
    pub memory: Option<UsedMemory>,
    /// Number of CPU threads.
    pub threads: Option<usize>,
}

impl PipelineArgs {
    /// Options without models and languages.
    pub fn new(
        task: PipelineTask,
        typed: &TypedDecoding,
        machine: &MachineOptions,
        file: &SettingsFile,
    ) -> Result<Self> {
        let MachineOptions { device, compute_type, threads, batch_tokens, no_cache, offline } = file.fill(machine)?;
        let options = PipelineOptions {
            task,
            decoding: layers(typed, file, task == PipelineTask::Generate)?,
            device,
            compute_type,
            cache: if no_cache == Some(true) { None } else { stored() },
            offline: offline == Some(true) || offline_environment(),
            batch_tokens,
            ..PipelineOptions::default()
        };
        Ok(Self { options, glossary: None, memory: None, threads })
    }

    /// The options of `kortom serve`.
    pub fn serve(args: &ServeArgs, file: &SettingsFile) -> Result<Self> {
        let mut pipeline = Self::new(PipelineTask::Digest, &TypedDecoding::new(&args.decode), &args.machine, file)?;
        pipeline.digest(&args.wanted, file)?;
        // A server's texts are those of other people, so the memory in the settings file is not used.
        pipeline.memory(&args.memory, &SettingsFile::default())?;
        let alignment_head = args.alignment_head.clone();
        pipeline.alignment(&AlignmentOptions { alignment: Some(true), alignment_head }, file)?;
        // The head is asked only for requests that want an alignment.
        pipeline.options.aligns = false;
        Ok(pipeline)
    }

    /// The options of `kortom bench`, which sets its own decoding options.
    pub fn bench(args: &BenchArgs, file: &SettingsFile) -> Result<Self> {
        let mut pipeline = Self::new(PipelineTask::Translate, &TypedDecoding::default(), &args.machine, file)?;
        pipeline.options.decoding = DecodingLayers::default();
        pipeline.options.model = args.model.clone().or_else(|| file.text("model"));
        Ok(pipeline)
    }

    /// Sets the options of a digest.
    pub fn digest(&mut self, wanted: &Wanted, file: &SettingsFile) -> Result<()> {
        self.languages(&wanted.languages, file)?;
        self.terms(&wanted.terms, file)?;
        let options = &mut self.options;
        options.model = wanted.model.model.clone().or_else(|| file.text("model"));
        options.adapter.clone_from(&wanted.model.adapter);
        options.summary_model = wanted.summary_model.clone().or_else(|| file.text("summary-model"));
        let typed = wanted.summary_model.as_deref();
        options.summary = Some(summary(&wanted.summary, typed, "--summary-model", file)?);
        options.global_attention = global_attention(&file.fill(&wanted.read)?);
        Ok(())
    }

    /// Takes which words are to be said to belong together. A head that is named is asked.
    pub fn alignment(&mut self, typed: &AlignmentOptions, file: &SettingsFile) -> Result<()> {
        let AlignmentOptions { alignment, alignment_head } = file.fill(typed)?;
        let named = alignment_head.as_deref().map(|head| {
            let error = format!("`{head}` does not name a head").with_hint("--alignment-head LAYER,HEAD, such as -1,0");
            options::layer_and_head(head).ok_or(error)
        });
        self.options.alignment_head = named.transpose()?.filter(|_| alignment != Some(false));
        self.options.aligns = alignment == Some(true) || self.options.alignment_head.is_some();
        Ok(())
    }

    /// Sets the languages of a translation.
    pub fn languages(&mut self, typed: &LanguageOptions, file: &SettingsFile) -> Result<()> {
        let languages = file.fill(typed)?;
        self.source_language(languages.from);
        self.options.to = languages.to;
        Ok(())
    }

    /// Sets the language of the sources; with `auto` the language of each is detected.
    pub fn source_language(&mut self, code: Option<String>) {
        self.options.detects = code.as_deref() == Some(AUTO);
        self.options.from = code.filter(|code| code != AUTO);
    }

    /// Sets the memory.
    ///
    /// # Errors
    /// When outputs are sampled, since those are not kept.
    pub fn memory(&mut self, typed: &MemoryOptions, file: &SettingsFile) -> Result<()> {
        let MemoryOptions { memory, no_memory, memory_fuzzy: similar } = file.fill(typed)?;
        let path = match memory.as_deref() {
            _ if no_memory == Some(true) => None,
            None | Some("off") => None,
            Some("on") => Some(
                usual_memory()
                    .explain(|| "this system has no folder for data".with_hint("name a file: `--memory FILE`"))?,
            ),
            Some(path) => Some(PathBuf::from(path)),
        };
        if path.is_none() && no_memory != Some(true) && typed.memory_fuzzy.is_some() {
            bail!("`--memory-fuzzy` needs a memory".with_hint("add `--memory on`, or leave it out"));
        }
        let DecodingLayers { flags, file, .. } = &self.options.decoding;
        if path.is_some() && flags.sample.or(file.sample) == Some(true) {
            bail!(
                "a memory does not apply to outputs that are drawn by chance"
                    .with_hint("leave out --sample, or add --no-memory")
            );
        }
        self.memory = path.map(|path| UsedMemory { path, similar });
        Ok(())
    }

    /// Sets the glossary.
    ///
    /// # Errors
    /// When outputs are sampled, since sampling cannot follow a glossary, or when languages are detected, since its
    /// terms are of one language.
    pub fn terms(&mut self, typed: &TermOptions, file: &SettingsFile) -> Result<()> {
        self.glossary = file.fill(typed)?.glossary;
        let DecodingLayers { flags, file, .. } = &self.options.decoding;
        if self.glossary.is_some() && flags.sample.or(file.sample) == Some(true) {
            bail!(
                "a glossary does not apply to outputs that are drawn by chance"
                    .with_hint("leave out --sample or --glossary")
            );
        }
        if self.glossary.is_some() && self.options.detects {
            bail!("a glossary has terms of one language".with_hint("name it with `--from`, in place of `auto`"));
        }
        Ok(())
    }
}

/// The requested summary; `model` is the value of `flag`, if that was typed.
pub fn summary(typed: &SummaryOptions, model: Option<&str>, flag: &str, file: &SettingsFile) -> Result<SummaryRequest> {
    let summary = file.fill(typed)?;
    if model.is_some() && typed.method == Some(Method::Extractive) {
        bail!(
            format!("`{flag}` does not apply to extractive summaries, which need no model")
                .with_hint("leave one of the two out")
        );
    }
    let method = match summary.method {
        _ if model.is_some() => Some(summarize::SummaryMethod::Abstractive),
        Some(Method::Abstractive) => Some(summarize::SummaryMethod::Abstractive),
        Some(Method::Extractive) => Some(summarize::SummaryMethod::Extractive),
        Some(Method::Auto) | None => None,
    };
    let length = summary.summary_length.map(|length| length.parse()).transpose()?;
    Ok(SummaryRequest { method, length })
}

/// The option for global attention, as the engine's type.
pub fn global_attention(read: &ReadOptions) -> Option<engine::GlobalAttention> {
    read.global_attention.map(|which| match which {
        GlobalAttention::None => engine::GlobalAttention::None,
        GlobalAttention::First => engine::GlobalAttention::First,
    })
}

/// The file of `--memory on`.
pub fn usual_memory() -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("kortom").join("memory.sqlite"))
}

/// The folder in which int8 weights are stored for later starts.
pub fn stored() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("kortom"))
}
