//! Flags as a person meets them: in JSON, on the page, on standard error, and in the exit code.

use super::{Place, objects};

/// Cut after two tokens, its translation lacks the number.
const NUMBER: &str = "De nieuwe brug van de gemeente kostte vorig jaar 30.000 euro.";
const CUT: [&str; 3] = ["--max-length", "2", "--no-repeat-ngram=1"];

#[test]
fn flags_say_why_in_json() {
    let place = Place::new();
    for input in [&["--input-format", "lines"][..], &[]] {
        let asked = [&["translate", "--format", "jsonl"][..], input, &CUT].concat();
        let report = objects(&place.pipe(&asked, NUMBER.as_bytes()).good()).remove(0);
        let segment = if input.is_empty() { &report["segments"][0] } else { &report };
        let flags: Vec<&str> = segment["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect();
        assert_eq!(flags, ["truncated", "number", "length"], "{segment}");
        let notes = segment["notes"].as_array().unwrap();
        let number = notes.iter().find(|note| note["flag"] == "number").unwrap();
        assert_eq!(number["reason"], "`30.000 euro` is missing");
    }
}

#[test]
fn flags_are_counted_and_strict_makes_them_failures() {
    let place = Place::new();
    let asked = [&["translate"][..], &CUT].concat();
    let said = "warning: 1 of 2 segments flagged: 1 truncated, 1 number, 1 length";
    let text = format!("{NUMBER}\n\n***\n");
    place.pipe(&asked, text.as_bytes()).bad(0, &[said, "hint: "]);
    place.pipe(&[&asked[..], &["--strict"]].concat(), text.as_bytes()).bad(1, &[said, "--strict"]);
    let quiet = place.pipe(&[&asked[..], &["--quiet"]].concat(), text.as_bytes());
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
}

#[test]
fn flagged_sentences_are_marked_on_the_page() {
    let place = Place::new();
    let page = place.pipe(&[&["translate", "--format", "html"][..], &CUT].concat(), NUMBER.as_bytes()).good();
    let reason = "number: \u{201c}30.000 euro\u{201d} is missing";
    assert_eq!(page.matches("<mark title=\"truncated: cut at").count(), 1, "{page}");
    assert_eq!(page.matches(reason).count(), 2, "{page}");
}

#[test]
fn a_resumed_run_counts_the_flags_of_the_former() {
    let place = Place::new();
    place.file("in/a.txt", NUMBER).file("in/b.txt", NUMBER);
    let asked = [&["translate", "in", "--output", "out", "--resume"][..], &CUT].concat();
    let said = "2 of 2 segments flagged: 2 truncated, 2 number, 2 length";
    place.run(&asked).bad(0, &[said]);
    place.run(&asked).bad(0, &[said, "2 finished before"]);
}
