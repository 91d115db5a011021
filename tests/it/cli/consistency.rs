//! Terms that a run does not always translate alike, and glossaries that are proposed.

use std::path::Path;

use kortom::glossary::Glossary;
use serde_json::Value;

use super::{ARTICLE, Place, objects};

/// Articles of made sentences with terms that come often, of which the built-in model translates some in several ways.
fn place() -> Place {
    let place = Place::new();
    for set in ["dev", "test"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/terms/{set}.tsv"));
        let text = std::fs::read_to_string(path).unwrap();
        let sources: Vec<&str> = text.lines().map(|line| line.split_once('\t').unwrap().0).collect();
        place.file(&format!("in/{set}.txt"), sources.join(" "));
    }
    place
}

#[test]
fn terms_are_told_once_and_end_the_json_of_a_run() {
    let place = place();
    let ran = place.run(&["translate", "in", "--format", "jsonl"]);
    let told: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("not always translated alike")).collect();
    assert_eq!(told.len(), 1, "{}", ran.stderr);
    let reports = objects(&ran.stdout);
    assert_eq!(reports.len(), 3, "two articles and the terms");
    let terms = reports[2]["inconsistent"].as_array().unwrap();
    assert!(!terms.is_empty() && reports[2].as_object().unwrap().len() == 1);
    for term in terms {
        let name = term["term"].as_str().unwrap();
        assert!(told[0].contains(&format!("`{name}` (")) || told[0].contains(" more"), "{told:?}");
        let ways = term["translations"].as_array().unwrap();
        assert!(ways.len() > 1 && term["count"].as_u64() >= Some(3), "{term}");
        for way in ways {
            let places = way["places"].as_array().unwrap();
            assert_eq!(way["count"].as_u64(), Some(places.len() as u64));
            for found in places {
                let report = reports.iter().find(|report| report["input"] == found["input"]).unwrap();
                let segment = &report["segments"][found["segment"].as_u64().unwrap() as usize - 1];
                // A plural may end the stem otherwise: `bedrijf`, `bedrijven`.
                let stem: String = name.chars().take(name.chars().count() - 1).collect();
                assert!(
                    segment["source"].as_str().unwrap().to_lowercase().contains(&stem.to_lowercase()),
                    "{segment} {name}"
                );
            }
        }
    }
    // In a folder every input has its own output, and what is about all of them a file beside those.
    place.run(&["translate", "in", "--format", "json", "--output", "out"]).good();
    assert_eq!(super::visible(&place.path("out")), ["dev.json", "test.json"]);
    let apart: Value = serde_json::from_str(&place.read("out/.kortom-inconsistent.json")).unwrap();
    assert_eq!(apart, reports[2]);
    let articles: Vec<Value> = serde_json::from_str(&place.read("out/test.json")).unwrap();
    assert_eq!(articles, [reports[1].clone()]);
    // When nothing is left to say, there is no such file.
    place.file("in/dev.txt", "Het regent.").file("in/test.txt", "Het sneeuwt.");
    place.run(&["translate", "in", "--format", "json", "--output", "out"]).good();
    assert!(!place.path("out/.kortom-inconsistent.json").exists());
}

#[test]
fn outputs_with_one_object_for_each_input_get_no_other() {
    let place = place();
    let texts = ["dev", "test"].map(|set| place.read(&format!("in/{set}.txt")));
    let records: Vec<String> = texts.iter().map(|text| serde_json::json!({ "text": text }).to_string()).collect();
    place.file("a.jsonl", records.join("\n"));
    let ran = place.run(&["translate", "a.jsonl"]);
    assert!(ran.stderr.contains("not always translated alike"), "{}", ran.stderr);
    assert_eq!(objects(&ran.stdout).len(), 2);
    let lines = texts.join(" ").replace(". ", ".\n");
    let ran = place.pipe(&["translate", "--input-format", "lines", "--format", "jsonl"], lines.as_bytes());
    assert!(ran.stderr.contains("not always translated alike"), "{}", ran.stderr);
    assert_eq!(objects(&ran.stdout).len(), lines.lines().count());
    // What a model does with the same lines for `generate` may be anything, so its words are compared with nothing.
    let ran = place.pipe(&["generate", "--model", "kortom-nl-en"], lines.as_bytes());
    assert!(!ran.stderr.contains("not always translated alike"), "{}", ran.stderr);
    assert_eq!(ran.good().lines().count(), lines.lines().count());
    let ran = place.run(&["translate", "in/dev.txt", "--quiet"]);
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_file_of_json_has_them_at_its_end_unless_it_may_be_resumed() {
    let place = place();
    place.file("all.txt", format!("{} {}", place.read("in/dev.txt"), place.read("in/test.txt")));
    place.run(&["translate", "all.txt", "--format", "json", "--output", "a.json"]).good();
    let articles: Vec<Value> = serde_json::from_str(&place.read("a.json")).unwrap();
    assert!(articles.len() == 2 && articles[1]["inconsistent"].is_array(), "{}", articles.len());
    let resumed = ["translate", "all.txt", "--format", "json", "--output", "b.json", "--resume"];
    assert!(place.run(&resumed).bad(0, &["not always translated alike"]).stdout.is_empty());
    let articles: Vec<Value> = serde_json::from_str(&place.read("b.json")).unwrap();
    assert_eq!(articles.len(), 1);
}

#[test]
fn a_proposed_glossary_is_one_and_can_be_used() {
    let place = place();
    let ran = place.run(&["glossary", "propose", "in"]);
    let text = ran.good();
    let glossary = Glossary::parse(text.as_bytes(), "nl", "en").unwrap();
    assert!(glossary.targets().count() > 20, "{text}");
    assert!(text.starts_with("# Terms as `kortom-nl-en") && text.contains("\nHoge Raad\t"), "{text}");
    assert!(!text.contains("\nSchiphol\tSchiphol"), "names that stay are left out: {text}");
    // A rival is a comment, and a line of the glossary without its sign.
    let rivals: Vec<&str> = text.lines().filter(|line| line.starts_with('#') && line.contains('\t')).collect();
    assert!(!rivals.is_empty(), "{text}");
    let (term, rival) = rivals[0][1..].split_once('\t').unwrap();
    let proposed = text.lines().find_map(|line| line.strip_prefix(&format!("{term}\t"))).unwrap();
    assert_ne!(proposed, rival);
    place.file("terms.tsv", format!("{term}\t{proposed}\n"));
    let ran = place.run(&["translate", "in", "--glossary", "terms.tsv", "--format", "jsonl"]);
    let named = |line: &&str| line.contains("not always") && line.contains(&format!("`{term}` ("));
    assert!(!ran.stderr.lines().any(|line| named(&line)), "{}", ran.stderr);
}

#[test]
fn where_nothing_is_to_be_proposed_the_glossary_is_empty() {
    let place = Place::new();
    place.file("a.txt", ARTICLE);
    let ran = place.run(&["glossary", "propose", "a.txt"]).bad(0, &["no term comes at least three times"]);
    assert_eq!(Glossary::parse(ran.stdout.as_bytes(), "nl", "en").unwrap().targets().count(), 0);
    place.run(&["glossary", "propose", "missing.txt"]).bad(1, &["`missing.txt`"]);
    place.run(&["glossary", "propose", "a.txt", "missing.txt"]).bad(1, &["`missing.txt`"]);
    place.run(&["glossary", "propose", "a.txt", "--model", "none"]).bad(2, &["`none`"]);
    place.run(&["glossary", "propose", "a.txt", "--from", "auto"]).bad(2, &["terms of one language"]);
    place.run(&["glossary"]).bad(2, &[]);
}
