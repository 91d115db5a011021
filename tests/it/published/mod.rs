//! Tiny checkpoints with the small files of the published ones that the catalogue names (`tests/fixtures/published.py`):
//! each loads, has the settings that transformers has in effect, and generates what transformers generates.

mod assembled;
mod new_user;
mod old;
mod quirks;

use std::fs;

use candle_core::DType;
use kortom::batch::TokenId;
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{self, Request, ResolvedRequest};
use kortom::files::ModelFiles;
use kortom::hub::{self, CatalogEntry, ModelTask};
use serde_json::{Value, json};

use crate::cli::{Place, Ran};
use crate::parity::checkpoint::Checkpoint;
use crate::parity::compare::{Case, Tally};
use crate::settings::check_effective;
use assembled::{Assembled, published};

/// The catalogue's entries that are fetched from the Hub.
fn entries() -> impl Iterator<Item = &'static CatalogEntry> {
    hub::catalog().iter().filter(|entry| entry.repo.is_some())
}

/// What one run of the expectations asks for: `task` is what `summarize` would do, all others `generate` with these flags.
fn request(entry: &CatalogEntry, tiny: &Value, run: &Value) -> Request {
    let count = |name: &str| run["options"][name].as_u64().map(|count| count as usize);
    let task = run["name"] == "task";
    let language = |index: usize| tiny["languages"][index].as_str().map(str::to_owned);
    let flags = Overrides {
        num_beams: count("num_beams"),
        n_best: count("num_return_sequences"),
        min_new_tokens: count("min_new_tokens"),
        max_new_tokens: count("max_new_tokens"),
        ..Overrides::NONE
    };
    Request {
        flags: if task { Overrides::NONE } else { flags },
        catalogue: task.then(|| Value::Object(entry.settings.clone())),
        task: task.then(|| "summarization".to_owned()),
        prefix: entry.prefix.clone().filter(|_| task || entry.task == ModelTask::Translate),
        from: language(0),
        to: language(1),
        ..Request::new(Caller::Generate)
    }
}

/// Settles a run with the small files alone, and compares with what transformers has in effect.
fn resolved(folder: &Assembled, entry: &CatalogEntry, run: &Value, effective: &str) -> ResolvedRequest {
    let alias = &entry.alias;
    let files = ModelFiles::folder(folder.path(), alias, None).unwrap();
    let resolved = engine::Checkpoint::open(&files).unwrap().resolve(&request(entry, &folder.tiny, run)).unwrap();
    check_effective(&resolved.settings, &run[effective], &format!("{alias}, {}, {effective}", run["name"]));
    assert_eq!(resolved.prefix, run["prefix"].as_str().unwrap(), "{alias}, {}", run["name"]);
    resolved
}

fn ids(value: &Value) -> Vec<TokenId> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as TokenId).collect()
}

/// Compares every output of one alias.
fn compare(entry: &CatalogEntry, tally: &mut Tally) {
    let folder = Assembled::new(&entry.alias);
    let expected = published(&entry.alias, "expected.json").unwrap();
    let checkpoint = Checkpoint::load(folder.path(), DType::F32);
    for run in expected["runs"].as_array().unwrap() {
        let ResolvedRequest { settings, language_tokens, prefix, .. } = resolved(&folder, entry, run, "settings");
        for (source, output) in run["outputs"].as_array().unwrap().iter().enumerate() {
            let text = format!("{prefix}{}", expected["sources"][source].as_str().unwrap());
            let ids = ids(&output["source_ids"]);
            assert_eq!(checkpoint.tokenizer.encode(&text, &language_tokens).unwrap(), ids, "{}: {text:?}", entry.alias);
            let name = format!("{}, {}", entry.alias, run["name"]);
            let case = Case { name: &name, source, ids: &ids, options: &settings.options };
            let found = checkpoint.search(std::slice::from_ref(&ids), &settings.options, 0);
            tally.compare(&checkpoint, &case, &found[0], output);
            for best in output["best"].as_array().unwrap() {
                let text = checkpoint.tokenizer.decode(&self::ids(&best["ids"]));
                assert_eq!(text, best["text"].as_str().unwrap(), "{name}, source {source}");
            }
        }
    }
}

#[test]
fn every_alias_generates_what_transformers_generates() {
    let mut tally = Tally::default();
    for entry in entries() {
        compare(entry, &mut tally);
    }
    for entry in entries() {
        let of_this = |(name, _): &(&String, &usize)| name.starts_with(&format!("{}, ", entry.alias));
        let count: usize = tally.settings.iter().filter(of_this).map(|(_, count)| count).sum();
        println!("{}: loads, settings as in transformers, {count} sequences equal", entry.alias);
        assert!(count >= 30, "{}", entry.alias);
    }
    println!("{} sequences, {} near-ties: {:?}", tally.sequences(), tally.ties.len(), tally.ties);
    tally.check_ties();
}

/// Older copies have no `generation_config.json`: what config.json says of decoding counts then.
#[test]
fn without_generation_config_the_keys_of_config_count() {
    for entry in entries() {
        let folder = Assembled::new(&entry.alias);
        fs::remove_file(folder.path().join("generation_config.json")).ok();
        for run in published(&entry.alias, "expected.json").unwrap()["runs"].as_array().unwrap() {
            resolved(&folder, entry, run, "settings_of_config");
        }
    }
}

/// `kortom models show ALIAS` where all aliases lie in one folder of models.
#[test]
fn every_alias_is_shown_as_it_would_decode() {
    const SHOWN: [&str; 12] = [
        "num_beams",
        "length_penalty",
        "early_stopping",
        "no_repeat_ngram_size",
        "repetition_penalty",
        "bad_words_ids",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "renormalize_logits",
        "decoder_start_token_id",
        "eos_token_id",
        "pad_token_id",
    ];
    let place = Place::new();
    for entry in entries() {
        Assembled::new(&entry.alias).copy_to(&place.path("models").join(&entry.alias));
        let mut command = place.command(&["models", "show", &entry.alias, "--format", "json"]);
        command.env("KORTOM_MODELS", place.path("models"));
        let shown: Value = serde_json::from_str(&Ran::from(command.output().unwrap()).good()).unwrap();
        assert_eq!((&shown["usable"], &shown["fault"]), (&true.into(), &Value::Null), "{}", entry.alias);
        let expected = published(&entry.alias, "expected.json").unwrap();
        let name = if entry.task == ModelTask::Summarize { "task" } else { "own" };
        let run = expected["runs"].as_array().unwrap().iter().find(|run| run["name"] == name).unwrap();
        assert_eq!(shown["facts"]["architecture"], expected["class"], "{}", entry.alias);
        for name in SHOWN {
            let found = shown["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == name).unwrap();
            let wanted = crate::settings::expected(name, &run["settings"][name]);
            let value = &found["value"];
            let same =
                *value == wanted || wanted == json!([value]) || value.is_f64() && value.as_f64() == wanted.as_f64();
            assert!(same, "{}: `{name}` is {value}, in transformers {wanted}", entry.alias);
        }
    }
}
