//! Commands, options, settings and what is refused.

use super::{ARTICLE, Place};

/// For every command, all options the contract gives it.
const OPTIONS: [(&str, &[&str]); 4] = [
    (
        "digest",
        &[
            "--model",
            "--summary-model",
            "--from",
            "--to",
            "--prefix",
            "--device",
            "--compute-type",
            "--threads",
            "--batch-tokens",
            "--beam-size",
            "--length-penalty",
            "--early-stopping",
            "--no-repeat-ngram",
            "--repetition-penalty",
            "--min-length",
            "--max-length",
            "--sample",
            "--temperature",
            "--top-k",
            "--top-p",
            "--seed",
            "--input-format",
            "--format",
            "--field",
            "--output",
            "--resume",
            "--summary-length",
            "--method",
            "--strict",
            "--offline",
            "--timings",
            "--quiet",
            "--verbose",
        ],
    ),
    (
        "translate",
        &[
            "--model",
            "--adapter",
            "--from",
            "--to",
            "--n-best",
            "--input-format",
            "--format",
            "--field",
            "--output",
            "--strict",
        ],
    ),
    ("summarize", &["--model", "--summary-length", "--method", "--format", "--output", "--resume", "--timings"]),
    (
        "generate",
        &["--model", "--adapter", "--from", "--to", "--prefix", "--n-best", "--format", "--max-length", "--seed"],
    ),
];

#[test]
fn alone_it_says_what_to_type_next() {
    let page = Place::new().run(&[]).good();
    for text in ["kortom digest", "kortom translate", "kortom models pull nl-en", "kortom doctor", "kortom --help"] {
        assert!(page.contains(text), "{page}");
    }
}

#[test]
fn help_names_every_command_and_option() {
    let place = Place::new();
    let page = place.run(&["--help"]).good();
    for command in ["digest", "translate", "summarize", "generate", "models", "doctor", "bench", "completions", "man"] {
        assert!(page.contains(&format!("\n  {command} ")), "{command}:\n{page}");
    }
    assert!(page.contains("Exit codes: 0 all done"), "{page}");
    for (command, options) in OPTIONS {
        let page = place.run(&[command, "--help"]).good();
        for option in options {
            assert!(page.contains(option), "{command} {option}:\n{page}");
        }
    }
}

#[test]
fn an_option_that_does_not_apply_is_refused() {
    let place = Place::new();
    place.file("a.txt", ARTICLE);
    let refused: [(&[&str], &str); 26] = [
        (&["translate", "a.txt", "--summary-model", "x"], "--summary-model"),
        (&["translate", "a.txt", "--method", "extractive"], "--method"),
        (&["translate", "a.txt", "--summary-length", "3"], "--summary-length"),
        (&["summarize", "a.txt", "--to", "en"], "--to"),
        (&["summarize", "a.txt", "--n-best", "2"], "--n-best"),
        (&["digest", "a.txt", "--n-best", "2"], "--n-best"),
        (&["generate", "a.txt", "--model", "kortom-nl-en", "--field", "x"], "--field"),
        (&["generate", "a.txt", "--model", "kortom-nl-en", "--method", "auto"], "--method"),
        (&["generate", "a.txt", "--model", "kortom-nl-en", "--input-format", "text"], "reads lines only"),
        (&["generate", "a.txt"], "--model"),
        (&["doctor", "--beam-size", "2"], "--beam-size"),
        (&["translate", "a.txt", "--resume"], "--output"),
        (&["translate", "a.txt", "--temperature", "0.5"], "--sample"),
        (&["translate", "a.txt", "--sample", "--beam-size", "4"], "--beam-size"),
        (&["translate", "a.txt", "--beam-size", "1", "--early-stopping", "true"], "--early-stopping"),
        (&["translate", "a.txt", "--quiet", "-v"], "--verbose"),
        (&["translate", "a.txt", "--n-best", "2"], "applies to lines only"),
        (&["translate", "a.txt", "--field", "body"], "JSONL, CSV and TSV input only"),
        (&["translate", "a.txt", "--input-format", "lines", "--n-best", "2", "--beam-size", "2"], "--format jsonl"),
        (&["translate", "a.txt", "--input-format", "lines", "--format", "markdown"], "as markdown"),
        (&["digest", "a.txt", "--input-format", "lines"], "nothing to summarise"),
        (&["summarize", "a.txt", "--beam-size", "4"], "need no model"),
        (&["summarize", "a.txt", "--method", "extractive", "--model", "x"], "need no model"),
        (&["translate", "a.txt", "--output", "a.txt"], "is the input itself"),
        (&["translate", "-", "-"], "only once"),
        (&["translate", "a.txt", "--from", "ja"], "from `ja` to `en`"),
    ];
    for (arguments, said) in refused {
        let ran = place.run(arguments).bad(2, &[said]);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
}

#[test]
fn values_that_mean_nothing_are_refused() {
    let place = Place::new();
    for (option, value) in [
        ("--beam-size", "0"),
        ("--length-penalty", "much"),
        ("--early-stopping", "maybe"),
        ("--repetition-penalty", "0"),
        ("--max-length", "0"),
        ("--device", "toaster"),
        ("--compute-type", "f8"),
        ("--input-format", "doc"),
        ("--format", "docx"),
        ("--summary-length", "tiny"),
    ] {
        place.run(&["digest", option, value]).bad(2, &[option, value]);
    }
    place.run(&["tranlsate"]).bad(2, &["\nhint: ", "'translate'"]);
    place.run(&["translate", "--beams", "4"]).bad(2, &["\nhint: a similar argument exists: '--beam-size'"]);
    place.run(&["models"]).bad(2, &["  pull ", "  verify "]);
}

#[cfg(not(any(feature = "cuda", feature = "metal")))]
#[test]
fn a_device_this_build_lacks_comes_with_the_way_to_build_it() {
    let place = Place::new();
    for device in ["cuda", "cuda:1", "metal"] {
        place.pipe(&["translate", "--device", device], b"Hallo.").bad(2, &["hint: ", "--features"]);
    }
}

#[test]
fn settings_say_where_they_are_from() {
    let place = Place::new();
    place.file("config/kortom/config.toml", "beam-size = 2\nmax-length = 1\nearly-stopping = true\n");
    let mut command = place.command(&["config", "show", "--beam-size", "3"]);
    let page = super::Ran::from(command.env("HF_HUB_OFFLINE", "1").output().unwrap()).good();
    let row = |name: &str| page.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(row("beam-size").contains(" 3 ") && row("beam-size").ends_with("flag"));
    assert!(row("max-length").contains(" 1 ") && row("max-length").contains("file ("));
    assert!(row("offline").ends_with("environment (HF_HUB_OFFLINE)"));
    assert!(row("format").ends_with("default"));
    place
        .pipe(&["translate", "--strict"], ARTICLE.as_bytes())
        .bad(1, &["5 of 5 segments flagged: 5 truncated", "--strict"]);
    place.pipe(&["translate", "--strict", "--max-length", "200"], b"De zon schijnt.").good();
    place.file("config/kortom/config.toml", "beams = 2\n");
    place.run(&["translate"]).bad(2, &["unknown option `beams`", "`beam-size`"]);
}

#[test]
fn completions_manual_and_doctor_are_there() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&["completions", shell]).good();
        assert!(
            script.contains("summary-length") && script.contains("nl-en-big") && script.contains("bf16"),
            "{shell}"
        );
    }
    let manual = place.run(&["man"]).good();
    let plain = manual.replace('\\', "");
    for (command, options) in OPTIONS {
        assert!(plain.contains(&format!("kortom {command} [OPTIONS]")), "{command}");
        for option in options {
            assert!(plain.contains(option), "{option}");
        }
    }
    for told in ["kortom models pull", "--accept-license", "HF_HUB_OFFLINE", "config.toml", "130 interrupted"] {
        assert!(plain.contains(told), "{told}");
    }
    assert_eq!(plain.matches("--beam-size").count(), 1, "what commands share is told once");
    let page = place.run(&["doctor"]).good();
    for subject in ["processor", "threads", "memory", "gpu", "build", "cache", "network", "kortom-nl-en"] {
        assert!(page.contains(subject), "{page}");
    }
}

#[test]
fn bench_measures_four_ways() {
    let table = Place::new().run(&["bench", "--threads", "1"]).good();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("kortom-nl-en"));
    let rows: Vec<Vec<f64>> = lines
        .skip_while(|line| !line.starts_with("beams"))
        .skip(1)
        .map(|line| line.split_whitespace().map(|cell| cell.parse().unwrap()).collect())
        .collect();
    let ways: Vec<&[f64]> = rows.iter().map(|row| &row[..2]).collect();
    assert_eq!(ways, [[1.0, 1.0], [1.0, 32.0], [4.0, 1.0], [4.0, 32.0]]);
    assert!(rows.iter().all(|row| row[2] > 0.0), "{table}");
    Place::new().run(&["bench", "--model", "nosuch"]).bad(2, &["no such model `nosuch`"]);
}

#[test]
fn more_threads_than_a_machine_has_are_refused() {
    let place = Place::new();
    place.file("a.txt", "Het regent.");
    place.run(&["translate", "a.txt", "--threads", "100000"]).bad(2, &["it must be at most 1024"]);
    place.file("config/kortom/config.toml", "threads = 0\n");
    place.run(&["translate", "a.txt"]).bad(2, &["config.toml", "`threads`: it must be at least 1"]);
}

#[test]
fn a_fault_in_the_settings_file_stops_no_command_that_does_without_it() {
    let place = Place::new();
    place.file("config/kortom/config.toml", "nonsense = 1\n");
    place.run(&["translate", "a.txt"]).bad(2, &["unknown option `nonsense`"]);
    for command in [&["man"][..], &["completions", "bash"], &["models", "list"]] {
        place.run(command).good();
    }
    let report = place.run(&["doctor"]).good();
    assert!(report.contains("[bad]  settings") && report.contains("unknown option `nonsense`"), "{report}");
}
