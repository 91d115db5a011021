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
