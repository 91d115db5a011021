//! `kortom models show`: what a model is and how it would decode, without its weights.

use std::path::Path;

use serde_json::{Value, json};

use super::Place;

/// What `models show --format json` says of a folder.
fn shown(place: &Place, folder: &Path) -> Value {
    let said = place.run(&["models", "show", folder.to_str().unwrap(), "--format", "json"]).good();
    serde_json::from_str(&said).unwrap()
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A copy of a tiny checkpoint in a folder of this name.
fn copied(place: &Place, name: &str) -> std::path::PathBuf {
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        place.file(&format!("{name}/{}", entry.file_name().to_str().unwrap()), std::fs::read(entry.path()).unwrap());
    }
    place.path(name)
}

/// The value and origin of a setting.
fn setting(shown: &Value, name: &str) -> (Value, String) {
    let settings = shown["settings"].as_array().unwrap();
    let found: Vec<&Value> = settings.iter().filter(|setting| setting["name"] == name).collect();
    assert_eq!(found.len(), 1, "`{name}` in {settings:?}");
    (found[0]["value"].clone(), found[0]["origin"].as_str().unwrap().to_owned())
}

#[test]
fn every_setting_has_its_value_and_its_origin() {
    let place = Place::new();
    let said = shown(&place, &fixture("tiny-bart"));
    assert_eq!(
        (&said["facts"]["architecture"], &said["usable"]),
        (&json!("BartForConditionalGeneration"), &json!(true))
    );
    for (name, value, origin) in [
        ("num_beams", json!(4), "generation_config.json"),
        ("length_penalty", json!(2.0), "generation_config.json"),
        ("min_length", json!(12), "generation_config.json"),
        ("no_repeat_ngram_size", json!(3), "generation_config.json"),
        ("early_stopping", json!(true), "generation_config.json"),
        ("repetition_penalty", json!(1.0), "default"),
        ("do_sample", json!(false), "default"),
    ] {
        let found = setting(&said, name);
        assert!(found.0 == value && found.1.contains(origin), "`{name}`: {found:?}");
    }
    // Old checkpoints keep them in config.json.
    assert_eq!(setting(&shown(&place, &fixture("tiny-bart-old")), "num_beams"), (json!(2), "config.json".to_owned()));
}

#[test]
fn the_maximum_of_generate_is_shown_where_it_is_another() {
    let place = Place::new();
    let folder = copied(&place, "tiny-bart");
    let other = |said: &Value| said["settings"].to_string().contains("in `generate`");
    assert!(!other(&shown(&place, &folder)), "both take it from the checkpoint");
    let settings = place.read("tiny-bart/generation_config.json").replace("\"max_length\": 60,", "");
    place.file("tiny-bart/generation_config.json", settings);
    let said = shown(&place, &folder);
    assert_eq!(setting(&said, "max_new_tokens"), (json!(191), "the model's window".to_owned()));
    assert_eq!(setting(&said, "max_new_tokens in `generate`"), (json!(20), "default".to_owned()));
    // And so it is.
    let generated = place.pipe(
        &["generate", "--model", folder.to_str().unwrap(), "--min-length", "20", "--format", "jsonl"],
        b"The old ferryman looked across the river and said nothing.\n",
    );
    assert_eq!(super::objects(&generated.good())[0]["tokens"], 20);
}

#[test]
fn an_encoder_alone_is_shown_as_one() {
    let place = Place::new();
    let folder = copied(&place, "tiny-t5");
    let device = candle_core::Device::Cpu;
    let mut weights = candle_core::safetensors::load(folder.join("model.safetensors"), &device).unwrap();
    weights.retain(|name, _| !name.starts_with("decoder."));
    candle_core::safetensors::save(&weights, folder.join("model.safetensors")).unwrap();
    let said = shown(&place, &folder);
    let fault = said["fault"].as_str().unwrap();
    assert!(said["usable"] == false && fault.contains("an encoder without a decoder"), "{said}");
}

#[test]
fn parameters_are_counted_in_every_format() {
    let place = Place::new();
    let count = |name: &str| shown(&place, &fixture(name))["parameters"].as_u64().unwrap();
    let expected = count("tiny-marian-shards");
    assert!((10_000..1_000_000).contains(&expected), "{expected}");
    assert_eq!(count("tiny-marian"), expected);
    assert_eq!(shown(&place, &fixture("tiny-marian-bf16"))["precision"], "BF16");
    // A pickle also has the tables of positions, and tied tensors under each of their names.
    assert!((expected..expected + 20_000).contains(&count("tiny-marian-bin")), "{}", count("tiny-marian-bin"));
}

#[test]
fn no_weights_are_read() {
    let place = Place::new();
    let folder = copied(&place, "tiny-marian");
    // 20 GB of parameters that are nowhere: a hole in a file.
    let header = r#"{"model.shared.weight":{"dtype":"F32","shape":[5000,1000000],"data_offsets":[0,20000000000]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    place.file("tiny-marian/model.safetensors", &bytes);
    let file = std::fs::OpenOptions::new().write(true).open(folder.join("model.safetensors")).unwrap();
    file.set_len(bytes.len() as u64 + 20_000_000_000).unwrap();
    let said = shown(&place, &folder);
    assert_eq!((&said["parameters"], &said["usable"]), (&json!(5_000_000_000_u64), &json!(true)));
    assert_eq!(setting(&said, "max_new_tokens").0, 60 - 1);
}

#[test]
fn a_model_that_cannot_be_used_says_why() {
    let place = Place::new();
    let folder = copied(&place, "tiny-marian");
    place.file("tiny-marian/model.safetensors", "no weights");
    let said = shown(&place, &folder);
    assert!(said["fault"].as_str().unwrap().contains("model.safetensors"), "{said}");
    let config = place.read("tiny-marian/config.json").replace(r#""swish""#, r#""tanh""#);
    place.file("tiny-marian/config.json", config);
    place.file("tiny-marian/model.safetensors", std::fs::read(fixture("tiny-marian/model.safetensors")).unwrap());
    let text = place.run(&["models", "show", folder.to_str().unwrap()]).good();
    assert!(text.contains("it cannot be used: ") && text.contains("`tanh`"), "{text}");
}

#[test]
fn a_folder_of_every_family_is_shown_as_whole() {
    let place = Place::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let names = std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in names.filter(|name| name.starts_with("tiny-")) {
        assert_eq!(shown(&place, &fixture(&name))["usable"], true, "{name}");
    }
}
