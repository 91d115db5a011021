//! `--memory`: what is known is not asked again, and is what it was.

mod bad;
mod exchange;
mod kills;
mod serve;

use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::cli::{ARTICLE, Place, objects};

/// A tiny model, which repeats itself in some of these.
pub fn tiny() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-marian").display().to_string()
}

/// Lines that are all different.
pub fn lines(count: usize) -> String {
    let line = |number: usize| format!("De brug van straat {number} is {} meter lang.", number * 7 % 100);
    (0..count).map(line).collect::<Vec<_>>().join("\n") + "\n"
}

/// The same lines as sources and as their translations, each after a word.
pub fn rows(count: usize, word: &str) -> String {
    let row = |line: &str| format!("{word} {line}\t{line}");
    lines(count).lines().map(row).collect::<Vec<_>>().join("\n")
}

/// What is in a file, as other programs see it.
pub fn database(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

pub fn count(path: &Path, table: &str) -> usize {
    let query = format!("SELECT count(*) FROM {table}");
    database(path).query_row(&query, [], |row| row.get::<_, i64>(0)).unwrap() as usize
}

pub fn is_whole(path: &Path) -> bool {
    database(path).query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap() == "ok"
}

/// An object without what says where its segments are from.
fn without_origin(mut report: Value) -> Value {
    let object = report.as_object_mut().unwrap();
    object.remove("from");
    if let Some(segments) = object.get_mut("segments") {
        segments
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|segment| drop(segment.as_object_mut().unwrap().remove("from")));
    }
    report
}

#[test]
fn what_is_known_is_what_a_run_would_have_given_in_every_format() {
    let place = Place::new();
    let article =
        format!("{ARTICLE} Kijk op www.voorbeeld.nl, of mail naar a@b.nl. Ha ha ha ha ha ha ha ha ha ha ha ha. 2-1");
    place.file("a.txt", &article).file("a.md", "# Brug\n\nDe *brug* is klaar. Het regent.\n");
    place.file("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nHet regent.\n");
    place.file("a.html", "<html><body><p>De brug is <b>klaar</b>.</p></body></html>");
    place.file("a.jsonl", "{\"id\":1,\"text\":\"De brug is klaar.\"}\n");
    for (command, input, format) in [
        ("translate", "a.txt", "text"),
        ("translate", "a.txt", "jsonl"),
        ("digest", "a.txt", "jsonl"),
        ("digest", "a.txt", "html"),
        ("translate", "a.md", "markdown"),
        ("translate", "a.srt", "text"),
        ("translate", "a.html", "html"),
        ("translate", "a.jsonl", "jsonl"),
    ] {
        let run = [command, input, "--format", format, "--html-whole"];
        let run = &run[..if input == "a.html" { 5 } else { 4 }];
        let fresh = place.run(run).good();
        for known in [false, true] {
            let ran = place.run(&[run, &["--memory", "memory"]].concat());
            let said = ran.stderr.clone();
            let told =
                said.lines().find_map(|line| line.strip_prefix("note: memory: ")).unwrap_or_else(|| panic!("{said}"));
            let (found, asked) = told.split_once(" of ").unwrap();
            let asked = asked.strip_suffix(" texts were known").unwrap();
            assert!(!known || found == asked, "{input}: {said}");
            let output = ran.good();
            if format != "jsonl" {
                assert_eq!(output, fresh, "{input} {format}");
                continue;
            }
            let reports = objects(&output);
            let from: Vec<&Value> = reports.iter().flat_map(|report| report["segments"].as_array().unwrap()).collect();
            let is_made = |segment: &&&Value| segment["score"].is_number();
            let marked = from.iter().filter(is_made).filter(|segment| segment["from"] == "memory").count();
            assert!(!known || marked == from.iter().filter(is_made).count(), "{output}");
            let (one, other): (Vec<_>, Vec<_>) = (
                reports.into_iter().map(without_origin).collect(),
                objects(&fresh).into_iter().map(without_origin).collect(),
            );
            assert_eq!(one, other, "{input}");
        }
    }
}

#[test]
fn a_model_is_known_by_its_content_and_settings_have_segments_of_their_own() {
    let place = Place::new();
    for file in Path::new(&tiny()).read_dir().unwrap().map(Result::unwrap) {
        place.file(&format!("moved/{}", file.file_name().display()), std::fs::read(file.path()).unwrap());
    }
    let tiny = tiny();
    let known = |model: &str, more: &[&str]| {
        let run = ["translate", "--input-format", "lines", "--memory", "memory", "--model", model];
        let ran = place.pipe(&[&run, more].concat(), b"Het regent.\nDe zon schijnt.\n");
        let said = ran.stderr.clone();
        ran.good();
        said.split("memory: ").nth(1).unwrap().split(" of 2").next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!([known(&tiny, &[]), known(&tiny, &[]), known("moved", &[])], [0, 2, 2]);
    assert_eq!(
        [known(&tiny, &["--beam-size", "3"]), known(&tiny, &["--beam-size", "3"]), known(&tiny, &[])],
        [0, 2, 2]
    );
    place.file("terms.tsv", "zon\tmoon\n");
    let terms = ["--glossary", "terms.tsv"];
    assert_eq!([known(&tiny, &terms), known(&tiny, &terms), known(&tiny, &[])], [1, 2, 2], "one line has no term");
    std::fs::write(place.path("moved/source.spm"), std::fs::read(place.path("moved/target.spm")).unwrap()).unwrap();
    assert_eq!(known("moved", &[]), 0);
}

#[test]
fn summaries_of_a_model_are_known_too() {
    let place = Place::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-t5").display().to_string();
    place.file("a.txt", "It rains in the city today. The sun shines tomorrow. A new bridge is built.");
    let run = ["summarize", "a.txt", "--model", &model, "--format", "jsonl"];
    let fresh = place.run(&run).good();
    for known in ["0 of 1", "1 of 1"] {
        let ran = place.run(&[&run[..], &["--memory", "memory"]].concat()).bad(0, &[&format!("memory: {known} texts")]);
        assert_eq!(ran.stdout, fresh);
    }
}

#[test]
fn similar_sources_are_listed_and_never_used() {
    let place = Place::new();
    let tiny = tiny();
    let run = ["translate", "--model", &tiny, "--memory", "memory"];
    let first = objects(&place.pipe(&[&run[..], &["--format", "jsonl"]].concat(), b"De brug is dicht.").good());
    let similar = [&run[..], &["--memory-fuzzy", "80"]].concat();
    let input = b"De brug is licht. Geheel iets anders.";
    let report = &objects(&place.pipe(&[&similar[..], &["--format", "jsonl"]].concat(), input).good())[0];
    let expected = serde_json::json!([
        {"source": "De brug is dicht.", "target": first[0]["segments"][0]["target"], "similarity": 94}
    ]);
    assert_eq!(report["segments"][0]["similar"], expected);
    assert!(report["segments"][0]["from"].is_null() && report["segments"][1]["similar"].is_null(), "{report}");
    let fresh = place.pipe(&["translate", "--model", &tiny], input).good();
    assert_eq!(fresh.trim_end(), report["translation"].as_str().unwrap().trim_end());
    place.file("other.txt", "De brug is ligt.");
    let tmx = place.run(&[&similar[..], &["other.txt", "--format", "tmx"]].concat()).good();
    assert_eq!(tmx.matches("<prop type=\"x-similarity\">").count(), 2, "{tmx}");
    place.pipe(&["translate", "--memory-fuzzy", "80"], b"").bad(2, &["needs a memory", "hint: "]);
}

#[test]
fn only_its_owner_may_read_it_and_no_memory_always_wins() {
    let place = Place::new();
    place.file("config/kortom/config.toml", "memory = \"on\"\n");
    let run = |more: &[&str]| {
        let mut command = place.command(&[&["translate", "--input-format", "lines", "a.txt"], more].concat());
        assert!(command.env("XDG_DATA_HOME", place.path("data")).output().unwrap().status.success());
    };
    place.file("a.txt", "Het regent.\n");
    run(&["--no-memory"]);
    run(&["--memory", "other", "--no-memory"]);
    assert!(!place.path("data").exists() && !place.path("other").exists());
    run(&[]);
    let file = place.path("data/kortom/memory.sqlite");
    assert_eq!(count(&file, "kept"), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    run(&["--memory", "off"]);
    assert_eq!(count(&file, "kept"), 1);
    place.run(&["translate", "--sample", "a.txt", "--memory", "m"]).bad(2, &["drawn by chance", "hint: "]);
    let mut doctor = place.command(&["doctor", "--offline"]);
    let page = String::from_utf8(doctor.env("XDG_DATA_HOME", place.path("data")).output().unwrap().stdout).unwrap();
    assert!(page.contains("memory.sqlite (") && page.contains("1 texts, 0 corrections"), "{page}");
}

#[test]
fn a_run_that_was_stopped_goes_on_as_without_a_memory() {
    let place = Place::new();
    let tiny = tiny();
    place.file("in/a.txt", ARTICLE).file("in/b.txt", "De zon schijnt.").file("in/c.txt", "Het regent.");
    let run = ["translate", "in", "--model", &tiny, "--memory", "memory", "--resume", "--output"];
    place.run(&["translate", "in", "--model", &tiny, "--output", "whole"]).good();
    place.run(&[&run[..], &["out"]].concat()).good();
    std::fs::remove_file(place.path("out/b.txt")).unwrap();
    place.run(&[&run[..], &["out"]].concat()).bad(0, &["2 finished before"]);
    for name in ["a.txt", "b.txt", "c.txt"] {
        assert_eq!(place.read(&format!("out/{name}")), place.read(&format!("whole/{name}")), "{name}");
    }
    place.file("corrected.tsv", "De zon schijnt.\tThe sun is out.\n");
    place.run(&["memory", "import", "corrected.tsv", "--memory", "memory"]).good();
    place.run(&[&run[..], &["out"]].concat()).good();
    assert_eq!(place.read("out/b.txt").trim_end(), "The sun is out.");
}
