//! LoRA adapters that cannot be merged, each refused with what is wrong and what to do.

use std::path::{Path, PathBuf};

use kortom::device::Placement;
use kortom::engine::Engine;
use kortom::files::ModelFiles;
use kortom::hub::{Hub, HubOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake_hub::{COMMIT, Setup};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A copy of an adapter, with keys of its configuration changed.
fn changed(name: &str, changes: &Value) -> TempDir {
    let (folder, adapter) = (tempfile::tempdir().unwrap(), fixture("adapters").join(name));
    let config = std::fs::read(adapter.join("adapter_config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    std::fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
    std::fs::copy(adapter.join("adapter_model.safetensors"), folder.path().join("adapter_model.safetensors")).unwrap();
    folder
}

/// What is said of an adapter for a checkpoint called `owner/base`.
fn refusal(base: &str, adapter: &Path) -> String {
    let base = ModelFiles::folder(&fixture(base), "owner/base", Some("abc".to_owned())).unwrap();
    let adapter = ModelFiles::adapter_folder(adapter, "mine", None).unwrap();
    let error = Engine::load(&base.with_adapter(adapter), &Placement::cpu()).err().expect("it was taken");
    format!("{error:#}")
}

/// The tensors of an adapter, each with what `change` makes of its name; without one it is left out.
fn renamed(folder: &TempDir, change: impl Fn(&str) -> Option<String>) {
    let path = folder.path().join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let kept = tensors.tensors().into_iter().filter_map(|(name, view)| Some((change(&name)?, view)));
    let bytes = safetensors::serialize(kept, None).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_no_plain_lora_is_refused_by_name() {
    let kinds = [
        (json!({"peft_type": "IA3"}), "it is of the kind `IA3`"),
        (json!({"use_dora": true}), "it uses DoRA"),
        (json!({"alora_invocation_tokens": [1, 2]}), "it uses Activated LoRA"),
        (json!({"trainable_token_indices": {"embed_tokens": [3]}}), "it uses trained tokens"),
        (json!({"init_lora_weights": "pissa"}), "its training began with `pissa`"),
    ];
    for (change, said) in kinds {
        let error = refusal("tiny-marian", changed("marian", &change).path());
        assert!(error.contains(said) && error.contains("merge_and_unload"), "{error}");
        assert!(error.contains("the adapter `mine` cannot be merged"), "{error}");
    }
}

#[test]
fn an_adapter_for_another_checkpoint_is_refused() {
    let other = changed("marian", &json!({"base_model_name_or_path": "someone/else"}));
    let error = refusal("tiny-marian", other.path());
    assert!(error.contains("it was made for `someone/else`, not for `owner/base`"), "{error}");
    assert!(error.contains("hint: use it with `--model someone/else`"), "{error}");
    let local = changed("marian", &json!({"base_model_name_or_path": "/home/a/b/base"}));
    let error = refusal("tiny-t5", local.path());
    assert!(error.contains("which the model does not have") && error.contains("`/home/a/b/base`"), "{error}");
    let wider = changed("m2m100", &json!({}));
    renamed(&wider, |name| Some(name.replace("fc1", "fc2")));
    let error = refusal("tiny-m2m100", wider.path());
    assert!(error.contains("of the shape [64, 32], and the model has [32, 64]"), "{error}");
    // Another owner may have the same model.
    let same = changed("marian", &json!({"base_model_name_or_path": "someone/Base"}));
    let base = ModelFiles::folder(&fixture("tiny-marian"), "owner/base", Some("abc".to_owned())).unwrap();
    let adapter = ModelFiles::adapter_folder(same.path(), "mine", Some("def".to_owned())).unwrap();
    let engine = Engine::load(&base.with_adapter(adapter), &Placement::cpu()).unwrap();
    assert_eq!(engine.name(), "owner/base@abc + mine@def");
}

#[test]
fn tensors_without_a_partner_a_place_or_the_right_rank_are_refused() {
    let ranks = changed("marian", &json!({"rank_pattern": {"fc1": 2}}));
    assert!(refusal("tiny-marian", ranks.path()).contains("and adapter_config.json says 2"));
    let pattern = changed("marian", &json!({"alpha_pattern": {"(": 2}}));
    assert!(refusal("tiny-marian", pattern.path()).contains("is no pattern"));
    let alone = changed("marian", &json!({}));
    renamed(&alone, |name| (!name.ends_with("fc1.lora_B.weight")).then(|| name.to_owned()));
    assert!(refusal("tiny-marian", alone.path()).contains("fc1.lora_B.weight`"));
    let unknown = changed("marian", &json!({}));
    renamed(&unknown, |name| Some(name.replace("fc1", "fc9")));
    assert!(refusal("tiny-marian", unknown.path()).contains("fc9`, which the model does not have"));
    let none = changed("marian", &json!({}));
    renamed(&none, |_| None);
    assert!(refusal("tiny-marian", none.path()).contains("has no tensor of an adapter"));
    let unheard = changed("marian", &json!({}));
    renamed(&unheard, |name| {
        (!name.ends_with("fc1.lora_B.weight")).then(|| name.replace("fc1.lora_A.weight", "fc1.lora_magnitude_vector"))
    });
    assert!(refusal("tiny-marian", unheard.path()).contains("which the model does not have"));
    let apart = changed("bart-embedding", &json!({"modules_to_save": ["embed_tokens"]}));
    renamed(&apart, |name| {
        (!name.ends_with("fc1.lora_B.weight")).then(|| name.replace("fc1.lora_A.weight", "fc1.weight"))
    });
    assert!(refusal("tiny-bart", apart.path()).contains("has the shape"));
}

#[test]
fn a_damaged_adapter_is_named() {
    let cut = changed("marian", &json!({}));
    let path = cut.path().join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(refusal("tiny-marian", cut.path()).contains("`adapter_model.safetensors` of the model `mine`"));
    std::fs::remove_file(&path).unwrap();
    assert!(refusal("tiny-marian", cut.path()).contains("neither `adapter_model.safetensors` nor"));
    assert!(ModelFiles::adapter_folder(&fixture("tiny-t5"), "mine", None).is_err());
}

#[test]
fn an_adapter_of_the_hub_is_fetched_once() {
    let files: [(&str, &[u8]); 4] = [
        ("adapter_config.json", b"{}"),
        ("adapter_model.bin", b"old"),
        ("adapter_model.safetensors", b"new"),
        ("optimizer.pt", b"x"),
    ];
    let hub = Setup::new("someone/lora", &files).start(0);
    let home = tempfile::tempdir().unwrap();
    let mut options = HubOptions::from_lookup(|_| None, Some(home.path()));
    (options.progress, options.endpoint) = (false, hub.endpoint());
    let names = |options: &HubOptions| {
        let found = Hub::new(options.clone()).adapter("someone/lora").unwrap();
        assert_eq!(found.full_name(), format!("someone/lora@{COMMIT}"));
        found.names().map(str::to_owned).collect::<Vec<_>>()
    };
    let fetched = names(&options);
    assert_eq!(fetched, ["adapter_config.json", "adapter_model.safetensors"]);
    let asked = hub.asked("GET", "").len();
    options.offline = true;
    assert_eq!((names(&options), hub.asked("GET", "").len()), (fetched, asked));
    let error = Hub::new(options.clone()).adapter("someone/other").unwrap_err().to_string();
    assert!(error.contains("is not on this machine, and kortom is offline"), "{error}");
    let hub = Setup::new("someone/model", &[("config.json", b"{}"), ("model.safetensors", b"x")]).start(0);
    (options.offline, options.endpoint) = (false, hub.endpoint());
    let error = Hub::new(options).adapter("someone/model").unwrap_err().to_string();
    assert!(error.contains("`someone/model` is no adapter") && error.contains("--model"), "{error}");
}
