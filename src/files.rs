//! A model folder: named files in the Hugging Face layout, on disk or embedded in the binary.
//!
//! Invariant: a `ModelFiles` names only files that existed when it was made; reading one that is missing is an error
//! that names the file and the model. The contents of the files belong to `tokenizer` and `model`; how they came onto
//! this machine belongs to `hub`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::error::{Error, Explain, WithHint};

/// Where the bytes of one file are.
#[derive(Clone, Debug)]
enum Location {
    Disk(PathBuf),
    Embedded(&'static [u8]),
}

/// The files of one checkpoint, by their names in the repository.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    name: String,
    revision: Option<String>,
    files: BTreeMap<String, Location>,
    /// The files of the adapter that is merged into the weights.
    adapter: Option<Box<ModelFiles>>,
}

impl ModelFiles {
    /// All plain files directly inside `folder` (links followed, as in the snapshot layout of the
    /// Hugging Face cache). `name` is what the model is called in messages and reports.
    ///
    /// # Errors
    /// When the folder cannot be read, or holds no `config.json`.
    pub fn folder(folder: &Path, name: &str, revision: Option<String>) -> Result<Self> {
        let files = listed(folder)?;
        if !files.contains_key("config.json") {
            bail!(
                format!("`{}` is not a model folder: it has no `config.json`", folder.display())
                    .with_hint("give the folder that holds config.json, the weights and the tokenizer files")
            );
        }
        Ok(Self { name: name.to_owned(), revision, files, adapter: None })
    }

    /// All plain files directly inside the folder of an adapter.
    ///
    /// # Errors
    /// When the folder cannot be read, or holds no `adapter_config.json`.
    pub fn adapter_folder(folder: &Path, name: &str, revision: Option<String>) -> Result<Self> {
        let files = listed(folder)?;
        if !files.contains_key("adapter_config.json") {
            bail!(
                format!("`{}` is not the folder of an adapter: it has no `adapter_config.json`", folder.display())
                    .with_hint("give the folder that holds adapter_config.json and adapter_model.safetensors")
            );
        }
        Ok(Self { name: name.to_owned(), revision, files, adapter: None })
    }

    /// These files together with those of an adapter, which is merged into the weights as they are loaded.
    #[must_use]
    pub fn with_adapter(self, adapter: Self) -> Self {
        Self { adapter: Some(Box::new(adapter)), ..self }
    }

    /// The files of the adapter that is merged into the weights; `None` without an adapter.
    #[must_use]
    pub fn adapter(&self) -> Option<&Self> {
        self.adapter.as_deref()
    }

    /// A checkpoint compiled into the binary.
    #[must_use]
    pub fn embedded(name: &str, files: &[(&str, &'static [u8])]) -> Self {
        let files = files.iter().map(|&(file, bytes)| (file.to_owned(), Location::Embedded(bytes))).collect();
        Self { name: name.to_owned(), revision: None, files, adapter: None }
    }

    /// The model's name: an alias, a repository, or a folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The commit of the repository these files are from, where that is known.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// `name@revision`, or the name alone; with an adapter, ` + ` and that of the adapter.
    #[must_use]
    pub fn full_name(&self) -> String {
        let own = match &self.revision {
            Some(revision) => format!("{}@{revision}", self.name),
            None => self.name.clone(),
        };
        match &self.adapter {
            Some(adapter) => format!("{own} + {}", adapter.full_name()),
            None => own,
        }
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether there is a file of this name.
    #[must_use]
    pub fn has(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    /// Where the file lies on disk; `None` when it is missing or embedded.
    #[must_use]
    pub fn path(&self, file: &str) -> Option<&Path> {
        match self.files.get(file)? {
            Location::Disk(path) => Some(path),
            Location::Embedded(_) => None,
        }
    }

    /// The bytes of an embedded file, not copied; `None` when it is missing or on disk.
    #[must_use]
    pub fn embedded_bytes(&self, file: &str) -> Option<&'static [u8]> {
        match self.files.get(file)? {
            Location::Disk(_) => None,
            Location::Embedded(bytes) => Some(bytes),
        }
    }

    /// The name and the CRC-32 of each embedded file, one a line; empty if the files are on disk. Two builds of one version may have
    /// different models inside under one name.
    #[must_use]
    pub fn embedded_checksums(&self) -> String {
        let checksum = |name| Some(format!("{name} {:08x}\n", crc32fast::hash(self.embedded_bytes(name)?)));
        self.names().filter_map(checksum).collect()
    }

    /// All bytes of one file.
    ///
    /// # Errors
    /// When the model has no such file, or it cannot be read.
    pub fn read(&self, file: &str) -> Result<Cow<'static, [u8]>> {
        match self.files.get(file) {
            Some(Location::Embedded(bytes)) => Ok(Cow::Borrowed(bytes)),
            Some(Location::Disk(path)) => {
                fs::read(path).map(Cow::Owned).with_context(|| format!("cannot read `{}`", path.display()))
            }
            None => bail!(format!("the model `{}` has no file `{file}`", self.name).with_hint(format!(
                "it has {}",
                self.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// One JSON file, or `None` when the model has none of this name.
    ///
    /// # Errors
    /// When the file cannot be read or is not JSON.
    pub fn json(&self, file: &str) -> Result<Option<Value>> {
        if !self.has(file) {
            return Ok(None);
        }
        let bytes = self.read(file)?;
        let value = serde_json::from_slice(&bytes).explain(|| {
            format!("`{file}` of the model `{}` is not valid JSON", self.name)
                .with_hint("fetch the file again, it may be cut short")
        })?;
        Ok(Some(value))
    }

    /// The error for a file whose content is not valid.
    pub(crate) fn broken(&self, file: &str) -> Error {
        format!("`{file}` of the model `{}` cannot be used", self.name)
            .with_hint("the file is broken or cut short; fetch it again")
    }
}

/// The plain files directly inside a folder, by their names; links are followed.
fn listed(folder: &Path) -> Result<BTreeMap<String, Location>> {
    let listing =
        fs::read_dir(folder).with_context(|| format!("cannot read the model folder `{}`", folder.display()))?;
    let mut files = BTreeMap::new();
    for entry in listing {
        let path = entry?.path();
        if let Some(file) = path.file_name().and_then(|file| file.to_str())
            && path.is_file()
        {
            files.insert(file.to_owned(), Location::Disk(path));
        }
    }
    Ok(files)
}
