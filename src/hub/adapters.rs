//! LoRA adapters: a name that a user typed becomes the files of an adapter.
//!
//! Invariant: as with models, an adapter that is complete on this machine is used without touching the network.

use std::path::Path;

use anyhow::{Result, bail};

use super::cache::{self, RepoId};
use super::http::Client;
use super::{Hub, download, layout, plan};
use crate::error::{Explain, WithHint};
use crate::files::ModelFiles;

impl Hub {
    /// The adapter of this name: a folder, one of that name below `KORTOM_MODELS`, or `owner/name[@revision]`, which is
    /// downloaded when it is not installed.
    ///
    /// # Errors
    /// When there is no such adapter, it is not whole, or the network is needed and not to be had.
    pub fn adapter(&self, name: &str) -> Result<ModelFiles> {
        let path = Path::new(name);
        let folder = if path.is_dir() { Some(path.to_path_buf()) } else { self.in_models(name) };
        if let Some(folder) = folder {
            return whole(ModelFiles::adapter_folder(&folder, name.trim_end_matches('/'), None)?);
        }
        let hint = "name a folder that PEFT saved, or `owner/name` on the Hugging Face hub";
        let repository = RepoId::parse(name).explain(|| format!("no such adapter `{name}`").with_hint(hint))?;
        if let Some(snapshot) = cache::snapshot(&self.options.cache, &repository)
            && let Ok(files) = ModelFiles::adapter_folder(&snapshot.folder, &snapshot.repository, Some(snapshot.commit))
            && let Ok(files) = whole(files)
        {
            return Ok(files);
        }
        if self.options.offline {
            bail!(
                format!("the adapter `{name}` is not on this machine, and kortom is offline")
                    .with_hint("run it once with a network, or name the adapter's folder")
            );
        }
        let client = Client::new(&self.options)?;
        let plan = plan::plan(&client, &self.options, &repository, layout::wanted_of_adapter)?;
        if plan.non_commercial {
            bail!(
                format!(
                    "the licence of `{}` ({}) forbids commercial use",
                    plan.repository,
                    plan.license.as_deref().unwrap_or("not stated")
                )
                .with_hint(format!("if that suits you, fetch it with `hf download {name}` and name its folder"))
            );
        }
        let folder = download::fetch(&client, &self.options, &plan)?;
        whole(ModelFiles::adapter_folder(&folder, &plan.repository, Some(plan.commit))?)
    }
}

/// Refuses an adapter without weights.
fn whole(files: ModelFiles) -> Result<ModelFiles> {
    if layout::ADAPTER_WEIGHTS.iter().any(|name| files.has(name)) {
        return Ok(files);
    }
    bail!(
        format!("the adapter `{}` is not whole: it lacks {}", files.name(), layout::ADAPTER_WEIGHTS.join(" or "))
            .with_hint("save it with `save_pretrained`")
    )
}
