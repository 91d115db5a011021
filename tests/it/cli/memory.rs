//! How much memory a model takes, where the system tells.

#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::path::Path;

use serde_json::json;

use super::Place;

/// Width of the model, and inner width of its feed-forward layers, which are nearly all of it.
const WIDTH: usize = 512;
const INNER: usize = 40_000;

/// Names and shapes of the weights of a T5 of one layer.
fn tensors(vocabulary: usize) -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![("shared.weight".to_owned(), vec![vocabulary, WIDTH])];
    for (stack, attentions) in
        [("encoder", vec!["SelfAttention"]), ("decoder", vec!["SelfAttention", "EncDecAttention"])]
    {
        let part = |layer: usize, name: &str| format!("{stack}.block.0.layer.{layer}.{name}.weight");
        for (layer, attention) in attentions.iter().enumerate() {
            tensors.extend(
                ["q", "k", "v", "o"].map(|name| (part(layer, &format!("{attention}.{name}")), vec![WIDTH, WIDTH])),
            );
        }
        tensors.push((part(0, "SelfAttention.relative_attention_bias"), vec![32, 8]));
        let last = attentions.len();
        tensors.extend((0..=last).map(|layer| (part(layer, "layer_norm"), vec![WIDTH])));
        tensors.push((part(last, "DenseReluDense.wi"), vec![INNER, WIDTH]));
        tensors.push((part(last, "DenseReluDense.wo"), vec![WIDTH, INNER]));
        tensors.push((format!("{stack}.final_layer_norm.weight"), vec![WIDTH]));
    }
    tensors
}

/// A model being loaded is never in memory twice: once as mapped from its file and once packed.
#[test]
fn a_model_takes_little_more_memory_than_its_weights() {
    let place = Place::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-t5");
    for file in ["spiece.model", "tokenizer_config.json"] {
        place.file(&format!("large/{file}"), std::fs::read(fixture.join(file)).unwrap());
    }
    let vocabulary = 420;
    let config = json!({
        "model_type": "t5", "d_model": WIDTH, "d_kv": 64, "num_heads": 8, "d_ff": INNER, "num_layers": 1,
        "vocab_size": vocabulary, "eos_token_id": 1, "pad_token_id": 0, "decoder_start_token_id": 0,
    });
    place.file("large/config.json", config.to_string());
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors(vocabulary) {
        let begin = end;
        end += 4 * shape.iter().product::<usize>();
        header.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, end] }));
    }
    let header = serde_json::Value::Object(header).to_string();
    let start = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    // All weights are 0: a hole in the file, which is read like any other part of it.
    place.file("large/model.safetensors", &start);
    let file = OpenOptions::new().write(true).open(place.path("large/model.safetensors")).unwrap();
    file.set_len((start.len() + end) as u64).unwrap();

    let ran = place
        .pipe(&["generate", "--model", "large", "--device", "cpu", "--max-length", "2", "--timings"], b"De kat.\n");
    let line = ran.stderr.clone();
    ran.good();
    let peak: usize = line.split("peak memory ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let weights = end >> 20;
    assert!(weights > 300 && peak > weights, "{peak} MiB for {weights} MiB of weights");
    // 40 MiB are the program itself.
    assert!(peak < weights * 13 / 10 + 40, "{peak} MiB for {weights} MiB of weights");
}

#[test]
fn of_a_file_with_a_fault_nothing_is_imported() {
    let place = Place::new();
    place.file("c.tsv", "Een zin.\tOne phrase.\nx\n").file("good.tsv", "Een zin.\tOne phrase.\n");
    place.run(&["memory", "import", "c.tsv", "--memory", "m.sqlite"]).bad(1, &["`c.tsv`"]);
    let told =
        place.run(&["memory", "import", "good.tsv", "--memory", "m.sqlite"]).bad(0, &["1 corrections taken"]).stderr;
    assert!(!told.contains("known already"), "{told}");
    let foreign = ["memory", "import", "good.tsv", "--format", "tmx", "--memory", "m.sqlite"];
    place.run(&foreign).bad(1, &["there is no translation memory in it"]);
}
