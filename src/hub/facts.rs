//! Facts about a model from its small files: architecture, licence, sizes. Reading weights belongs to `model`.
//!
//! Invariant: a fact that no file states is `None`, and never guessed.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use super::catalog::ModelTask;
use crate::files::ModelFiles;

/// Facts about a model from its files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// The class in transformers, such as `MarianMTModel`.
    pub architecture: Option<String>,
    /// The family, `model_type` in config.json.
    pub family: Option<String>,
    /// The licence at the head of the model card.
    pub license: Option<String>,
    /// Bytes of all files.
    pub size: u64,
    /// Each file.
    pub files: Vec<FileFacts>,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// The file's name.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// Reads the facts of a model.
///
/// # Errors
/// When config.json is not JSON, or the size of a file cannot be read.
pub fn facts(files: &ModelFiles) -> Result<Facts> {
    let config = files.json("config.json")?.unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let sized = files.names().map(|name| Ok(FileFacts { name: name.to_owned(), size: size(files, name)? }));
    let sized = sized.collect::<Result<Vec<_>>>()?;
    Ok(Facts {
        architecture: text(config.get("architectures").and_then(|all| all.get(0))),
        family: text(config.get("model_type")),
        license: card_license(files),
        size: sized.iter().map(|file| file.size).sum(),
        files: sized,
    })
}

/// The task of a model, if its files show it, and whether that is certain. Marian and FSMT models always translate,
/// and Pegasus models always summarise. A checkpoint with settings for summaries only is not certain, because it may
/// have been trained further for another task.
///
/// # Errors
/// When config.json is no JSON.
pub fn made_for(files: &ModelFiles) -> Result<(Option<ModelTask>, bool)> {
    let config = files.json("config.json")?.unwrap_or_default();
    let tasks = config.get("task_specific_params").and_then(Value::as_object);
    let summarises =
        tasks.is_some_and(|tasks| !tasks.is_empty() && tasks.keys().all(|task| task.starts_with("summarization")));
    Ok(match config.get("model_type").and_then(Value::as_str) {
        Some("marian" | "fsmt") => (Some(ModelTask::Translate), true),
        Some("pegasus" | "pegasus_x" | "bigbird_pegasus") => (Some(ModelTask::Summarize), true),
        Some("m2m_100" | "nllb-moe" | "seamless_m4t" | "seamless_m4t_v2") => (Some(ModelTask::Translate), false),
        _ => (summarises.then_some(ModelTask::Summarize), false),
    })
}

fn size(files: &ModelFiles, name: &str) -> Result<u64> {
    match files.path(name) {
        Some(path) => Ok(path.metadata().with_context(|| format!("cannot read `{}`", path.display()))?.len()),
        None => Ok(files.embedded_bytes(name).map_or(0, |bytes| bytes.len() as u64)),
    }
}

/// The `license:` line in the YAML head of the model card.
pub(super) fn card_license(files: &ModelFiles) -> Option<String> {
    let card = files.has("README.md").then(|| files.read("README.md").ok()).flatten()?;
    let card = String::from_utf8_lossy(&card);
    let head = card.strip_prefix("---")?.split("\n---").next()?;
    let license = head.lines().find_map(|line| line.strip_prefix("license:"))?.trim().trim_matches(['"', '\'']);
    (!license.is_empty()).then(|| license.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::bundled;

    #[test]
    fn the_bundled_model_says_what_it_is() {
        let facts = facts(&bundled()).unwrap();
        assert_eq!(facts.architecture.as_deref(), Some("MarianMTModel"));
        assert_eq!(facts.files.len(), bundled().names().count());
    }

    #[test]
    fn the_licence_is_the_one_at_the_head_of_the_card() {
        let folder = tempfile::tempdir().unwrap();
        let license = |card: &str| {
            std::fs::write(folder.path().join("config.json"), "{}").unwrap();
            std::fs::write(folder.path().join("README.md"), card).unwrap();
            card_license(&ModelFiles::folder(folder.path(), "x", None).unwrap())
        };
        assert_eq!(license("---\nlanguage:\n- nl\nlicense: \"CC-BY-4.0\"\n---\n# x").as_deref(), Some("cc-by-4.0"));
        assert_eq!(license("# x\nlicense: mit\n"), None);
    }
}
