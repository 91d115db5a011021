//! Old files of PyTorch in every container and storage class, and old keys in config.json (`tests/fixtures/old.py`):
//! taken or refused as transformers does.

use std::path::{Path, PathBuf};

use anyhow::Result;
use candle_core::{DType, Device};
use kortom::batch::Batch;
use kortom::engine::settings::{Caller, Overrides, SettingSources, resolve};
use kortom::files::ModelFiles;
use kortom::model::spec::GlobalAttention;
use kortom::model::{Seq2Seq, family, open_weights};
use serde_json::Value;

use super::ids;
use crate::parity::checkpoint::values;
use crate::parity::compare::near;
use crate::settings::check_effective;

fn old() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/old")
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(old().join("expected.json")).unwrap()).unwrap()
}

/// The model in one file with this config.json.
fn load(file: &str, config: &Value) -> Result<Seq2Seq> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("config.json"), config.to_string())?;
    std::fs::copy(old().join(format!("{file}.bin")), folder.path().join("pytorch_model.bin"))?;
    let weights = open_weights(&ModelFiles::folder(folder.path(), file, None)?)?;
    Seq2Seq::load(family::parse(config)?, &weights, &Device::Cpu, DType::F32)
}

fn assert_logits(model: &Seq2Seq, expected: &Value, what: &str) {
    let memory =
        model.encode(&Batch { ids: vec![ids(&expected["source"])], order: vec![0] }, GlobalAttention::None).unwrap();
    let mut state = model.start(&memory).unwrap();
    for (token, logits) in ids(&expected["decoder"]).into_iter().zip(expected["logits"].as_array().unwrap()) {
        let found = values(&model.step(&mut state, &[token]).unwrap()).unwrap();
        let logits: Vec<f64> = logits.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        let equal = found.len() == logits.len() && found.iter().zip(&logits).all(|(&a, &b)| near(f64::from(a), b));
        assert!(equal, "{what}: {found:?}, expected {logits:?}");
    }
}

/// What is said of the files that are refused.
/// transformers makes floats of integers, which are rounded or quantised weights, and goes on; we do not.
const REFUSED: [(&str, &str); 5] = [
    ("zip-norm-in-integers", "`model.encoder.layernorm_embedding.weight` is stored as `LongStorage`"),
    ("legacy-bias-longer", "bias on the logits has 25 entries for a vocabulary of 24"),
    ("legacy-bias-shorter", "bias on the logits has 23 entries for a vocabulary of 24"),
    (
        "legacy-positions-longer",
        "`model.encoder.embed_positions.weight` has the shape [17, 4], but config.json asks for [14, 4]",
    ),
    (
        "legacy-positions-shorter",
        "`model.encoder.embed_positions.weight` has the shape [11, 4], but config.json asks for [14, 4]",
    ),
];

#[test]
fn every_storage_class_and_container_is_taken_or_refused() {
    let expected = expected();
    let mut taken = 0;
    for (file, verdict) in expected["files"].as_object().unwrap() {
        let loaded = load(file, &expected["config"]);
        if let Some((_, words)) = REFUSED.iter().find(|(refused, _)| refused == file) {
            assert_eq!(verdict["loads"], file == "zip-norm-in-integers");
            let said = format!("{:#}", loaded.err().unwrap());
            assert!(said.contains(words) && said.contains("\nhint: "), "{file}: {said}");
        } else {
            assert_eq!(verdict["same"], true);
            assert_logits(&loaded.unwrap_or_else(|error| panic!("{file}: {error:#}")), &expected, file);
            taken += 1;
        }
    }
    assert!(taken >= 12, "{taken}");
}

#[test]
fn old_keys_nulls_and_floats_of_config_are_taken_as_in_transformers() {
    let expected = expected();
    for case in expected["configs"].as_array().unwrap() {
        let mut config = expected["config"].clone();
        config.as_object_mut().unwrap().extend(case["change"].as_object().unwrap().clone());
        let what = case["change"].to_string();
        let model = load("zip-float32", &config).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        assert_logits(&model, &expected, &what);
        let settings = resolve(&SettingSources {
            call: None,
            flags: &Overrides::NONE,
            user: &Overrides::NONE,
            catalogue: None,
            task: None,
            defaults: None,
            config: &config,
            generation_config: None,
            window: model.spec().encoder.window,
            // More than this model has: as many as the reference of these settings.
            positions: Some(1024),
            after_start: None,
            caller: Caller::Generate,
        });
        check_effective(&settings.unwrap(), &case["settings"], &what);
    }
}
