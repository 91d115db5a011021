//! The bundled model from text to text.

use std::path::Path;

use kortom::device::Placement;
use kortom::engine::settings::Caller;
use kortom::engine::{Engine, Request};
use kortom::files::ModelFiles;

fn bundled() -> Engine {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/kortom-nl-en");
    let files = ModelFiles::folder(&folder, "kortom-nl-en", None).unwrap();
    Engine::load(&files, &Placement::cpu()).unwrap()
}

#[test]
fn the_bundled_model_translates() {
    let engine = bundled();
    let session = engine.session(&Request::new(Caller::Article)).unwrap();
    let texts = ["De kat slaapt op de stoel.", "Ik heb morgen geen tijd.", "Klik op de knop om het bestand te openen."];
    let generations = session.generate(&texts).unwrap();
    for generation in &generations {
        eprintln!("{} {:?}", generation.score, generation.text);
    }
    assert!(generations.iter().all(|generation| !generation.truncated));
    assert_eq!(generations[2].text, "Click the button to open the file.");
}

/// Sentences take the places of others that are over, next to whatever is there then; how many go through the model at
/// once, and when, changes no bit.
#[test]
fn a_text_is_the_same_alone_and_in_the_place_of_another() {
    let engine = bundled();
    let words = ["de kat", "het oude huis", "een brief van de burgemeester", "regen", "twee kinderen", "de markt"];
    let texts: Vec<String> = (0..40)
        .map(|text| {
            let words: Vec<&str> = (0..=text % 7).map(|word| words[(text * 5 + word * 7) % words.len()]).collect();
            format!("Ik zag {} om {} uur.", words.join(" en "), text + 1)
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for beams in [1, 4] {
        let mut request = Request::new(Caller::Article);
        request.flags.num_beams = Some(beams);
        let generate = |texts: &[&str], batch_tokens| {
            let request = Request { batch_tokens, ..request.clone() };
            let generations = engine.session(&request).unwrap().generate(texts).unwrap();
            let bits = |scores: &[f32]| scores.iter().map(|score| score.to_bits()).collect::<Vec<_>>();
            generations.iter().map(|made| (made.text.clone(), bits(&made.token_scores))).collect::<Vec<_>>()
        };
        let alone: Vec<_> = texts.iter().flat_map(|text| generate(&[text], None)).collect();
        for batch_tokens in [None, Some(120), Some(1)] {
            assert_eq!(generate(&texts, batch_tokens), alone, "{beams} beams, {batch_tokens:?} tokens");
        }
    }
}
