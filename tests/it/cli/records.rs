//! `generate --input-format jsonl`: each record says how it is to be decoded, and gives a record in its place.

use serde_json::{Value, json};

use super::{Place, objects};

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");

/// What comes of these records with a tiny checkpoint, and what is said besides.
fn generate(model: &str, records: &[Value], more: &[&str]) -> (Vec<Value>, Option<i32>, String) {
    let input = records.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let model = format!("{TINY}{model}");
    let asked = ["generate", "--input-format", "jsonl", "--device", "cpu", "--model", &model];
    let ran = Place::new().pipe(&[&asked, more].concat(), input.as_bytes());
    (objects(&ran.stdout), ran.code, ran.stderr)
}

#[test]
fn each_record_says_how_it_is_decoded() {
    let text = "De brug is dicht.";
    let records = [
        json!({"id": 7, "text": text}),
        json!({"text": text, "generate": {"settings": {"max_new_tokens": 3}}, "id": "b"}),
        json!({"text": text, "generate": {"settings": {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 8}}}),
        json!({"text": "", "generate": {"settings": {"max_new_tokens": 3}}}),
    ];
    let (made, code, said) = generate("tiny-marian", &records, &[]);
    assert_eq!((code, made.len()), (Some(0), 4), "{said}");
    assert_eq!((&made[0]["id"], &made[0]["source"], &made[1]["id"]), (&json!(7), &json!(text), &json!("b")));
    assert_eq!((&made[1]["tokens"], &made[1]["flags"]), (&json!(3), &json!(["truncated"])));
    assert_eq!(made[2]["hypotheses"].as_array().map(Vec::len), Some(2));
    assert_eq!(made[2]["hypotheses"][0]["target"], made[2]["target"]);
    assert!(made[3]["score"].is_number(), "an empty text is a text");
    // What the command line says is for those that say nothing else.
    let (shorter, ..) = generate("tiny-marian", &records, &["--max-length", "2"]);
    assert_eq!((&shorter[0]["tokens"], &shorter[1]), (&json!(2), &made[1]));
}

#[test]
fn what_cannot_be_done_is_an_error_in_its_place() {
    let records = [
        json!({"text": "Ja.", "generate": {"settings": {"num_beam": 2}}}),
        json!({"text": "Ja.", "generate": {"settings": {"num_beams": 0}}}),
        json!({"text": "Ja.", "generate": {"setting": {}}}),
        json!({"text": "Ja.", "generate": {"settings": {"num_beam_groups": 2}}}),
        json!({"text": "Ja.", "generate": {"settings": {"num_beam_groups": 1, "max_new_tokens": 4}}}),
        json!({"text": "De brug is dicht. ".repeat(90), "id": 1}),
        json!({"body": "Ja."}),
    ];
    let (made, code, said) = generate("tiny-marian", &records, &[]);
    assert_eq!((code, made.len()), (Some(1), 7), "{said}");
    let errors = made.iter().map(|record| record["error"].as_str().unwrap_or_default());
    let expected = [
        "`num_beam` (2) is no setting that kortom has",
        "`num_beams` is 0 (the call): not possible",
        "the field `generate` cannot be used: unknown field `setting`",
        "`num_beam_groups` is 2 (the call): a way of decoding that is not supported",
        "",
        "but the model takes 192 at most",
        "no field `text`",
    ];
    for (error, expected) in errors.zip(expected) {
        assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{error}");
    }
    assert_eq!((&made[1]["hint"], &made[5]["id"]), (&json!("give a whole number, 1 or more"), &json!(1)));
}

#[test]
fn chance_depends_on_the_seed_and_not_on_the_neighbours() {
    let chance = |seed: u64| json!({"settings": {"do_sample": true, "num_beams": 1, "temperature": 2.0, "seed": seed, "max_new_tokens": 12}});
    let record = |seed: u64| json!({"text": "De brug is dicht.", "generate": chance(seed)});
    let (made, ..) = generate("tiny-marian", &[record(1), record(1), record(2), record(1)], &[]);
    let targets: Vec<&Value> = made.iter().map(|record| &record["target"]).collect();
    assert!(targets[0] == targets[1] && targets[0] == targets[3] && targets[0] != targets[2], "{targets:?}");
}

#[test]
fn records_come_out_as_json_only() {
    let asked = ["generate", "--model", "kortom-nl-en", "--input-format", "jsonl", "--format", "text"];
    Place::new().pipe(&asked, b"{}").bad(2, &["records come out as JSON only"]);
}
