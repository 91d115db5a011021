//! JSONL in, JSONL out: a filter that gives a line for every record, whatever is in it.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Place, objects};

const FILTER: [&str; 5] = ["digest", "--input-format", "jsonl", "--format", "jsonl"];

#[test]
fn a_broken_record_is_passed_on_with_its_error() {
    let place = Place::new();
    let mut input = b"{\"id\":7,\"text\":\"Het regent.\"}\n{broken\n{\"id\":\"x\",\"n\":1.50}\n[1]\n".to_vec();
    input.extend(b"{\"id\":8,\"text\":[1]}\n{\"id\":9,\"text\":\"caf\xe9\"}\n\n{\"id\":10,\"text\":\" \"}\n");
    input.extend(b"{\"id\":11,\"text\":\"De zon schijnt.\",\"error\":\"mine\"}");
    let said = [
        "`-:2`: not a JSON object",
        "`-:3`: no field `text`",
        "`-:4`: not a JSON object",
        "`-:5`: the field `text` is not a text",
        "`-:6`: not valid UTF-8",
        "`-:8`: the article is empty",
        "6 failed, 2 done",
    ];
    let ran = place.pipe(&FILTER, &input).bad(1, &said);
    assert!(ran.stdout.contains("\"n\":1.50"), "{}", ran.stdout);
    let reports = objects(&ran.stdout);
    let ids: Vec<Value> = reports.iter().map(|report| report["id"].clone()).collect();
    // An empty line is no record.
    let expected = [json!(7), json!("stdin:2"), json!("x"), json!("stdin:4"), json!(8), json!(9), json!(10), json!(11)];
    assert_eq!(ids, expected);
    assert!(reports[0].get("error").is_none() && reports[7]["error"] == "mine");
    assert_eq!((&reports[1]["record"], &reports[3]["record"]), (&"{broken".into(), &"[1]".into()));
    assert_eq!(reports[4]["text"], json!([1]));
    for report in &reports[1..7] {
        let error = report["error"].as_str().unwrap();
        assert!(!error.is_empty() && !error.contains('\n') && report["translation"].is_null(), "{report}");
    }
    // The good ones are what they are without the others.
    let alone = place.pipe(&FILTER, b"{\"id\":7,\"text\":\"Het regent.\"}\n").good();
    assert_eq!(objects(&alone)[0], reports[0]);
    // Text has no place for an error.
    let text = place.pipe(&["translate", "--input-format", "jsonl", "--format", "text"], &input).bad(1, &said[..1]);
    assert_eq!(text.stdout.lines().filter(|line| !line.is_empty()).count(), 2, "{}", text.stdout);
}

#[test]
fn a_record_in_another_language_is_passed_on_too() {
    let place = Place::new();
    let german =
        "Die Gemeinde will, dass auf dem alten Gelände Wohnungen gebaut werden, aber die Nachbarn sind dagegen.";
    let input = format!("{}\n{{\"text\":\"De brug is in mei klaar.\"}}\n", json!({ "id": 1, "text": german, "n": 2 }));
    let ran = place.pipe(&[&FILTER[..], &["--from", "auto"]].concat(), input.as_bytes());
    let ran = ran.bad(1, &["this is in German"]);
    let reports = objects(&ran.stdout);
    assert_eq!((&reports[0]["detected"]["language"], &reports[0]["n"]), (&"de".into(), &2.into()));
    let error = reports[0]["error"].as_str().unwrap();
    assert!(error.starts_with("this is in German") && reports[0]["translation"].is_null());
    assert!(reports[1]["translation"].is_string() && reports[1].get("error").is_none());
}

#[test]
fn each_result_comes_before_the_next_record() {
    let place = Place::new();
    let mut command = place.command(&FILTER);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 0..3 {
        writeln!(stdin, "{{\"id\":{n},\"text\":\"De brug is in mei klaar.\"}}").unwrap();
        // Nothing but this line can follow: the next record is not written yet.
        let report: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(report["id"], n);
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_stream() {
    let place = Place::new();
    let peak = |records: usize| -> usize {
        // Long enough that results kept would be seen, and few words, so that it does not take long.
        let record = format!("{{\"text\":\"Het regent vandaag.\",\"more\":\"{}\"}}\n", "x".repeat(20_000));
        let ran = place.pipe(&[&FILTER[..], &["--quiet", "--timings"]].concat(), record.repeat(records).as_bytes());
        let line = ran.stderr.clone();
        assert_eq!(ran.good().lines().count(), records);
        line.split("peak memory ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
    };
    let (few, many) = (peak(500), peak(5000));
    // 4,500 records more are 90 MB.
    assert!(many < few + 30, "{few} MiB for 500 records, {many} MiB for 5000");
}
