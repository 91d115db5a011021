//! Models like packages: a name that a user typed becomes the files of a model.
//!
//! Looked for, in this order: a folder, a folder of that name below `KORTOM_MODELS`, the bundled model, an alias of the
//! catalogue, a repository in the shared Hugging Face cache. Only a repository whose full name was given is downloaded without
//! `kortom models pull`.
//!
//! Invariant: a model that is whole on this machine is used without touching the network, and with `offline` no socket
//! is opened at all. What is in the files belongs to `tokenizer` and `model`.

mod adapters;
mod add;
mod cache;
mod catalog;
mod certificates;
mod checksum;
mod download;
mod facts;
mod http;
mod inventory;
mod layout;
mod options;
mod plan;
mod http_errors;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow, bail};
use serde::Serialize;

pub use cache::{RepoId, Snapshot};
pub use catalog::{BUNDLED, CatalogEntry, ModelTask, alias, bundled, catalog, is_non_commercial, longer, repository};
pub use facts::{Facts, FileFacts, facts, made_for};
pub use inventory::{Checked, Installed, Removal, Verdict};
pub use options::{HubOptions, Proxies};
pub use plan::{DownloadPlan, RemoteFile};

use crate::error::{ErrorKind, WithHint};
use crate::files::ModelFiles;
use http::Client;

/// The models of this machine and the way to more of them.
#[derive(Clone, Debug)]
pub struct Hub {
    options: HubOptions,
}

/// Where a model was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A folder that the user named.
    Folder,
    /// A folder below `KORTOM_MODELS`.
    Models,
    /// The binary itself.
    Bundled,
    /// The Hugging Face cache.
    Cache,
    /// Downloaded just now into the cache.
    Downloaded,
}

/// A complete model on this machine.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The model's files.
    pub files: ModelFiles,
    /// Where they were found.
    pub origin: Origin,
    /// The model's entry in the catalogue; `None` when it was not named by an alias, so that the catalogue's settings do not
    /// apply.
    pub entry: Option<&'static CatalogEntry>,
    /// The folder of the files; none for the bundled model.
    pub folder: Option<PathBuf>,
}

/// What a model's name refers to, before anything is looked up.
enum ModelName {
    Folder(PathBuf, Origin, Option<&'static CatalogEntry>),
    Bundled(&'static CatalogEntry),
    Repository(RepoId, Option<&'static CatalogEntry>),
}

impl Hub {
    /// A hub with these options.
    #[must_use]
    pub fn new(options: HubOptions) -> Self {
        Self { options }
    }

    /// A hub with the options of the environment's variables; `offline` forbids the network as `HF_HUB_OFFLINE` does.
    #[must_use]
    pub fn from_env(offline: bool) -> Self {
        Self::new(HubOptions::from_env(offline))
    }

    /// The hub's options.
    #[must_use]
    pub fn options(&self) -> &HubOptions {
        &self.options
    }

    /// The model of this name: a folder, an alias, or `owner/name[@revision]`, which is downloaded when it is not
    /// installed. `alias@revision` takes another revision of a known checkpoint.
    ///
    /// # Errors
    /// When there is no such model, it is not whole, or the network is needed and not to be had.
    pub fn resolve(&self, name: &str) -> Result<Resolved> {
        let named = self.named(name)?;
        if let Some(found) = self.find(&named)? {
            return Ok(found);
        }
        let ModelName::Repository(repository, entry) = named else {
            bail!(format!("no such model `{name}`").with_hint(TRY))
        };
        self.fetch_or_refuse(name, &repository, entry)
    }

    /// The installed model of this name; `None` when it is not on this machine or not complete.
    ///
    /// # Errors
    /// When the name can be no model.
    pub fn installed(&self, name: &str) -> Result<Option<Resolved>> {
        let named = self.named(name)?;
        self.find(&named)
    }

    /// The best installed model of the catalogue for a task and a pair of languages, else the bundled one if that does
    /// it. No name is needed, nothing is downloaded.
    #[must_use]
    pub fn best_installed(&self, task: ModelTask, from: &str, to: &str) -> Option<Resolved> {
        let mut fitting = catalog().iter().filter(|entry| entry.fits(task, from, to));
        // A folder in the current directory that happens to be called like an alias is not what is meant here.
        fitting.find_map(|entry| self.find(&self.known(entry, None).ok()?).ok().flatten())
    }

    fn named(&self, name: &str) -> Result<ModelName> {
        let path = Path::new(name);
        if path.is_dir() {
            return Ok(ModelName::Folder(path.to_path_buf(), Origin::Folder, None));
        }
        if let Some(folder) = self.in_models(name) {
            return Ok(ModelName::Folder(folder, Origin::Models, alias(name)));
        }
        let (short, revision) = name.split_once('@').map_or((name, None), |(short, revision)| (short, Some(revision)));
        if let Some(entry) = alias(short) {
            return self.known(entry, revision);
        }
        if path.is_file() {
            bail!(format!("`{name}` is a file, not a model").with_hint("give the folder it is in"));
        }
        if !short.contains('/') {
            return Err(unknown(name));
        }
        match RepoId::parse(name) {
            Ok(repository) => Ok(ModelName::Repository(repository, None)),
            Err(_) if !name.contains('@') => bail!(format!("no such model folder `{name}`").with_hint(TRY)),
            Err(error) => Err(error),
        }
    }

    /// What an entry of the catalogue refers to on this machine; `revision` replaces the entry's own.
    fn known(&self, entry: &'static CatalogEntry, revision: Option<&str>) -> Result<ModelName> {
        let folder = || self.in_models(&entry.alias).or_else(|| self.in_models(entry.repo.as_deref()?));
        if let Some(folder) = revision.map_or_else(folder, |_| None) {
            return Ok(ModelName::Folder(folder, Origin::Models, Some(entry)));
        }
        match entry.at(revision)? {
            Some(repository) => Ok(ModelName::Repository(repository, Some(entry))),
            None if revision.is_none() => Ok(ModelName::Bundled(entry)),
            None => bail!("the bundled model has no revisions".with_hint(format!("write `{}`", entry.alias))),
        }
    }

    /// The folder of this name below `KORTOM_MODELS`, if there is one and the name stays inside.
    fn in_models(&self, name: &str) -> Option<PathBuf> {
        let folder = self.options.models.as_ref()?.join(name);
        (name.split('/').all(layout::is_plain) && folder.is_dir()).then_some(folder)
    }

    fn find(&self, named: &ModelName) -> Result<Option<Resolved>> {
        match named {
            ModelName::Bundled(entry) => {
                let (files, origin) = (bundled(), Origin::Bundled);
                Ok(Some(Resolved { files, origin, entry: Some(entry), folder: None }))
            }
            ModelName::Folder(folder, origin, entry) => {
                let files = self.whole_folder(folder)?;
                Ok(Some(Resolved { files, origin: *origin, entry: *entry, folder: Some(folder.clone()) }))
            }
            ModelName::Repository(repository, entry) => self.whole_snapshot(repository, *entry),
        }
    }

    /// The files of a folder. The user named it, so it is an error when it lacks a file.
    fn whole_folder(&self, folder: &Path) -> Result<ModelFiles> {
        let typed = folder.to_string_lossy();
        let below = self.options.models.as_ref().and_then(|models| folder.strip_prefix(models).ok());
        let name = below.map_or_else(|| typed.clone(), Path::to_string_lossy);
        let files = ModelFiles::folder(folder, name.trim_end_matches('/'), None)?;
        let missing = layout::missing(&files);
        if !missing.is_empty() {
            bail!(
                format!("the model folder `{typed}` is not whole: it lacks {}", missing.join(", and "))
                    .with_hint("copy the missing files into it, or fetch the model with `kortom models pull`")
            );
        }
        Ok(files)
    }

    /// The snapshot of a repository. When it is missing or lacks files, that is no error: it can be fetched.
    fn whole_snapshot(&self, repository: &RepoId, entry: Option<&'static CatalogEntry>) -> Result<Option<Resolved>> {
        let Some(snapshot) = cache::snapshot(&self.options.cache, repository) else { return Ok(None) };
        if !fs::exists(snapshot.folder.join("config.json"))? {
            return Ok(None);
        }
        let files = snapshot.files()?;
        let whole = layout::missing(&files).is_empty();
        Ok(whole.then_some(Resolved { files, origin: Origin::Cache, entry, folder: Some(snapshot.folder) }))
    }

    /// Fetches a repository that is not installed or not complete, where that is allowed; else the error that says how.
    fn fetch_or_refuse(
        &self,
        name: &str,
        repository: &RepoId,
        entry: Option<&'static CatalogEntry>,
    ) -> Result<Resolved> {
        let state = match cache::snapshot(&self.options.cache, repository) {
            None => "is not installed".to_owned(),
            Some(snapshot) => match snapshot.files() {
                Ok(files) => format!("is not whole in the cache: it lacks {}", layout::missing(&files).join(", and ")),
                Err(_) => "is not whole in the cache: it lacks config.json".to_owned(),
            },
        };
        if self.options.offline {
            bail!(
                format!("the model `{name}` {state}, and kortom is offline")
                    .with_hint(format!(
                        "run `kortom models pull {name}` with a network, or put the model's folder below KORTOM_MODELS"
                    ))
                    .or_kind(ErrorKind::Network)
            );
        }
        if entry.is_some() {
            bail!(format!("the model `{name}` {state}").with_hint(format!("kortom models pull {name}")));
        }
        let client = Client::new(&self.options)?;
        let plan = plan::plan(&client, &self.options, repository, layout::wanted)?;
        self.fetch(&client, name, &plan, false)
    }

    /// The plan for pulling a model; nothing is written.
    ///
    /// # Errors
    /// When the model is not one of the Hub, or the Hub cannot be asked.
    pub fn plan(&self, name: &str) -> Result<DownloadPlan> {
        let (client, repository) = (self.client(name)?, Self::on_hub(name)?.0);
        plan::plan(&client, &self.options, &repository, layout::wanted)
    }

    /// Fetches a model into the cache, or updates it there; every file is checked against its hash, those that were in the
    /// cache too.
    ///
    /// # Errors
    /// When it cannot be fetched whole, or its licence has to be accepted first.
    pub fn pull(&self, name: &str, accept_license: bool) -> Result<(DownloadPlan, Resolved)> {
        let (client, (repository, _)) = (self.client(name)?, Self::on_hub(name)?);
        let plan = plan::plan(&client, &self.options, &repository, layout::wanted)?;
        let resolved = self.fetch(&client, name, &plan, accept_license)?;
        Ok((plan, resolved))
    }

    /// The repository a name stands for on the Hub, whatever is on this machine.
    fn on_hub(name: &str) -> Result<(RepoId, Option<&'static CatalogEntry>)> {
        let (short, revision) = name.split_once('@').map_or((name, None), |(short, revision)| (short, Some(revision)));
        match alias(short) {
            None if short.contains('/') => Ok((RepoId::parse(name)?, None)),
            None => Err(unknown(name)),
            Some(entry) => match entry.at(revision)? {
                None => bail!(
                    format!("`{short}` is part of kortom").with_hint("there is nothing to fetch, use it as it is")
                ),
                Some(repository) => Ok((repository, Some(entry))),
            },
        }
    }

    fn client(&self, name: &str) -> Result<Client> {
        if self.options.offline {
            bail!(
                format!("`{name}` cannot be fetched: kortom is offline")
                    .with_hint("leave out `--offline`, and unset HF_HUB_OFFLINE")
                    .or_kind(ErrorKind::Network)
            );
        }
        Client::new(&self.options)
    }

    fn fetch(&self, client: &Client, name: &str, plan: &DownloadPlan, accept_license: bool) -> Result<Resolved> {
        if plan.non_commercial && !accept_license {
            bail!(
                format!(
                    "the licence of `{}` ({}) forbids commercial use",
                    plan.repository,
                    plan.license.as_deref().unwrap_or("not stated")
                )
                .with_hint(format!("if that suits you: kortom models pull {name} --accept-license"))
            );
        }
        let folder = download::fetch(client, &self.options, plan)?;
        let files = ModelFiles::folder(&folder, &plan.repository, Some(plan.commit.clone()))?;
        let missing = layout::missing(&files);
        if !missing.is_empty() {
            bail!(
                format!("the repository `{}` has no whole model: it lacks {}", plan.repository, missing.join(", and "))
                    .with_hint("try another revision, or another model")
            );
        }
        let entry = Self::on_hub(name)?.1;
        Ok(Resolved { files, origin: Origin::Downloaded, entry, folder: Some(folder) })
    }
}

const TRY: &str = "`kortom models list` shows what there is; a folder or `owner/name` also works";

fn unknown(name: &str) -> Error {
    let known: Vec<&str> = catalog().iter().map(|entry| entry.alias.as_str()).collect();
    anyhow!(format!("no such model `{name}`").with_hint(format!("{TRY}; known aliases: {}", known.join(", "))))
}
