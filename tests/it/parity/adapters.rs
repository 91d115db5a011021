//! Checkpoints with LoRA adapters beside what PEFT merges (`tests/fixtures/make_adapters.py`).

use super::checkpoint::Checkpoint;
use super::compare::check_logits;
use super::{expectations, fixtures, ids, json, list};

#[test]
fn merged_adapters_give_the_logits_of_peft() {
    let mut names = Vec::new();
    for folder in std::fs::read_dir(fixtures().join("adapters")).unwrap() {
        let folder = folder.unwrap().path();
        let expected = json(&folder.join("expected.json"));
        let base = expected["base"].as_str().unwrap();
        let sources: Vec<_> = list(&expectations(base)["source_ids"]).iter().map(ids).collect();
        check_logits(&Checkpoint::adapted(base, &folder), &expected, &sources);
        names.push(base.to_owned());
    }
    assert_eq!(names.len(), 17);
    for family in ["marian", "bart", "mbart", "pegasus", "m2m100", "nllb", "t5", "madlad", "mt5", "umt5", "t5gemma2"] {
        assert!(names.iter().any(|name| name.contains(family)), "{family}");
    }
}
