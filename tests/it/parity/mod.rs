//! Tiny checkpoints of every family, token for token beside transformers (`tests/fixtures/make.py`).
//!
//! Encoder states and teacher-forced logits agree within 1e-4; so do all scores. Tokens and texts are
//! identical, except where the reference itself stood at a near-tie: if its margin is below 1e-4, another
//! order of the same sums may fall the other way. Then our own search must reach the reference's tokens when
//! the logits are nudged by less than that, with a score within 1e-4; at most 0.5 % may need this.

// What a fixture holds is known.
#![allow(clippy::unwrap_used)]

mod changed;
mod checkpoint;
mod compare;
mod composed;
mod half;
mod invariance;
mod table;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use kortom::batch::TokenId;
use kortom::device::Placement;
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{Engine, Request};
use kortom::files::ModelFiles;
use serde_json::Value;

use checkpoint::{Checkpoint, bits};
use compare::{Case, NEAR, Tally, check_encoder, check_logits, near};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What transformers makes of a fixture.
fn expectations(name: &str) -> Value {
    json(&fixtures().join(name).join("expected.json"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn ids(value: &Value) -> Vec<TokenId> {
    list(value).iter().map(|id| id.as_u64().unwrap() as TokenId).collect()
}

fn floats(value: &Value) -> Vec<f64> {
    list(value).iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Every check of one tiny checkpoint, done once whoever asks.
fn compared(name: &str) -> &'static Tally {
    static TALLIES: [OnceLock<Tally>; COMPARED.len()] = [const { OnceLock::new() }; COMPARED.len()];
    let index = COMPARED.iter().position(|(_, folder)| *folder == name).unwrap();
    TALLIES[index].get_or_init(|| check(name))
}

fn check(name: &str) -> Tally {
    let checkpoint = Checkpoint::fixture(name);
    let expected = expectations(name);
    let sources = check_sources(&checkpoint, &expected);
    check_encoder(&checkpoint, &expected);
    check_logits(&checkpoint, &expected, &sources);
    let mut tally = Tally::default();
    for setting in list(&expected["settings"]) {
        check_setting(&checkpoint, &expected, setting, &sources, &mut tally);
    }
    tally.check_ties();
    tally
}

/// Texts become the ids that transformers' tokenizer gives.
fn check_sources(checkpoint: &Checkpoint, expected: &Value) -> Vec<Vec<TokenId>> {
    let languages = checkpoint.languages(expected);
    let texts = list(&expected["sources"]).iter().zip(list(&expected["source_ids"]));
    let found = texts.map(|(text, expected)| {
        let found = checkpoint.tokenizer.encode(text.as_str().unwrap(), &languages).unwrap();
        assert_eq!(found, ids(expected), "{}: {text}", checkpoint.name);
        found
    });
    found.collect()
}

/// All sources in one padded batch, and each alone: not a bit may differ.
fn check_setting(
    checkpoint: &Checkpoint,
    expected: &Value,
    setting: &Value,
    sources: &[Vec<TokenId>],
    tally: &mut Tally,
) {
    let name = setting["name"].as_str().unwrap();
    let options = checkpoint.options(expected, setting);
    let found = checkpoint.search(sources, &options, 0);
    for (source, expected) in list(&setting["outputs"]).iter().enumerate() {
        let case = Case { name, source, ids: &sources[source], options: &options };
        tally.compare(checkpoint, &case, &found[source], expected);
        for best in list(&expected["best"]) {
            let text = checkpoint.tokenizer.decode(&ids(&best["ids"]));
            assert_eq!(text, best["text"].as_str().unwrap(), "{}, {name}, source {source}", checkpoint.name);
        }
    }
    for (source, together) in sources.iter().zip(&found) {
        let alone = checkpoint.search(std::slice::from_ref(source), &options, 0);
        assert_eq!(bits(&alone[0]), bits(together), "{}, {name}: alone and in a batch", checkpoint.name);
    }
}

macro_rules! families {
    ($($test:ident: $family:literal $folder:literal,)*) => {
        $(#[test]
        fn $test() {
            compared($folder);
        })*
        /// Families and the folders with their expectations, so that none is forgotten.
        const COMPARED: &[(&str, &str)] = &[$(($family, $folder)),*];
    };
}

families! {
    marian: "Marian" "tiny-marian",
    marian_with_separate_vocabularies: "Marian" "tiny-marian-separate",
    marian_untied: "Marian" "tiny-marian-untied",
    marian_big_with_a_target_token: "Marian" "tiny-marian-big",
    marian_in_bf16: "Marian" "tiny-marian-bf16",
    marian_without_bias: "Marian" "tiny-marian-no-bias",
    marian_with_stored_positions: "Marian" "tiny-marian-positions",
    marian_pickled: "Marian" "tiny-marian-bin",
    marian_pickled_in_shards: "Marian" "tiny-marian-bin-shards",
    marian_in_shards: "Marian" "tiny-marian-shards",
    bart: "BART" "tiny-bart",
    bart_of_old: "BART" "tiny-bart-old",
    mbart25: "mBART" "tiny-mbart25",
    mbart50: "mBART" "tiny-mbart50",
    pegasus: "Pegasus" "tiny-pegasus",
    pegasus_of_old: "Pegasus" "tiny-pegasus-old",
    m2m100: "M2M100" "tiny-m2m100",
    nllb: "NLLB" "tiny-nllb",
    t5: "T5" "tiny-t5",
    t5_unscaled: "T5" "tiny-t5-unscaled",
    t5_v11: "T5" "tiny-t5-v11",
    madlad: "MADLAD" "tiny-madlad",
    mt5: "mT5" "tiny-mt5",
    umt5: "UMT5" "tiny-umt5",
}

#[test]
fn every_expectation_is_compared() {
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("tiny-") && folder.join("expected.json").exists() {
            assert!(COMPARED.iter().any(|(_, folder)| *folder == name), "`{name}` is not compared");
        }
    }
}

/// The bundled model on our own sentences, greedy and with four beams, with its own settings: the same texts.
#[test]
fn the_bundled_model_translates_as_in_transformers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/kortom-nl-en");
    let files = ModelFiles::folder(&folder, "kortom-nl-en", None).unwrap();
    let engine = Engine::load(&files, &Placement::cpu()).unwrap();
    let expected = json(&fixtures().join("bundled/expected.json"));
    let sources = std::fs::read_to_string(fixtures().join("bundled/sources.txt")).unwrap();
    let sources: Vec<&str> = sources.lines().collect();
    for beams in [1, 4] {
        let flags = Overrides { num_beams: Some(beams), ..Overrides::default() };
        let session = engine.session(&Request { flags, ..Request::new(Caller::Generate) }).unwrap();
        let found = session.generate(&sources).unwrap();
        let outputs = list(&expected[format!("beam{beams}")]);
        assert!(outputs.len() >= 200 && outputs.len() == found.len());
        let mut ties = 0;
        for (found, expected) in found.iter().zip(outputs) {
            if found.text == expected["text"].as_str().unwrap() {
                assert_eq!(found.tokens, ids(&expected["ids"]));
                assert!(near(f64::from(found.score), expected["score"].as_f64().unwrap()), "{expected}");
            } else {
                let margin = expected["margin"].as_f64().unwrap();
                assert!(margin < NEAR, "beam {beams}: found `{}`, expected {expected}", found.text);
                ties += 1;
            }
        }
        assert!(ties * 200 <= found.len(), "{ties} near-ties");
        println!("kortom-nl-en, beam {beams}: {} sentences, {ties} near-ties", found.len());
    }
}
