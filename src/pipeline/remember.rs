//! The memory of a pipeline: which part of it a session may use.
//!
//! Invariant: the key of a session's part of the memory contains all that decides the session's outputs: the
//! [`ModelKey`] that `--resume` also compares. A model is identified by its revision, or else by the contents of its
//! files.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{LoadedModel, ModelKey, Pipeline};
use crate::engine::Session;
use crate::files::ModelFiles;
use crate::hub::Resolved;
use crate::kernels::simd::Level;
use crate::memory::{Memory, MemoryScope};

/// The memory of a pipeline, and how it is used.
pub(super) struct PipelineMemory {
    memory: Memory,
    similar: Option<u8>,
    /// The identities of the models, the one that translates first.
    identities: Vec<String>,
}

/// All that decides the outputs of a session.
#[derive(Serialize)]
struct SessionKey<'a> {
    version: &'static str,
    /// The instruction set, because sums differ in their last digits between instruction sets.
    simd: &'static str,
    model: ModelKey,
    from: &'a str,
    to: &'a str,
}

impl Pipeline {
    /// The pipeline with a memory, from which it recalls outputs and in which it keeps them. `similar` is the
    /// percentage from which on sources are reported as similar.
    ///
    /// # Errors
    /// When a file of a model cannot be read.
    #[doc(hidden)]
    pub fn with_memory(self, memory: Option<Memory>, similar: Option<u8>) -> Result<Self> {
        let Some(memory) = memory else { return Ok(self) };
        let identities = self.models.all().map(|model| identity(model.files(), &memory)).collect::<Result<_>>()?;
        Ok(Self { memory: Some(PipelineMemory { memory, similar, identities }), ..self })
    }

    /// The memory of the pipeline.
    #[doc(hidden)]
    #[must_use]
    pub fn memory(&self) -> Option<&Memory> {
        Some(&self.memory.as_ref()?.memory)
    }

    /// The key of a session of a model between two languages: all that decides its outputs, as JSON.
    ///
    /// # Errors
    /// When the model is not one of the pipeline's, or the pipeline has no memory.
    #[doc(hidden)]
    pub fn session_key(&self, model: &LoadedModel, session: &Session, from: &str, to: &str) -> Result<Vec<u8>> {
        let place = self.models.all().position(|one| std::ptr::eq(one, model));
        let identity = self.memory.as_ref().zip(place).and_then(|(memory, place)| memory.identities.get(place));
        let key = model.key_of(session).named(identity.context("the model is not one of the pipeline's")?);
        let (version, simd) = (env!("CARGO_PKG_VERSION"), Level::current().name());
        Ok(serde_json::to_vec(&SessionKey { version, simd, model: key, from, to })?)
    }

    /// The part of the memory for a session of a model between two languages; `None` without a memory. If outputs are
    /// sampled or `only_corrections` is set, it has corrections only.
    ///
    /// # Errors
    /// When the model is not one of the pipeline's.
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

    /// The part of the memory for summaries by a session of a model; `None` without a memory, or if summaries are
    /// sampled.
    ///
    /// # Errors
    /// When the model is not one of the pipeline's.
    #[doc(hidden)]
    pub fn summary_scope(&self, asked: (&LoadedModel, &Session), language: &str) -> Result<Option<MemoryScope<'_>>> {
        let is_kept = asked.1.settings().options.sampling.is_none();
        Ok(self.scope(asked, (language, language), false)?.filter(|_| is_kept))
    }
}

/// The names, sizes and times of the files of a model without a revision, and of its adapter; they change with the
/// files.
pub(super) fn fingerprint(found: &Resolved) -> String {
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

/// The identity of a model and its adapter: the revision, or else the hashes of the files.
fn identity(files: &ModelFiles, memory: &Memory) -> Result<String> {
    let mut identity = files.revision().map_or_else(|| files.embedded_checksums(), str::to_owned);
    if files.revision().is_none() {
        for name in files.names() {
            if let Some(path) = files.path(name) {
                identity += &format!("{name} {}\n", content(path, memory)?);
            }
        }
    }
    if let Some(adapter) = files.adapter() {
        identity += &format!("with {}", self::identity(adapter, memory)?);
    }
    Ok(identity)
}

/// The SHA-256 of a file. The memory has it if the file's size and time have not changed since it was computed.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_model_inside_is_another_model() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(&folder.path().join("memory")).unwrap();
        let of = |weights: &'static [u8]| {
            identity(&ModelFiles::embedded("inside", &[("config.json", b"{}"), ("weights", weights)]), &memory).unwrap()
        };
        assert_eq!(of(b"one"), of(b"one"));
        assert_ne!(of(b"one"), of(b"two"));
    }
}
