//! int8 compared with f32: near to it on every family, and as independent of batches.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use kortom::batch::Batch;
use kortom::device::{ComputeType, DeviceChoice, Placement};
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{Engine, Request};
use kortom::files::ModelFiles;
use kortom::kernels::simd::Level;
use kortom::model::spec::GlobalAttention;
use kortom::model::{Seq2Seq, family, open_weights};

use crate::cli::{Place, Ran};

/// One checkpoint of each family that has its own arithmetic.
const CHECKPOINTS: [&str; 22] = [
    "tiny-marian",
    "tiny-bart",
    "tiny-mbart50",
    "tiny-pegasus",
    "tiny-m2m100",
    "tiny-t5",
    "tiny-led",
    "tiny-longt5-global",
    "tiny-pegasus-x",
    "tiny-bigbird-pegasus",
    "tiny-t5gemma",
    "tiny-t5gemma2",
    "tiny-bert2bert",
    "tiny-bert2gpt2",
    "tiny-mvp-prompt",
    "tiny-blenderbot-small",
    "tiny-blenderbot",
    "tiny-fsmt",
    "tiny-nllb-moe",
    "tiny-switch",
    "tiny-prophetnet",
    "tiny-seamless",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn logits(model: &Seq2Seq) -> Vec<Vec<f32>> {
    let batch = Batch { ids: vec![vec![5, 9, 12, 7, 1], vec![8, 6, 1]], order: vec![0, 1] };
    let memory = model.encode(&batch, GlobalAttention::None).unwrap();
    let mut state = model.start(&memory).unwrap();
    let steps = [[2, 2], [7, 9], [11, 5]].map(|tokens| model.step(&mut state, &tokens).unwrap());
    Tensor::cat(&steps, 0).unwrap().to_vec2().unwrap()
}

#[test]
fn logits_are_near_those_of_f32_in_every_family() {
    for name in CHECKPOINTS {
        let files = ModelFiles::folder(&fixture(name), name, None).unwrap();
        let spec = || family::parse(&files.json("config.json").unwrap().unwrap()).unwrap();
        let weights = open_weights(&files).unwrap();
        let exact = logits(&Seq2Seq::load(spec(), &weights, &Device::Cpu, DType::F32).unwrap());
        let rounded = logits(&Seq2Seq::load_int8(spec(), &weights, None).unwrap());
        for (exact, rounded) in exact.iter().zip(&rounded) {
            let mean = exact.iter().sum::<f32>() / exact.len() as f32;
            let spread = exact.iter().map(|x| (x - mean).powi(2)).sum::<f32>();
            let error = exact.iter().zip(rounded).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            assert!(error > 0.0, "{name}: int8 should not be exact");
            assert!(error < 0.02 * spread, "{name}: error {error} of a spread of {spread}");
        }
    }
}

#[test]
fn auto_takes_int8_for_the_families_that_were_measured() {
    for name in CHECKPOINTS {
        let files = ModelFiles::folder(&fixture(name), name, None).unwrap();
        let load = |compute| Engine::load(&files, &Placement::choose(DeviceChoice::Cpu, compute).unwrap()).unwrap();
        let score = |compute| {
            let engine = load(compute);
            let made = engine.session(&Request::new(Caller::Generate)).unwrap().generate_tokens(vec![vec![5, 9, 7, 1]]);
            (engine.placement().description.clone(), made.unwrap()[0].score.to_bits())
        };
        let taken = if name == "tiny-marian" { ComputeType::Int8 } else { ComputeType::F32 };
        assert_eq!(score(ComputeType::Auto), score(taken), "{name}");
        assert_ne!(score(ComputeType::Int8), score(ComputeType::F32), "{name}");
    }
}

#[test]
fn generate_computes_in_f32_unless_told_otherwise() {
    let model = fixture("tiny-marian");
    let said = |arguments: &[&str]| {
        let ran =
            Place::new().pipe(&[&["generate", "--model", model.to_str().unwrap()], arguments].concat(), b"de kat\n");
        ran.stderr.clone()
    };
    assert!(said(&[]).contains(" in f32") && !said(&[]).contains("int8"));
    assert!(said(&["--compute-type", "int8"]).contains("note: computing on the CPU in int8\n"));
}

#[test]
fn a_batch_equals_its_sentences_alone() {
    let files =
        ModelFiles::folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/kortom-nl-en"), "kortom-nl-en", None)
            .unwrap();
    let engine = Engine::load(&files, &Placement::choose(DeviceChoice::Cpu, ComputeType::Int8).unwrap()).unwrap();
    let sources: Vec<String> = (0..40)
        .map(|i| format!("In het dorp wonen {} mensen{}.", 100 + i, " en een paar schapen".repeat(i % 4)))
        .collect();
    let mut request = Request::new(Caller::Article);
    request.flags = Overrides { max_new_tokens: Some(12), num_beams: Some(2), ..Overrides::default() };
    let session = engine.session(&request).unwrap();
    let together = session.generate(&sources.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    for (source, found) in sources.iter().zip(&together) {
        let alone = &session.generate(&[source.as_str()]).unwrap()[0];
        assert_eq!((&alone.text, alone.score.to_bits()), (&found.text, found.score.to_bits()), "{source}");
    }
}

#[test]
fn stored_weights_serve_the_next_start_and_change_nothing() {
    let place = Place::new();
    let model = fixture("tiny-marian");
    let text = place.path("text.txt");
    std::fs::write(&text, "de kat slaapt\n").unwrap();
    let run = |more: &[&str]| {
        let mut arguments = vec!["generate", "--model", model.to_str().unwrap(), "--compute-type", "int8"];
        arguments.extend(["--device", "cpu", "--format", "jsonl", "--quiet"].iter().chain(more));
        place.pipe(&arguments, "de kat slaapt\nhet regent\n".as_bytes()).good()
    };
    let stored = || place.path("cache/kortom").read_dir().map_or(0, Iterator::count);
    let first = run(&["--no-cache"]);
    assert_eq!(stored(), 0);
    assert_eq!(run(&[]), first);
    assert_eq!(stored(), 1);
    assert_eq!(run(&[]), first);
    let file = place.path("cache/kortom").read_dir().unwrap().next().unwrap().unwrap().path();
    std::fs::write(&file, "something else").unwrap();
    assert_eq!(run(&[]), first);
    assert!(std::fs::metadata(&file).unwrap().len() > 1000, "made anew");
    // What another processor would read in another order is stored beside it.
    for level in Level::ALL {
        let mut command = place.command(&["generate", "--model", model.to_str().unwrap(), "--compute-type", "int8"]);
        command.env("KORTOM_SIMD", level.available().name()).args(["--device", "cpu", "--quiet"]).arg(&text);
        Ran::from(command.output().unwrap()).good();
    }
    assert_eq!(stored(), if Level::Avx2.exists() { 2 } else { 1 });
    place.run(&["doctor"]).good();
}
