//! Where results go: forms, folders, resumed runs, messages.

use std::fs;
use std::time::Duration;

use super::{ARTICLE, Place, objects, visible};

#[test]
fn a_digest_has_the_date_then_the_summary_then_the_translation() {
    let place = Place::new();
    let page = place.file("a.txt", ARTICLE).run(&["digest", "a.txt", "--quiet"]).good();
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("`{text}` is not in:\n{page}"));
    assert_eq!(at("date 2021-03\n"), 0);
    assert!(at("\nSummary\n-------\n") < at("\nTranslation\n-----------\n"));
    assert_eq!(page.matches("2021").count(), 1);
    let report = &objects(&place.run(&["digest", "a.txt", "--format", "jsonl"]).good())[0];
    assert_eq!((&report["date"], &report["method"]), (&"2021-03".into(), &"extractive".into()));
    assert!(page.contains(report["summary"].as_str().unwrap()));
    assert!(page.ends_with(&format!("{}\n", report["translation"].as_str().unwrap())), "{page}");
    let markdown = place.run(&["digest", "a.txt", "--format", "markdown"]).good();
    assert!(markdown.starts_with("*2021-03*\n\n> **Summary.** ") && markdown.contains("\n\n## "), "{markdown}");
}

#[test]
fn several_digests_say_which_is_which() {
    let place = Place::new();
    place.file("a.txt", "").file("b.txt", "Het regent.").file("c.txt", ARTICLE);
    let page = place.run(&["digest", "a.txt", "b.txt", "c.txt"]).bad(1, &["`a.txt`", "1 failed, 2 done"]).stdout;
    assert!(
        page.starts_with("==> b.txt <==\n\nSummary\n") && page.contains("\n\n==> c.txt <==\n\ndate 2021"),
        "{page}"
    );
    assert!(!page.contains("a.txt"));
}

#[test]
fn every_input_gets_its_output() {
    let place = Place::new();
    place.file("in/a.txt", ARTICLE).file("in/deep/b.txt", "Het regent.").file("in/.hidden.txt", "x");
    place.file("in/c.jsonl", "{\"text\":\"De zon schijnt.\"}\n").file("in/empty.txt", "");
    place.run(&["translate", "in", "--output", "out"]).bad(1, &["`in/empty.txt`", "1 failed, 3 done"]);
    assert_eq!(visible(&place.path("out")), ["a.txt", "c.jsonl", "deep/b.txt"]);
    assert_eq!(place.read("out/a.txt"), place.run(&["translate", "in/a.txt"]).good());
    place.run(&["translate", "in/a.txt", "in/deep/b.txt", "--format", "json", "--output", "json"]).good();
    assert_eq!(visible(&place.path("json")), ["a.json", "b.json"]);
    assert!(serde_json::from_str::<Vec<serde_json::Value>>(&place.read("json/a.json")).is_ok());
    place.run(&["translate", "in/a.txt", "--output", "one.md", "--format", "markdown"]).good();
    assert!(place.read("one.md").contains("## "));
    place.run(&["translate", "in/a.txt", "--output", "new/"]).good();
    assert_eq!(visible(&place.path("new")), ["a.txt"]);
    let all = place.run(&["translate", "in/a.txt", "in/deep/b.txt", "--format", "json"]).good();
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&all).unwrap().len(), 2);
}

#[test]
fn every_format_comes_back_as_itself() {
    let place = Place::new();
    place
        .file("in/a.md", "# Brug\n\nDe *brug* is klaar.\n")
        .file("in/s.srt", "1\n00:00:01,000 --> 00:00:02,000\nHet regent.\n");
    place.file(
        "in/p.html",
        "<html><body><h1>Brug</h1><p class=\"x\">De brug is in mei klaar &amp; open.</p></body></html>",
    );
    place.run(&["translate", "in", "--output", "out"]).good();
    assert_eq!(visible(&place.path("out")), ["a.md", "p.html", "s.srt"]);
    assert!(place.read("out/a.md").starts_with("# ") && place.read("out/p.html").contains("<p class=\"x\">"));
    assert!(place.read("out/s.srt").starts_with("1\n00:00:01,000 --> 00:00:02,000\n"));
    let text = place.run(&["translate", "in/p.html", "--format", "text"]).good();
    assert!(!text.contains('<') && text.contains("\n\n"), "{text}");
    place.run(&["translate", "in/a.md", "--html-whole"]).bad(2, &["`--html-whole` applies to web pages only"]);
    place.file("bad.srt", "1\n00:00:01 -> soon\nHet regent.\n").run(&["translate", "bad.srt"]).bad(1, &["`bad.srt`"]);
}

#[test]
fn what_the_vocabulary_lacks_is_in_articles_and_left_out_of_lines() {
    let place = Place::new();
    let text = "Een broodje kost \u{20ba} 3,50. Wat een feest \u{1f389} in de stad!\n";
    let report = &objects(&place.file("a.txt", text).run(&["digest", "a.txt", "--format", "jsonl"]).good())[0];
    let [price, party] = [0, 1].map(|at| report["segments"][at]["target"].as_str().unwrap().to_owned());
    assert!(price.contains("\u{20ba} 3.50") && party.matches('\u{1f389}').count() == 1, "{report}");
    assert_eq!(report["translation"].as_str().unwrap().trim_end(), format!("{price} {party}"));
    assert_eq!(report["segments"][0]["flags"].as_array().unwrap().len(), 0, "{report}");
    // Quotation marks that the model knows better, or at all.
    let said = |text: &str| place.pipe(&["translate"], text.as_bytes()).good();
    assert_eq!(
        said(",,Het is klaar\u{2019}\u{2019}, zei hij \u{2019}s avonds."),
        said("\"Het is klaar\", zei hij 's avonds.")
    );
    // As transformers gives it, which `lines` is measured by.
    let lines =
        place.pipe(&["translate", "--input-format", "lines"], "Een broodje kost \u{20ba} 3,50.\n".as_bytes()).good();
    assert_eq!(lines.trim_end(), price.replace('\u{20ba}', ""));
}

#[test]
fn a_page_has_the_summary_then_both_languages() {
    let place = Place::new();
    let page = place.file("a.txt", ARTICLE).run(&["digest", "a.txt", "--format", "html", "--max-length", "4"]).good();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<html lang=\"en\">"));
    assert!(page.find("<h2>Summary").unwrap() < page.find("<div class=\"pair").unwrap());
    assert!(page.contains("lang=\"nl\">De gemeente bouwt een nieuwe brug.") && page.contains("truncated: "), "{page}");
    assert!(!page.contains("<script") && !page.contains("://"));
}

#[test]
fn outputs_of_one_name_are_told_apart_or_refused() {
    let place = Place::new();
    place
        .file("in/a.txt", "Het regent.")
        .file("in/a.jsonl", "{\"text\":\"De zon schijnt.\"}\n")
        .file("b/a.txt", "Nee.");
    place.run(&["translate", "in", "--format", "json", "--output", "out"]).good();
    assert_eq!(visible(&place.path("out")), ["a.jsonl.json", "a.txt.json"]);
    place.run(&["translate", "in/a.txt", "b/a.txt", "--output", "two"]).bad(2, &["two inputs", "two/a.txt"]);
    place.run(&["translate", "in/a.txt", "b", "--output", "b"]).bad(2, &["hint: "]);
}

#[test]
fn an_output_that_cannot_be_written_is_said() {
    let place = Place::new();
    place.file("in/a.txt", "Het regent.").file("in/b.txt", "De zon schijnt.").file("wall", "x");
    place.run(&["translate", "in", "--output", "wall"]).bad(2, &["`wall`", "hint: "]);
    place.run(&["translate", "in", "--output", "wall/out"]).bad(2, &["`wall/out`"]);
    fs::create_dir_all(place.path("out/a.txt")).unwrap();
    place.run(&["translate", "in", "--output", "out"]).bad(1, &["`in/a.txt`", "it is a folder", "1 failed, 1 done"]);
    assert_eq!(visible(&place.path("out")), ["b.txt"]);
}

#[test]
fn a_resumed_run_does_only_what_is_left() {
    let place = Place::new();
    place.file("in/a.txt", "Het regent.").file("in/b.txt", "De zon schijnt.");
    let resume = ["translate", "in", "--output", "out", "--resume"];
    let skipped = |said: &str| place.run(&resume).bad(0, &[said]);
    assert!(!place.run(&resume).bad(0, &[]).stderr.contains("finished before"));
    skipped("2 finished before");
    place.file("in/a.txt", "Het regent niet.");
    skipped("1 finished before");
    fs::remove_file(place.path("out/b.txt")).unwrap();
    skipped("1 finished before");
    place.file("out/b.txt", "changed by hand");
    skipped("1 finished before");
    assert_eq!(place.read("out/b.txt"), place.run(&["translate", "in/b.txt"]).good());
    let other = place.run(&[&resume[..], &["--beam-size", "1"]].concat());
    assert!(!other.bad(0, &[]).stderr.contains("finished before"));
    // Flags of a former run count as if they had been found in this one.
    let strict = [&resume[..], &["--max-length", "1", "--strict"]].concat();
    place.run(&strict).bad(1, &["--strict"]);
    place.run(&strict).bad(1, &["2 finished before", "--strict"]);
}

#[test]
fn killed_runs_go_on_to_the_same_bytes() {
    let place = Place::new();
    let records: Vec<String> = (0..400)
        .map(|n| format!("{{\"id\":{n},\"text\":\"De brug van {n} meter is in mei klaar. Het regent {n} dagen.\"}}\n"))
        .collect();
    place.file("in/a.jsonl", records.concat()).file("in/b.txt", ARTICLE);
    place.run(&["translate", "in", "--output", "whole", "--quiet"]).good();
    let resume = ["translate", "in", "--output", "parts", "--resume", "--quiet"];
    for wait in [300, 900, 1500] {
        let mut child = place.command(&resume).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        // It may be done already; then the next run has nothing left to do.
        let _ = child.kill();
        child.wait().unwrap();
        let finished = visible(&place.path("parts"));
        assert!(
            finished.iter().all(|name| place.read(&format!("parts/{name}")) == place.read(&format!("whole/{name}")))
        );
    }
    place.run(&resume).good();
    assert_eq!(visible(&place.path("parts")), ["a.jsonl", "b.txt"]);
    for name in ["a.jsonl", "b.txt"] {
        assert_eq!(place.read(&format!("parts/{name}")), place.read(&format!("whole/{name}")));
    }
}

#[test]
fn messages_are_on_standard_error_and_can_be_silenced() {
    let place = Place::new();
    let ran = place.pipe(&["translate"], b"Het regent.");
    assert_eq!(ran.stderr.matches("kortom models pull nl-en").count(), 1, "{}", ran.stderr);
    let quiet = place.pipe(&["translate", "--quiet"], b"Het regent.");
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), (ran.stdout.as_str(), ""));
    let timed = place.pipe(&["translate", "--quiet", "--timings"], b"Het regent.");
    assert_eq!(timed.stderr.lines().count(), 1);
    for part in ["first word after", "model load", "encode", "decode", "generated tokens/s", "peak memory"] {
        assert!(timed.stderr.contains(part), "{}", timed.stderr);
    }
    assert!(place.pipe(&["translate", "-v"], b"Het regent.").stderr.contains("loaded `kortom-nl-en`"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let place = Place::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = place.command(&["translate", "a.txt"]);
    place.file("a.txt", ARTICLE);
    let output = command.stdout(full).output().unwrap();
    super::Ran::from(output).bad(1, &["cannot write the output"]);
}

/// What is named as an output and is no file must not be replaced by one.
#[cfg(unix)]
#[test]
fn links_and_pipes_are_written_through() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::process::Stdio;

    let place = Place::new();
    place.file("a.txt", "Het regent.").file("old.txt", "old");
    let english = place.run(&["translate", "a.txt"]).good();
    fs::set_permissions(place.path("old.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("old.txt", place.path("link.txt")).unwrap();
    fs::create_dir(place.path("below")).unwrap();
    symlink("below/new.txt", place.path("dangling.txt")).unwrap();
    place.run(&["translate", "a.txt", "--output", "link.txt"]).good();
    place.run(&["translate", "a.txt", "--output", "dangling.txt"]).good();
    assert!(place.path("link.txt").is_symlink() && place.path("dangling.txt").is_symlink());
    assert_eq!([place.read("old.txt"), place.read("below/new.txt")], [english.clone(), english.clone()]);
    assert_eq!(fs::metadata(place.path("old.txt")).unwrap().permissions().mode() & 0o777, 0o600);

    assert!(std::process::Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    let reader = std::process::Command::new("cat").arg(place.path("pipe")).stdout(Stdio::piped()).spawn().unwrap();
    place.run(&["translate", "a.txt", "--output", "pipe"]).good();
    assert_eq!(String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap(), english);
    assert!(fs::metadata(place.path("pipe")).unwrap().file_type().is_fifo());
    place.run(&["translate", "a.txt", "--output", "pipe", "--resume"]).bad(2, &["`pipe` is no file", "--resume"]);
    assert_eq!(place.run(&["translate", "a.txt", "--output", "/dev/stdout"]).good(), english);
}

#[test]
fn a_dash_as_output_is_standard_output() {
    let place = Place::new();
    place.file("a.txt", ARTICLE);
    assert_eq!(place.run(&["translate", "a.txt", "--output", "-"]).good(), place.run(&["translate", "a.txt"]).good());
    assert!(!place.path("-").exists());
}

/// Linux has a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_run_with_the_remedy() {
    let place = Place::new();
    place.file("a.txt", "Het regent.");
    place.run(&["translate", "a.txt", "--output", "/dev/full"]).bad(1, &["the run ends here", "make room", "--resume"]);
}
