//! What a pipeline knows of earlier runs.
//!
//! Invariant: the part of a memory that a session uses is named by all that decides what the session makes of a text: the same
//! value ([`ModelKey`]) that `--resume` goes by. A model is known by its revision, or by what its files hold.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{LoadedModel, ModelKey, Pipeline};
use crate::engine::Session;
use crate::files::ModelFiles;
use crate::kernels::simd::Level;
use crate::memory::{Memory, MemoryScope};

/// A memory, and what of it is used.
pub(super) struct PipelineMemory {
    memory: Memory,
    similar: Option<u8>,
    /// What the models are known by, the one that translates first.
    identities: Vec<String>,
}

/// All that decides what a session makes of a text.
#[derive(Serialize)]
struct SessionKey<'a> {
    version: &'static str,
    /// Instruction sets differ in the last digits of their sums.
    simd: &'static str,
    model: ModelKey,
    from: &'a str,
    to: &'a str,
}

impl Pipeline {
    /// Has the pipeline recall what a memory knows and keep there what its models make. With `similar`, sources are similar that
    /// are so by this many percent.
    ///
    /// # Errors
    /// When a file of a model cannot be read.
    #[doc(hidden)]
    pub fn with_memory(self, memory: Option<Memory>, similar: Option<u8>) -> Result<Self> {
        let Some(memory) = memory else { return Ok(self) };
        let identities = self.models.all().map(|model| identity(model.files(), &memory)).collect::<Result<_>>()?;
        Ok(Self { memory: Some(PipelineMemory { memory, similar, identities }), ..self })
    }

    /// The memory.
    #[doc(hidden)]
    #[must_use]
    pub fn memory(&self) -> Option<&Memory> {
        Some(&self.memory.as_ref()?.memory)
    }

    /// All that decides what a session of a model makes of a text between two languages.
    ///
    /// # Errors
    /// Never in practice: all of it can be written as JSON.
    #[doc(hidden)]
    pub fn session_key(&self, model: &LoadedModel, session: &Session, from: &str, to: &str) -> Result<Vec<u8>> {
        let place = self.models.all().position(|one| std::ptr::eq(one, model));
        let identity = self.memory.as_ref().zip(place).and_then(|(memory, place)| memory.identities.get(place));
        let key = model.key_of(session).named(identity.context("the model is not one of the pipeline's")?);
        let (version, simd) = (env!("CARGO_PKG_VERSION"), Level::current().name());
        Ok(serde_json::to_vec(&SessionKey { version, simd, model: key, from, to })?)
    }

    /// The part of the memory that is for a session of a model between two languages. Where outputs are drawn by chance or
    /// `only_corrections` is said, only corrections are.
    ///
    /// # Errors
    /// Never in practice: all that is in a key can be written as JSON.
    #[doc(hidden)]
    pub fn scope(
        &self,
        (model, session): (&LoadedModel, &Session),
        (from, to): (&str, &str),
        only_corrections: bool,
    ) -> Result<Option<MemoryScope<'_>>> {
        let Some(PipelineMemory { memory, similar, .. }) = &self.memory else { return Ok(None) };
        let is_kept = !only_corrections && session.settings().options.sampling.is_none();
        let key = is_kept.then(|| self.session_key(model, session, from, to)).transpose()?;
        let scope = MemoryScope::new(memory, key.as_deref(), model.engine().name(), from, to);
        Ok(Some(scope.with_similar(*similar)))
    }

    /// The part of the memory that is for summaries by a session of a model; none where they are drawn by chance.
    ///
    /// # Errors
    /// As [`Self::scope`].
    #[doc(hidden)]
    pub fn summary_scope(&self, asked: (&LoadedModel, &Session), language: &str) -> Result<Option<MemoryScope<'_>>> {
        let is_kept = asked.1.settings().options.sampling.is_none();
        Ok(self.scope(asked, (language, language), false)?.filter(|_| is_kept))
    }
}

/// What a model is known by, and its adapter: the revision, else the content of its files. The built-in model has the version of
/// the program.
fn identity(files: &ModelFiles, memory: &Memory) -> Result<String> {
    let mut identity = files.revision().map_or_else(String::new, str::to_owned);
    if files.revision().is_none() {
        for name in files.names() {
            let Some(path) = files.path(name) else {
                identity += &format!("{} {name}\n", files.name());
                continue;
            };
            identity += &format!("{name} {}\n", content(path, memory)?);
        }
    }
    if let Some(adapter) = files.adapter() {
        identity += &format!("with {}", self::identity(adapter, memory)?);
    }
    Ok(identity)
}

/// The SHA-256 of a file; of one that looks as it did, the memory knows it.
fn content(path: &Path, memory: &Memory) -> Result<String> {
    let read = || format!("cannot read `{}`", path.display());
    let place = path.canonicalize().with_context(read)?;
    let found = place.metadata().with_context(read)?;
    let seen = format!("{} {:?}", found.len(), found.modified().with_context(read)?);
    memory.content(&place, &seen, || {
        let mut hash = Sha256::new();
        std::io::copy(&mut File::open(&place).with_context(read)?, &mut hash).with_context(read)?;
        Ok(format!("{:x}", hash.finalize()))
    })
}
