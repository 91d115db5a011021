//! Installed models: listing, verifying and removing them.
//!
//! Invariant: listing and verifying write nothing. Removal deletes files inside one repository's folder of the cache
//! only, and no blob that a remaining snapshot links to. Telling the user that other programs share the cache belongs
//! to the caller.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::Value;

use super::cache::{self, RepoId, Snapshot};
use super::catalog::{self, CatalogEntry, ModelTask};
use super::{Hub, Origin, checksum, facts, layout};
use crate::error::{Explain, WithHint};
use crate::files::ModelFiles;
use crate::model::family;

/// One model on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Installed {
    /// What to write after `--model`.
    pub name: String,
    /// `owner/name`, for a model from the Hub.
    pub repository: Option<String>,
    /// The commit, for a model from the Hub.
    pub revision: Option<String>,
    /// The branches and tags that stand for this commit here.
    pub refs: Vec<String>,
    /// Where the model was found.
    pub origin: Origin,
    /// The model's folder; `None` for the bundled model.
    pub folder: Option<PathBuf>,
    /// Bytes.
    pub size: u64,
    /// The family, `model_type` in config.json.
    pub family: Option<String>,
    /// What the model is for, where the catalogue knows.
    pub task: Option<ModelTask>,
    /// Source languages, where the catalogue knows.
    pub from: Vec<String>,
    /// Target languages, where the catalogue knows.
    pub to: Vec<String>,
    /// The licence, from the model card, else from the catalogue.
    pub license: Option<String>,
    /// Files that are missing before the model can be used.
    pub missing: Vec<String>,
}

impl Installed {
    fn new(files: &ModelFiles, name: &str, entry: Option<&CatalogEntry>, origin: Origin) -> Self {
        let size = |name: &str| match files.path(name) {
            Some(path) => path.metadata().map_or(0, |file| file.len()),
            None => files.embedded_bytes(name).map_or(0, |bytes| bytes.len() as u64),
        };
        Self {
            name: name.to_owned(),
            repository: entry.and_then(|entry| entry.repo.clone()),
            revision: files.revision().map(str::to_owned),
            refs: Vec::new(),
            origin,
            folder: None,
            size: files.names().map(size).sum(),
            family: family(files),
            task: entry.map(|entry| entry.task),
            from: entry.map(|entry| entry.from.clone()).unwrap_or_default(),
            to: entry.map(|entry| entry.to.clone()).unwrap_or_default(),
            license: facts::card_license(files).or_else(|| entry?.license.clone()),
            missing: layout::missing(files),
        }
    }
}

fn family(files: &ModelFiles) -> Option<String> {
    let config = files.json("config.json").ok().flatten()?;
    config.get("model_type").and_then(Value::as_str).map(str::to_owned)
}

/// Whether one file still has the content it was fetched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The hash is right.
    Right,
    /// The hash is wrong.
    Changed,
    /// The file is listed, but its content is gone.
    Missing,
    /// There is no hash to compare with.
    Unknown,
}

/// One file as `verify` found it.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The file's name.
    pub file: String,
    /// The result.
    pub verdict: Verdict,
}

/// What removing a model deletes.
#[derive(Clone, Debug, Serialize)]
pub struct Removal {
    /// `owner/name`.
    pub repository: String,
    /// The commits whose snapshots go.
    pub commits: Vec<String>,
    /// Commits that stay, because one revision was named.
    pub kept: Vec<String>,
    /// Files and folders to delete.
    pub paths: Vec<PathBuf>,
    /// Bytes that become free.
    pub size: u64,
    /// Bytes that stay in a store which all repositories of the cache share, because other programs keep account of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub shared: u64,
}

// serde requires this signature.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

impl Hub {
    /// All models on this machine that kortom could use, and how many others are in the cache.
    ///
    /// # Errors
    /// When the cache or the folder of models cannot be read.
    pub fn list(&self) -> Result<(Vec<Installed>, usize)> {
        let mut found = self.list_models_folder()?;
        let mut others = 0;
        for snapshot in cache::snapshots(&self.options.cache)? {
            let files = snapshot.files().ok();
            let known = catalog::repository(&snapshot.repository);
            // Models that cannot be run belong to other programs.
            match files.filter(|files| family(files).is_some_and(|name| family::is_known(&name))) {
                Some(files) => found.push(in_cache(&files, &snapshot, known)),
                None => others += 1,
            }
        }
        let bundled = catalog::alias(catalog::BUNDLED);
        found.push(Installed::new(&catalog::bundled(), catalog::BUNDLED, bundled, Origin::Bundled));
        Ok((found, others))
    }

    /// Folders below `KORTOM_MODELS`, one or two levels down: `name`, or `owner/name`.
    fn list_models_folder(&self) -> Result<Vec<Installed>> {
        let Some(models) = &self.options.models else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for name in cache::sorted_names(models)? {
            let inner = cache::sorted_names(&models.join(&name))?.into_iter().map(|inner| format!("{name}/{inner}"));
            for name in std::iter::once(name.clone()).chain(inner) {
                let folder = models.join(&name);
                let Ok(files) = ModelFiles::folder(&folder, &name, None) else { continue };
                let entry = catalog::alias(&name).or_else(|| catalog::repository(&name));
                let installed = Installed::new(&files, &name, entry, Origin::Models);
                found.push(Installed { folder: Some(folder), ..installed });
            }
        }
        Ok(found)
    }

    /// Re-reads every file of a model and compares it with the hash it was fetched with.
    ///
    /// # Errors
    /// When there is no such model here, or a file cannot be read.
    pub fn verify(&self, name: &str) -> Result<Vec<Checked>> {
        let Some(folder) = self.folder_of(name)? else {
            let files = catalog::bundled();
            let embedded = |name: &str| Checked { file: name.to_owned(), verdict: Verdict::Unknown };
            return Ok(files.names().map(embedded).collect());
        };
        let names = cache::sorted_names(&folder)?.into_iter().filter(|name| !folder.join(name).is_dir());
        names.map(|file| Ok(Checked { verdict: check(&folder.join(&file))?, file })).collect()
    }

    /// The folder of a model, whole or not; `None` for the bundled one.
    ///
    /// # Errors
    /// When there is no such model here.
    pub fn folder_of(&self, name: &str) -> Result<Option<PathBuf>> {
        match self.named(name)? {
            super::ModelName::Bundled(_) => Ok(None),
            super::ModelName::Folder(folder, ..) => Ok(Some(folder)),
            super::ModelName::Repository(repository, _) => {
                let here = cache::snapshot(&self.options.cache, &repository).map(|snapshot| snapshot.folder);
                here.map(Some).explain(|| {
                    format!("the model `{name}` is not installed").with_hint(format!("kortom models pull {name}"))
                })
            }
        }
    }

    /// What `rm` would delete: the whole repository, or with `@revision` that one snapshot and what only it uses.
    ///
    /// # Errors
    /// When the model is not in the cache: folders that a person made are theirs to remove.
    pub fn removal(&self, name: &str) -> Result<Removal> {
        match self.named(name)? {
            super::ModelName::Bundled(_) => {
                bail!(format!("`{name}` is part of kortom").with_hint("it takes no room of its own on the disk"))
            }
            super::ModelName::Folder(folder, ..) => bail!(
                format!("`{}` is a folder that kortom did not make", folder.display())
                    .with_hint("remove it yourself if nothing else needs it")
            ),
            super::ModelName::Repository(repository, _) if name.contains('@') => self.one_snapshot(name, &repository),
            super::ModelName::Repository(repository, _) => self.whole_repository(name, &repository),
        }
    }

    fn whole_repository(&self, name: &str, repository: &RepoId) -> Result<Removal> {
        let root = cache::repository_folder(&self.options.cache, repository);
        if !root.is_dir() || root.is_symlink() {
            bail!(
                format!("the model `{name}` is not in the cache `{}`", self.options.cache.display())
                    .with_hint("kortom models list")
            );
        }
        let commits = cache::sorted_names(&root.join("snapshots"))?;
        let size = size_below(&root);
        let blobs = cache::sorted_names(&root.join("blobs"))?;
        let shared = shared_size(blobs.iter().map(|name| root.join("blobs").join(name)), &root);
        let locks = self.options.cache.join(".locks").join(root.file_name().unwrap_or_default());
        let paths = [root, locks].into_iter().filter(|path| path.is_dir()).collect();
        Ok(Removal { repository: repository.name.clone(), commits, kept: Vec::new(), paths, size, shared })
    }

    fn one_snapshot(&self, name: &str, repository: &RepoId) -> Result<Removal> {
        let snapshot = cache::snapshot(&self.options.cache, repository);
        let snapshot =
            snapshot.explain(|| format!("the model `{name}` is not installed").with_hint("kortom models list"))?;
        let others = cache::snapshots(&self.options.cache)?;
        let others: Vec<_> =
            others.iter().filter(|o| o.repository == snapshot.repository && o.commit != snapshot.commit).collect();
        let shared: BTreeSet<PathBuf> = others.iter().flat_map(|other| other.blobs()).collect();
        let blobs = fs::canonicalize(snapshot.root().join("blobs")).unwrap_or_default();
        let own = snapshot.blobs().into_iter().filter(|blob| blob.starts_with(&blobs) && !shared.contains(blob));
        let mut paths: Vec<PathBuf> = own.collect();
        let size = paths.iter().map(|blob| size_below(blob)).sum();
        let shared = shared_size(paths.iter().cloned(), &blobs);
        paths.extend(snapshot.refs.iter().map(|name| snapshot.root().join("refs").join(name)));
        paths.push(snapshot.folder.clone());
        let kept = others.iter().map(|other| other.commit.clone()).collect();
        Ok(Removal { repository: snapshot.repository, commits: vec![snapshot.commit], kept, paths, size, shared })
    }

    /// Deletes the paths of a removal.
    ///
    /// # Errors
    /// When something cannot be deleted.
    pub fn remove(&self, removal: &Removal) -> Result<()> {
        for path in &removal.paths {
            let removed =
                if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            removed.explain(|| format!("cannot remove `{}`", path.display()).with_hint("whose is it?"))?;
        }
        Ok(())
    }
}

fn in_cache(files: &ModelFiles, snapshot: &Snapshot, known: Option<&CatalogEntry>) -> Installed {
    let main = |entry: &&CatalogEntry| snapshot.refs.contains(&entry.revision);
    let name = match known.filter(main) {
        Some(entry) => entry.alias.clone(),
        None if snapshot.refs.iter().any(|name| name == "main") => snapshot.repository.clone(),
        None => format!("{}@{}", snapshot.repository, snapshot.refs.first().unwrap_or(&snapshot.commit)),
    };
    let installed = Installed::new(files, &name, known, Origin::Cache);
    Installed {
        repository: Some(snapshot.repository.clone()),
        refs: snapshot.refs.clone(),
        folder: Some(snapshot.folder.clone()),
        ..installed
    }
}

/// Compares a file with its hash, which is the name of the blob that the file links to.
fn check(path: &Path) -> Result<Verdict> {
    let blob =
        fs::read_link(path).ok().filter(|target| target.parent().is_some_and(|folder| folder.ends_with("blobs")));
    let Some(tag) = blob.as_ref().and_then(|blob| blob.file_name()?.to_str()) else { return Ok(Verdict::Unknown) };
    if !path.is_file() {
        return Ok(Verdict::Missing);
    }
    Ok(match checksum::matches(path, tag)? {
        Some(true) => Verdict::Right,
        Some(false) => Verdict::Changed,
        None => Verdict::Unknown,
    })
}

/// Bytes of the files outside `folder` that these are links to.
fn shared_size(links: impl Iterator<Item = PathBuf>, folder: &Path) -> u64 {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let targets: BTreeSet<PathBuf> = links.filter_map(|link| fs::canonicalize(link).ok()).collect();
    let outside = targets.iter().filter(|target| !target.starts_with(&folder));
    outside.filter_map(|target| target.metadata().ok()).map(|file| file.len()).sum()
}

/// Bytes of a file, or of all files below a folder; links count for nothing.
fn size_below(path: &Path) -> u64 {
    let entries = walkdir::WalkDir::new(path).into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}
