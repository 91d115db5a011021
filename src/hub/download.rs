//! Fetching a model from the Hub into the shared cache.
//!
//! Invariant: a blob under its final name has the size and the hash the Hub gave; a ref is written only when every file
//! of its snapshot is there. So an interruption at any point leaves a cache in which nothing looks whole that is not,
//! and the next try goes on where this one stopped. The same lock files as Python's keep two programs from writing one
//! blob.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use hf_hub::Cache;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use ureq::http::{HeaderMap, Response, header};
use ureq::{Body, ResponseExt};

use super::cache::{RepoId, repository_folder};
use super::catalog;
use super::digest;
use super::http::{ATTEMPTS, Client, Failure};
use super::layout::{is_plain, wanted};
use super::options::HubOptions;

/// Left free on the disk beside what is fetched.
const MARGIN: u64 = 32 << 20;
/// A README above this is not fetched: it is only wanted for the licence at its head.
const LARGEST_README: u64 = 1 << 20;

/// One file as the Hub describes it.
#[derive(Clone, Debug, Serialize)]
pub struct RemoteFile {
    /// Its name in the repository.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The entity tag: SHA-256 of large files, git's hash of the others, and the name of the blob in the cache.
    pub hash: String,
    /// Bytes of it that are already in the cache.
    pub present: u64,
}

/// What pulling a model would fetch.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// `owner/name`.
    pub repository: String,
    /// The revision that was asked for.
    pub revision: String,
    /// The commit it stands for now.
    pub commit: String,
    /// The licence, as the repository states it.
    pub license: Option<String>,
    /// Whether the licence forbids commercial use.
    pub non_commercial: bool,
    /// The files, in the order in which they are fetched.
    pub files: Vec<RemoteFile>,
}

impl Plan {
    /// Bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }

    /// Bytes that are not here yet.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.files.iter().map(|file| file.size.saturating_sub(file.present)).fold(0, u64::saturating_add)
    }

    fn at(&self, revision: &str) -> RepoId {
        RepoId { name: self.repository.clone(), revision: revision.to_owned() }
    }
}

/// Asks the Hub what a model consists of; nothing is written.
///
/// # Errors
/// When the Hub cannot be reached, refuses, or has nothing kortom could load.
pub(super) fn plan(client: &Client, options: &HubOptions, repository: &RepoId) -> Result<Plan> {
    let described = client.persist(|| {
        let text = client.describe(repository)?.body_mut().read_to_string();
        text.map_err(|error| Failure::Again(anyhow!("the Hub's answer was cut short: {error}"), None))
    })?;
    let described: Value = serde_json::from_str(&described).map_err(|_| not_a_hub(options))?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let commit = described.get("sha").and_then(text).filter(|sha| is_commit(sha)).ok_or_else(|| not_a_hub(options))?;
    let siblings = described.get("siblings").and_then(Value::as_array).ok_or_else(|| not_a_hub(options))?;
    let names: Vec<String> = siblings.iter().filter_map(|file| text(file.get("rfilename")?)).collect();
    let known = catalog::repository(&repository.name);
    let license = stated_license(&described).or_else(|| known.and_then(|entry| entry.license.clone()));
    let mut plan = Plan {
        repository: repository.name.clone(),
        revision: repository.revision.clone(),
        commit,
        non_commercial: license.as_deref().is_some_and(catalog::is_non_commercial)
            || known.is_some_and(|entry| entry.non_commercial),
        license,
        files: Vec::new(),
    };
    let at_commit = plan.at(&plan.commit);
    let blobs = repository_folder(&options.cache, repository).join("blobs");
    for name in wanted(&repository.name, &names)? {
        let answer = client.persist(|| client.head(&at_commit, &name))?;
        let file = remote_file(&name, &answer, &blobs)?;
        if name != "README.md" || file.size <= LARGEST_README {
            plan.files.push(file);
        }
    }
    Ok(plan)
}

fn not_a_hub(options: &HubOptions) -> anyhow::Error {
    anyhow!(
        "`{}` does not answer as a Hub does\n\
         hint: check HF_ENDPOINT; in a hotel or a train, a sign-in page may stand between",
        options.endpoint
    )
}

fn is_commit(sha: &str) -> bool {
    (7..=64).contains(&sha.len()) && sha.chars().all(|c| c.is_ascii_hexdigit())
}

/// The licence from the model card's head, or else from the tags made of it.
fn stated_license(described: &Value) -> Option<String> {
    let card = described.get("cardData").and_then(|card| card.get("license")).and_then(Value::as_str);
    let tags = described.get("tags").and_then(Value::as_array);
    let tagged = || tags?.iter().filter_map(Value::as_str).find_map(|tag| tag.strip_prefix("license:"));
    card.filter(|license| *license != "other").or_else(tagged).map(str::to_lowercase)
}

fn remote_file(name: &str, answer: &Response<Body>, blobs: &Path) -> Result<RemoteFile> {
    let headers = answer.headers();
    let linked = text(headers, "x-linked-etag").or_else(|| text(headers, "etag"));
    let hash = linked.map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned());
    let hash = hash.filter(|tag| is_plain(tag)).with_context(|| {
        format!("`{}` names no hash of `{name}`\nhint: check HF_ENDPOINT", answer.get_uri().host().unwrap_or_default())
    })?;
    let size = text(headers, "x-linked-size").or_else(|| text(headers, "content-length"));
    let size = size.and_then(|size| size.parse().ok()).with_context(|| format!("the Hub names no size of `{name}`"))?;
    let length = |path: PathBuf| fs::metadata(path).map(|found| found.len()).ok();
    let present = length(blobs.join(&hash)).or_else(|| length(partial(blobs, &hash))).unwrap_or(0);
    Ok(RemoteFile { name: name.to_owned(), size, hash, present: present.min(size) })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn partial(blobs: &Path, hash: &str) -> PathBuf {
    blobs.join(format!("{hash}.incomplete"))
}

/// Fetches what the plan lists and makes the snapshot; returns its folder.
///
/// # Errors
/// When the disk is too small, or a file cannot be fetched whole. What was fetched stays for the next try.
pub(super) fn fetch(client: &Client, options: &HubOptions, plan: &Plan) -> Result<PathBuf> {
    let root = repository_folder(&options.cache, &plan.at(&plan.revision));
    let blobs = root.join("blobs");
    let locks = options.cache.join(".locks").join(root.file_name().unwrap_or_default());
    let snapshot = root.join("snapshots").join(&plan.commit);
    check_space(&options.cache, plan.remaining())?;
    for folder in [&blobs, &locks, &snapshot] {
        fs::create_dir_all(folder).with_context(|| {
            format!("cannot write to `{}`\nhint: set HF_HUB_CACHE to a folder you may write to", folder.display())
        })?;
    }
    let bar = bar(options, plan);
    for file in &plan.files {
        let lock = locks.join(format!("{}.lock", file.hash));
        let held = File::create(&lock).and_then(|lock| lock.lock().map(|()| lock));
        let held = held.with_context(|| format!("cannot lock `{}`", lock.display()))?;
        let transfer = Transfer { client, repository: plan.at(&plan.commit), file, bar: &bar };
        transfer.deliver(&blobs)?;
        drop(held);
        link(&blobs, &snapshot, file)?;
    }
    bar.finish_and_clear();
    if plan.revision != plan.commit {
        let cache = Cache::new(options.cache.clone());
        cache.repo(plan.at(&plan.revision).repo()).create_ref(&plan.commit).context("cannot write the ref")?;
    }
    Ok(snapshot)
}

fn bar(options: &HubOptions, plan: &Plan) -> ProgressBar {
    let target = if options.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{msg:24!} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::with_draw_target(Some(plan.size()), target);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Refuses to begin what cannot end: the folder, or the nearest one above that exists, tells the free space.
fn check_space(folder: &Path, needed: u64) -> Result<()> {
    let existing = folder.ancestors().find(|above| above.is_dir()).unwrap_or(folder);
    let Some(free) = free_space(existing).filter(|&free| free < needed.saturating_add(MARGIN)) else { return Ok(()) };
    bail!(
        "not enough space in `{}`: {} are needed, {} are free\n\
         hint: make room, or set HF_HUB_CACHE to a folder on a larger disk",
        folder.display(),
        indicatif::DecimalBytes(needed),
        indicatif::DecimalBytes(free)
    )
}

#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Elsewhere a full disk is only found when a write fails.
#[cfg(not(unix))]
fn free_space(_folder: &Path) -> Option<u64> {
    None
}

/// One file on its way.
struct Transfer<'a> {
    client: &'a Client,
    repository: RepoId,
    file: &'a RemoteFile,
    bar: &'a ProgressBar,
}

impl Transfer<'_> {
    /// Sees to it that the blob is here and right.
    fn deliver(&self, blobs: &Path) -> Result<()> {
        let (blob, part) = (blobs.join(&self.file.hash), partial(blobs, &self.file.hash));
        let start = self.bar.position();
        self.bar.set_message(self.file.name.clone());
        if blob.is_file() {
            if self.is_right(&blob)? {
                self.bar.set_position(start + self.file.size);
                return Ok(());
            }
            fs::remove_file(&blob).with_context(|| format!("cannot remove the damaged `{}`", blob.display()))?;
        }
        let resumed = part.metadata().is_ok_and(|part| part.len() > 0);
        self.complete(&part, start)?;
        let mut right = self.is_right(&part)?;
        if !right && resumed {
            // What an earlier try left may have been damaged since; only a whole transfer proves the Hub wrong.
            fs::remove_file(&part)?;
            self.complete(&part, start)?;
            right = self.is_right(&part)?;
        }
        if !right {
            fs::remove_file(&part)?;
            bail!(
                "`{}` of `{}` arrived with another content than its hash says, and was removed\n\
                 hint: try again; if it stays so, a proxy or a mirror (HF_ENDPOINT) changes files",
                self.file.name,
                self.repository.name
            );
        }
        fs::rename(&part, &blob).with_context(|| format!("cannot write `{}`", blob.display()))
    }

    fn is_right(&self, path: &Path) -> Result<bool> {
        let size = fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?.len();
        Ok(size == self.file.size && digest::matches(path, &self.file.hash)?.unwrap_or(true))
    }

    /// Fills the part file up to the size. A connection that went further than any before it is no failed attempt, so a
    /// long file comes through over a bad line; one that never does is given up.
    fn complete(&self, part: &Path, start: u64) -> Result<()> {
        let (mut furthest, mut in_vain) = (0, 0);
        loop {
            let here = self.client.persist(|| self.once(part, start))?;
            if here >= self.file.size {
                return Ok(());
            }
            in_vain = if here > furthest { 0 } else { in_vain + 1 };
            furthest = furthest.max(here);
            if in_vain == ATTEMPTS {
                return Err(self.broken("it never gets further"));
            }
            self.client.pause();
        }
    }

    fn broken(&self, why: &str) -> anyhow::Error {
        anyhow!(
            "the connection breaks while `{}` is on its way: {why}\n\
             hint: try again, it goes on where it stopped",
            self.file.name
        )
    }

    /// One request; returns how long the part is then.
    fn once(&self, part: &Path, start: u64) -> Result<u64, Failure> {
        let cannot = |error: std::io::Error| unwritable(&error, part);
        let mut output =
            OpenOptions::new().create(true).write(true).truncate(false).read(true).open(part).map_err(cannot)?;
        let mut here = output.metadata().map_err(cannot)?.len();
        if here > self.file.size {
            output.set_len(0).map_err(cannot)?;
            here = 0;
        }
        if here == self.file.size {
            return Ok(here);
        }
        let answer = self.client.get(&self.repository, &self.file.name, here)?;
        if begins_at(&answer) != Some(here) {
            // Not the range that was asked for: the server does not do ranges, so what is here is of no use.
            output.set_len(0).map_err(cannot)?;
            here = 0;
            if begins_at(&answer) != Some(0) {
                return Err(Failure::Again(
                    anyhow!("the server does not send `{}` from its start", self.file.name),
                    None,
                ));
            }
        }
        std::io::Seek::seek(&mut output, std::io::SeekFrom::Start(here)).map_err(cannot)?;
        self.bar.set_position(start + here);
        self.copy(answer, &mut output, part, here)
    }

    fn copy(&self, answer: Response<Body>, output: &mut File, part: &Path, from: u64) -> Result<u64, Failure> {
        // One byte more than fits is enough to find out that there is too much.
        let mut body = answer.into_body().into_reader().take(self.file.size - from + 1);
        let mut buffer = vec![0; 1 << 16];
        let mut here = from;
        loop {
            let cut = match body.read(&mut buffer) {
                Ok(0) => None,
                Ok(read) => {
                    output.write_all(&buffer[..read]).map_err(|error| unwritable(&error, part))?;
                    here += read as u64;
                    self.bar.inc(read as u64);
                    continue;
                }
                Err(error) => Some(error),
            };
            if here > from {
                return Ok(here);
            }
            let why = cut.map_or_else(|| "it ended".to_owned(), |error| error.to_string());
            return Err(Failure::Again(self.broken(&why), None));
        }
    }
}

/// Where the body of an answer begins in the file; `None` when there is no such part of it.
fn begins_at(answer: &Response<Body>) -> Option<u64> {
    match answer.status().as_u16() {
        200 => Some(0),
        206 => {
            let range = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
            range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
        }
        _ => None,
    }
}

fn unwritable(error: &std::io::Error, path: &Path) -> Failure {
    let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let what = if full { "the disk is full" } else { "cannot write" };
    Failure::Final(anyhow!(
        "{what}: `{}`: {error}\n\
         hint: make room, or set HF_HUB_CACHE to another folder; what was fetched is kept",
        path.display()
    ))
}

/// A relative link from the snapshot to the blob; a copy where the system makes no links.
fn link(blobs: &Path, snapshot: &Path, file: &RemoteFile) -> Result<()> {
    let target = Path::new("../../blobs").join(&file.hash);
    let path = snapshot.join(&file.name);
    if fs::read_link(&path).is_ok_and(|found| found == target) {
        return Ok(());
    }
    let cannot = || format!("cannot write `{}`", path.display());
    if fs::symlink_metadata(&path).is_ok() {
        fs::remove_file(&path).with_context(cannot)?;
    }
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(&target, &path);
    #[cfg(windows)]
    let linked = std::os::windows::fs::symlink_file(&target, &path);
    #[cfg(not(any(unix, windows)))]
    let linked: std::io::Result<()> = Err(ErrorKind::Unsupported.into());
    linked.or_else(|_| fs::copy(blobs.join(&file.hash), &path).map(drop)).with_context(cannot)
}
