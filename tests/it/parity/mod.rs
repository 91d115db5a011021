//! Tiny checkpoints of every family, token for token beside transformers (`tests/fixtures/make.py`).
//!
//! Encoder states and teacher-forced logits agree within 1e-4; so do all scores. Tokens and texts are
//! identical, except where the reference itself stood at a near-tie: if its margin is below 1e-4, another
//! order of the same sums may fall the other way. Then our own search must reach the reference's tokens when
//! the logits are nudged by less than that, with a score within 1e-4; at most 0.5 % may need this.
//!
//! All on the CPU; where `KORTOM_TEST_DEVICE` names a device, such as `cuda`, once more on that (`composed`, `half`, and
//! the bundled model).

// What a fixture holds is known.
#![allow(clippy::unwrap_used)]

mod adapters;
mod alignment;
mod changed;
pub mod checkpoint;
pub mod compare;
mod composed;
mod edits;
mod half;
mod invariance;
mod table;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::{DType, Device};
use kortom::batch::TokenId;
use kortom::device::{ComputeType, Placement};
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{Engine, Generation, Request};
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

/// The device that `KORTOM_TEST_DEVICE` names, if any.
fn named_device() -> Option<Device> {
    let name = std::env::var("KORTOM_TEST_DEVICE").ok()?;
    Some(Placement::choose(name.parse().unwrap(), ComputeType::F32).unwrap().device)
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

/// The token that decoding starts from.
fn start(expected: &Value) -> TokenId {
    let start = &expected["ids"]["start"];
    start.as_u64().or_else(|| start[0].as_u64()).unwrap() as TokenId
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
    mt5_without_a_head_of_its_own: "mT5" "tiny-mt5-tied",
    umt5: "UMT5" "tiny-umt5",
    umt5_without_a_head_of_its_own: "UMT5" "tiny-umt5-tied",
    led: "LED" "tiny-led",
    led_with_a_global_first_token: "LED" "tiny-led-global",
    longt5_local: "LongT5" "tiny-longt5-local",
    longt5_with_sums_of_blocks: "LongT5" "tiny-longt5-global",
    pegasus_x: "PEGASUS-X" "tiny-pegasus-x",
    bigbird_pegasus: "BigBird" "tiny-bigbird-pegasus",
    t5gemma: "T5Gemma" "tiny-t5gemma",
    t5gemma2: "T5Gemma 2" "tiny-t5gemma2",
    bert_into_bert: "halves" "tiny-bert2bert",
    bert_into_gpt2: "halves" "tiny-bert2gpt2",
    roberta_into_itself: "halves" "tiny-roberta2roberta",
    plbart: "PLBart" "tiny-plbart",
    mvp: "MVP" "tiny-mvp",
    mvp_with_prompts: "MVP" "tiny-mvp-prompt",
    blenderbot_small: "Blenderbot" "tiny-blenderbot-small",
    blenderbot: "Blenderbot" "tiny-blenderbot",
    fsmt: "FSMT" "tiny-fsmt",
    small100: "SMaLL-100" "tiny-small100",
    nllb_moe: "NLLB-MoE" "tiny-nllb-moe",
    switch_transformers: "Switch" "tiny-switch",
    prophetnet: "ProphetNet" "tiny-prophetnet",
    seamless_m4t: "SeamlessM4T" "tiny-seamless",
    seamless_m4t_v2: "SeamlessM4T" "tiny-seamless-v2",
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

/// What the bundled model makes of every n-th of our own sentences, beside what it makes of them in transformers.
fn bundled(placement: &Placement, beams: usize, n: usize) -> Vec<(Generation, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/kortom-nl-en");
    let files = ModelFiles::folder(&folder, "kortom-nl-en", None).unwrap();
    let engine = Engine::load(&files, placement).unwrap();
    let sources = std::fs::read_to_string(fixtures().join("bundled/sources.txt")).unwrap();
    let sources: Vec<&str> = sources.lines().step_by(n).collect();
    let flags = Overrides { num_beams: Some(beams), ..Overrides::default() };
    let session = engine.session(&Request { flags, ..Request::new(Caller::Generate) }).unwrap();
    let found = session.generate(&sources).unwrap();
    let expected = json(&fixtures().join("bundled/expected.json"));
    let outputs: Vec<Value> = list(&expected[format!("beam{beams}")]).iter().step_by(n).cloned().collect();
    assert!(outputs.len() * n >= 200 && outputs.len() == found.len());
    found.into_iter().zip(outputs).collect()
}

/// The bundled model on our own sentences, greedy and with four beams, with its own settings: the same texts.
#[test]
fn the_bundled_model_translates_as_in_transformers() {
    for placement in
        named_device().map(|device| Placement::new(device, DType::F32)).into_iter().chain([Placement::cpu()])
    {
        for beams in [1, 4] {
            let outputs = bundled(&placement, beams, 1);
            let mut ties = 0;
            for (found, expected) in &outputs {
                if found.text == expected["text"].as_str().unwrap() {
                    assert_eq!(found.tokens, ids(&expected["ids"]));
                    assert!(near(f64::from(found.score), expected["score"].as_f64().unwrap()), "{expected}");
                } else {
                    let margin = expected["margin"].as_f64().unwrap();
                    assert!(margin < NEAR, "beam {beams}: found `{}`, expected {expected}", found.text);
                    ties += 1;
                }
            }
            assert!(ties * 200 <= outputs.len(), "{ties} near-ties");
            let what = &placement.description;
            println!("kortom-nl-en, {what}, beam {beams}: {} sentences, {ties} near-ties", outputs.len());
        }
    }
}
