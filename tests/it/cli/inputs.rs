//! What is read, and what is said of input that is bad.

use std::path::Path;
use std::process::Stdio;

use kortom::document::Format;

use super::{ARTICLE, Place, Ran, objects};

#[test]
fn bad_articles_are_named_and_the_others_complete() {
    let place = Place::new();
    place.file("empty.txt", "").file("blank.txt", " \n\n").file("nul.txt", "Het\0regent.");
    place.file("latin.txt", b"Een caf\xe9 in de stad.").file("good.txt", "Het regent vandaag.");
    let names = ["gone.txt", "empty.txt", "blank.txt", "nul.txt", "latin.txt", "good.txt"];
    let ran = place.run(&[&["translate", "--quiet"], &names[..]].concat());
    let said = [
        "`gone.txt`: no such file",
        "`empty.txt`: the article is empty",
        "`blank.txt`: the article is empty",
        "`nul.txt`: ",
        "NUL byte at offset 3",
        "`latin.txt`: not valid UTF-8",
        "offset 7",
        "5 failed, 1 done",
    ];
    let ran = ran.bad(1, &said);
    assert_eq!(ran.stdout, place.run(&["translate", "good.txt"]).good());
    assert!(!ran.stdout.is_empty());
}

#[test]
fn nothing_but_missing_inputs_is_a_failure_of_all() {
    let place = Place::new();
    place.file("full/notes.doc", "x");
    place.run(&["translate", "gone.txt", "full"]).bad(1, &["`gone.txt`", "`full`: the folder holds no article"]);
}

#[test]
fn a_file_of_a_kind_that_is_not_read_is_refused_by_name() {
    let place = Place::new();
    for (name, said) in [
        ("a.rtf", "convert-to docx"),
        ("a.fodt", "convert-to odt"),
        ("a.xml", "--input-format rss"),
        ("a.JSON", "jsonl"),
        ("a.sdlxliff", "--input-format xliff"),
        ("a.ttml", "subtitles.srt"),
        ("a.ipynb", "pandoc"),
        ("a.YAML", "yaml2po"),
        ("a.svg", "a drawing"),
    ] {
        place.file(name, "Het regent vandaag.");
        place.run(&["translate", name]).bad(1, &[&format!("`{name}`"), "hint: ", said]);
    }
    assert!(!place.run(&["translate", "a.rtf", "--input-format", "text"]).good().is_empty());
    // Documents with macros, and templates, are what they are made of.
    for (name, format) in [
        ("a.docm", Format::Docx),
        ("a.OTT", Format::Odt),
        ("a.pot", Format::Po),
        ("a.xlsm", Format::Xlsx),
        ("a.ppsx", Format::Pptx),
    ] {
        assert_eq!(Format::known(Path::new(name)), Some(format));
    }
}

#[test]
fn a_text_in_another_encoding_and_an_old_document_get_the_remedy_for_it() {
    let place = Place::new();
    let wide: Vec<u8> = "\u{feff}a;b\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    place.file("wide.csv", &wide).file("old.pot", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0");
    place.run(&["translate", "wide.csv"]).bad(1, &["UTF-16", "iconv -f UTF-16 -t UTF-8"]);
    place.run(&["translate", "old.pot"]).bad(1, &["old edition of Office", "convert-to docx"]);
}

#[test]
fn unusable_models_end_with_2() {
    let place = Place::new();
    place.file("a.txt", ARTICLE).file("bare/config.json", "{}").file("none/readme.txt", "x");
    place.run(&["translate", "a.txt", "--model", "nosuch"]).bad(2, &["no such model `nosuch`", "hint: "]);
    place.run(&["translate", "a.txt", "--model", "none"]).bad(2, &["no `config.json`", "hint: "]);
    place.run(&["translate", "a.txt", "--model", "bare"]).bad(2, &["`bare`"]);
    place.run(&["translate", "a.txt", "--model", "gone/model", "--offline"]).bad(2, &["gone/model", "offline"]);
    place.run(&["translate", "a.txt", "--model", "cnn", "--offline"]).bad(2, &["cnn"]);
}

#[test]
fn line_ends_and_structure_survive() {
    let place = Place::new();
    let crlf = "date 2021-03-04 Het regent vandaag.\r\n\r\nBrug\r\n\r\nDe zon schijnt morgen.\r\n";
    let unix = place.pipe(&["translate"], crlf.replace("\r\n", "\n").as_bytes()).good();
    let windows = place.pipe(&["translate"], crlf.as_bytes()).good();
    assert_eq!(windows, unix.replace('\n', "\r\n"));
    assert!(windows.starts_with("date 2021-03-04 "), "{windows}");
    assert_eq!(windows.matches("\r\n").count(), 5);
    let report = &objects(&place.pipe(&["translate", "--format", "jsonl"], crlf.as_bytes()).good())[0];
    assert_eq!(report["date"], "2021-03-04");
    assert!(!report["translation"].as_str().unwrap().contains("2021"));
}

#[test]
fn five_megabytes_are_one_article() {
    let place = Place::new();
    let paragraph = "Het regent vandaag in de stad. De zon schijnt morgen.\n\n";
    let count = 5_000_000 / paragraph.len();
    let ran = place.pipe(&["translate", "--quiet"], paragraph.repeat(count).as_bytes());
    assert_eq!(ran.good().matches("\n\n").count(), count);
}

#[test]
fn records_pass_through_untouched() {
    let place = Place::new();
    place.file(
        "in.jsonl",
        "{\"id\":7,\"body\":\"Het regent.\",\"n\":1.50,\"deep\":{\"b\":[1,null]},\"title\":\"Kop\"}\n\
         {broken\n{\"id\":\"x\"}\n\n{\"body\":\"\"}\n{\"body\":\"De zon schijnt.\"}\n",
    );
    let ran = place.run(&["translate", "in.jsonl", "--field", "body"]);
    let said =
        ["`in.jsonl:2`: not a JSON object", "`in.jsonl:3`: no field `body`", "`in.jsonl:5`: the article is empty"];
    let ran = ran.bad(1, &said);
    assert!(ran.stdout.contains("\"n\":1.50") && ran.stdout.contains("\"deep\":{\"b\":[1,null]}"), "{}", ran.stdout);
    let reports = objects(&ran.stdout);
    assert_eq!(
        (&reports[0]["id"], &reports[0]["title"], &reports[0]["body"]),
        (&7.into(), &"Kop".into(), &"Het regent.".into())
    );
    assert_eq!(reports[0]["translation"], reports[0]["segments"][0]["target"]);
    assert_eq!(reports[0]["models"]["translation"], "kortom-nl-en");
    assert_eq!(reports[4]["id"], "in:6");
    assert_eq!(reports.len(), 5);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = Place::new();
    place.file("in.txt", "Het regent vandaag.\n".repeat(3000));
    let mut command = place.command(&["translate", "--input-format", "lines", "--quiet", "in.txt"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn an_interruption_gives_130_and_leaves_nothing_half_written() {
    let place = Place::new();
    place.file("in.txt", "Het regent vandaag in de stad en de zon schijnt.\n".repeat(10));
    let mut command = place.command(&["translate", "--output", "out/", "in.txt", "-"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Held open, so that the run is not over by itself.
    let _stdin = child.stdin.take();
    let done = place.path("out/in.txt");
    while !done.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    }
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let ran =
        Ran::from(child.wait_with_output().unwrap()).bad(130, &["interrupted; complete results are kept", "--resume"]);
    assert_eq!(ran.stdout, "");
    assert_eq!(super::visible(&place.path("out")), ["in.txt"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_array_of_json_is_closed() {
    use std::io::Read;

    let place = Place::new();
    place.file("in.txt", "Het regent vandaag in de stad en de zon schijnt.\n");
    let mut command = place.command(&["translate", "--format", "json", "--quiet", "in.txt", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Held open, so that the run is not over by itself.
    let _stdin = child.stdin.take();
    let mut stdout = child.stdout.take().unwrap();
    let mut text = vec![0; 2];
    stdout.read_exact(&mut text).unwrap();
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    stdout.read_to_end(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let articles: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    assert_eq!(articles.len(), 1);
}
