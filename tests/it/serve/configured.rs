//! A server with other models, terms, languages and settings than the usual: it answers as the command line does with them.

use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use super::Server;
use crate::cli::{ARTICLE, Place, objects};

const TERMS: &str = "brug\tviaduct\nburgemeester\tlord mayor\n";
const GERMAN: &str = "Die Gemeinde will, dass auf dem alten Gelände Wohnungen gebaut werden, aber die Nachbarn sind nicht \
                      zufrieden.";

/// The folder of a tiny checkpoint.
fn tiny(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).display().to_string()
}

/// What the command line makes of a text.
fn command_line(server: &Server, arguments: &[&str], text: &str) -> Value {
    let arguments = [arguments, &["--format", "jsonl"]].concat();
    objects(&server.place.pipe(&arguments, text.as_bytes()).good())[0].clone()
}

#[test]
fn a_model_writes_the_summaries_of_translations_and_of_english() {
    let bart = tiny("tiny-bart");
    let server = Server::start(&["--summary-model", &bart]);
    let digest = command_line(&server, &["digest", "--summary-model", &bart], ARTICLE);
    assert_eq!(digest["method"], "abstractive");
    assert_eq!(server.json("/digest", &json!({ "q": ARTICLE, "id": "stdin" })).good(), digest);
    let events = server.events("/digest", &json!({ "q": ARTICLE, "id": "stdin" }));
    assert_eq!(events[events.len() - 1], ("done".to_owned(), digest));
    let english = "The ferry sails again. The engine is repaired. It had broken down in the storm of last week.";
    for length in [None, Some("1")] {
        let asked = ["summarize", "--model", &bart, "--summary-length", length.unwrap_or_default()];
        let expected = command_line(&server, if length.is_some() { &asked } else { &asked[..3] }, english);
        let asked = json!({ "q": english, "id": "stdin", "summary_length": length });
        let answer = server.json("/summarize", &asked).good();
        assert_eq!((&answer["method"], answer["summary_tokens"].is_null()), (&"abstractive".into(), true));
        assert_eq!(answer, expected);
    }
    // It reads English: a summary of Dutch consists of the article's own sentences.
    let dutch = json!({ "q": ARTICLE, "id": "stdin", "source": "nl" });
    let expected = command_line(&server, &["summarize", "--from", "nl"], ARTICLE);
    assert_eq!(server.json("/summarize", &dutch).good(), expected);
}

#[test]
fn terms_of_a_glossary_are_in_every_answer() {
    let place = Place::new();
    place.file("terms.tsv", TERMS);
    let server = Server::start_in(place, &["--glossary", "terms.tsv"]);
    let article = "De bruggen zijn dicht. Het regent vandaag.\n\nDe burgemeester komt naar de brug.";
    let expected = command_line(&server, &["digest", "--glossary", "terms.tsv"], article);
    let translation = expected["translation"].as_str().unwrap();
    assert!(translation.contains("iaduct") && translation.contains("ord mayor"), "{translation}");
    assert_ne!(expected, command_line(&server, &["digest"], article));
    let asked = json!({ "q": article, "id": "stdin" });
    assert_eq!(server.json("/digest", &asked).good(), expected);
    let events = server.events("/digest", &asked);
    let told = events.iter().filter(|event| event.0 == "segment").count();
    assert_eq!(told, expected["segments"].as_array().unwrap().len());
    assert_eq!(events[events.len() - 1], ("done".to_owned(), expected.clone()));
    let asked = json!({ "q": article, "source": "nl", "target": "en" });
    assert_eq!(server.json("/translate", &asked).good()["translatedText"], expected["translation"]);
    let asked = json!({ "q": "De brug is dicht.", "source": "nl", "target": "en", "alternatives": 2 });
    assert!(server.json("/translate", &asked).good()["translatedText"].as_str().unwrap().contains("iaduct"));
}

#[test]
fn a_model_for_many_languages_is_told_which() {
    let model = tiny("tiny-mbart50");
    // Random weights seldom end by themselves.
    let options = ["--model", &model, "--max-length", "20"];
    let server = Server::start(&options);
    let languages = server.get("/languages").good();
    let known: Vec<&str> = languages.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    for code in ["de", "en", "fr", "nl"] {
        assert!(known.contains(&code), "{known:?}");
    }
    let german = languages.as_array().unwrap().iter().find(|one| one["code"] == "de").unwrap();
    assert!(german["targets"].as_array().unwrap().contains(&"fr".into()), "{german}");
    let mut made = Vec::new();
    for (source, target) in [("nl", "en"), ("de", "en"), ("de", "fr"), ("de-AT", "fr")] {
        let code = &source[..2];
        let arguments = [&["translate", "--from", code, "--to", target][..], &options].concat();
        let expected = command_line(&server, &arguments, GERMAN)["translation"].clone();
        let asked = json!({ "q": GERMAN, "source": source, "target": target });
        let answer = server.json("/translate", &asked).good();
        assert_eq!(answer["translatedText"], expected, "{source} {target}");
        made.push(answer["translatedText"].clone());
    }
    assert!(made[0] != made[1] && made[1] != made[2] && made[2] == made[3], "{made:?}");
    let auto = server.json("/translate", &json!({ "q": GERMAN, "source": "auto", "target": "fr" })).good();
    assert_eq!((&auto["translatedText"], &auto["detectedLanguage"]["language"]), (&made[2], &"de".into()));
    let digest = json!({ "q": GERMAN, "source": "de", "target": "fr", "summarize": false });
    assert_eq!(server.json("/digest", &digest).good()["translation"], made[2]);
    server.json("/translate", &json!({ "q": GERMAN, "source": "de", "target": "de" })).refused(400, "`de`");
    server.json("/translate", &json!({ "q": GERMAN, "source": "xx", "target": "en" })).refused(400, "`xx`");
}

#[test]
fn what_is_drawn_by_chance_does_not_depend_on_the_company() {
    let place = Place::new();
    place.file("config/kortom/config.toml", "sample = true\nseed = 3\ntemperature = 1.5\n");
    let server = Server::start_in(place, &[]);
    let sentences = ["Het regent vandaag.", "De zon schijnt morgen in de stad.", "De gemeente bouwt een nieuwe brug."];
    // On the command line the first of several texts is drawn as if it were alone, the others are not.
    let alone: Vec<Value> = sentences
        .iter()
        .map(|sentence| command_line(&server, &["translate"], sentence)["translation"].clone())
        .collect();
    let other = ["translate", "--sample", "--seed", "4", "--temperature", "1.5"];
    assert_ne!(command_line(&server, &other, sentences[2])["translation"], alone[2]);
    let asked = json!({ "q": sentences, "source": "nl", "target": "en" });
    thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| server.json("/translate", &asked).good())).collect();
        for answer in asking.into_iter().map(|one| one.join().unwrap()) {
            assert_eq!(answer["translatedText"], json!(alone));
        }
    });
}

#[test]
fn summaries_do_not_wait_for_the_end_of_translations() {
    let bart = tiny("tiny-bart");
    let server = Server::start(&["--summary-model", &bart, "--max-chars", "1000000"]);
    let long = (0..1000).map(|number| format!("De brug is {number} meter lang.")).collect::<Vec<_>>().join(" ") + " ";
    let asked = json!({ "q": "The ferry sails again. The engine is repaired." });
    let alone = server.json("/summarize", &asked).good();
    let texts =
        server.get("/metrics").body.lines().find(|line| line.starts_with("kortom_texts_total ")).unwrap().to_owned();
    let asked_long = json!({ "q": long, "source": "nl", "target": "en" });
    thread::scope(|scope| {
        let translating = scope.spawn(|| server.json("/translate", &asked_long).status);
        while server.get("/metrics").body.contains(&format!("{texts}\n")) {
            thread::yield_now();
        }
        assert_eq!(server.json("/summarize", &asked).good(), alone);
        assert!(!translating.is_finished(), "the summary waited for the translation");
        assert_eq!(translating.join().unwrap(), 200);
    });
}
