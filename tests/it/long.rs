//! Models for long documents: how much they read at once, and which tokens see everything.

use std::path::{Path, PathBuf};

use kortom::device::Placement;
use kortom::document::{Document, Format};
use kortom::engine::settings::Caller;
use kortom::engine::{Engine, GlobalAttention, Request, SourceTooLong};
use kortom::files::ModelFiles;
use kortom::segment::Language;
use kortom::summarize::Summary;
use kortom::summarize::abstractive::Abstractive;
use serde_json::Value;

use crate::cli::{Place, objects};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn engine(name: &str) -> Engine {
    Engine::load(&ModelFiles::folder(&fixture(name), name, None).unwrap(), &Placement::cpu()).unwrap()
}

fn expected(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name).join("expected.json")).unwrap()).unwrap()
}

/// A request for a summary.
fn summary() -> Request {
    Request { task: Some("summarization".to_owned()), ..Request::new(Caller::Article) }
}

/// So many numbered sentences, a paragraph each.
fn article(sentences: usize) -> String {
    let sentence = |number: usize| format!("Ship number {number} lies in the harbour.");
    (0..sentences).map(sentence).collect::<Vec<_>>().join("\n\n")
}

/// The summary of an article, and how many tokens the article has.
fn summarized(engine: &Engine, text: &str) -> (Summary, usize) {
    let session = engine.session(&summary()).unwrap();
    let document = Document::parse("-", text, Format::Text);
    let steps = Abstractive { model: &session, language: Language::English, length: None, own_limits: false };
    (steps.summarize(&[&document]).unwrap().remove(0), session.encode(&text.replace("\n\n", " ")).unwrap().len())
}

/// What fits the window is read at once, though it is many times as long as what a token sees; what does not is divided.
#[test]
fn an_article_is_divided_only_where_the_window_ends() {
    for name in [
        "tiny-led",
        "tiny-longt5-local",
        "tiny-longt5-global",
        "tiny-pegasus-x",
        "tiny-bigbird-pegasus",
        "tiny-t5gemma2",
    ] {
        let engine = engine(name);
        let fits = |sentences: &usize| {
            let session = engine.session(&summary()).unwrap();
            session.encode(&article(*sentences).replace("\n\n", " ")).unwrap().len() <= engine.window()
        };
        let most = (1..200).take_while(fits).count();
        let (whole, tokens) = summarized(&engine, &article(most));
        assert!(engine.window() - tokens < 40 && tokens > 200, "{name}: {tokens} of {}", engine.window());
        assert_eq!((whole.passes, whole.parts), (1, 1), "{name}");
        let (divided, tokens) = summarized(&engine, &article(most + 1));
        assert!(tokens > engine.window() && divided.parts >= 2, "{name}: {tokens}, {}", divided.parts);
    }
}

/// Positions that were trained, or that config.json ends, have an end; LongT5's have none.
#[test]
fn a_source_beyond_the_positions_is_refused_and_never_cut() {
    for (name, positions) in [
        ("tiny-led", 304),
        ("tiny-pegasus-x", 300),
        ("tiny-bigbird-pegasus", 300),
        ("tiny-t5gemma", 256),
        ("tiny-t5gemma2", 256),
        ("tiny-bert2bert", 190),
        ("tiny-roberta2roberta", 188),
    ] {
        let engine = engine(name);
        let session = engine.session(&Request::new(Caller::Generate)).unwrap();
        let sources = |length: usize| vec![vec![40; 20], vec![41; length]];
        assert_eq!(session.generate_tokens(sources(positions)).unwrap()[1].source_tokens, positions);
        let error = session.generate_tokens(sources(positions + 1)).unwrap_err();
        let expected = SourceTooLong { index: 1, tokens: positions + 1, window: positions };
        assert_eq!(kortom::error::find(&error), Some(&expected), "{name}: {error}");
    }
    for name in ["tiny-longt5-local", "tiny-longt5-global"] {
        let engine = engine(name);
        let session = engine.session(&Request::new(Caller::Generate)).unwrap();
        assert_eq!(session.generate_tokens(vec![vec![41; 2000]]).unwrap()[0].source_tokens, 2000);
    }
}

/// `generate` does as transformers does, which sets none; a summary is what the makers of such models ask.
#[test]
fn the_first_token_sees_everything_in_summaries_and_where_it_is_asked_for() {
    let engine = engine("tiny-led");
    let global = |request: &Request| engine.session(request).unwrap().global_attention();
    assert_eq!(global(&summary()), GlobalAttention::First);
    assert_eq!(global(&Request::new(Caller::Generate)), GlobalAttention::None);
    let none = Request { global_attention: Some(GlobalAttention::None), ..summary() };
    assert_eq!(global(&none), GlobalAttention::None);
    let session = engine.session(&summary()).unwrap();
    let said = session.settings().origins.iter().find(|setting| setting.name == "global_attention").unwrap();
    assert_eq!((said.value.as_str(), said.origin.as_str()), (Some("first"), "as its makers ask"));
}

#[test]
fn the_program_generates_with_and_without_global_attention() {
    let place = Place::new();
    let model = |name: &str| fixture(name).to_str().unwrap().to_owned();
    for (name, flag) in [("tiny-led", "none"), ("tiny-led-global", "first")] {
        let expected = expected(name);
        let own = &expected["settings"][0];
        assert_eq!(own["name"], "own");
        let sources = expected["sources"].as_array().unwrap();
        let lines: Vec<&str> = sources.iter().map(|source| source.as_str().unwrap()).collect();
        let arguments = ["generate", "--model", &model(name), "--global-attention", flag, "--format", "jsonl"];
        let found = objects(&place.pipe(&arguments, lines.join("\n").as_bytes()).good());
        for (found, expected) in found.iter().zip(own["outputs"].as_array().unwrap()) {
            if expected["margin"].as_f64().unwrap() >= 1e-4 {
                assert_eq!(found["target"], expected["best"][0]["text"], "{name}");
            }
        }
    }
    place
        .pipe(&["generate", "--model", &model("tiny-bart"), "--global-attention", "first"], b"x")
        .bad(2, &["`--global-attention` does not apply", "`bart`", "hint: leave it out"]);
    place
        .pipe(&["summarize", "--method", "extractive", "--global-attention", "first"], b"x")
        .bad(2, &["`--global-attention` does not apply to extractive summaries"]);
}
