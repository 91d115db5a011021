//! A folder with a model becomes part of the shared cache, without a network.
//!
//! Invariant: the folder is only read. What is written has the form that `download` leaves: blobs named by their SHA-256, a
//! snapshot of links to them, and a ref, which is written last. A folder does not say of which commit its files are, so a
//! hash of their names and contents stands for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hf_hub::Cache;

use super::cache::{RepoId, repository_folder, sorted_names};
use super::catalog::{self, CatalogEntry, catalog};
use super::plan::partial;
use super::{Hub, Origin, Resolved, checksum, download, layout};
use crate::error::WithHint;
use crate::files::ModelFiles;

impl Hub {
    /// Copies the model of a folder into the cache, as `name`: an alias or `owner/name[@revision]`. Without `name` the
    /// folder's own name counts, which must be `models--owner--name`, as caches have it, or that of a model of the
    /// catalogue.
    ///
    /// # Errors
    /// When the folder has no whole model, no name is known for it, the cache has a model of that name already, or the
    /// files cannot be copied.
    pub fn add(&self, folder: &Path, name: Option<&str>) -> Result<Resolved> {
        let (repository, entry) = match name {
            Some(name) => with_entry(name)?,
            None => named_by(folder)?,
        };
        if self.whole_snapshot(&repository, entry)?.is_some() {
            bail!(
                format!("the model `{}` is installed already", repository.name)
                    .with_hint(format!("remove it first: kortom models rm {}", repository.name))
            );
        }
        let files = self.whole_folder(&folder_of_files(folder)?)?;
        let folder = self.copy(&files, &repository)?;
        let commit = folder.file_name().map(|commit| commit.to_string_lossy().into_owned());
        let files = ModelFiles::folder(&folder, &repository.name, commit)?;
        Ok(Resolved { files, origin: Origin::Cache, entry, folder: Some(folder) })
    }

    /// Copies what kortom needs of a model, and returns the folder of the snapshot.
    fn copy(&self, files: &ModelFiles, repository: &RepoId) -> Result<PathBuf> {
        let names: Vec<String> = files.names().map(str::to_owned).collect();
        let wanted = layout::wanted(files.name(), &names)?;
        let paths: Vec<&Path> = wanted.iter().filter_map(|name| files.path(name)).collect();
        let size = paths.iter().map(|path| path.metadata().map_or(0, |file| file.len())).sum();
        download::check_space(&self.options.cache, size)?;
        let root = repository_folder(&self.options.cache, repository);
        let blobs = root.join("blobs");
        download::make_folder(&blobs)?;
        let hashes = paths.iter().map(|path| keep(path, &blobs)).collect::<Result<Vec<_>>>()?;
        let listed =
            wanted.iter().zip(&hashes).fold(String::new(), |list, (name, hash)| list + name + " " + hash + "\n");
        let commit = checksum::sha1(listed.as_bytes())?;
        let snapshot = root.join("snapshots").join(&commit);
        download::make_folder(&snapshot)?;
        for (name, hash) in wanted.iter().zip(&hashes) {
            download::link(&blobs, &snapshot, name, hash)?;
        }
        let cache = Cache::new(self.options.cache.clone());
        cache.repo(repository.repo()).create_ref(&commit).context("cannot write the ref")?;
        Ok(snapshot)
    }
}

/// Copies a file to the blob of its content, unless that is there, and returns the content's SHA-256.
fn keep(file: &Path, blobs: &Path) -> Result<String> {
    let hash = checksum::sha256(file)?;
    let (blob, part) = (blobs.join(&hash), partial(blobs, &hash));
    if blob.is_file() && checksum::sha256(&blob)? == hash {
        return Ok(hash);
    }
    if part.exists() {
        // An earlier copy that was cut short; it may have been write-protected like its source.
        fs::remove_file(&part).with_context(|| format!("cannot remove `{}`", part.display()))?;
    }
    fs::copy(file, &part).with_context(|| format!("cannot copy `{}` to `{}`", file.display(), part.display()))?;
    if checksum::sha256(&part)? != hash {
        fs::remove_file(&part)?;
        bail!(
            format!("`{}` has another content each time it is read", file.display())
                .with_hint("copy it from its source again, or look at the disk it lies on")
        );
    }
    fs::rename(&part, &blob).with_context(|| format!("cannot write `{}`", blob.display()))?;
    Ok(hash)
}

/// The repository of a name, at the revision that the catalogue has for it unless the name says another one.
fn with_entry(name: &str) -> Result<(RepoId, Option<&'static CatalogEntry>)> {
    Hub::on_hub(catalog::repository(name).map_or(name, |entry| &entry.alias))
}

/// The repository that a folder's own name stands for.
fn named_by(folder: &Path) -> Result<(RepoId, Option<&'static CatalogEntry>)> {
    let whole = folder.canonicalize().with_context(|| format!("cannot read the folder `{}`", folder.display()))?;
    let own = whole.file_name().unwrap_or_default().to_string_lossy();
    if let Some(repository) = own.strip_prefix("models--") {
        return with_entry(&repository.replacen("--", "/", 1));
    }
    let is_called_so = |entry: &&CatalogEntry| {
        entry.alias == own || entry.repo.as_deref().is_some_and(|repo| repo.rsplit('/').next() == Some(&own))
    };
    match catalog().iter().find(is_called_so) {
        Some(entry) => Hub::on_hub(&entry.alias),
        None => bail!(
            format!("it is not known which model `{}` is", folder.display())
                .with_hint("write its name after the folder: an alias, or `owner/name`")
        ),
    }
}

/// Where the files are: in the folder itself, or, of a repository's folder in a cache, in the snapshot that its ref names.
fn folder_of_files(folder: &Path) -> Result<PathBuf> {
    let snapshots = folder.join("snapshots");
    if !snapshots.is_dir() {
        return Ok(folder.to_path_buf());
    }
    let main = fs::read_to_string(folder.join("refs").join("main")).unwrap_or_default();
    match sorted_names(&snapshots)?.as_slice() {
        [only] => Ok(snapshots.join(only)),
        several if several.iter().any(|commit| commit == main.trim()) => Ok(snapshots.join(main.trim())),
        _ => bail!(
            format!("`{}` has several snapshots, and its ref `main` names none of them", folder.display())
                .with_hint("give the folder of one of them, and write the model's name after it")
        ),
    }
}
