//! `--glossary`: what it does, and what is refused.

use super::{Place, objects};

const TERMS: &str = "# terms\n\nbrug\tviaduct\nburgemeester\tlord mayor\n";

#[test]
fn terms_are_in_every_form_of_output() {
    let place = Place::new();
    place.file("terms.tsv", TERMS).file("a.txt", "De bruggen zijn dicht. Het regent.\n\nDe burgemeester komt.");
    place.file("a.md", "# De brug\n\nDe *burgemeester* komt.\n");
    place.file("a.jsonl", "{\"id\":1,\"text\":\"De brug is dicht.\"}\n");
    place.file("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nDe brug is dicht.\n");
    place.file("a.html", "<html><body><p>De brug is <b>dicht</b>.</p></body></html>");
    for (input, terms) in [
        ("a.txt", &["iaduct", "ord mayor"][..]),
        ("a.md", &["iaduct", "ord mayor"]),
        ("a.jsonl", &["iaduct"]),
        ("a.srt", &["iaduct"]),
        ("a.html", &["iaduct"]),
    ] {
        let output = place
            .run(
                &["translate", input, "--glossary", "terms.tsv", "--html-whole"]
                    [..if input == "a.html" { 5 } else { 4 }],
            )
            .good();
        for term in terms {
            // The marks of Markdown go with the words around a term.
            assert!(output.replace('*', "").contains(term), "{input}: {output}");
        }
    }
    let lines = ["translate", "--input-format", "lines", "--format", "jsonl", "--glossary", "terms.tsv"];
    let reports = objects(&place.pipe(&lines, b"De brug is dicht.\nHet regent.\n").good());
    assert!(reports[0]["target"].as_str().unwrap().contains("iaduct"));
    assert!(!reports[0]["flags"].as_array().unwrap().contains(&"glossary".into()), "{}", reports[0]);
    let free = objects(&place.pipe(&lines[..5], b"De brug is dicht.\nHet regent.\n").good());
    assert_eq!(reports[1], free[1]);
    assert!(place.run(&["digest", "a.txt", "--glossary", "terms.tsv"]).good().contains("ord mayor"));
}

#[test]
fn more_beams_are_said_aloud() {
    let place = Place::new();
    place.file("terms.tsv", TERMS);
    let ran = place.pipe(&["translate", "--glossary", "terms.tsv", "--beam-size", "1"], b"De brug is dicht.");
    assert!(ran.stderr.contains("searched with 8 beams, others with 1"), "{}", ran.stderr);
    assert!(ran.good().contains("iaduct"));
    let ran = place.pipe(&["translate", "--glossary", "terms.tsv", "--beam-size", "9"], b"De brug is dicht.");
    assert!(!ran.stderr.contains("searched with"), "{}", ran.stderr);
}

#[test]
fn a_bad_glossary_is_refused() {
    let place = Place::new();
    let run = |content: &[u8]| {
        place.file("terms.tsv", content);
        place.pipe(&["translate", "--glossary", "terms.tsv"], b"De brug is dicht.")
    };
    run(b"brug\tviaduct\nbrug viaduct\n").bad(2, &["`terms.tsv`", "line 2", "hint: "]);
    run(b"\n\n\tviaduct\n").bad(2, &["line 3", "no source term"]);
    run(b"brug\t\n").bad(2, &["line 1", "no target term"]);
    run(b"brug\tviaduct\nbrug\tbridge\n").bad(2, &["line 2", "`bridge`", "line 1", "`viaduct`"]);
    run(b"brug\tcaf\xe9\n").bad(2, &["line 1", "not valid UTF-8"]);
    run(b"# nothing\n").bad(0, &["`terms.tsv` has no terms"]);
    place.pipe(&["translate", "--glossary", "none.tsv"], b"Ja.").bad(2, &["`none.tsv`", "hint: "]);
    place.pipe(&["translate", "--glossary", "terms.tsv", "--sample"], b"Ja.").bad(2, &["--sample", "--glossary"]);
    place.pipe(&["summarize", "--glossary", "terms.tsv"], b"Yes.").bad(2, &["--glossary"]);
    place.pipe(&["generate", "--model", "kortom-nl-en", "--glossary", "terms.tsv"], b"Ja.").bad(2, &["--glossary"]);
}

#[test]
fn terms_that_cannot_be_had_are_flagged() {
    let place = Place::new();
    place.file("terms.tsv", "brug\t橋橋\nschool\tacademy of science\n");
    let asked = ["translate", "--glossary", "terms.tsv", "--format", "jsonl"];
    let ran = place
        .pipe(&asked, b"De brug is dicht. De school is open.")
        .bad(0, &["cannot write `橋橋` (line 1)", "1 of 2 segments"]);
    let report = &objects(&ran.stdout)[0];
    let flagged =
        |segment: usize| report["segments"][segment]["flags"].as_array().unwrap().contains(&"glossary".into());
    assert!(flagged(0) && !flagged(1), "{report}");
    let short = place.pipe(&[&asked[..], &["--max-length", "3", "--strict"]].concat(), b"De school is open.");
    let report = &objects(&short.bad(1, &["--strict"]).stdout)[0];
    let flags = report["segments"][0]["flags"].as_array().unwrap();
    assert!(["truncated", "glossary"].iter().all(|&flag| flags.contains(&flag.into())), "{report}");
}

#[test]
fn another_glossary_is_another_run() {
    let place = Place::new();
    place.file("in/a.txt", "De brug is dicht.").file("terms.tsv", TERMS);
    let resume = ["translate", "in", "--output", "out", "--resume", "--glossary", "terms.tsv"];
    place.run(&resume).good();
    place.file("terms.tsv", format!("{TERMS}# a comment changes nothing\n"));
    place.run(&resume).bad(0, &["1 finished before"]);
    place.file("terms.tsv", TERMS.replace("viaduct", "crossing"));
    assert!(!place.run(&resume).bad(0, &[]).stderr.contains("finished before"));
    assert!(place.read("out/a.txt").contains("rossing"));
    assert!(!place.run(&resume[..5]).bad(0, &[]).stderr.contains("finished before"));
}
