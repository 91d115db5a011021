//! Tokenizer files that are odd in one respect (`tests/fixtures/quirks.py`): ids and texts as in transformers.

use std::fs;
use std::path::Path;

use kortom::files::ModelFiles;
use kortom::tokenizer::Tokenizer;
use serde_json::Value;

use super::ids;

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Does one edit to a file of the folder.
fn edit(folder: &Path, edit: &Value) {
    let path = folder.join(edit["file"].as_str().unwrap());
    let mut value = json(&path);
    let (last, above) = edit["path"].as_array().unwrap().split_last().unwrap();
    let place = above.iter().fold(&mut value, |place, key| &mut place[key.as_str().unwrap()]);
    let last = last.as_str().unwrap();
    if let Some(new) = edit.get("append") {
        place[last].as_array_mut().unwrap().push(new.clone());
    } else if edit.get("remove").is_some() {
        place.as_object_mut().unwrap().remove(last).unwrap();
    } else {
        place[last] = edit["set"].clone();
    }
    fs::write(path, value.to_string()).unwrap();
}

/// The folder of a case, with its edits and with rows to spare.
fn edited(case: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixtures().join("tokenizers").join(case["base"].as_str().unwrap())).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    case["edits"].as_array().unwrap().iter().for_each(|change| edit(folder.path(), change));
    let mut config = json(&folder.path().join("config.json"));
    config["vocab_size"] = (config["vocab_size"].as_u64().unwrap() + 8).into();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

#[test]
fn odd_tokenizer_files_give_the_ids_that_they_give_transformers() {
    let cases = json(&fixtures().join("quirks.json"));
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() >= 30);
    for case in cases {
        let what = format!("{}, {}", case["base"], case["name"]);
        let folder = edited(case);
        let files = ModelFiles::folder(folder.path(), "odd", None).unwrap();
        let tokenizer = Tokenizer::load(&files).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let languages = tokenizer.language_tokens(case["from"].as_str(), None).unwrap();
        for text in case["texts"].as_array().unwrap() {
            let (source, expected) = (text["text"].as_str().unwrap(), ids(&text["ids"]));
            assert_eq!(tokenizer.encode(source, &languages).unwrap(), expected, "{what}: {source:?}");
            assert_eq!(tokenizer.decode(&expected), text["decoded"].as_str().unwrap(), "{what}: {source:?}");
        }
    }
}
