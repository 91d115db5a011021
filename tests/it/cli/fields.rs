//! Fields of records and columns of tables: several, at the end of a path, with markup in them.

use serde_json::json;

use super::{Place, objects};

#[test]
fn several_fields_are_one_article_and_come_back_one_by_one() {
    let place = Place::new();
    place.file("t.txt", "Het regent vandaag.");
    let english = place.run(&["translate", "t.txt"]).good();
    let records = [
        json!({"id": 1, "kop": "Het regent vandaag.", "artikel": {"tekst": "Het regent vandaag.\n\nHet regent vandaag."}}),
        json!({"id": 2, "kop": null, "artikel": {"tekst": "Het regent vandaag."}, "1.0": 1.10}),
        json!({"id": 3, "artikel": {"tekst": 5}}),
        json!({"id": 4, "artikel": []}),
    ];
    place.file("in.jsonl", records.clone().map(|record| record.to_string() + "\n").concat());
    let ran = place.run(&["translate", "in.jsonl", "--field", "kop", "--field", "artikel.tekst"]);
    let ran = ran.bad(
        1,
        &["`in.jsonl:3`: the field `artikel.tekst` is not a text", "`in.jsonl:4`: no field `kop`, `artikel.tekst`"],
    );
    let made = objects(&ran.stdout);
    let both = format!("{english}\n\n{english}");
    assert_eq!(made[0]["translations"], json!({"kop": english, "artikel.tekst": both}));
    assert_eq!(made[0]["translation"], format!("{english}\n\n{both}"));
    assert_eq!([&made[0]["kop"], &made[0]["artikel"]], [&records[0]["kop"], &records[0]["artikel"]]);
    assert_eq!(made[1]["translations"], json!({"artikel.tekst": english}));
    assert!(made[1]["1.0"].as_f64() == Some(1.1) && made[1]["kop"].is_null());
    assert!(made[2]["error"].is_string() && made[3]["error"].is_string() && made.len() == 4);
}

#[test]
fn a_field_may_hold_a_web_page_or_markdown() {
    let place = Place::new();
    place.file("t.txt", "Het regent vandaag.");
    let english = place.run(&["translate", "t.txt"]).good();
    let page = "<p class=\"a\">Het regent vandaag.</p>\n<pre>niet</pre>";
    place.file("in.jsonl", json!({"text": page}).to_string());
    let made = objects(&place.run(&["translate", "in.jsonl", "--field-format", "html"]).good());
    assert_eq!(made[0]["translation"], page.replace("Het regent vandaag.", &english));
    assert_eq!(made[0]["segments"].as_array().map(Vec::len), Some(1));
    let text = place.run(&["translate", "in.jsonl", "--field-format", "html", "--format", "text"]).good();
    assert_eq!(text.trim_end(), english);
    place.file("in.csv", "id;tekst\n1;\"# Het regent vandaag.\n\n`niet`\"\n");
    let table = place.run(&["translate", "in.csv", "--field", "tekst", "--field-format", "markdown"]).good();
    assert_eq!(table, format!("id;tekst\n1;\"# {english}\n\n`niet`\"\n"));
    place.file("in.csv", format!("text,more\n<b>Het regent vandaag.</b>,\"{}\"\n", page.replace('"', "\"\"")));
    let table =
        place.run(&["translate", "in.csv", "--field", "text", "--field", "more", "--field-format", "html"]).good();
    let more = page.replace('"', "\"\"").replace("Het regent vandaag.", &english);
    assert_eq!(table, format!("text,more\n<b>{english}</b>,\"{more}\"\n"));
    place.run(&["translate", "t.txt", "--field-format", "html"]).bad(2, &["JSONL, CSV and TSV input only"]);
}
