//! The shared Hugging Face cache on disk: `models--owner--name/{refs,snapshots,blobs}`.
//!
//! Invariant: whatever Python's `huggingface_hub` wrote is read, and what is written here is read by it: blobs are
//! named by their hash, snapshots hold relative links to them, refs name a commit. No name from a user or a server
//! becomes a path before it is checked. Fetching belongs to `download`.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hf_hub::{Cache, Repo, RepoType};

use super::layout::is_plain;
use crate::error::WithHint;
use crate::files::ModelFiles;

/// One repository at one revision, both checked to be safe as paths and in addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoId {
    /// `owner/name`.
    pub name: String,
    /// A branch, a tag, `refs/pr/N`, or a commit.
    pub revision: String,
}

impl RepoId {
    /// Reads `owner/name` or `owner/name@revision`.
    ///
    /// # Errors
    /// When a part is empty, has characters the Hub does not allow, or would lead out of the cache.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let parts: Vec<&str> = name.split('/').collect();
        let owner_and_name = parts.len() == 2 && parts.iter().all(|part| is_plain(part)) && !name.contains("--");
        if !owner_and_name || name.contains("..") {
            bail!(
                format!("`{text}` is not the name of a repository").with_hint(
                    "write `owner/name` or `owner/name@revision`, for instance `Helsinki-NLP/opus-mt-nl-en`"
                )
            );
        }
        if revision.len() > 200 || revision.contains("..") || !revision.split('/').all(is_plain) {
            bail!(
                format!("`{revision}` is not a revision")
                    .with_hint("write a branch, a tag, `refs/pr/N` or a commit after the `@`")
            );
        }
        Ok(Self { name: name.to_owned(), revision: revision.to_owned() })
    }

    /// The repository as hf-hub represents it.
    pub(super) fn repo(&self) -> Repo {
        Repo::with_revision(self.name.clone(), RepoType::Model, self.revision.clone())
    }
}

/// One snapshot in the cache: the files of one commit.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The repository, `owner/name`.
    pub repository: String,
    /// The commit the files are from.
    pub commit: String,
    /// The folder with the files.
    pub folder: PathBuf,
    /// The branches and tags that point at this commit here.
    pub refs: Vec<String>,
}

/// The folder of one repository: `models--owner--name`.
pub(super) fn repository_folder(cache: &Path, repository: &RepoId) -> PathBuf {
    cache.join(repository.repo().folder_name())
}

/// The snapshot a revision names, if it is here: through its ref, or directly when it is a commit.
pub(super) fn snapshot(cache: &Path, repository: &RepoId) -> Option<Snapshot> {
    let folder = repository_folder(cache, repository);
    let named = fs::read_to_string(folder.join("refs").join(&repository.revision));
    let commit = named.map_or_else(|_| repository.revision.clone(), |commit| commit.trim().to_owned());
    if !is_plain(&commit) {
        return None;
    }
    let handle = Cache::new(cache.to_path_buf()).repo(repository.repo());
    let snapshot = handle.pointer_path(&commit);
    let refs = refs_to(&folder, &commit);
    snapshot.is_dir().then(|| Snapshot { repository: repository.name.clone(), commit, folder: snapshot, refs })
}

/// Every snapshot of every model repository in the cache, sorted by name.
///
/// # Errors
/// When the cache folder is there and cannot be read.
pub(super) fn snapshots(cache: &Path) -> Result<Vec<Snapshot>> {
    let mut found = Vec::new();
    for folder in sorted_names(cache)? {
        let Some(name) = folder.strip_prefix("models--").map(|name| name.replacen("--", "/", 1)) else { continue };
        let root = cache.join(&folder);
        for commit in sorted_names(&root.join("snapshots"))? {
            let folder = root.join("snapshots").join(&commit);
            let refs = refs_to(&root, &commit);
            if folder.is_dir() {
                found.push(Snapshot { repository: name.clone(), commit, folder, refs });
            }
        }
    }
    Ok(found)
}

/// The refs below `folder/refs` that hold this commit; a revision such as `refs/pr/3` is a path of its own.
fn refs_to(folder: &Path, commit: &str) -> Vec<String> {
    let root = folder.join("refs");
    let files = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().filter_map(Result::ok);
    let here = files.filter(|entry| {
        entry.file_type().is_file() && fs::read_to_string(entry.path()).is_ok_and(|text| text.trim() == commit)
    });
    here.filter_map(|entry| {
        let parts: Vec<_> = entry.path().strip_prefix(&root).ok()?.iter().map(|part| part.to_string_lossy()).collect();
        Some(parts.join("/"))
    })
    .collect()
}

/// The names in a folder, sorted; none when there is no such folder.
pub(super) fn sorted_names(folder: &Path) -> Result<Vec<String>> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound || error.kind() == ErrorKind::NotADirectory => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read the folder `{}`", folder.display())),
    };
    let names = listing.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>, _>>()?;
    names.sort();
    Ok(names)
}

impl Snapshot {
    /// The files of this snapshot, as a model.
    ///
    /// # Errors
    /// When the folder cannot be read, or has no `config.json`.
    pub fn files(&self) -> Result<ModelFiles> {
        ModelFiles::folder(&self.folder, &self.repository, Some(self.commit.clone()))
    }

    /// `models--owner--name`, two levels up.
    pub(super) fn root(&self) -> &Path {
        self.folder.ancestors().nth(2).unwrap_or(&self.folder)
    }

    /// The blobs of the repository that this snapshot's links lead to, by file; a file that is no link is its own blob. A blob may
    /// itself be a link, into a store that repositories share.
    pub(super) fn blobs(&self) -> BTreeSet<PathBuf> {
        let blob = |path: &Path| {
            let target = path.parent()?.join(fs::read_link(path).ok()?);
            Some(fs::canonicalize(target.parent()?).ok()?.join(target.file_name()?))
        };
        let files = walkdir::WalkDir::new(&self.folder).into_iter().filter_map(Result::ok);
        files
            .filter(|entry| !entry.file_type().is_dir())
            .map(|entry| blob(entry.path()).unwrap_or_else(|| entry.into_path()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_lead_out_of_the_cache_are_refused() {
        for name in
            ["../x", "a/../b", "a/b/c", "/a/b", "a/", "a/.b", "a--b/c", "a/b@../c", "a/b@", "a/b@x/../y", "a b/c"]
        {
            assert!(RepoId::parse(name).is_err(), "{name}");
        }
        let id = RepoId::parse("Helsinki-NLP/opus-mt-nl-en@refs/pr/3").unwrap();
        assert_eq!((id.name.as_str(), id.revision.as_str()), ("Helsinki-NLP/opus-mt-nl-en", "refs/pr/3"));
        assert_eq!(RepoId::parse("a/b").unwrap().revision, "main");
    }

    #[test]
    fn a_ref_that_points_outside_is_no_snapshot() {
        let cache = tempfile::tempdir().unwrap();
        let refs = cache.path().join("models--a--b/refs");
        fs::create_dir_all(&refs).unwrap();
        fs::create_dir_all(cache.path().join("models--a--b/snapshots")).unwrap();
        fs::write(refs.join("main"), "../../elsewhere").unwrap();
        fs::create_dir_all(cache.path().join("elsewhere")).unwrap();
        assert!(snapshot(cache.path(), &RepoId::parse("a/b").unwrap()).is_none());
    }
}
