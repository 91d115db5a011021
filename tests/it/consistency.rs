//! Terms over a run: what is found in made sentences whose terms are known.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kortom::consistency::{Bitext, TermPlace, TermUse};
use kortom::translate::Segment;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/terms").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn segment(source: &str, target: &str) -> Segment {
    Segment { source: source.to_owned(), target: target.to_owned(), score: Some(-0.5), ..Segment::default() }
}

fn segments(set: &str) -> Vec<Segment> {
    let text = fixture(&format!("{set}.tsv"));
    let pairs = text.lines().map(|line| line.split_once('\t').unwrap());
    pairs.map(|(source, target)| segment(source, target)).collect()
}

/// Each term of a set and all its translations there.
fn known(set: &str) -> BTreeMap<String, Vec<String>> {
    let text = fixture(&format!("{set}.terms.tsv"));
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').map(str::to_owned));
    lines.map(|mut fields| (fields.next().unwrap(), fields.collect())).collect()
}

fn found(segments: &[Segment]) -> Vec<TermUse> {
    let mut bitext = Bitext::new("nl", "en");
    bitext.add("a.txt", segments);
    bitext.terms()
}

/// The figures of docs/using/glossary.md. `dev` is what the rules were made with, `test` was written afterwards.
#[test]
fn most_of_what_is_found_is_right() {
    for (set, least) in [("dev", 0.95), ("test", 0.8)] {
        let (terms, known) = (found(&segments(set)), known(set));
        let of = |term: &TermUse| known.get(&term.term).cloned().unwrap_or_default();
        let right = terms.iter().filter(|term| of(term).contains(&term.translations[0].target)).count();
        let several: Vec<&TermUse> = terms.iter().filter(|term| term.translations.len() > 1).collect();
        let is_right =
            |term: &&&TermUse| of(term).len() > 1 && term.translations.iter().all(|way| of(term).contains(&way.target));
        let both_right = several.iter().filter(is_right).count();
        let planted = known.values().filter(|ways| ways.len() > 1).count();
        println!(
            "{set}: {right} of {} translations right, {} terms known; {both_right} of {} inconsistent terms right, {planted} known",
            terms.len(),
            known.len(),
            several.len(),
        );
        let precision = |right: usize, all: usize| right as f64 / all as f64;
        assert!(precision(right, terms.len()) >= least, "{set}: {terms:#?}");
        assert!(precision(both_right, several.len()) >= least, "{set}: {several:#?}");
        assert!(terms.len() * 10 >= known.len() * 8, "{set}: {} of {} terms found", terms.len(), known.len());
    }
}

#[test]
fn places_are_those_of_the_term() {
    let segments = segments("test");
    let terms = found(&segments);
    let term = terms.iter().find(|term| term.term == "gelijkspel").unwrap();
    let ways: Vec<(&str, usize)> = term.translations.iter().map(|way| (way.target.as_str(), way.count)).collect();
    assert_eq!((term.count, ways), (4, vec![("draw", 2), ("tie", 2)]));
    for way in &term.translations {
        for TermPlace { input, segment } in &way.places {
            let Segment { source, target, .. } = &segments[segment - 1];
            assert!(
                input == "a.txt" && source.contains("gelijkspel") && target.contains(&way.target),
                "{source} {target}"
            );
        }
    }
}

#[test]
fn terms_are_found_over_texts_in_the_plural_and_at_the_start_of_a_sentence() {
    let mut bitext = Bitext::new("nl", "en");
    let pairs = [
        ("De woningcorporatie bouwt.", "The housing association builds."),
        ("Woningcorporaties klagen over de regels.", "Housing associations complain about the rules."),
        ("Morgen komt de woningcorporatie met cijfers.", "Tomorrow the housing association will present figures."),
        ("Een huis kopen is duur.", "Buying a house is expensive."),
        ("De trein was te laat.", "The train was late."),
    ];
    for (number, (source, target)) in pairs.into_iter().enumerate() {
        bitext.add(&format!("{number}.txt"), &[segment(source, target)]);
    }
    let terms = bitext.terms();
    assert_eq!(terms.len(), 1, "{terms:#?}");
    assert_eq!((terms[0].term.as_str(), terms[0].count), ("woningcorporatie", 3));
    assert_eq!(terms[0].translations[0].target, "housing association");
    assert_eq!(terms[0].translations[0].places[1], TermPlace { input: "1.txt".to_owned(), segment: 1 });
    assert!(bitext.inconsistent().is_empty());
}

#[test]
fn nothing_is_said_of_what_is_too_little_or_in_other_languages() {
    let few = ["De gemeenteraad stemt.", "De gemeenteraad, zegt hij.", "Zonder de gemeenteraad."];
    let pairs: Vec<Segment> = few.iter().map(|source| segment(source, "The council.")).collect();
    assert!(found(&pairs[..2]).is_empty(), "a term that comes twice");
    assert!(found(&[]).is_empty());
    let copied: Vec<Segment> = pairs.iter().map(|pair| Segment { score: None, ..pair.clone() }).collect();
    assert!(found(&copied).is_empty(), "what no model was asked for");
    for (from, to) in [("de", "en"), ("nl", "fr"), ("nl", "nl")] {
        let mut bitext = Bitext::new(from, to);
        bitext.add("a", &segments("test"));
        assert!(bitext.terms().is_empty(), "{from} {to}");
    }
}
