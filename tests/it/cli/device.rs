//! Where it computes: what is taken, what is refused, and what is said about it.

use std::path::Path;

use kortom::device::{ComputeType, DeviceChoice, Placement};
use kortom::kernels::simd::Level;
use serde_json::Value;

use super::{Place, Ran, objects};

const LINE: &[u8] = b"De brug is in mei klaar.\n";

/// Whether this build and this machine have a card, as the library finds it.
fn has_card() -> bool {
    Placement::choose(DeviceChoice::Cuda(0), ComputeType::Auto).is_ok()
}

#[test]
fn auto_takes_what_there_is_and_says_so() {
    for arguments in [&["translate"][..], &["translate", "--device", "auto"], &["digest", "--device", "auto"]] {
        let ran = Place::new().pipe(arguments, LINE);
        let said = match (cfg!(feature = "cuda"), has_card()) {
            (_, true) => "note: computing on cuda:0 (",
            (true, false) => "note: computing on the CPU in int8, for the device `cuda:0` cannot be used: DriverError(",
            (false, false) => "note: computing on the CPU in int8\n",
        };
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
        assert!(ran.good().contains("bridge"));
    }
}

#[test]
fn int8_is_not_chosen_where_it_is_slower() {
    let place = Place::new();
    let text = place.path("line.txt");
    std::fs::write(&text, LINE).unwrap();
    let mut command = place.command(&["translate", "--device", "cpu", text.to_str().unwrap()]);
    let ran = Ran::from(command.env("KORTOM_SIMD", "generic").output().unwrap());
    assert!(!ran.stderr.contains("in int8"), "{}", ran.stderr);
    assert!(ran.good().contains("bridge"));
}

#[test]
fn what_is_named_is_taken_or_refused() {
    let cpu = Place::new().pipe(&["translate", "--device", "cpu", "--compute-type", "f32"], LINE);
    assert!(!cpu.stderr.contains("computing"), "{}", cpu.stderr);
    cpu.good();
    // The type was left to us.
    let cpu = Place::new().pipe(&["translate", "--device", "cpu"], LINE);
    assert!(cpu.stderr.contains("note: computing on the CPU in int8\n"), "{}", cpu.stderr);
    cpu.good();
    // More cards than any machine has.
    for command in ["translate", "digest", "bench"] {
        Place::new().pipe(&[command, "--device", "cuda:4000"], LINE).bad(2, &["error: ", "hint: "]);
    }
    if !has_card() {
        let said = if cfg!(feature = "cuda") { "the device `cuda:0` cannot be used: " } else { "--features cuda" };
        let ran = Place::new().pipe(&["translate", "--device", "cuda"], LINE).bad(2, &[said, "hint: ", "--device cpu"]);
        assert!(ran.stdout.is_empty());
    }
}

/// Some of our own sentences through the bundled model, and what transformers makes of them.
#[test]
fn every_instruction_set_gives_what_transformers_gives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join("tests/fixtures/bundled").join(name)).unwrap();
    let expected: Value = serde_json::from_str(&read("expected.json")).unwrap();
    let (sources, expected): (Vec<String>, Vec<&Value>) =
        read("sources.txt").lines().map(str::to_owned).zip(expected["beam4"].as_array().unwrap()).step_by(9).unzip();
    let model = root.join("models/kortom-nl-en");
    for level in Level::ALL.into_iter().filter(|level| level.exists()) {
        let place = Place::new();
        let file = place.path("sources.txt");
        std::fs::write(&file, sources.join("\n")).unwrap();
        let arguments =
            ["--device", "cpu", "--compute-type", "f32", "--beam-size", "4", "--format", "jsonl", "--quiet"];
        let mut command = place.command(&["generate", "--model", model.to_str().unwrap(), file.to_str().unwrap()]);
        let ran = Ran::from(command.args(arguments).env("KORTOM_SIMD", level.name()).output().unwrap());
        let found = objects(&ran.good());
        assert!(found.len() == expected.len() && found.len() > 20);
        for (found, expected) in found.iter().zip(&expected) {
            let tie = expected["margin"].as_f64().unwrap() < 1e-4;
            assert!(found["target"] == expected["text"] || tie, "{level:?}: {found}, expected {expected}");
        }
    }
}

#[test]
fn an_instruction_set_that_is_none_is_refused() {
    let place = Place::new();
    for name in ["sse9", "AVX2", "avx512-"] {
        let ran = Ran::from(place.command(&["doctor"]).env("KORTOM_SIMD", name).output().unwrap());
        ran.bad(2, &["KORTOM_SIMD", name, "hint: ", "generic"]);
    }
    for level in Level::ALL {
        let ran = Ran::from(place.command(&["doctor"]).env("KORTOM_SIMD", level.name()).output().unwrap());
        if level.exists() {
            assert!(ran.good().contains(&format!("; computing with {}\n", level.name())));
        } else {
            ran.bad(2, &["KORTOM_SIMD", level.name()]);
        }
    }
    place.command(&["doctor"]).env("KORTOM_SIMD", "").output().map(Ran::from).unwrap().good();
}

#[test]
fn doctor_says_what_there_is() {
    let page = Place::new().run(&["doctor"]).good();
    let line = page.lines().find(|line| line.split_whitespace().nth(1) == Some("gpu"));
    let line = line.unwrap_or_else(|| panic!("no line on the card in:\n{page}"));
    match (cfg!(feature = "cuda"), has_card()) {
        (_, true) => assert!(line.contains("computing on cuda:0 (") && line.contains("compute capability"), "{line}"),
        (true, false) => assert!(line.contains("cannot be used") && page.contains("hint: "), "{page}"),
        (false, false) => assert!(line.contains("the CPU is used") || line.contains("cannot use it"), "{line}"),
    }
    let built = if cfg!(feature = "cuda") { "with CUDA" } else { "CPU only" };
    assert!(page.contains(built), "{page}");
}

/// What `doctor` makes of the cards that an `nvidia-smi` lists: it must say how to use them.
#[cfg(all(unix, not(feature = "cuda")))]
#[test]
fn doctor_says_how_to_use_a_card() {
    use std::os::unix::fs::PermissionsExt;

    for (card, said) in [
        ("NVIDIA H200, 143771 MiB, 9.0", "build with it: `cargo install --path . --features cuda`"),
        ("Quadro P400, 2048 MiB, 6.1", "compute capability 6.1 may be too old"),
    ] {
        let place = Place::new();
        place.file("bin/nvidia-smi", format!("#!/bin/sh\necho '{card}'\n"));
        std::fs::set_permissions(place.path("bin/nvidia-smi"), PermissionsExt::from_mode(0o755)).unwrap();
        let page = super::Ran::from(place.command(&["doctor"]).env("PATH", place.path("bin")).output().unwrap()).good();
        assert!(page.contains(card) && page.contains(said), "{page}");
    }
}
