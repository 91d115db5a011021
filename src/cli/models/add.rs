//! `kortom models add`: a model that came onto this machine in another way than through the network.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::ListingOptions;
use super::list::name_of;

/// Copies a folder into the cache, and prints what the model is called from now on.
pub(super) fn run(folder: &Path, name: Option<&str>, common: ListingOptions) -> Result<ExitCode> {
    let added = common.hub().add(folder, name)?;
    let name = name_of(&added);
    let value = json!({ "name": name, "repository": added.files.name(), "folder": added.folder });
    common.print(&value, &format!("added `{name}`; the folder it was copied from is no longer needed\n"))?;
    Ok(ExitCode::SUCCESS)
}
