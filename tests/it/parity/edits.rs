//! Checkpoints of which a few tensors or keys are others, beside transformers (`tests/fixtures/make_edits.py`).

use std::collections::HashMap;

use candle_core::{DType, Tensor};
use kortom::files::ModelFiles;
use kortom::model::{Seq2Seq, family, open_weights};
use serde_json::Value;

use super::changed::Changed;
use super::compare::check_logits;
use super::{expectations, fixtures, ids, json, list};

/// Adds tensors that are others times a factor.
fn add(tensors: &mut HashMap<String, Tensor>, edits: &[(&str, &str, f64)]) {
    for (name, of, factor) in edits {
        let tensor = (&tensors[*of] * *factor).unwrap();
        tensors.insert((*name).to_owned(), tensor);
    }
}

/// The checkpoint of a case.
fn edited(case: &Value) -> Changed {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let edits: Vec<_> =
        list(&case["tensors"]).iter().map(|edit| (text(&edit[0]), text(&edit[1]), edit[2].as_f64().unwrap())).collect();
    let edits: Vec<_> = edits.iter().map(|(name, of, factor)| (name.as_str(), of.as_str(), *factor)).collect();
    let changed = Changed::new(case["base"].as_str().unwrap(), |tensors| add(tensors, &edits));
    let path = changed.folder.join("config.json");
    let mut config = json(&path);
    for edit in list(&case["config"]) {
        let place = list(&edit[0]).iter().fold(&mut config, |place, key| &mut place[key.as_str().unwrap()]);
        *place = edit[1].clone();
    }
    std::fs::write(path, config.to_string()).unwrap();
    changed
}

#[test]
fn edited_checkpoints_give_the_logits_of_transformers() {
    let cases = json(&fixtures().join("edits.json"));
    let cases = list(&cases["cases"]);
    assert!(cases.len() >= 40);
    for case in cases {
        println!("{}, {}", case["base"], case["name"]);
        let expected = expectations(case["base"].as_str().unwrap());
        let sources: Vec<_> = list(&expected["source_ids"]).iter().map(ids).collect();
        let changed = edited(case);
        for dtype in [DType::F32, DType::F64] {
            check_logits(&changed.checkpoint(dtype), case, &sources);
        }
    }
}

/// Bytes of the int8 matrices of a BART whose stacks have tables of their own, the shared one times `factor`.
fn stored_bytes(factor: f64) -> u64 {
    const SHARED: &str = "model.shared.weight";
    let own = ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"];
    let changed = Changed::new("tiny-bart", |tensors| add(tensors, &own.map(|name| (name, SHARED, factor))));
    let files = ModelFiles::folder(&changed.folder, "tiny-bart", None).unwrap();
    let spec = family::parse(&files.json("config.json").unwrap().unwrap()).unwrap();
    let cache = tempfile::tempdir().unwrap();
    Seq2Seq::load_int8(spec, &open_weights(&files).unwrap(), Some(&cache.path().join("matrices"))).unwrap();
    let stored = std::fs::read_dir(cache.path()).unwrap();
    stored.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn copies_of_a_table_are_one_matrix() {
    // The stacks have one table besides the shared one, of some hundred rows of 32.
    assert!(stored_bytes(1.0) + 10_000 < stored_bytes(0.5));
}
