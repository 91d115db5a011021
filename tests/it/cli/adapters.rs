//! `--adapter`: what it changes, where it is named, and when it is refused.

use std::path::Path;

use super::{Place, objects};

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).to_str().unwrap().to_owned()
}

#[test]
fn an_adapter_changes_what_comes_out_and_is_named() {
    let place = Place::new();
    let (model, adapter) = (fixture("tiny-marian"), fixture("adapters/marian"));
    let lines = b"De stad bouwt een brug over het kanaal.";
    let plain = place.pipe(&["generate", "--model", &model], lines).good();
    let changed = ["generate", "--model", &model, "--adapter", &adapter];
    let changed = place.pipe(&changed, lines).good();
    assert_ne!(plain, changed);
    let eight = ["generate", "--model", &model, "--adapter", &adapter, "--compute-type", "int8"];
    let first = place.pipe(&eight, lines).good();
    // The second time from the stored weights.
    assert_eq!(place.pipe(&eight, lines).good(), first);
    let report = ["translate", "--model", &model, "--adapter", &adapter, "--format", "jsonl"];
    let report = &objects(&place.pipe(&report, lines).good())[0];
    assert_eq!(report["models"]["translation"], format!("{model} + {adapter}"));
}

#[test]
fn a_run_with_another_adapter_is_another_run() {
    let place = Place::new();
    place.file("in/a.txt", "De stad bouwt een brug.");
    let model = fixture("tiny-marian");
    let run = |adapter: &str| {
        let adapter = fixture(adapter);
        let ran =
            place.run(&["translate", "in", "--model", &model, "--adapter", &adapter, "--output", "out", "--resume"]);
        ran.stderr.contains("1 finished before")
    };
    assert!(!run("adapters/marian") && run("adapters/marian"));
    assert!(!run("adapters/marian-patterns"));
}

#[test]
fn what_is_no_adapter_is_refused() {
    let place = Place::new();
    let model = fixture("tiny-marian");
    let refused = |arguments: &[&str], said: &str| drop(place.pipe(arguments, b"Hallo.").bad(2, &[said]));
    refused(&["generate", "--model", &model, "--adapter", "nosuch"], "no such adapter `nosuch`");
    refused(&["generate", "--model", &model, "--adapter", &model], "it has no `adapter_config.json`");
    refused(
        &["translate", "--model", &model, "--adapter", "a/b", "--offline"],
        "the adapter `a/b` is not on this machine",
    );
    let extractive = ["summarize", "--method", "extractive", "--adapter", &model];
    refused(&extractive, "`--adapter` does not apply to extractive summaries");
    let other = fixture("adapters/t5");
    refused(&["generate", "--model", &model, "--adapter", &other], "which the model does not have");
}
