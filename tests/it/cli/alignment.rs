//! `--alignment`: which words belong together, in JSON, in pages and for markup.
//!
//! The bundled model was not trained for it: what is tested is where ranges lie, not whether they are right.

use serde_json::{Value, json};

use super::{ARTICLE, Place, objects};

const HEAD: [&str; 2] = ["--alignment-head", "-1,0"];

fn translated(place: &Place, input: &str, options: &[&str]) -> Value {
    let arguments = [&["translate", input, "--format", "json"], options].concat();
    serde_json::from_str::<Value>(&place.run(&arguments).good()).unwrap()[0].take()
}

/// The texts of both ranges of each pair of a segment.
fn pairs(segment: &Value) -> Vec<[String; 2]> {
    let texts = ["source", "target"].map(|side| segment[side].as_str().unwrap().chars().collect::<Vec<char>>());
    let pairs = segment["alignment"].as_array().unwrap().iter().map(|pair| {
        [0, 1].map(|side| {
            let [start, end] = [0, 1].map(|place| pair[side][place].as_u64().unwrap() as usize);
            assert!(start < end && end <= texts[side].len(), "{segment}");
            texts[side][start..end].iter().collect::<String>()
        })
    });
    pairs.collect()
}

#[test]
fn json_has_pairs_of_character_ranges_and_is_else_the_same() {
    let place = Place::new();
    place.file(
        "a.txt",
        format!("{ARTICLE}\n\nÉén café: „Zo’n brug”, zei hij. Kijk op https://www.example.nl/a?b=c voor meer."),
    );
    let mut aligned = translated(&place, "a.txt", &HEAD);
    let mut found = 0;
    for segment in aligned["segments"].as_array_mut().unwrap() {
        for [theirs, ours] in pairs(segment) {
            found += 1;
            for text in [&theirs, &ours] {
                assert_eq!(text.trim(), text, "{segment}");
            }
            let address = "https://www.example.nl/a?b=c";
            let inside = |text: &str| text != address && text.len() > 2 && address.contains(text);
            assert!(!inside(&theirs) && !inside(&ours), "{theirs} and {ours} of {segment}");
        }
        segment.as_object_mut().unwrap().remove("alignment");
    }
    assert!(found >= 10, "{found} pairs");
    assert_eq!(aligned, translated(&place, "a.txt", &[]));
}

#[test]
fn lines_and_copied_sentences_have_an_alignment_too() {
    let place = Place::new();
    let lines = [&["translate", "--input-format", "lines", "--format", "jsonl"], &HEAD[..]].concat();
    let reports = objects(&place.pipe(&lines, "Het regent vandaag.\n\nDe brug is dicht.\n".as_bytes()).good());
    assert!(!pairs(&reports[0]).is_empty() && !pairs(&reports[2]).is_empty(), "{reports:?}");
    assert_eq!(reports[1].get("alignment"), None);
    place.file("b.txt", "***");
    assert_eq!(translated(&place, "b.txt", &HEAD)["segments"][0]["alignment"], json!([]));
}

#[test]
fn generate_says_which_words_belong_together_for_lines_and_records() {
    let place = Place::new();
    let text = "Het regent vandaag. De brug is dicht.";
    let generate = |options: &[&str], input: &str| {
        let run = [&["generate", "--model", "kortom-nl-en", "--format", "jsonl"], options].concat();
        objects(&place.pipe(&run, input.as_bytes()).good())
    };
    let lines = format!("{text}\n\n{text}\n");
    let mut aligned = generate(&HEAD, &lines);
    assert!(pairs(&aligned[0]).len() >= 4 && aligned[0] == aligned[2], "{aligned:?}");
    assert_eq!(aligned[1].get("alignment"), None);
    let expected = aligned[0]["alignment"].take();
    for line in &mut aligned {
        line.as_object_mut().unwrap().remove("alignment");
    }
    assert_eq!(aligned, generate(&[], &lines));
    // Records, of which one is cut to what the tokenizer allows.
    let long = json!({ "text": format!("{text} ").repeat(80), "generate": { "truncation": true, "settings": { "max_new_tokens": 20 } } });
    let records = format!("{}\n{long}\n{{\"text\": 3}}\n", json!({ "text": text }));
    let run = [&["generate", "--model", "kortom-nl-en", "--input-format", "jsonl"], &HEAD[..]].concat();
    let records = objects(&place.pipe(&run, records.as_bytes()).bad(1, &[]).stdout);
    assert_eq!(records[0]["alignment"], expected);
    assert!(pairs(&records[1]).len() >= 4, "{}", records[1]);
    assert!(records[2].get("alignment").is_none() && records[2].get("error").is_some(), "{}", records[2]);
}

#[test]
fn a_page_shows_which_words_belong_together_without_scripts() {
    let place = Place::new();
    place.file("a.txt", ARTICLE);
    let page = |options: &[&str]| {
        let digest = ["digest", "a.txt", "--method", "extractive", "--format", "html"];
        place.run(&[&digest[..], options].concat()).good()
    };
    let aligned = page(&HEAD);
    assert!(aligned.contains("<span class=\"w w0\">") && aligned.contains(".pair:has(.w0:hover) .w0"), "{aligned}");
    assert!(!aligned.contains("<script") && aligned.matches("<span class=\"w w0\">").count() >= 2);
    let plain = page(&[]);
    assert!(!plain.contains("<span") && !plain.contains(":has("), "{plain}");
}

#[test]
fn markup_goes_with_the_words() {
    let place = Place::new();
    place.file("a.html", "<p>De gemeente bouwt <b>een nieuwe brug</b> in de stad.</p>");
    for options in [&HEAD[..], &[]] {
        let page = place.run(&[&["translate", "a.html", "--html-whole"], options].concat()).good();
        let (before, rest) = page.split_once("<b>").unwrap();
        let (inside, after) = rest.split_once("</b>").unwrap();
        assert!(!inside.is_empty() && before.starts_with("<p>") && after.trim_end().ends_with("</p>"), "{page}");
    }
}

#[test]
fn a_model_without_a_head_and_heads_that_are_not_there_are_refused() {
    let place = Place::new();
    place.file("a.txt", "Het regent.");
    let run = |options: &[&str]| place.run(&[&["translate", "a.txt"], options].concat());
    run(&["--alignment"])
        .bad(2, &["of the model `kortom-nl-en` no head is known", "hint: name one with `--alignment-head"]);
    // A model as it is may be no model that translates: the settings file does not ask it.
    place.file("config/kortom/config.toml", "alignment = true\n");
    let generate = ["generate", "--model", "kortom-nl-en", "a.txt"];
    place.run(&generate).good();
    place.run(&[&generate[..], &["--alignment"]].concat()).bad(2, &["of the model `kortom-nl-en` no head is known"]);
    place.file("config/kortom/config.toml", "");
    run(&["--alignment-head", "99,0"]).bad(2, &["there is no layer 99 with a head 0", "hint: "]);
    run(&["--alignment-head", "last"]).bad(2, &["it must be a layer and a head"]);
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-prophetnet");
    run(&["--model", model, "--alignment-head", "0,0"]).bad(2, &["`prophetnet` have no heads that align words"]);
    let said = place.run(&["models", "show", "nl-en"]).good();
    assert!(said.contains("word alignment  layer -1, head 0"), "{said}");
}
