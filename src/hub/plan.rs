//! The plan for pulling a model: what to fetch, as the Hub describes it.
//!
//! Invariant: making a plan writes nothing, and every name in it (commit, files, hashes) was checked to be safe as a
//! path. The fetching belongs to `download`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use serde_json::Value;
use ureq::http::{HeaderMap, Response};
use ureq::{Body, ResponseExt};

use super::cache::{RepoId, repository_folder};
use super::catalog;
use super::http::Client;
use super::http_errors::RequestFailure;
use super::layout::is_plain;
use super::options::HubOptions;
use crate::error::{Explain, WithHint};

/// A README above this is not fetched: it is only wanted for the licence at its head.
const LARGEST_README: u64 = 1 << 20;

/// One file as the Hub describes it.
#[derive(Clone, Debug, Serialize)]
pub struct RemoteFile {
    /// The file's name in the repository.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The entity tag: SHA-256 of large files, git's hash of the others, and the name of the blob in the cache.
    pub hash: String,
    /// Bytes of the file that are already in the cache.
    pub present: u64,
}

/// The plan for pulling a model.
#[derive(Clone, Debug, Serialize)]
pub struct DownloadPlan {
    /// `owner/name`.
    pub repository: String,
    /// The requested revision.
    pub revision: String,
    /// The commit of that revision now.
    pub commit: String,
    /// The licence, as the repository states it.
    pub license: Option<String>,
    /// Whether the licence forbids commercial use.
    pub non_commercial: bool,
    /// The files, in the order in which they are fetched.
    pub files: Vec<RemoteFile>,
}

impl DownloadPlan {
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

    /// The plan's repository at another revision.
    pub(super) fn at(&self, revision: &str) -> RepoId {
        RepoId { name: self.repository.clone(), revision: revision.to_owned() }
    }
}

/// Asks the Hub for the files of a model or an adapter; `wanted` selects those to fetch. Nothing is written.
///
/// # Errors
/// When the Hub cannot be reached, refuses, or has nothing kortom could load.
pub(super) fn plan(
    client: &Client,
    options: &HubOptions,
    repository: &RepoId,
    wanted: impl Fn(&str, &[String]) -> Result<Vec<String>>,
) -> Result<DownloadPlan> {
    let described = client.with_retries(|| {
        let text = client.describe(repository)?.body_mut().read_to_string();
        text.map_err(|error| RequestFailure::Retry(anyhow!("the Hub's answer was cut short: {error}"), None))
    })?;
    let described: Value = serde_json::from_str(&described).map_err(|_| not_a_hub(options))?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let commit = described.get("sha").and_then(text).filter(|sha| is_commit(sha)).ok_or_else(|| not_a_hub(options))?;
    let siblings = described.get("siblings").and_then(Value::as_array).ok_or_else(|| not_a_hub(options))?;
    let names: Vec<String> = siblings.iter().filter_map(|file| text(file.get("rfilename")?)).collect();
    let known = catalog::repository(&repository.name);
    let license = stated_license(&described).or_else(|| known.and_then(|entry| entry.license.clone()));
    let mut plan = DownloadPlan {
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
        let answer = client.with_retries(|| client.head(&at_commit, &name))?;
        let file = remote_file(&name, &answer, &blobs)?;
        if name != "README.md" || file.size <= LARGEST_README {
            plan.files.push(file);
        }
    }
    Ok(plan)
}

fn not_a_hub(options: &HubOptions) -> anyhow::Error {
    anyhow!(
        format!("`{}` does not answer as a Hub does", options.endpoint)
            .with_hint("check HF_ENDPOINT; in a hotel or a train, a sign-in page may stand between")
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
    let hash = hash.filter(|tag| is_plain(tag)).explain(|| {
        format!("`{}` names no hash of `{name}`", answer.get_uri().host().unwrap_or_default())
            .with_hint("check HF_ENDPOINT")
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

/// The path of a blob that is not complete yet.
pub(super) fn partial(blobs: &Path, hash: &str) -> PathBuf {
    blobs.join(format!("{hash}.incomplete"))
}
