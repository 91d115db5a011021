//! A tiny checkpoint put together from the small files of a published one, as `tests/fixtures/published.py` does it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tempfile::TempDir;

const SMALL: [&str; 4] = ["config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json"];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A file of an alias, if it has it.
pub fn published(alias: &str, file: &str) -> Option<Value> {
    let bytes = fs::read(fixtures().join("published").join(alias).join(file)).ok()?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// The checkpoint in a folder of its own.
pub struct Assembled {
    folder: TempDir,
    /// How it was put together.
    pub tiny: Value,
}

impl Assembled {
    pub fn new(alias: &str) -> Self {
        let tiny = published(alias, "tiny.json").unwrap_or_else(|| panic!("no `tests/fixtures/published/{alias}`"));
        let made = Self { folder: tempfile::tempdir().unwrap(), tiny };
        for name in SMALL {
            if let Some(value) = published(alias, name) {
                fs::write(made.path().join(name), made.smaller(name, value).to_string()).unwrap();
            }
        }
        for (source, names) in made.tiny["tokenizer"].as_object().unwrap() {
            for name in names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()) {
                fs::copy(fixtures().join(source).join(name), made.path().join(name)).unwrap();
            }
        }
        let weights = made.tiny["weights"].as_str().unwrap();
        let pickle = Path::new(weights).extension().is_some_and(|end| end == "bin");
        let name = if pickle { "pytorch_model.bin" } else { "model.safetensors" };
        fs::copy(fixtures().join(weights), made.path().join(name)).unwrap();
        made
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn copy_to(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for (name, bytes) in self.files() {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// All files with their contents.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.path()).unwrap().map(Result::unwrap);
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
    }

    /// A published file with the numbers of the tiny checkpoint.
    fn smaller(&self, name: &str, mut value: Value) -> Value {
        let object = value.as_object_mut().unwrap();
        object.extend(self.tiny[name].as_object().cloned().unwrap_or_default());
        let shifts = self.tiny["added_tokens_from"].as_object().into_iter().flatten();
        for (first, to) in shifts {
            if let Some(tokens) = object.get_mut("added_tokens_decoder").and_then(Value::as_object_mut) {
                *tokens = shifted(tokens, first.parse().unwrap(), to.as_u64().unwrap());
            }
        }
        value
    }
}

/// Added tokens from the id `first` on, moved so that this one gets the id `to`.
fn shifted(tokens: &Map<String, Value>, first: u64, to: u64) -> Map<String, Value> {
    let moved = |id: u64| if id >= first { id - first + to } else { id };
    tokens.iter().map(|(id, token)| (moved(id.parse().unwrap()).to_string(), token.clone())).collect()
}
