//! The `lines` format and `generate`: as many lines out as in.

use super::{Place, objects};

const LINES: &str = "Het regent.\r\n\n  De zon schijnt. \nEn nu?";

fn modes() -> [&'static [&'static str]; 2] {
    [&["translate", "--input-format", "lines"], &["generate", "--model", "kortom-nl-en"]]
}

#[test]
fn every_line_gives_one_line() {
    let place = Place::new();
    for mode in modes() {
        let text = place.pipe(mode, LINES.as_bytes()).good();
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        assert_eq!(lines.len(), 4, "{mode:?}: {text}");
        assert!(lines[1].is_empty() && lines.iter().filter(|line| line.is_empty()).count() == 1, "{text}");
        assert!(text.ends_with('\n') && !text.contains('\r'));
        assert_eq!(place.pipe(mode, b"").good(), "");
        assert_eq!(place.pipe(mode, b"\n\n\r\n").good(), "\n\n\n");
        assert_eq!(place.pipe(mode, "Het regent.\n".repeat(100).as_bytes()).good().lines().count(), 100);
    }
}

#[test]
fn objects_are_those_of_the_contract() {
    let place = Place::new();
    for mode in modes() {
        let text = place.pipe(&[mode, &["--format", "jsonl"]].concat(), LINES.as_bytes()).good();
        let reports = objects(&text);
        let keys: Vec<&String> = reports[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["source", "target", "score", "tokens", "flags"]);
        assert_eq!(reports[2]["source"], "  De zon schijnt. ");
        assert!(reports[1]["score"].is_null() && reports[0]["score"].is_number());
        assert!(reports[0]["tokens"].as_u64().unwrap() > 1);
        let array = place.pipe(&[mode, &["--format", "json"]].concat(), LINES.as_bytes()).good();
        assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&array).unwrap(), reports);
        assert_eq!(place.pipe(&[mode, &["--format", "json"]].concat(), b"").good().trim().replace('\n', ""), "[]");
    }
}

#[test]
fn several_outputs_come_best_first() {
    let place = Place::new();
    for mode in modes() {
        let asked = [mode, &["--format", "jsonl", "--n-best", "3", "--beam-size", "4"]].concat();
        let report = &objects(&place.pipe(&asked, b"Het regent vandaag.").good())[0];
        let hypotheses = report["hypotheses"].as_array().unwrap();
        assert_eq!(hypotheses.len(), 3);
        assert_eq!((&hypotheses[0]["target"], &hypotheses[0]["score"]), (&report["target"], &report["score"]));
        let scores: Vec<f64> = hypotheses.iter().map(|one| one["score"].as_f64().unwrap()).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        let more = [mode, &["--format", "jsonl", "--n-best", "5", "--beam-size", "4"]].concat();
        place.pipe(&more, b"Het regent.").bad(2, &["--n-best"]);
        let one = [mode, &["--format", "jsonl", "--n-best", "1"]].concat();
        assert_eq!(objects(&place.pipe(&one, b"Het regent.").good())[0]["hypotheses"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_bad_line_leaves_an_empty_one() {
    let place = Place::new();
    let ran = place.pipe(&["generate", "--model", "kortom-nl-en"], b"Het regent.\ncaf\xe9\nDe zon schijnt.\n");
    let ran = ran.bad(1, &["`-:2`: not valid UTF-8 at byte 15"]);
    let lines: Vec<&str> = ran.stdout.split_terminator('\n').collect();
    assert!(lines.len() == 3 && lines[1].is_empty() && !lines[2].is_empty(), "{lines:?}");
}

/// A copy of a tiny BART whose last token, `<mask>`, has no row, as in `facebook/bart-large-cnn`.
fn without_a_row(place: &Place) {
    let tiny = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-bart");
    for name in ["config.json", "generation_config.json", "merges.txt", "tokenizer_config.json", "vocab.json"] {
        let text = std::fs::read_to_string(tiny.join(name)).unwrap();
        place.file(&format!("cnn/{name}"), text.replace("\"vocab_size\": 400", "\"vocab_size\": 399"));
    }
    let weights = candle_core::safetensors::load(tiny.join("model.safetensors"), &candle_core::Device::Cpu).unwrap();
    let cut = weights.into_iter().map(|(name, tensor)| {
        let axis = tensor.dims().iter().position(|&size| size == 400);
        let tensor = axis.map(|axis| tensor.narrow(axis, 0, 399).unwrap().contiguous().unwrap()).unwrap_or(tensor);
        (name, tensor)
    });
    let cut: std::collections::HashMap<String, candle_core::Tensor> = cut.collect();
    candle_core::safetensors::save(&cut, place.path("cnn/model.safetensors")).unwrap();
}

#[test]
fn a_token_without_a_row_fails_its_line_alone() {
    let place = Place::new();
    without_a_row(&place);
    let generate = ["generate", "--model", "./cnn"];
    let ran = place.pipe(&generate, b"The old ferryman.\nThe <mask> ferryman.\nWhy not?\n");
    let ran = ran.bad(1, &["`-:2`: the text has `<mask>`, which is token 399, but the model `", "hint: take it out"]);
    let lines: Vec<&str> = ran.stdout.split_terminator('\n').collect();
    assert!(lines.len() == 3 && lines[1].is_empty(), "{lines:?}");
    assert_eq!(place.pipe(&generate, b"The old ferryman.\nWhy not?\n").good(), format!("{}\n{}\n", lines[0], lines[2]));
}

#[test]
fn what_is_cut_is_flagged() {
    let place = Place::new();
    let source = b"De gemeente bouwt in het voorjaar een nieuwe brug over de rivier.";
    for mode in modes() {
        let asked = [mode, &["--format", "jsonl", "--max-length", "3"]].concat();
        let report = &objects(&place.pipe(&asked, source).good())[0];
        assert_eq!((&report["flags"][0], &report["tokens"]), (&"truncated".into(), &3.into()));
        place.pipe(&[mode, &["--max-length", "3", "--strict"]].concat(), source).bad(1, &["--strict"]);
    }
}

#[test]
fn the_same_seed_draws_the_same() {
    let place = Place::new();
    let sample = |seed: &str| {
        let asked = ["generate", "--model", "kortom-nl-en", "--sample", "--temperature", "1.5", "--seed", seed];
        place.pipe(&asked, "De gemeente bouwt een nieuwe brug.\n".repeat(8).as_bytes()).good()
    };
    assert_eq!(sample("1"), sample("1"));
    assert_ne!(sample("1"), sample("2"));
}

#[test]
fn generate_gives_twenty_new_tokens_by_default() {
    let place = Place::new();
    let bundled = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/kortom-nl-en");
    for entry in std::fs::read_dir(bundled).unwrap().map(Result::unwrap) {
        let bytes = std::fs::read(entry.path()).unwrap();
        let name = entry.file_name().into_string().unwrap();
        let without = || String::from_utf8(bytes.clone()).unwrap().replace("\"max_length\": 512,", "");
        let bytes = if name == "generation_config.json" { without().into_bytes() } else { bytes };
        place.file(&format!("unlimited/{name}"), bytes);
    }
    let source = "De gemeente bouwt in het voorjaar een nieuwe brug over de rivier, en daarna volgen het plein, de school, \
                  het station en de wegen naar de dorpen in de omgeving.\n";
    let generate = ["generate", "--model", "unlimited", "--format", "jsonl"];
    let report = |asked: &[&str]| objects(&place.pipe(asked, source.as_bytes()).good()).remove(0);
    let short = report(&generate);
    assert_eq!((&short["tokens"], &short["flags"][0]), (&20.into(), &"truncated".into()));
    let long = report(&[&generate[..], &["--max-length", "200"]].concat());
    assert!(long["tokens"].as_u64().unwrap() > 20 && long["flags"].as_array().unwrap().is_empty(), "{long}");
    // `translate` goes up to the model's window by itself.
    let translate =
        ["translate", "--input-format", "lines", "--model", "unlimited", "--format", "jsonl", "--compute-type", "f32"];
    assert_eq!(report(&translate)["target"], long["target"]);
    // And where the checkpoint says so, `generate` does too.
    let said = report(&["generate", "--model", "kortom-nl-en", "--format", "jsonl"]);
    assert_eq!(said["target"], long["target"]);
}

#[test]
fn a_line_that_cannot_be_read_says_so_in_its_object() {
    let place = Place::new();
    for mode in modes() {
        let asked = [mode, &["--format", "jsonl"]].concat();
        let text = place
            .pipe(&asked, b"Het regent.\nfout \xff\xfe byte\nDe zon schijnt.\n")
            .bad(1, &["1 failed, 2 done"])
            .stdout;
        let reports = objects(&text);
        assert!(reports[1]["error"].as_str().is_some_and(|told| !told.is_empty()), "{text}");
        assert!(reports[0].get("error").is_none() && reports[2].get("error").is_none(), "{text}");
    }
}
