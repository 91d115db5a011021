//! Required terms with the bundled model, and protected spans with models that lose them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use kortom::check::Flag;
use kortom::device::Placement;
use kortom::document::{Document, Format};
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{Engine, Generation, Input, Request};
use kortom::files::ModelFiles;
use kortom::glossary::{Glossary, spans};
use kortom::segment::Language;
use kortom::translate::{Generate, Segment, Translator};

fn bundled() -> Engine {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/kortom-nl-en");
    let files = ModelFiles::folder(&folder, "kortom-nl-en", None).unwrap();
    Engine::load(&files, &Placement::cpu()).unwrap()
}

fn glossary(text: &str) -> Glossary {
    Glossary::parse(text.as_bytes(), "nl", "en").unwrap()
}

/// The segments of lines, translated.
fn lines(model: &(impl Generate + ?Sized), lines: &[&str], glossary: Option<&Glossary>) -> Vec<Segment> {
    let document = Document::parse("-", &lines.join("\n"), Format::Lines);
    let translator = Translator::new(model, Language::Dutch, Language::English).with_glossary(glossary);
    translator.translate(&[document]).unwrap().remove(0).segments
}

fn request(num_beams: usize) -> Request {
    let flags = Overrides { num_beams: Some(num_beams), ..Overrides::default() };
    Request { flags, ..Request::new(Caller::Article) }
}

const TERMS: &str = include_str!("../fixtures/glossary/terms.tsv");
const SENTENCES: &str = include_str!("../fixtures/glossary/sentences.txt");

#[test]
fn required_terms_appear_when_their_source_terms_do() {
    let engine = bundled();
    let glossary = glossary(TERMS);
    let sentences: Vec<&str> = SENTENCES.lines().collect();
    for num_beams in [1, 4] {
        let session = engine.session(&request(num_beams)).unwrap();
        let (free, with) = (lines(&session, &sentences, None), lines(&session, &sentences, Some(&glossary)));
        let (mut asked, mut there, mut by_chance, mut ended) = (0, 0, 0, 0);
        for (free, with) in free.iter().zip(&with) {
            for term in glossary.terms(&free.source) {
                let has = |target: &str| term.alternatives.iter().any(|way| target.contains(way));
                asked += 1;
                there += usize::from(has(&with.target));
                by_chance += usize::from(has(&free.target));
                assert!(has(&with.target) || with.flags.contains(&Flag::Glossary), "{with:?}");
            }
            assert!(!glossary.terms(&free.source).is_empty(), "no term in: {}", free.source);
            // What is required must not turn the sentence into something else.
            let words = |text: &str| text.split_whitespace().count();
            let (most, least) = (words(&free.target) * 2 + 4, words(&free.target) / 2);
            assert!((least..=most).contains(&words(&with.target)), "{} | {}", free.target, with.target);
            assert!(!with.flags.contains(&Flag::Truncated), "{with:?}");
            ended += usize::from(with.target.ends_with('.'));
        }
        println!("{num_beams} beams: {there} of {asked} terms are there, {by_chance} without a glossary");
        assert!(sentences.len() >= 60 && there * 100 >= asked * 95 && by_chance * 2 < asked);
        // Where the model likes a term nowhere, it comes after the end of the sentence.
        assert!(ended * 100 >= sentences.len() * 95, "{ended} of {}", sentences.len());
    }
}

#[test]
fn sentences_without_a_term_are_what_they_are_without_a_glossary() {
    let engine = bundled();
    let glossary = glossary("brug\tviaduct\n");
    let sentences: Vec<&str> = SENTENCES.lines().collect();
    for num_beams in [1, 4] {
        let session = engine.session(&request(num_beams)).unwrap();
        let (free, with) = (lines(&session, &sentences, None), lines(&session, &sentences, Some(&glossary)));
        let untouched = free.iter().zip(&with).filter(|(free, _)| glossary.terms(&free.source).is_empty());
        let same = untouched.inspect(|(free, with)| {
            assert_eq!(free, with);
            assert_eq!(free.score.map(f32::to_bits), with.score.map(f32::to_bits));
        });
        assert!(same.count() > 50);
    }
}

#[test]
fn a_term_that_cannot_be_had_is_flagged() {
    let engine = bundled();
    let session = engine.session(&request(4)).unwrap();
    let glossary = glossary("brug\tпереправа 橋\nschool\tacademy\n");
    assert!(!engine.can_write("переправа 橋") && engine.can_write("academy"));
    let segments =
        lines(&session, &["De brug is dicht.", "De school is dicht.", "De brug bij de school."], Some(&glossary));
    assert_eq!(segments[0].flags, [Flag::Glossary]);
    assert!(segments[1].flags.is_empty() && segments[1].target.to_lowercase().contains("academy"));
    // One that cannot be written takes no other with it.
    assert!(segments[2].flags == [Flag::Glossary] && segments[2].target.to_lowercase().contains("academy"));
    assert_eq!(segments[0].target, lines(&session, &["De brug is dicht."], None)[0].target);
}

/// How often each protected span is in a text.
fn counts(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for span in spans(text) {
        *counts.entry(text[span].to_owned()).or_insert(0) += 1;
    }
    counts
}

/// A model that does this to what it is given.
struct Model(fn(&str) -> String);

impl Generate for Model {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        let generation =
            |input: &Input| Generation { text: self.0(input.text), target_tokens: 1, ..Generation::default() };
        Ok(inputs.iter().map(generation).collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len().div_ceil(4))
    }

    fn window(&self) -> usize {
        24
    }
}

fn backwards(text: &str) -> String {
    text.split(' ').rev().collect::<Vec<_>>().join(" ")
}

/// What models do to what they do not understand.
type Named = (&'static str, fn(&str) -> String);

const MODELS: [Named; 9] = [
    ("echo", str::to_owned),
    ("backwards", backwards),
    ("shouts", |text| text.to_uppercase()),
    ("whispers", |text| text.to_lowercase()),
    ("silent", |_| String::new()),
    ("twice", |text| format!("{text} {text}")),
    ("drops capitals", |text| text.replace(|c: char| c.is_uppercase(), "")),
    ("glues", |text| text.replace(' ', "")),
    ("invents", |text| format!("Mail info@krant.voorbeeld.nl of {{naam}}, {text}")),
];

const WORDS: [&str; 16] = [
    "de",
    "brug",
    "is",
    "klaar,",
    "zei",
    "Jan",
    "(niet)",
    "vandaag",
    "en",
    "XA",
    "morgen.",
    "Kijk",
    "op",
    "‘daar’",
    "25",
    "TAXATIE",
];
const SPANS: [&str; 18] = [
    "https://voorbeeld.nl/pad?a=1&b=2",
    "http://www.krant.be/a_b/(c)",
    "www.voorbeeld.nl",
    "info@krant.voorbeeld.nl",
    "nu.nl",
    "{naam}",
    "{0}",
    "{{ aantal dagen }}",
    "${prijs}",
    "%s",
    "%1$d",
    "%(naam)s",
    "`ls -l . Of`",
    "`x`",
    "@jan_k",
    "#klimaat",
    "#Überläufer2030",
    "ftp://oud.voorbeeld.org/ñ/日本",
];

fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 27)
}

/// A text of words and spans, with punctuation and line breaks between them.
fn text(seed: u64, breaks: &str) -> String {
    let mut text = String::new();
    for at in 0..3 + mix(seed) % 40 {
        let draw = mix(seed * 1000 + at);
        let word = match draw % 4 {
            0 => SPANS[(draw >> 8) as usize % SPANS.len()],
            _ => WORDS[(draw >> 8) as usize % WORDS.len()],
        };
        let (before, after) = match (draw >> 40) % 12 {
            0 => ("(", ") "),
            1 => ("\"", "\" "),
            2 => ("", ", "),
            3 => ("", ". "),
            4 => ("", breaks),
            5 => ("", "? "),
            _ => ("", " "),
        };
        text += &[before, word, after].concat();
    }
    text
}

#[test]
fn protected_spans_come_through_whatever_the_model_does() {
    for (name, model) in MODELS {
        let (mut spans, mut translated) = (0, 0);
        for seed in 0..300 {
            for (format, breaks) in [(Format::Text, "\n\n"), (Format::Lines, "\n"), (Format::Text, "\n")] {
                let text = text(seed, breaks);
                let document = Document::parse("-", &text, format);
                let model = Model(model);
                let translator = Translator::new(&model, Language::Dutch, Language::English);
                let translation = translator.translate(&[document]).unwrap().remove(0);
                let (before, after) = (counts(&text), counts(&translation.document.text()));
                for (span, count) in &before {
                    // A model may invent a span elsewhere, but not where it is one of the source's.
                    let same = after.get(span) == Some(count) || name == "invents";
                    assert!(same, "{name}: {span}: {text}\n->\n{}", translation.document.text());
                    spans += count;
                }
                for segment in &translation.segments {
                    let after = counts(&segment.target);
                    let same = counts(&segment.source).iter().all(|(span, count)| after.get(span) == Some(count));
                    assert!(same, "{name}: {segment:?}");
                }
                translated += translation.segments.iter().filter(|segment| segment.score.is_some()).count();
            }
        }
        assert!(spans > 3000 && translated > 1000, "{name}: {spans} {translated}");
    }
}

#[test]
fn markup_and_spans_do_not_meet() {
    let markdown = "# Over `code` en {naam}\n\nZie [hier](https://voorbeeld.nl) of <https://voorbeeld.nl/b>, \
                    mail *info@voorbeeld.nl* of typ `ls`. Via https://voorbeeld.nl/c_d.\n";
    let html = "<html><body><h1>Over {naam}</h1><p>Zie <a href=\"https://x.nl/?a&amp;b\">www.x.nl/?a&amp;b</a> of \
                <code>ls</code>, mail <b>a@b.nl</b>.</p></body></html>";
    for (format, text, spans) in [
        (
            Format::Markdown,
            markdown,
            &[
                "`code`",
                "{naam}",
                "(https://voorbeeld.nl)",
                "<https://voorbeeld.nl/b>",
                "info@voorbeeld.nl",
                "`ls`",
                "https://voorbeeld.nl/c_d",
            ][..],
        ),
        (Format::HtmlWhole, html, &["{naam}", "\"https://x.nl/?a&amp;b\"", ">www.x.nl/?a&amp;b<", "a@b.nl"]),
    ] {
        for (name, model) in MODELS {
            let document = Document::parse("-", text, format);
            let model = Model(model);
            let translator = Translator::new(&model, Language::Dutch, Language::English);
            let translated = translator.translate(&[document]).unwrap().remove(0).document.text();
            for span in spans {
                // A model that invents spans does so elsewhere too.
                assert!(translated.contains(span) || name == "invents", "{name}: {span} is not in\n{translated}");
            }
        }
    }
}

#[test]
fn the_bundled_model_keeps_spans_in_their_sentences() {
    let engine = bundled();
    let session = engine.session(&request(4)).unwrap();
    let sentences = [
        "Kijk op https://voorbeeld.nl/nieuws?dag=3 voor meer nieuws.",
        "Stuur een brief naar redactie@krant.voorbeeld.nl of bel ons.",
        "Beste {naam}, uw fiets is klaar.",
        "Het bestand %s is niet gevonden.",
        "Typ `kortom doctor` en druk op de knop.",
        "Volgens @jan_k is #klimaat belangrijk.",
        "De prijs is ${prijs} en de korting is ${korting}.",
        "https://voorbeeld.nl",
    ];
    for segment in lines(&session, &sentences, None) {
        println!("{} | {}", segment.source, segment.target);
        assert_eq!(counts(&segment.source), counts(&segment.target));
        assert!(segment.flags.is_empty());
    }
}
