//! Checkpoints that cannot be used: each is refused in words that name the thing and the remedy.

use std::fs;
use std::path::Path;

use kortom::device::Placement;
use kortom::engine::Engine;
use kortom::files::ModelFiles;
use serde_json::Value;
use tempfile::TempDir;

/// A copy of a tiny checkpoint, to be damaged.
fn copy(fixture: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::write(folder.path().join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
    }
    folder
}

/// What loading says.
fn refusal(folder: &TempDir) -> String {
    let files = match ModelFiles::folder(folder.path(), "damaged", None) {
        Ok(files) => files,
        Err(error) => return format!("{error:#}"),
    };
    match Engine::load(&files, &Placement::cpu()) {
        Ok(_) => panic!("a damaged checkpoint was loaded"),
        Err(error) => format!("{error:#}"),
    }
}

fn expect(folder: &TempDir, parts: &[&str]) {
    let said = refusal(folder);
    assert!(said.contains("hint: ") && parts.iter().all(|part| said.contains(part)), "{parts:?} in: {said}");
}

fn configure(folder: &TempDir, key: &str, value: impl Into<Value>) {
    let path = folder.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[key] = value.into();
    fs::write(&path, config.to_string()).unwrap();
}

#[test]
fn a_missing_file_is_named() {
    for file in ["config.json", "model.safetensors", "source.spm", "vocab.json"] {
        let folder = copy("tiny-marian");
        fs::remove_file(folder.path().join(file)).unwrap();
        expect(&folder, &[file]);
    }
}

#[test]
fn a_file_cut_short_is_named() {
    for (fixture, file) in [
        ("tiny-marian", "config.json"),
        ("tiny-marian", "model.safetensors"),
        ("tiny-marian", "source.spm"),
        ("tiny-marian", "vocab.json"),
        ("tiny-marian-bin", "pytorch_model.bin"),
    ] {
        let folder = copy(fixture);
        let path = folder.path().join(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        expect(&folder, &[file]);
    }
}

#[test]
fn a_header_that_lies_is_refused() {
    let header = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &[0; 4]].concat();
    for bytes in [
        [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        header(r#"{"model.shared.weight":{"dtype":"F32","shape":[1000000,64],"data_offsets":[0,4]}}"#),
        header(r#"{"model.shared.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4000000000]}}"#),
        header(r#"{"model.shared.weight":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}"#),
    ] {
        let folder = copy("tiny-marian");
        fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        expect(&folder, &["model.safetensors"]);
    }
}

#[test]
fn a_pickle_that_wants_to_run_code_is_refused_by_name() {
    let folder = copy("tiny-marian-bin");
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    let call = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.\x80\x02].";
    fs::write(folder.path().join("pytorch_model.bin"), [&magic[..], call].concat()).unwrap();
    expect(&folder, &["`os.system`", "pytorch_model.bin"]);
}

#[test]
fn another_family_is_refused_by_name() {
    for family in ["gpt2", "bert", "llama", "led"] {
        let folder = copy("tiny-marian");
        configure(&folder, "model_type", family);
        expect(&folder, &[family, "marian, bart"]);
    }
    let folder = copy("tiny-marian");
    configure(&folder, "model_type", Value::Null);
    expect(&folder, &["model_type"]);
}

#[test]
fn tensors_of_another_shape_or_missing_are_named() {
    let folder = copy("tiny-marian");
    configure(&folder, "encoder_ffn_dim", 7);
    expect(&folder, &["model.encoder.layers.0.fc1.weight", "7"]);
    let folder = copy("tiny-marian");
    configure(&folder, "decoder_layers", 9);
    expect(&folder, &["no tensor `model.decoder.layers.", "they have: "]);
    let folder = copy("tiny-marian");
    configure(&folder, "d_model", -1);
    expect(&folder, &["`d_model`"]);
}
