//! Which files of a repository kortom needs, and whether a set of files is a whole model.
//!
//! Invariant: a model that `missing` calls whole can be loaded without another file, and `wanted` never names a file
//! of another framework. Names come from servers and from indexes, so only plain ones are ever taken.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::error::WithHint;
use crate::files::ModelFiles;

/// Configuration and vocabulary, taken whenever the repository has them.
const SMALL: [&str; 18] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "target_vocab.json",
    "vocab-src.json",
    "vocab-tgt.json",
    "merges.txt",
    "vocab.txt",
    "prophetnet.tokenizer",
    "source.spm",
    "target.spm",
    "spiece.model",
    "sentencepiece.bpe.model",
    "README.md",
];

/// Files one of which every repository with a tokenizer has; some need no vocabulary.
const TOKENIZERS: [&str; 9] = [
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "vocab-src.json",
    "vocab.txt",
    "prophetnet.tokenizer",
    "source.spm",
    "spiece.model",
    "sentencepiece.bpe.model",
];

/// The forms weights come in, the preferred first: the file or index, and the beginning and end of a shard's name.
const WEIGHTS: [(&str, Option<(&str, &str)>); 4] = [
    ("model.safetensors", None),
    ("model.safetensors.index.json", Some(("model-", ".safetensors"))),
    ("pytorch_model.bin", None),
    ("pytorch_model.bin.index.json", Some(("pytorch_model-", ".bin"))),
];

/// Of all files of a repository, the ones to fetch: small files first, weights last, so that an interrupted download
/// never looks whole.
///
/// # Errors
/// When there is no `config.json`, nothing of a tokenizer, or no weights in a form that can be read.
pub(super) fn wanted(repository: &str, names: &[String]) -> Result<Vec<String>> {
    let has = |name: &str| names.iter().any(|other| other == name);
    if !has("config.json") {
        bail!(
            format!("the repository `{repository}` has no `config.json`")
                .with_hint("it is not a model that transformers could load; choose another, see `kortom models list`")
        );
    }
    if !TOKENIZERS.iter().any(|name| has(name)) {
        bail!(format!("the repository `{repository}` has no file of a tokenizer").with_hint(
            "its model card may say of which model it takes one; put the files of both into one folder and give that"
        ));
    }
    let Some((main, shard)) = WEIGHTS.iter().find(|(main, _)| has(main)) else {
        bail!(
            format!("the repository `{repository}` has no weights as safetensors or pytorch_model.bin")
                .with_hint(format!("another revision may have them, for instance `{repository}@refs/pr/1`"))
        );
    };
    let mut files: Vec<String> = SMALL.iter().filter(|name| has(name)).map(|&name| name.to_owned()).collect();
    files.push((*main).to_owned());
    if let Some((start, end)) = shard {
        let shards = names.iter().filter(|name| name.starts_with(start) && name.ends_with(end) && is_plain(name));
        files.extend(shards.cloned());
    }
    Ok(files)
}

/// The forms the weights of an adapter come in, the preferred first.
pub(super) const ADAPTER_WEIGHTS: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// Of all files of an adapter's repository, the ones to fetch, see [`wanted`].
///
/// # Errors
/// When there is no `adapter_config.json`, or no weights beside it.
pub(super) fn wanted_of_adapter(repository: &str, names: &[String]) -> Result<Vec<String>> {
    let has = |name: &str| names.iter().any(|other| other == name);
    let weights = ADAPTER_WEIGHTS.into_iter().find(|name| has(name));
    let (true, Some(weights)) = (has("adapter_config.json"), weights) else {
        bail!(
            format!(
                "the repository `{repository}` is no adapter: it has no `adapter_config.json` with `{}`",
                ADAPTER_WEIGHTS[0]
            )
            .with_hint("a whole model is named with `--model`")
        );
    };
    let small = ["adapter_config.json", "README.md"].into_iter().filter(|name| has(name));
    Ok(small.chain([weights]).map(str::to_owned).collect())
}

/// Whether a name is a file directly in a folder, and nothing that could lead out of it.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(plain)
}

/// What a model lacks before it can be loaded; empty when it is whole.
pub(super) fn missing(files: &ModelFiles) -> Vec<String> {
    let mut missing = missing_weights(files);
    let setting = |file: &str, key: &str| {
        let json = files.json(file).ok().flatten()?;
        json.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    let family = setting("config.json", "model_type").unwrap_or_default();
    let class = setting("tokenizer_config.json", "tokenizer_class").unwrap_or_default();
    let (sets, what): (&[&[&str]], &str) = if family == "marian" {
        (&[&["tokenizer.json"], &["source.spm", "target.spm", "vocab.json"]], "source.spm, target.spm and vocab.json")
    } else if family == "fsmt" {
        (&[&["vocab-src.json", "vocab-tgt.json", "merges.txt"]], "vocab-src.json, vocab-tgt.json and merges.txt")
    } else if family == "prophetnet" {
        (&[&["tokenizer.json"], &["prophetnet.tokenizer"]], "prophetnet.tokenizer")
    } else if class.starts_with("M2M100") || class.starts_with("SMALL100") {
        (&[&["tokenizer.json"], &["sentencepiece.bpe.model", "vocab.json"]], "sentencepiece.bpe.model and vocab.json")
    } else {
        (
            &[
                &["tokenizer.json"],
                &["vocab.json", "merges.txt"],
                &["vocab.txt"],
                &["spiece.model"],
                &["sentencepiece.bpe.model"],
            ],
            "tokenizer.json, vocab.json with merges.txt, vocab.txt, spiece.model or sentencepiece.bpe.model",
        )
    };
    // Of a set that is there in part only the rest is missing.
    let begun = sets.iter().filter(|set| set.iter().any(|name| files.has(name)));
    let lacking = begun.map(|set| set.iter().filter(|name| !files.has(name)).copied().collect::<Vec<_>>());
    match lacking.min_by_key(Vec::len) {
        Some(lacking) => missing.extend(lacking.into_iter().map(str::to_owned)),
        None => missing.push(what.to_owned()),
    }
    missing
}

fn missing_weights(files: &ModelFiles) -> Vec<String> {
    let Some((main, shard)) = WEIGHTS.iter().find(|(main, _)| files.has(main)) else {
        return vec!["model.safetensors or pytorch_model.bin".to_owned()];
    };
    if shard.is_none() {
        return Vec::new();
    }
    let index = files.json(main).ok().flatten();
    let Some(map) = index.as_ref().and_then(|index| index.get("weight_map")).and_then(Value::as_object) else {
        return vec![format!("a readable {main}")];
    };
    let shards: BTreeSet<&str> = map.values().filter_map(Value::as_str).collect();
    shards.into_iter().filter(|shard| !files.has(shard)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn safetensors_come_before_bin_and_other_frameworks_never() {
        let all = names(&[
            "config.json",
            "flax_model.msgpack",
            "model.safetensors",
            "pytorch_model.bin",
            "rust_model.ot",
            "tf_model.h5",
            "onnx/model.onnx",
            "vocab.json",
        ]);
        assert_eq!(wanted("a/b", &all).unwrap(), ["config.json", "vocab.json", "model.safetensors"]);
        let bin: Vec<String> = all.into_iter().filter(|name| name != "model.safetensors").collect();
        assert_eq!(wanted("a/b", &bin).unwrap(), ["config.json", "vocab.json", "pytorch_model.bin"]);
    }

    #[test]
    fn shards_follow_their_index_and_none_leads_out_of_the_folder() {
        let all = names(&[
            "config.json",
            "spiece.model",
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model-/../../x.safetensors",
        ]);
        let wanted = wanted("a/b", &all).unwrap();
        assert_eq!(wanted.len(), 5);
        assert!(wanted.iter().all(|name| is_plain(name)));
    }

    #[test]
    fn a_repository_without_weights_or_tokenizer_is_refused() {
        let error = wanted("a/b", &names(&["config.json", "spiece.model", "tf_model.h5"])).unwrap_err().to_string();
        assert!(error.contains("no weights") && error.contains("hint:"), "{error}");
        // Before gigabytes are fetched in vain.
        let error = wanted("a/b", &names(&["config.json", "pytorch_model.bin"])).unwrap_err().to_string();
        assert!(error.contains("no file of a tokenizer") && error.contains("hint:"), "{error}");
        assert!(wanted("a/b", &names(&["model.safetensors"])).is_err());
    }

    #[test]
    fn of_a_tokenizer_that_is_there_in_part_the_rest_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let missing = || missing(&ModelFiles::folder(folder.path(), "x", None).unwrap());
        write("config.json", r#"{"model_type": "marian"}"#);
        write("model.safetensors", "");
        assert_eq!(missing(), ["source.spm, target.spm and vocab.json"]);
        write("source.spm", "");
        write("target.spm", "");
        assert_eq!(missing(), ["vocab.json"]);
        write("config.json", r#"{"model_type": "bart"}"#);
        write("vocab.json", "");
        assert_eq!(missing(), ["merges.txt"]);
        write("tokenizer.json", "");
        assert!(missing().is_empty());
    }

    #[test]
    fn a_missing_shard_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("config.json", r#"{"model_type": "t5"}"#);
        write("spiece.model", "");
        write(
            "model.safetensors.index.json",
            r#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#,
        );
        write("model-00001-of-00002.safetensors", "");
        let files = ModelFiles::folder(folder.path(), "x", None).unwrap();
        assert_eq!(missing(&files), ["model-00002-of-00002.safetensors"]);
        write("model-00002-of-00002.safetensors", "");
        let files = ModelFiles::folder(folder.path(), "x", None).unwrap();
        assert!(missing(&files).is_empty());
    }
}
