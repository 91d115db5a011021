//! Summaries that a model writes, from the command line.

use std::path::Path;

use serde_json::Value;

use super::{Place, objects};

const ARTICLE: &str = "date 2021-03 The ferry to the island sails again from Monday. The shipping company says the engine \
                       is repaired.\n\nIsland\n\nIt had broken down in the storm of last week.";

/// The folder of a tiny checkpoint.
fn tiny(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).display().to_string()
}

#[test]
fn a_digest_has_a_summary_of_its_translation() {
    let place = Place::new();
    place.file("a.txt", super::ARTICLE).file("model/english.txt", "");
    let t5 = tiny("tiny-t5");
    let report = &objects(&place.run(&["digest", "a.txt", "--summary-model", &t5, "--format", "jsonl"]).good())[0];
    assert_eq!((&report["method"], &report["models"]["translation"]), (&"abstractive".into(), &"kortom-nl-en".into()));
    assert_eq!(report["models"]["summary"], t5.as_str());
    assert_eq!((&report["summary_passes"], &report["summary_parts"]), (&1.into(), &1.into()));
    // The same words, summarised by themselves.
    let by_itself = |report: &Value| {
        let body: Vec<&str> = report["translation"].as_str().unwrap().split("\n\n").collect();
        let english = [body[0], body[2]].join("\n\n");
        let summarised = place.pipe(&["summarize", "--model", &t5, "--format", "jsonl"], english.as_bytes()).good();
        objects(&summarised)[0]["summary"].clone()
    };
    assert_eq!(by_itself(report), report["summary"]);
    // Options of decoding are for the translation.
    let beams =
        ["digest", "a.txt", "--summary-model", &t5, "--beam-size", "1", "--max-length", "40", "--format", "jsonl"];
    let other = &objects(&place.run(&beams).good())[0];
    assert_eq!(by_itself(other), other["summary"]);
    let page = place.run(&["digest", "a.txt", "--summary-model", &t5, "--format", "html"]).good();
    assert!(page.contains("summary by"), "{page}");
}

#[test]
fn a_summary_has_no_more_sentences_than_asked_and_says_how_it_came_about() {
    let place = Place::new();
    let bart = tiny("tiny-bart");
    let long = [ARTICLE, &"Nobody on the island had expected that the boat would be gone for so long.\n\n".repeat(40)]
        .concat();
    for (length, most) in [("1", 1), ("short", 2), ("10%", 5)] {
        let arguments = ["summarize", "--model", &bart, "--summary-length", length, "--format", "jsonl", "--timings"];
        let ran = place.pipe(&arguments, long.as_bytes());
        let report = &objects(&ran.stdout)[0];
        let sentences =
            kortom::segment::sentences(report["summary"].as_str().unwrap(), kortom::segment::Language::English);
        assert!((1..=most).contains(&sentences.len()), "{report}");
        assert!(report["summary_passes"].as_u64().unwrap() >= 2 && report["summary_parts"].as_u64().unwrap() > 3);
        let passes =
            format!("summaries 1 from {} parts in {} passes", report["summary_parts"], report["summary_passes"]);
        ran.bad(0, &[&passes, "note: articles of more than", "hint: `--model long` reads 16384"]);
    }
    let cut =
        ["summarize", "--model", &bart, "--max-length", "4", "--min-length", "0", "--strict", "--format", "jsonl"];
    let ran = place.pipe(&cut, ARTICLE.as_bytes()).bad(1, &["the longest output allowed", "--strict"]);
    assert_eq!(objects(&ran.stdout)[0]["summary_flags"], serde_json::json!(["truncated"]));
}

#[test]
fn the_installed_model_is_taken_and_otherwise_the_articles_own_sentences() {
    let place = Place::new();
    place.file("a.txt", ARTICLE);
    place.run(&["summarize", "a.txt"]).bad(0, &["own sentences", "kortom models pull cnn-fast"]);
    place.run(&["summarize", "a.txt", "--method", "abstractive"]).bad(2, &["for `en`", "models pull cnn-fast"]);
    place.run(&["summarize", "a.txt", "--from", "nl", "--method", "abstractive"]).bad(2, &["pull nl-sum-mbart"]);
    place.run(&["summarize", "a.txt", "--from", "fr", "--method", "abstractive"]).bad(2, &["for `fr`", "--model"]);
    let models = place.path("models");
    copy(&tiny("tiny-bart"), &models.join("cnn"));
    copy(&tiny("tiny-mbart25"), &models.join("nl-sum-mbart"));
    let run = |arguments: &[&str]| {
        let mut command = place.command(&[arguments, &["--format", "jsonl"]].concat());
        super::Ran::from(command.env("KORTOM_MODELS", &models).output().unwrap())
    };
    let auto = run(&["summarize", "a.txt"]).bad(0, &["`cnn` writes the summaries"]);
    let report = &objects(&auto.stdout)[0];
    assert_eq!((&report["method"], &report["models"]["summary"]), (&"abstractive".into(), &"cnn".into()));
    let own = &objects(&run(&["summarize", "a.txt", "--method", "extractive"]).good())[0];
    assert_eq!((&own["method"], &own["summary_passes"]), (&"extractive".into(), &serde_json::Value::Null));
    // A Dutch summary model reads the article itself.
    place.file("nl.txt", super::ARTICLE);
    let dutch = &objects(&run(&["digest", "nl.txt", "--summary-model", "nl-sum-mbart"]).good())[0];
    let alone = &objects(&run(&["summarize", "nl.txt", "--from", "nl", "--model", "nl-sum-mbart"]).good())[0];
    assert_eq!((&dutch["summary"], dutch["translation"].is_string()), (&alone["summary"], true));
    assert_eq!(objects(&run(&["digest", "nl.txt"]).good())[0]["models"]["summary"], "cnn");
    // The settings file's choice, and what is typed against it.
    place.file("config/kortom/config.toml", format!("summary-model = {:?}\n", tiny("tiny-t5")));
    assert_eq!(objects(&run(&["digest", "nl.txt"]).good())[0]["models"]["summary"], tiny("tiny-t5").as_str());
    assert_eq!(objects(&run(&["digest", "nl.txt", "--method", "extractive"]).good())[0]["method"], "extractive");
}

/// Copies the files of a folder.
fn copy(from: &str, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_model_for_something_else_is_refused_or_warned_of() {
    let place = Place::new();
    place.file("a.txt", super::ARTICLE);
    let (marian, pegasus, t5, nllb) = (tiny("tiny-marian"), tiny("tiny-pegasus"), tiny("tiny-t5"), tiny("tiny-nllb"));
    for (arguments, said) in [
        (
            ["digest", "a.txt", "--summary-model", "kortom-nl-en"],
            "`kortom-nl-en` is a model to translate, not to summarize",
        ),
        (["digest", "a.txt", "--summary-model", &marian], "is a model to translate, not to summarize"),
        (["translate", "a.txt", "--model", &pegasus], "is a model to summarize, not to translate"),
        (["summarize", "a.txt", "--model", "kortom-nl-en"], "not to summarize"),
        (["summarize", "a.txt", "--model", &tiny("tiny-madlad")], "not to summarize"),
    ] {
        place.run(&arguments).bad(2, &[said, "hint: "]);
    }
    place.run(&["translate", "a.txt", "--model", &t5]).bad(0, &["seems to be a model to summarize"]);
    place.run(&["summarize", "a.txt", "--model", &nllb]).bad(0, &["seems to be a model to translate"]);
    let dutch = [super::ARTICLE, "\n\nHet werk aan de brug is niet klaar en dat komt door het weer van de week. Ook maandag en dinsdag wordt er niet aan gewerkt."].concat();
    place.pipe(&["summarize", "--model", &t5], dutch.as_bytes()).bad(0, &["this looks like Dutch, not English"]);
}

#[test]
fn a_resumed_digest_knows_its_summary_model_and_settings() {
    let place = Place::new();
    place.file("in/a.txt", super::ARTICLE).file("in/b.txt", "De zon schijnt. Het is warm.");
    let (t5, bart) = (tiny("tiny-t5"), tiny("tiny-bart"));
    let run = |summary: &[&str]| place.run(&[&["digest", "in", "--output", "out", "--resume"], summary].concat());
    run(&["--summary-model", &t5]).good();
    run(&["--summary-model", &t5]).bad(0, &["2 finished before"]);
    for other in [&["--summary-model", &t5, "--summary-length", "1"][..], &["--summary-model", &bart], &[]] {
        let ran = run(other);
        assert!(!ran.stderr.contains("finished before"), "{other:?}: {}", ran.stderr);
        run(other).bad(0, &["2 finished before"]);
    }
}

#[test]
fn doctor_and_digest_name_a_model_that_reads_more() {
    let place = Place::new();
    let models = place.path("models");
    copy(&tiny("tiny-bart"), &models.join("cnn"));
    place.file("long.txt", "Het regent vandaag in de stad. De zon schijnt morgen.\n\n".repeat(60));
    let run =
        |arguments: &[&str]| super::Ran::from(place.command(arguments).env("KORTOM_MODELS", &models).output().unwrap());
    let said = run(&["doctor", "--offline"]).good();
    assert!(said.contains("`cnn` reads 192 tokens at once: longer articles are summarised in parts"), "{said}");
    assert!(said.contains("hint: kortom models pull long, then `--summary-model long`"), "{said}");
    run(&["digest", "long.txt"])
        .bad(0, &["articles of more than 192 tokens", "hint: `--summary-model long` reads 16384"]);
    copy(&tiny("tiny-longt5-global"), &models.join("long"));
    let said = run(&["doctor", "--offline"]).good();
    assert!(!said.contains("summarised in parts"), "{said}");
}
