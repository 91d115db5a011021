//! `kortom memory`: what people corrected comes in, and all that is known goes out.

use super::{count, database, lines, tiny};
use crate::cli::{Place, objects};
use crate::formats::package::{TYPES, WORD, archive, entry};

const ARTICLE: &str = "Het regent. De zon schijnt. De brug is dicht.\n\nDe gemeente bouwt een brug.";

fn import(place: &Place, arguments: &[&str]) -> String {
    let ran = place.run(&[&["memory", "import", "--memory", "memory"], arguments].concat());
    let said = ran.stderr.clone();
    ran.good();
    said
}

/// An article is translated, and its report is kept.
fn translated(place: &Place, format: &str, to: &str) {
    place.file("a.txt", ARTICLE);
    place.run(&["translate", "a.txt", "--memory", "memory", "--format", format, "--output", to]).good();
}

#[test]
fn corrections_win_over_every_model_in_every_command() {
    let place = Place::new();
    place
        .file("a.tsv", "Het  regent.\tIt pours!\r\n\nDe brug is dicht.\tThe bridge is shut.\textra\n")
        .file("a.txt", ARTICLE);
    assert!(import(&place, &["a.tsv"]).contains("note: `a.tsv`: 2 corrections taken\n"));
    for (command, model) in [("translate", tiny()), ("digest", tiny()), ("translate", "kortom-nl-en".to_owned())] {
        let run = [command, "a.txt", "--model", &model, "--memory", "memory", "--format"];
        let report = &objects(&place.run(&[&run[..], &["jsonl"]].concat()).good())[0];
        let segment = |number: usize| &report["segments"][number];
        assert_eq!((&segment(0)["target"], &segment(0)["from"]), (&"It pours!".into(), &"memory".into()));
        assert!(segment(0)["score"].is_null() && segment(0)["flags"].as_array().unwrap().is_empty());
        assert_eq!(segment(2)["target"], "The bridge is shut.");
        assert!(report["translation"].as_str().unwrap().starts_with("It pours! "), "{report}");
        let page = place.run(&[&run[..], &["html"]].concat()).good();
        assert!(page.contains("<p class=\"memory\">from memory: 2 of 3 sentences</p>"), "{page}");
    }
    let line = place.pipe(&["translate", "--input-format", "lines", "--memory", "memory"], b"Het regent.\n");
    assert_eq!(line.good(), "It pours!\n");
    place.run(&["memory", "forget", "--corrections", "--memory", "memory"]).good();
    let without = place.run(&["translate", "a.txt"]).good();
    assert_eq!(place.run(&["translate", "a.txt", "--memory", "memory"]).good(), without);
}

#[test]
fn of_a_corrected_report_only_what_was_changed_is_taken() {
    let place = Place::new();
    translated(&place, "jsonl", "a.jsonl");
    let mut report = objects(&place.read("a.jsonl")).remove(0);
    report["segments"][1]["target"] = "The sun is out.".into();
    place.file("a.jsonl", report.to_string());
    let said = import(&place, &["a.jsonl"]);
    assert!(said.contains("1 corrections taken, 3 were known already"), "{said}");

    let place = Place::new();
    translated(&place, "html", "a.html");
    let page = place.read("a.html");
    let start = page.find("<p lang=\"en\">").unwrap() + 13;
    let end = start + page[start..].find("</p>").unwrap();
    let corrected =
        format!("{}It pours &amp; pours. The sun is out. The bridge is shut.{}", &page[..start], &page[end..]);
    place.file("a.html", corrected);
    let said = import(&place, &["a.html"]);
    assert!(said.contains("3 corrections taken, 1 were known already"), "{said}");
    assert!(
        place
            .run(&["translate", "a.txt", "--memory", "memory"])
            .good()
            .starts_with("It pours & pours. The sun is out. ")
    );
}

#[test]
fn a_corrected_document_is_read_beside_its_source() {
    let place = Place::new();
    translated(&place, "text", "en.txt");
    let english = place.read("en.txt");
    let paragraphs: Vec<&str> = english.split("\n\n").collect();
    place.file("en.txt", format!("It pours. The sun is out. The bridge is shut.\n\n{}", paragraphs[1]));
    let said = import(&place, &["en.txt", "--source", "a.txt"]);
    assert!(said.contains("3 corrections taken, 1 were known already"), "{said}");
    place.file("short.txt", "Only one paragraph.");
    place
        .run(&["memory", "import", "short.txt", "--source", "a.txt", "--memory", "memory"])
        .bad(1, &["`a.txt` has 2 paragraphs and `short.txt` has 1", "hint: "]);
}

/// Word and python-docx write a correction as runs of their own, and others may have touched the document before.
#[test]
fn a_corrected_word_document_is_read_beside_its_source_even_if_it_is_bilingual() {
    let place = Place::new();
    let paragraphs = ["Het regent. <b>De zon</b> schijnt.", "12 - 3", "De brug is dicht."];
    place.file("a.docx", word(&paragraphs));
    let translate = ["translate", "a.docx", "--memory", "memory", "--output"];
    place.run(&[&translate[..], &["en.docx"]].concat()).good();
    place.run(&[&translate[..], &["both.docx", "--bilingual"]].concat()).good();
    // This model repeats itself, so there are comments.
    place.run(&[&translate[..], &["said.docx", "--comments", "--model", &tiny()]].concat()).good();
    assert!(entry(&std::fs::read(place.path("said.docx")).unwrap(), "word/comments.xml").0.contains("repetition"));
    let said = import(&place, &["en.docx", "--source", "a.docx"]);
    assert!(said.contains("0 corrections taken, 4 were known already"), "{said}");
    let corrected = ["It rains hard. <b>The sun</b> is out.", "12 - 3", "The bridge is shut."];
    let both = [
        "Het regent. <b>De zon</b> schijnt.<br>It pours down. <b>The sun</b> is out.",
        "12 - 3",
        "De brug is dicht.<br>It is shut.",
    ];
    for (file, text, first) in [("en.docx", corrected, "It rains hard."), ("both.docx", both, "It pours down.")] {
        place.run(&["memory", "forget", "--corrections", "--memory", "memory"]).good();
        place.file(file, word(&text));
        let said = import(&place, &[file, "--source", "a.docx"]);
        assert!(said.contains("3 corrections taken, 1 were known already"), "{file}: {said}");
        let text = place.run(&["translate", "a.docx", "--memory", "memory", "--format", "text"]).good();
        assert!(text.starts_with(&format!("{first} The sun is out.\n")), "{file}: {text}");
    }
    // A bilingual document that was not touched holds no correction.
    place.run(&["memory", "forget", "--corrections", "--memory", "memory"]).good();
    place.run(&[&translate[..], &["both.docx", "--bilingual"]].concat()).good();
    // Comments are no paragraphs. A paragraph with another number of sentences than its source is left out.
    for (file, expected) in [("both.docx", "0 corrections taken, 4 were known"), ("said.docx", "0 corrections taken")] {
        let said = import(&place, &[file, "--source", "a.docx"]);
        assert!(said.contains(expected), "{file}: {said}");
    }
    place.file("other.docx", word(&["Het regent.<br>It rains.", "Iets anders.", "Nog iets."]));
    let import = ["memory", "import", "other.docx", "--source", "a.docx", "--memory", "memory"];
    place.run(&import).bad(1, &["`a.docx` has 3 paragraphs and `other.docx` has", "hint: "]);
}

/// A document of Word with these paragraphs, in which `<b>` is bold and `<br>` a line break.
fn word(paragraphs: &[&str]) -> Vec<u8> {
    let run = |format: &str, text: &str| {
        format!("<w:r><w:rPr>{format}</w:rPr><w:t xml:space=\"preserve\">{text}</w:t></w:r>")
    };
    let line = |line: &str| -> String {
        let parts = line.split("<b>").flat_map(|part| part.split("</b>")).enumerate();
        parts.map(|(at, text)| run(if at % 2 == 1 { "<w:b/>" } else { "" }, text)).collect()
    };
    let paragraph = |text: &&str| {
        let lines: Vec<String> = text.split("<br>").map(line).collect();
        format!("<w:p>{}</w:p>", lines.join("<w:r><w:br/></w:r>"))
    };
    let body: String = paragraphs.iter().map(paragraph).collect();
    archive(&[
        ("[Content_Types].xml", TYPES.to_owned()),
        ("word/document.xml", format!("<w:document {WORD}><w:body>{body}</w:body></w:document>")),
        ("word/footnotes.xml", format!("<w:footnotes {WORD}/>")),
        ("word/styles.xml", format!("<w:styles {WORD}/>")),
    ])
}

#[test]
fn what_is_exported_is_imported() {
    let place = Place::new();
    translated(&place, "text", "en.txt");
    // What a model made of a sentence that was corrected stays behind.
    place.file("a.tsv", "Een <b> & \"twee\".\tOne <b> & \"two\".\nHet regent.\tIt pours.\n");
    import(&place, &["a.tsv"]);
    for format in ["tsv", "tmx"] {
        let all = place.run(&["memory", "export", "--memory", "memory", "--format", format]).good();
        place.file(&format!("all.{format}"), &all);
        let said = import(&place, &["--quiet", &format!("all.{format}")]);
        assert_eq!(said, "");
        place.run(&["memory", "import", &format!("all.{format}"), "--memory", format]).good();
        assert_eq!(count(&place.path(format), "corrections"), 5, "{all}");
        let again = place.run(&["memory", "export", "--memory", format, "--format", "tsv"]).good();
        let sorted = |text: &str| {
            let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
            rows.sort_unstable();
            rows
        };
        assert_eq!(sorted(&again), sorted(&place.read("all.tsv")));
        assert!(again.contains("Het regent.\tIt pours.\n"), "{again}");
    }
    assert_eq!(place.run(&["memory", "export", "--memory", "memory", "--to", "de"]).good(), "");
}

#[test]
fn a_translation_memory_of_others_is_read() {
    let place = Place::new();
    let unit = |from: &str, to: &str, source: &str, target: &str| {
        format!(
            "<tu><tuv xml:lang=\"{to}\"><seg>{target}</seg></tuv><tuv xml:lang=\"{from}\"><seg>{source}</seg></tuv></tu>"
        )
    };
    let page = |units: &str| format!("<?xml version=\"1.0\"?><tmx version=\"1.4\"><header/><body>{units}</body></tmx>");
    place.file(
        "a.tmx",
        page(
            &(unit("nl-BE", "EN-US", "Het regent.", "It <bpt i=\"1\">x</bpt>pours.")
                + &unit("de", "fr", "Ja.", "Oui.")),
        ),
    );
    let said = import(&place, &["a.tmx"]);
    assert!(said.contains("1 corrections taken, 1 left out"), "{said}");
    let export = |more: &[&str]| place.run(&[&["memory", "export", "--memory", "memory"], more].concat());
    assert_eq!(export(&[]).good(), "Het regent.\tIt pours.\n");
    import(&place, &["a.tmx", "--from", "de", "--to", "fr"]);
    export(&[]).bad(2, &["a table has two languages", "hint: name those you want with --from and --to"]);
    assert_eq!(export(&["--from", "deu"]).good(), "Ja.\tOui.\n");

    place.file("bomb.tmx", format!("<!DOCTYPE tmx [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>{}", page("&b;")));
    place.file("short.tmx", "<tmx><body><tu><tuv xml:lang=\"nl\"><seg>Een").file("page.tmx", "<html/>");
    place
        .file("wide.tmx", b"\xff\xfe<\0")
        .file("bad.tsv", "een\ttwee\ndrie\n")
        .file("what.bin", "x")
        .file("a.json", "{");
    place.file("plain.html", "<p>Niets</p>");
    for (file, said) in [
        ("bomb.tmx", "defines entities, which are never expanded"),
        ("short.tmx", "it ends in the middle"),
        ("page.tmx", "no translation memory in it"),
        ("wide.tmx", "UTF-16"),
        ("bad.tsv", "line 2: there is no tabulator in it"),
        ("what.bin", "its name does not say what it holds"),
        ("a.json", "it is no JSON"),
        ("plain.html", "no page that kortom made"),
        ("none.tsv", "cannot open the file"),
    ] {
        place
            .run(&["memory", "import", file, "a.tmx", "--memory", "memory"])
            .bad(1, &[&format!("`{file}`: "), said, "`a.tmx`: 0"]);
    }
}

/// What is read unit by unit needs no more memory however much there is of it.
#[test]
#[cfg(target_os = "linux")]
fn a_large_translation_memory_is_streamed() {
    use std::io::Write;
    use std::process::Stdio;
    let place = Place::new();
    let mut command = place.command(&["memory", "import", "-", "--format", "tmx", "--memory", "memory"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let unit = format!(
        "<tu><tuv xml:lang=\"de\"><seg>{}</seg></tuv><tuv xml:lang=\"fr\"><seg>x</seg></tuv></tu>",
        "Ja. ".repeat(200)
    );
    let block = unit.repeat(1000);
    write!(input, "<tmx version=\"1.4\"><body>").unwrap();
    for _ in 0..50 {
        input.write_all(block.as_bytes()).unwrap();
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: usize = peak.split_whitespace().next().unwrap().parse().unwrap();
    write!(input, "</body></tmx>").unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
    assert!(peak < 40 << 10, "{peak} KiB for {} KiB", (50 * block.len()) >> 10);
}

#[test]
fn what_is_pruned_or_forgotten_is_gone_from_the_file() {
    let place = Place::new();
    let tiny = tiny();
    place.file("lines.txt", lines(400)).file("a.tsv", "Jansen belt.\tJansen calls.\nHet regent.\tIt pours.\n");
    place.run(&["translate", "lines.txt", "--input-format", "lines", "--model", &tiny, "--memory", "memory"]).good();
    import(&place, &["a.tsv"]);
    let memory = |arguments: &[&str]| place.run(&[&["memory"], arguments, &["--memory", "memory"]].concat());
    let stats = || serde_json::from_str::<serde_json::Value>(&memory(&["stats", "--format", "json"]).good()).unwrap();
    let before = stats();
    assert_eq!((&before["segments"], &before["corrections"]), (&400.into(), &2.into()));
    assert_eq!((&before["models"][0]["texts"], &before["models"][0]["from"]), (&400.into(), &"nl".into()));
    assert!(memory(&["stats"]).good().contains("400 segments and 0 summaries of models, 2 corrections"));

    database(&place.path("memory")).execute_batch("UPDATE kept SET used = used - 100 WHERE rowid <= 50").unwrap();
    assert!(memory(&["prune", "--older-than", "90d"]).good().starts_with("50 texts removed"));
    let size = stats()["bytes"].as_u64().unwrap() / 2;
    memory(&["prune", "--max-size", &size.to_string()]).good();
    let after = stats();
    assert!(after["bytes"].as_u64().unwrap() <= size && after["segments"].as_u64().unwrap() > 0, "{after}");
    memory(&["prune", "--model", &tiny]).good();
    assert_eq!((&stats()["segments"], &stats()["corrections"]), (&0.into(), &2.into()));
    memory(&["prune"]).bad(2, &["nothing was said to be removed", "hint: "]);

    assert_eq!(memory(&["forget", "JANSEN"]).good(), "1 texts forgotten\n");
    let bytes = std::fs::read(place.path("memory")).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"Jansen" || part == b"jansen"));
    assert_eq!(count(&place.path("memory"), "corrections"), 1);
    memory(&["forget"])
        .bad(2, &["nothing was said to be forgotten", "hint: give a text, or add --corrections or --all"]);
    assert_eq!(memory(&["forget", "--all"]).good(), "1 texts forgotten\n");
}
