//! The checkpoints kortom knows by a short name, and the one compiled into the binary.
//!
//! Invariant: the catalogue is data (`models/catalog.toml`), read once; preferred models come first. Whether a model
//! is installed belongs to `hub`.

use std::sync::LazyLock;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cache::RepoId;
use crate::files::ModelFiles;
use crate::language::Code;

/// The alias of the model that is always there.
pub const BUNDLED: &str = "kortom-nl-en";

/// The files of the bundled model; the bytes stay where the system mapped the binary, so nothing is copied. The weights are crates of
/// their own, because a package of the crate registry may not be larger than 10 MiB.
static BUNDLED_FILES: [(&str, &[u8]); 11] = [
    ("README.md", include_bytes!("../../models/kortom-nl-en/README.md")),
    ("config.json", include_bytes!("../../models/kortom-nl-en/config.json")),
    ("generation_config.json", include_bytes!("../../models/kortom-nl-en/generation_config.json")),
    ("model-00001-of-00003.safetensors", kortom_nl_en_1::WEIGHTS),
    ("model-00002-of-00003.safetensors", kortom_nl_en_2::WEIGHTS),
    ("model-00003-of-00003.safetensors", kortom_nl_en_3::WEIGHTS),
    ("model.safetensors.index.json", include_bytes!("../../models/kortom-nl-en/model.safetensors.index.json")),
    ("source.spm", include_bytes!("../../models/kortom-nl-en/source.spm")),
    ("target.spm", include_bytes!("../../models/kortom-nl-en/target.spm")),
    ("tokenizer_config.json", include_bytes!("../../models/kortom-nl-en/tokenizer_config.json")),
    ("vocab.json", include_bytes!("../../models/kortom-nl-en/vocab.json")),
];

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelTask {
    /// Text in one language to the same text in another.
    Translate,
    /// A long text to a short one.
    Summarize,
}

impl ModelTask {
    /// The word the catalogue and the command line use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Translate => "translate",
            Self::Summarize => "summarize",
        }
    }
}

/// One checkpoint of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogEntry {
    /// The short name, as typed after `--model`.
    pub alias: String,
    /// `owner/name`; none for the bundled model.
    #[serde(default)]
    pub repo: Option<String>,
    /// The revision that is taken when the user names none.
    #[serde(default = "main_branch")]
    pub revision: String,
    /// What the model is for.
    pub task: ModelTask,
    /// Source languages, `*` for many.
    pub from: Vec<String>,
    /// Target languages, `*` for many.
    pub to: Vec<String>,
    /// Text before every source, where the checkpoint needs it and its own files do not say so.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Decode settings under transformers' names, where they are known to work better than the checkpoint's.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The licence as an SPDX-like identifier; none when it is not known for certain.
    #[serde(default)]
    pub license: Option<String>,
    /// Whether the licence forbids commercial use, so that it has to be accepted.
    #[serde(default)]
    pub non_commercial: bool,
    /// Number of parameters, computed from the shapes, in millions.
    pub parameters: u32,
    /// The window in tokens, for a checkpoint that was made for long documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Layer and head of the decoder's cross-attention that were trained to say which words belong together; layer -1 is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment_head: Option<[i64; 2]>,
    /// The model's strength, in a few words.
    pub note: String,
    /// Scores that were published, with their source.
    #[serde(default)]
    pub quality: Option<String>,
}

impl CatalogEntry {
    /// Whether this model is for this task and pair of languages.
    #[must_use]
    pub fn fits(&self, task: ModelTask, from: &str, to: &str) -> bool {
        let has = |languages: &[String], wanted: &str| {
            let wanted = Code::parse(wanted);
            languages.iter().any(|known| known == "*" || Code::parse(known).serves(&wanted))
        };
        self.task == task && has(&self.from, from) && has(&self.to, to)
    }

    /// The checkpoint's repository at a revision, by default the catalogue's; `None` for the bundled model.
    pub(super) fn at(&self, revision: Option<&str>) -> Result<Option<RepoId>> {
        let Some(repo) = &self.repo else { return Ok(None) };
        RepoId::parse(&format!("{repo}@{}", revision.unwrap_or(&self.revision))).map(Some)
    }
}

#[derive(Deserialize)]
struct Catalog {
    model: Vec<CatalogEntry>,
}

fn main_branch() -> String {
    "main".to_owned()
}

// The file is part of the binary, so a mistake in it is one of the build, found by the test below.
static CATALOG: LazyLock<Vec<CatalogEntry>> = LazyLock::new(|| {
    let parsed = toml::from_str::<Catalog>(include_str!("../../models/catalog.toml"));
    parsed.map(|catalog| catalog.model).unwrap_or_default()
});

/// All known checkpoints, for each task the preferred first, the bundled model the last of its kind.
#[must_use]
pub fn catalog() -> &'static [CatalogEntry] {
    &CATALOG
}

/// The checkpoint with this alias.
#[must_use]
pub fn alias(name: &str) -> Option<&'static CatalogEntry> {
    catalog().iter().find(|entry| entry.alias == name)
}

/// The first checkpoint that summarises texts in `language` with a window of more than `tokens` tokens.
#[must_use]
pub fn longer(language: &str, tokens: usize) -> Option<&'static CatalogEntry> {
    let reads_more = |entry: &&CatalogEntry| entry.window.is_some_and(|window| window > tokens);
    catalog().iter().filter(reads_more).find(|entry| entry.fits(ModelTask::Summarize, language, language))
}

/// The checkpoint from this repository.
#[must_use]
pub fn repository(name: &str) -> Option<&'static CatalogEntry> {
    catalog().iter().find(|entry| entry.repo.as_deref() == Some(name))
}

/// The model compiled into the binary.
#[must_use]
pub fn bundled() -> ModelFiles {
    ModelFiles::embedded(BUNDLED, &BUNDLED_FILES)
}

/// Whether a licence, by its identifier, forbids commercial use.
#[must_use]
pub fn is_non_commercial(license: &str) -> bool {
    license.to_lowercase().split(['-', '_', ' ']).any(|part| part == "nc" || part == "noncommercial")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_catalogue_is_readable_and_consistent() {
        let parsed: Catalog = toml::from_str(include_str!("../../models/catalog.toml")).unwrap();
        assert_eq!(parsed.model.len(), catalog().len());
        let aliases: BTreeSet<_> = catalog().iter().map(|entry| &entry.alias).collect();
        assert_eq!(aliases.len(), catalog().len(), "an alias is there twice");
        for entry in catalog() {
            match &entry.repo {
                Some(repo) => drop(RepoId::parse(&format!("{repo}@{}", entry.revision)).unwrap()),
                None => assert_eq!(entry.alias, BUNDLED),
            }
            let license = entry.license.as_deref().unwrap_or_default();
            assert_eq!(entry.non_commercial, is_non_commercial(license), "{}", entry.alias);
            assert!(!entry.from.is_empty() && !entry.to.is_empty() && !entry.note.is_empty(), "{}", entry.alias);
            assert!(entry.alignment_head.is_none_or(|[_, head]| head >= 0), "{}", entry.alias);
            assert!(entry.note.chars().count() <= 50, "{}: `list` has no room for so long a note", entry.alias);
        }
        let bundled = catalog().iter().rposition(|entry| entry.task == ModelTask::Translate).unwrap();
        assert_eq!(catalog()[bundled].alias, BUNDLED, "anything installed is preferred to the bundled model");
    }

    #[test]
    fn long_documents_have_a_model_in_english() {
        let alias = |language: &str, tokens| longer(language, tokens).map(|entry| entry.alias.as_str());
        assert_eq!([alias("en", 1024), alias("en", 16_384), alias("nl", 1024)], [Some("long"), None, None]);
    }

    #[test]
    fn every_bundled_file_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/models/kortom-nl-en");
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        // The training log is for readers of the repository.
        names.retain(|name| name != "TRAINING.md");
        names.sort();
        assert_eq!(
            bundled().names().collect::<Vec<_>>(),
            names.iter().map(|n| n.to_str().unwrap()).collect::<Vec<_>>()
        );
        for name in names.iter().filter_map(|name| name.to_str()) {
            let stored = std::fs::read(format!("{folder}/{name}")).unwrap();
            assert!(bundled().embedded_bytes(name) == Some(&stored[..]), "{name}");
        }
    }

    #[test]
    fn licences_that_forbid_commerce_are_known() {
        assert!(["cc-by-nc-4.0", "CC-BY-NC-SA-4.0"].iter().all(|license| is_non_commercial(license)));
        assert!(["cc-by-4.0", "mit", "ncsa", "apache-2.0"].iter().all(|license| !is_non_commercial(license)));
    }
}
