//! Fetching a model from the Hub into the shared cache.
//!
//! Invariant: a blob under its final name has the size and the hash the Hub gave; a ref is written only when every file
//! of its snapshot is there. So after an interruption at any point nothing in the cache looks complete that is not,
//! and the next try resumes the download. The lock files of Python's client keep two programs from writing one blob.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use hf_hub::Cache;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ureq::Body;
use ureq::http::{Response, header};

use super::cache::{RepoId, repository_folder};
use super::checksum;
use super::http::{ATTEMPTS, Client};
use super::http_errors::RequestFailure;
use super::options::HubOptions;
use super::plan::{DownloadPlan, RemoteFile, partial};
use crate::error::{Explain, WithHint};
use crate::platform;

/// Bytes that stay free on the disk beside the download.
const MARGIN: u64 = 32 << 20;

/// Fetches what the plan lists and makes the snapshot; returns its folder.
///
/// # Errors
/// When the disk is too small, or a file cannot be fetched whole. What was fetched stays for the next try.
pub(super) fn fetch(client: &Client, options: &HubOptions, plan: &DownloadPlan) -> Result<PathBuf> {
    let root = repository_folder(&options.cache, &plan.at(&plan.revision));
    let blobs = root.join("blobs");
    let locks = options.cache.join(".locks").join(root.file_name().unwrap_or_default());
    let snapshot = root.join("snapshots").join(&plan.commit);
    check_space(&options.cache, plan.remaining())?;
    for folder in [&blobs, &locks, &snapshot] {
        make_folder(folder)?;
    }
    let bar = bar(options, plan);
    for file in &plan.files {
        let lock = locks.join(format!("{}.lock", file.hash));
        // Not truncated, which some systems refuse while another process holds it.
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&lock);
        let held = opened.and_then(|lock| lock.lock().map(|()| lock));
        let held = held.with_context(|| format!("cannot lock `{}`", lock.display()))?;
        let transfer = Transfer { client, repository: plan.at(&plan.commit), file, bar: &bar };
        transfer.deliver(&blobs)?;
        drop(held);
        link(&blobs, &snapshot, &file.name, &file.hash)?;
    }
    bar.finish_and_clear();
    if plan.revision != plan.commit {
        let cache = Cache::new(options.cache.clone());
        cache.repo(plan.at(&plan.revision).repo()).create_ref(&plan.commit).context("cannot write the ref")?;
    }
    Ok(snapshot)
}

/// Makes a folder of the cache.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).explain(|| {
        format!("cannot write to `{}`", folder.display()).with_hint("set HF_HUB_CACHE to a folder you may write to")
    })
}

fn bar(options: &HubOptions, plan: &DownloadPlan) -> ProgressBar {
    let target = if options.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{msg:24!} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::with_draw_target(Some(plan.size()), target);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Refuses what the disk has no space for; the folder, or the nearest one above it that exists, gives the free space.
pub(super) fn check_space(folder: &Path, needed: u64) -> Result<()> {
    let existing = folder.ancestors().find(|above| above.is_dir()).unwrap_or(folder);
    let Some(free) = platform::free_space(existing).filter(|&free| free < needed.saturating_add(MARGIN)) else {
        return Ok(());
    };
    bail!(
        format!(
            "not enough space in `{}`: {} are needed, {} are free",
            folder.display(),
            indicatif::DecimalBytes(needed),
            indicatif::DecimalBytes(free)
        )
        .with_hint("make room, or set HF_HUB_CACHE to a folder on a larger disk")
    )
}

/// The download of one file.
struct Transfer<'a> {
    client: &'a Client,
    repository: RepoId,
    file: &'a RemoteFile,
    bar: &'a ProgressBar,
}

impl Transfer<'_> {
    /// Downloads the blob unless it is there and its hash is right.
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
                format!(
                    "`{}` of `{}` arrived with another content than its hash says, and was removed",
                    self.file.name, self.repository.name
                )
                .with_hint("try again; if it stays so, a proxy or a mirror (HF_ENDPOINT) changes files")
            );
        }
        fs::rename(&part, &blob).with_context(|| format!("cannot write `{}`", blob.display()))
    }

    fn is_right(&self, path: &Path) -> Result<bool> {
        let size = fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?.len();
        Ok(size == self.file.size && checksum::matches(path, &self.file.hash)?.unwrap_or(true))
    }

    /// Fills the part file up to the size. A connection that got further than those before it is no failed attempt, so that a
    /// long file can be downloaded over a bad line.
    fn complete(&self, part: &Path, start: u64) -> Result<()> {
        let (mut furthest, mut in_vain) = (0, 0);
        loop {
            let here = self.client.with_retries(|| self.once(part, start))?;
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
            format!("the connection breaks while `{}` is on its way: {why}", self.file.name)
                .with_hint("try again, it goes on where it stopped")
        )
    }

    /// Sends one request; returns the length of the part file afterwards.
    fn once(&self, part: &Path, start: u64) -> Result<u64, RequestFailure> {
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
            // The server did not send the requested range, so it does not support ranges, and the part file starts
            // anew.
            output.set_len(0).map_err(cannot)?;
            here = 0;
            if begins_at(&answer) != Some(0) {
                return Err(RequestFailure::Retry(
                    anyhow!("the server does not send `{}` from its start", self.file.name),
                    None,
                ));
            }
        }
        std::io::Seek::seek(&mut output, std::io::SeekFrom::Start(here)).map_err(cannot)?;
        self.bar.set_position(start + here);
        self.copy(answer, &mut output, part, here)
    }

    fn copy(&self, answer: Response<Body>, output: &mut File, part: &Path, from: u64) -> Result<u64, RequestFailure> {
        // One byte more than expected is read, to find out whether the body is too long.
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
            return Err(RequestFailure::Retry(self.broken(&why), None));
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

fn unwritable(error: &std::io::Error, path: &Path) -> RequestFailure {
    let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let what = if full { "the disk is full" } else { "cannot write" };
    RequestFailure::Final(anyhow!(
        format!("{what}: `{}`: {error}", path.display())
            .with_hint("make room, or set HF_HUB_CACHE to another folder; what was fetched is kept")
    ))
}

/// A relative link from the snapshot to the blob; a copy where the system makes no links.
pub(super) fn link(blobs: &Path, snapshot: &Path, name: &str, hash: &str) -> Result<()> {
    // With the system's own separators: Windows follows no link that has others.
    let target: PathBuf = ["..", "..", "blobs", hash].iter().collect();
    let path = snapshot.join(name);
    if fs::read_link(&path).is_ok_and(|found| found == target) {
        return Ok(());
    }
    let cannot = || format!("cannot write `{}`", path.display());
    if fs::symlink_metadata(&path).is_ok() {
        fs::remove_file(&path).with_context(cannot)?;
    }
    let linked = platform::link_to_file(&target, &path);
    linked.or_else(|_| fs::copy(blobs.join(hash), &path).map(drop)).with_context(cannot)
}
