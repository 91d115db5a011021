//! The bundled model from text to text.

use std::path::Path;
use std::sync::Mutex;

use kortom::batch::TokenId;
use kortom::device::Placement;
use kortom::engine::settings::Caller;
use kortom::engine::{Engine, Flow, Generation, Request};
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

/// Texts of which the next ones come when others are done.
struct Trickle {
    waiting: Mutex<Vec<(usize, Vec<TokenId>)>>,
    to_come: Mutex<Vec<(usize, Vec<TokenId>)>>,
    done: Mutex<Vec<(usize, String)>>,
}

impl Flow for Trickle {
    fn waiting(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    fn longest(&self) -> usize {
        self.waiting.lock().unwrap().iter().map(|(_, tokens)| tokens.len()).max().unwrap_or(0)
    }

    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<(usize, Vec<TokenId>)> {
        let longest = self.longest();
        let mut waiting = self.waiting.lock().unwrap();
        let count = (1..=waiting.len()).take_while(|&count| fits(count, longest)).count();
        waiting.drain(..count).collect()
    }

    fn done(&self, key: usize, generation: Generation) {
        self.done.lock().unwrap().push((key, generation.text));
        self.waiting.lock().unwrap().extend(self.to_come.lock().unwrap().pop());
    }
}

#[test]
fn what_comes_while_others_are_under_way_is_done_too() {
    let engine = bundled();
    let session = engine.session(&Request::new(Caller::Article)).unwrap();
    // The first is the longest: others are done long before.
    let text = |text: usize| {
        format!("Er liggen {text} brieven op {}tafel.", "de grote ".repeat(if text == 1 { 12 } else { text % 3 }))
    };
    let texts: Vec<String> = (1..30).map(text).collect();
    let expected = session.generate(&texts.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let mut sources: Vec<_> = texts.iter().map(|text| session.encode(text).unwrap()).enumerate().collect();
    let flow = Trickle {
        to_come: sources.split_off(9).into_iter().rev().collect::<Vec<_>>().into(),
        waiting: sources.into(),
        done: Mutex::default(),
    };
    session.follow(&flow).unwrap();
    let mut done = flow.done.into_inner().unwrap();
    // Some that came later had joined those that came first.
    assert!(!done.is_sorted_by_key(|(key, _)| *key >= 9), "{:?}", done.iter().map(|(key, _)| key).collect::<Vec<_>>());
    done.sort_unstable();
    let expected: Vec<_> = expected.into_iter().map(|made| made.text).enumerate().collect();
    assert_eq!(done, expected);
    // A source that is too long is named.
    let flow = Trickle {
        waiting: vec![(7, vec![5; engine.window() + 1])].into(),
        to_come: Mutex::default(),
        done: Mutex::default(),
    };
    let error = session.follow(&flow).unwrap_err().to_string();
    assert!(error.contains("but the model takes"), "{error}");
}

/// Texts that never end, of which the first to be done is fatal.
struct Endless(Mutex<usize>);

impl Flow for Endless {
    fn waiting(&self) -> usize {
        4
    }

    fn longest(&self) -> usize {
        3
    }

    fn take(&self, _: &dyn Fn(usize, usize) -> bool) -> Vec<(usize, Vec<TokenId>)> {
        vec![(0, vec![40, 41, 0]); 4]
    }

    fn done(&self, _: usize, _: Generation) {
        let done = {
            let mut done = self.0.lock().unwrap();
            *done += 1;
            *done
        };
        assert!(done > 1, "the first is fatal");
    }
}

#[test]
fn a_panic_ends_the_work_of_all_threads() {
    let engine = bundled();
    let session = engine.session(&Request::new(Caller::Article)).unwrap();
    let flow = Endless(Mutex::default());
    let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| session.follow(&flow)));
    assert!(worked.is_err());
    // And the engine goes on.
    assert!(!session.generate(&["De kat slaapt op de stoel."]).unwrap()[0].text.is_empty());
}
