//! From text to text: the bundled model, and what a family alone has.

use std::path::Path;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

use candle_core::{DType, Device};
use kortom::device::Placement;
use kortom::engine::settings::Caller;
use kortom::engine::{Engine, Generation, Input, Request, ResumePoint, Scheduler, Source, WordAlignment};
use kortom::files::ModelFiles;
use kortom::model::spec::AlignmentHead;

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
    assert_eq!(generations[2].text, "Click on the button to open the file.");
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
    waiting: Mutex<Vec<Source>>,
    to_come: Mutex<Vec<Source>>,
    done: Mutex<Vec<(usize, String)>>,
}

impl Scheduler for Trickle {
    fn waiting(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    fn longest(&self) -> usize {
        self.waiting.lock().unwrap().iter().map(|text| text.tokens.len()).max().unwrap_or(0)
    }

    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<Source> {
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
fn sources_that_arrive_while_others_run_are_decoded_too() {
    let engine = bundled();
    let session = engine.session(&Request::new(Caller::Article)).unwrap();
    // The first is the longest: others are done long before.
    let text = |text: usize| {
        format!("Er liggen {text} brieven op {}tafel.", "de grote ".repeat(if text == 1 { 12 } else { text % 3 }))
    };
    let texts: Vec<String> = (1..30).map(text).collect();
    let expected = session.generate(&texts.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let incoming = |(key, text): (usize, &String)| {
        let tokens = session.encode(text).unwrap();
        Source { key, tokens, guard: None }
    };
    let mut sources: Vec<Source> = texts.iter().enumerate().map(incoming).collect();
    let flow = Trickle {
        to_come: sources.split_off(9).into_iter().rev().collect::<Vec<_>>().into(),
        waiting: sources.into(),
        done: Mutex::default(),
    };
    session.run(&flow).unwrap();
    let mut done = flow.done.into_inner().unwrap();
    // Some that came later had joined those that came first.
    assert!(!done.is_sorted_by_key(|(key, _)| *key >= 9), "{:?}", done.iter().map(|(key, _)| key).collect::<Vec<_>>());
    done.sort_unstable();
    let expected: Vec<_> = expected.into_iter().map(|made| made.text).enumerate().collect();
    assert_eq!(done, expected);
    // A source that is too long is named.
    let flow = Trickle {
        waiting: vec![Source { key: 7, tokens: vec![5; engine.window() + 1], guard: None }].into(),
        to_come: Mutex::default(),
        done: Mutex::default(),
    };
    let error = session.run(&flow).unwrap_err().to_string();
    assert!(error.contains("but the model takes"), "{error}");
}

/// What a guard is asked for goes through the model beside what is not.
#[test]
fn guarded_texts_run_beside_others() {
    let engine = bundled();
    let session = engine.session(&Request::new(Caller::Article)).unwrap();
    let texts: Vec<String> =
        (1..7).map(|times| format!("Hij riep {}en ging weg.", "nee, nee, ".repeat(times))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let free = session.generate(&texts).unwrap();
    let guard = |guards: &[&ResumePoint]| {
        let inputs = texts.iter().zip(guards).map(|(text, guard)| Input { guard: Some(guard), ..Input::from(*text) });
        session.generate(&inputs.collect::<Vec<_>>()).unwrap()
    };
    let guarded = guard(&free.iter().map(|free| &free.resume_point).collect::<Vec<_>>());
    // From the start the same is found.
    for (one, other) in guard(&vec![&ResumePoint::Unknown; texts.len()]).iter().zip(&guarded) {
        assert_eq!((&one.text, &one.tokens, one.truncated), (&other.text, &other.tokens, other.truncated));
        assert!((one.score - other.score).abs() < 1e-5 && one.token_scores.len() == other.token_scores.len());
    }
    assert!(free.iter().all(|free| !matches!(free.resume_point, ResumePoint::Unknown)));
    assert!(free.iter().zip(&guarded).any(|(free, guarded)| free.text != guarded.text), "{guarded:?}");
    let incoming = |key: usize| {
        let tokens = session.encode(texts[key / 2]).unwrap();
        // Some from where it makes a difference, some from the start.
        let known = if key % 4 == 1 { free[key / 2].resume_point.clone() } else { ResumePoint::Unknown };
        Source { key, tokens, guard: (key % 2 == 1).then_some(known) }
    };
    let waiting = (0..2 * texts.len()).map(incoming).collect::<Vec<_>>().into();
    let flow = Trickle { waiting, to_come: Mutex::default(), done: Mutex::default() };
    session.run(&flow).unwrap();
    let mut done = flow.done.into_inner().unwrap();
    done.sort_unstable();
    let expected = free.iter().zip(guarded).flat_map(|(free, guarded)| [free.text.clone(), guarded.text]);
    assert_eq!(done, expected.enumerate().collect::<Vec<_>>());
}

/// One text that takes long beside one that does not; others come when that is done and its thread has nothing left.
struct Late {
    flow: Trickle,
    /// The thread that found nothing.
    resting: Mutex<Option<ThreadId>>,
}

impl Scheduler for Late {
    fn waiting(&self) -> usize {
        if self.resting.lock().unwrap().is_some_and(|resting| resting != thread::current().id()) {
            self.flow.waiting.lock().unwrap().append(&mut self.flow.to_come.lock().unwrap());
        }
        self.flow.waiting()
    }

    fn longest(&self) -> usize {
        self.flow.longest()
    }

    fn take(&self, fits: &dyn Fn(usize, usize) -> bool) -> Vec<Source> {
        let taken = self.flow.take(fits);
        if taken.is_empty() {
            *self.resting.lock().unwrap() = Some(thread::current().id());
        }
        taken
    }

    fn done(&self, key: usize, generation: Generation) {
        self.flow.done.lock().unwrap().push((key, generation.text));
    }
}

#[test]
fn a_thread_that_had_nothing_left_comes_back() {
    let engine = bundled();
    let mut request = Request::new(Caller::Article);
    // With so many a thread has enough to do with one text.
    request.flags.num_beams = Some(12);
    let session = engine.session(&request).unwrap();
    let texts =
        ["De kat slaapt in het oude huis van de burgemeester, ".repeat(9), "Ja.".into(), "Nee.".into(), "Dag.".into()];
    let incoming = |key: usize| Source { key, tokens: session.encode(&texts[key]).unwrap(), guard: None };
    let flow = Trickle {
        waiting: vec![incoming(0), incoming(1)].into(),
        to_come: vec![incoming(2), incoming(3)].into(),
        done: Mutex::default(),
    };
    let late = Late { flow, resting: Mutex::default() };
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    threads.install(|| session.run(&late)).unwrap();
    let done = late.flow.done.into_inner().unwrap();
    let mut order: Vec<_> = done.iter().map(|(key, _)| *key).collect();
    // Which of the two that came late is done first depends on how long the model makes them.
    order[1..3].sort_unstable();
    assert_eq!(order, [1, 2, 3, 0]);
    for (key, text) in done {
        assert_eq!(text, session.generate(&[&texts[key]]).unwrap()[0].text);
    }
}

/// Texts of one length, some of which take long: threads that are done with theirs take over half of what others have.
#[test]
fn what_a_text_becomes_does_not_depend_on_how_many_threads_there_are() {
    let engine = bundled();
    let session = engine.session(&Request::new(Caller::Article)).unwrap();
    let text = |number: usize| match number {
        0..8 => format!("De kat van buurman {number} slaapt in het oude huis van de burgemeester van Zwolle."),
        _ => format!("Nee, {} nee!", "nee, ".repeat(number)),
    };
    let texts: Vec<String> = (0..16).map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let made = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let made = pool.install(|| session.generate(&texts)).unwrap();
        made.into_iter().map(|made| (made.text, made.score.to_bits())).collect::<Vec<_>>()
    };
    let alone = made(1);
    for threads in [2, 3, 5] {
        assert_eq!(made(threads), alone, "{threads} threads");
    }
}

/// Texts that never end, of which the first to be done is fatal.
struct Endless(Mutex<usize>);

impl Scheduler for Endless {
    fn waiting(&self) -> usize {
        4
    }

    fn longest(&self) -> usize {
        3
    }

    fn take(&self, _: &dyn Fn(usize, usize) -> bool) -> Vec<Source> {
        vec![Source { key: 0, tokens: vec![40, 41, 0], guard: None }; 4]
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
    let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| session.run(&flow)));
    assert!(worked.is_err());
    // And the engine goes on.
    assert!(!session.generate(&["De kat slaapt op de stoel."]).unwrap()[0].text.is_empty());
}

/// Blenderbot-small has no token for white space, and none around a text.
#[test]
fn a_text_without_tokens_has_an_empty_generation_and_leaves_others_as_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-blenderbot-small");
    let files = ModelFiles::folder(&folder, "tiny-blenderbot-small", None).unwrap();
    // A CPU admits texts as others are done; in this type it takes one batch after another, as a graphics card does.
    for placement in [Placement::cpu(), Placement::new(Device::Cpu, DType::F64)] {
        let engine = Engine::load(&files, &placement).unwrap();
        let mut request = Request::new(Caller::Generate);
        request.alignment = Some(AlignmentHead { layer: 0, head: 0 });
        request.flags.max_new_tokens = Some(6);
        let session = engine.session(&request).unwrap();
        assert!(session.encode(" \t ").unwrap().is_empty());
        let made = session.generate(&["Zij lachte.", " \t ", "", "De kat slaapt."]).unwrap();
        assert!(made[1..3].iter().all(|empty| empty.text.is_empty() && empty.tokens.is_empty() && !empty.truncated));
        for (text, beside) in [("Zij lachte.", &made[0]), ("De kat slaapt.", &made[3])] {
            let alone = session.generate(&[text]).unwrap();
            assert_eq!(alone[0].tokens, beside.tokens);
            assert!(!beside.tokens.is_empty() && (alone[0].score - beside.score).abs() < 1e-5);
        }
        assert!(session.generate(&[" ", "\t"]).unwrap().iter().all(|empty| empty.tokens.is_empty()));
        let found = session.align(&[("Zij lachte.", &made[0]), (" \t ", &made[1])]).unwrap();
        assert!(found[0].target == made[0].text && found[1] == WordAlignment::default());
        assert_eq!(engine.stats().texts, 8);
        let waiting = [" ", "Zij lachte.", "\t", " "].into_iter().enumerate();
        let source = |(key, text)| Source { key, tokens: session.encode(text).unwrap(), guard: None };
        let flow = Trickle {
            waiting: waiting.map(source).collect::<Vec<_>>().into(),
            to_come: vec![Source { key: 4, tokens: Vec::new(), guard: None }].into(),
            done: Mutex::default(),
        };
        session.run(&flow).unwrap();
        let mut done = flow.done.into_inner().unwrap();
        done.sort_unstable();
        let expected = ["", &made[0].text, "", "", ""].map(str::to_owned);
        assert_eq!(done, expected.into_iter().enumerate().collect::<Vec<_>>());
    }
}
