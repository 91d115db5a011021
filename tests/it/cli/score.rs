//! `score`: files beside a reference, and a model's translations beside it.

use serde_json::Value;

use super::{Place, Ran};

// The numbers below are what sacreBLEU 2.6 and rouge-score 0.1.2 give for these texts.
const REFERENCE: &str = "The mayor opened the new bridge on Monday.\nIt rains.\n\nNobody was hurt, the police said.\n";
const ONE: &str = "The mayor has opened the new bridge Monday.\r\nIt is raining.\n\nNo one was hurt, police said.\n";
const TWO: &str = "De burgemeester opende de brug.\nIt rains.  \nnothing\n😀";

fn place() -> Place {
    let place = Place::new();
    place.file("ref", REFERENCE).file("one", ONE).file("two", TWO);
    place
}

/// Runs `score --reference ref`.
fn score(place: &Place, arguments: &[&str]) -> Ran {
    place.run(&[&["score", "--reference", "ref"], arguments].concat())
}

#[test]
fn a_line_for_each_file_and_signatures_below() {
    let place = place();
    let text = score(&place, &["one", "two"]).good();
    let lines: Vec<&str> = text.lines().collect();
    let scores = "BLEU = 30.33 chrF2 = 66.13 chrF2++ = 66.05 TER = 43.75 \
                  ROUGE-1 = 48.54 ROUGE-2 = 24.29 ROUGE-L = 48.54 ROUGE-Lsum = 48.54";
    assert_eq!(lines[0], format!("one: {scores}"));
    assert!(
        lines[1].starts_with("two: BLEU = 10.70 chrF2 = 18.42 chrF2++ = 18.26 TER = 93.75 ROUGE-1 = 25.00"),
        "{text}"
    );
    assert_eq!(lines[3], "BLEU     nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
    assert_eq!(lines.len(), 8, "{text}");
    let alone = score(&place, &["one"]).good();
    assert_eq!(alone.lines().next().unwrap(), scores);
    assert_eq!(place.pipe(&["score", "--reference", "ref"], ONE.as_bytes()).good(), alone);
    assert!(
        score(&place, &["ref", "--width", "0"]).good().starts_with("BLEU = 100 chrF2 = 100 chrF2++ = 100 TER = 0 ")
    );
}

#[test]
fn intervals_and_tests_stand_behind_the_scores() {
    let place = place();
    let sure = score(&place, &["one", "--confidence", "--samples", "200"]).good();
    let scores = "BLEU = 30.33 (μ = 29.16 ± 16.00) chrF2 = 66.13 (μ = 62.69 ± 22.94) \
                  chrF2++ = 66.05 (μ = 62.67 ± 22.75) TER = 43.75 (μ = 49.32 ± 37.50) ROUGE-1 = 48.54 ";
    assert!(sure.starts_with(scores), "{sure}");
    assert!(sure.contains("nrefs:1|bs:200|seed:12345|case:mixed"), "{sure}");
    let tested = score(&place, &["one", "two", "--paired", "ar", "--samples", "100", "--seed", "7"]).good();
    let scores = "two: BLEU = 10.70 (p = 0.4158) chrF2 = 18.42 (p = 0.2970) chrF2++ = 18.26 (p = 0.2970) ";
    assert!(tested.lines().nth(1).unwrap().starts_with(scores), "{tested}");
    assert!(tested.contains("nrefs:1|ar:100|seed:7|case:lc"), "{tested}");
}

#[test]
fn objects_have_the_names_of_sacrebleu() {
    let place = place();
    let text = score(&place, &["one", "two", "--paired", "bs", "--samples", "50", "--format", "json"]).good();
    let systems: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!((&systems[1]["system"], &systems[1]["segments"]), (&Value::from("two"), &Value::from(4)));
    let bleu = systems[1]["metrics"][0].as_object().unwrap();
    let keys: Vec<&String> = bleu.keys().collect();
    assert_eq!(
        keys,
        [
            "name",
            "score",
            "signature",
            "confidence_mean",
            "confidence_var",
            "confidence",
            "p_value",
            "verbose_score",
            "nrefs",
            "bs",
            "seed",
            "case",
            "eff",
            "tok",
            "smooth",
            "version"
        ]
    );
    assert!(systems[0]["metrics"][0].get("p_value").is_none(), "the baseline is compared with nothing");
    let names: Vec<&Value> = systems[0]["metrics"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["BLEU", "chrF2", "chrF2++", "TER", "rouge1", "rouge2", "rougeL", "rougeLsum"]);
}

#[test]
fn a_source_is_translated_first() {
    let place = Place::new();
    let source = "De brug is klaar.\n\nHet regent vandaag.\n";
    place.file("source", source);
    let translated = place.run(&["translate", "--input-format", "lines", "--beam-size", "2", "source"]).good();
    place.file("ref", "The bridge is ready.\n\nIt is raining today.\n").file("out", &translated);
    let text = score(&place, &["--source", "source", "--model", "kortom-nl-en", "--beam-size", "2", "out"]).good();
    let scores: Vec<&str> = text.lines().map(|line| line.split_once(": ").map_or("", |(_, scores)| scores)).collect();
    assert!(
        text.lines().nth(1).unwrap().starts_with("kortom-nl-en@")
            || text.lines().nth(1).unwrap().starts_with("kortom-nl-en: ")
    );
    assert_eq!(scores[0], scores[1], "{text}");
}

#[test]
fn records_are_scored_by_one_field() {
    let place = Place::new();
    place.file("ref", "{\"id\": 1, \"summary\": \"It rains.\\nThe bridge is open.\"}\n");
    place.file("out", "{\"summary\": \"The bridge is open.\\nIt rains.\", \"text\": \"x\"}\n");
    let text = score(&place, &["--field", "summary", "out"]).good();
    assert!(text.contains("ROUGE-1 = 100.00 ") && text.contains(" ROUGE-Lsum = 100.00"), "{text}");
    assert!(!text.contains("ROUGE-L = 100.00"), "{text}");
    score(&place, &["--field", "body", "out"]).bad(2, &["`ref`: line 1: it has no text in the field `body`"]);
    place.file("out", "plain\n");
    score(&place, &["--field", "summary", "out"]).bad(2, &["`out`: line 1: not a JSON object"]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let place = place();
    place.file("short", "one\n").file("empty", "").file("latin", b"one\ncaf\xe9\n\n\n");
    let cases: [(&[&str], &str); 13] = [
        (&["short"], "`short` has 1 lines and the reference `ref` has 4"),
        (&["one", "empty"], "`empty` has 0 lines and the reference `ref` has 4"),
        (&["one", "latin"], "`latin`: line 2 is not valid UTF-8"),
        (&["nosuch"], "cannot read `nosuch`"),
        (&["one", "one"], "`one` is given twice"),
        (&["-", "one", "-"], "standard input can be read only once"),
        (&["one", "--paired", "bs"], "a test compares at least two systems"),
        (&["one", "two", "--paired", "bs", "--confidence"], "cannot be used with"),
        (&["one", "--seed", "1"], "--confidence"),
        (&["one", "--model", "kortom-nl-en"], "`--model` is for what is translated first"),
        (&["one", "--beam-size", "4"], "`--beam-size` is for what is translated first"),
        (&["--source", "short"], "`short` has 1 lines and the reference `ref` has 4"),
        (&["--source", "one", "--from", "auto"], "the lines of a source are in one language"),
    ];
    for (arguments, said) in cases {
        let ran = score(&place, arguments).bad(2, &[said]);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
    place.run(&["score", "--reference", "empty", "one"]).bad(2, &["`empty` has no lines"]);
    place.run(&["score", "one"]).bad(2, &["--reference"]);
}

#[test]
fn divided_text_is_warned_of() {
    let place = Place::new();
    place.file("ref", "It rains.\n".repeat(100)).file("out", "It rains .\n".repeat(100));
    assert!(score(&place, &["out"]).stderr.contains("warning: `out`: 100 lines or more end in ` .`"));
}
