//! Summaries made of the article's own sentences.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kortom::document::{BlockKind, Document, Format};
use kortom::segment::{Language, on_one_line, sentences};
use kortom::summarize::extractive::summarize;
use kortom::summarize::{Length, SummaryMethod};

/// The articles that come with the project.
fn articles() -> Vec<Document> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/articles");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("the articles are there").map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("an article is UTF-8");
            Document::parse(&path.display().to_string(), &text, Format::Text)
        })
        .collect()
}

fn running_sentences(document: &Document) -> Vec<String> {
    let blocks = document.blocks.iter().filter(|block| block.kind.is_running_text());
    blocks
        .flat_map(|block| {
            let ranges = sentences(&block.text, Language::Dutch);
            ranges.into_iter().map(|range| on_one_line(&block.text[range])).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_summary_is_whole_sentences_of_the_article_in_its_order() {
    let articles = articles();
    assert!(articles.len() >= 6);
    for document in articles {
        let all = running_sentences(&document);
        for length in [Length::Short, Length::Medium, Length::Long, Length::Sentences(9), Length::Percent(30)] {
            let summary = summarize(&document, length, Language::Dutch);
            assert_eq!(summary.method, SummaryMethod::Extractive);
            let places: Vec<usize> = summary
                .sentences
                .iter()
                .map(|sentence| all.iter().position(|known| known == sentence).expect("a sentence of the article"))
                .collect();
            assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
            assert_eq!(summary.text, summary.sentences.join(" "));
            assert!(summary.text.ends_with(['.', '!', '?', '”', '\'']), "{}", summary.text);
            assert_eq!(summary, summarize(&document, length, Language::Dutch));
        }
        assert_eq!(summarize(&document, Length::Medium, Language::Dutch).sentences.len(), 3);
    }
}

#[test]
fn what_is_said_most_and_first_is_chosen_and_nothing_twice() {
    let text = "De haven van Delfzand krijgt een nieuwe kade voor zeeschepen. De bouw van de kade in de haven \
                begint in maart.\n\nDe directeur droeg een gele das. Er waren broodjes met kaas.\n\n\
                De haven van Delfzand krijgt een nieuwe kade voor zeeschepen, zei hij. Grote zeeschepen kunnen in \
                de haven nu niet aan de kade liggen.\n\nEen meeuw nam een broodje mee.";
    let summary = summarize(&Document::parse("-", text, Format::Text), Length::Short, Language::Dutch);
    assert_eq!(summary.sentences[0], "De haven van Delfzand krijgt een nieuwe kade voor zeeschepen.");
    assert!(summary.sentences[1].contains("kade") && !summary.sentences[1].contains("zei hij"), "{summary:?}");
}

#[test]
fn headings_captions_and_dates_are_left_out() {
    let text = "date 2020-10 De kade is af.\n\nKade haven kade haven\n\nDe haven is groot.\n\n\
                Volledig scherm De kade van de haven met de kade en de haven. © AP\n\nDe kade ligt aan de haven.";
    let document = Document::parse("-", text, Format::Text);
    assert_eq!(document.blocks.iter().filter(|block| block.kind == BlockKind::Caption).count(), 1);
    let summary = summarize(&document, Length::Percent(100), Language::Dutch);
    assert_eq!(summary.text, "De kade is af. De haven is groot. De kade ligt aan de haven.");
}

#[test]
fn short_empty_and_odd_articles_have_summaries_too() {
    for (text, summary) in [
        ("", ""),
        ("\n\n", ""),
        ("Ja.", "Ja."),
        ("Alleen een kop\n\n", "Alleen een kop"),
        ("Volledig scherm De brug in de mist. © AP", "De brug in de mist."),
        ("Het is zo. Het is niet zo.", "Het is zo. Het is niet zo."),
    ] {
        let document = Document::parse("-", text, Format::Text);
        assert_eq!(summarize(&document, Length::Medium, Language::Dutch).text, summary);
    }
}

#[test]
fn an_article_of_tens_of_thousands_of_sentences_is_summarised() {
    let sentences: Vec<_> =
        (0..30_000).map(|n| format!("In jaar {n} kreeg de haven {} nieuwe kades van beton.", n % 97)).collect();
    let text = sentences.join(" ");
    let document = Document::parse("-", &text, Format::Text);
    let summary = summarize(&document, Length::Percent(10), Language::Dutch);
    assert_eq!(summary.sentences.len(), 3000);
}

/// F1 of the words two texts share, as ROUGE-1 has it.
fn rouge_1(found: &str, wanted: &str) -> f64 {
    let words = |text: &str| {
        let mut counts = BTreeMap::new();
        for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            *counts.entry(word.to_owned()).or_insert(0_usize) += 1;
        }
        counts
    };
    let (found, wanted) = (words(found), words(wanted));
    let shared: usize = found.iter().map(|(word, &count)| count.min(wanted.get(word).copied().unwrap_or(0))).sum();
    2.0 * shared as f64 / found.values().chain(wanted.values()).sum::<usize>() as f64
}

#[test]
fn summaries_say_more_of_what_people_would_than_the_first_sentences_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/summaries/articles.jsonl");
    let records = fs::read_to_string(path).unwrap();
    let (mut ours, mut lead) = (0.0, 0.0);
    for record in records.lines() {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        let text = |field: &str| record[field].as_str().unwrap();
        let document = Document::parse("-", text("text"), Format::Text);
        let language = Language::of(text("language"));
        let summary = rouge_1(&summarize(&document, Length::Medium, language).text, text("summary"));
        let body = text("text").replace("\n\n", " ");
        let first = sentences(&body, language)[..3].iter().map(|range| &body[range.clone()]).collect::<Vec<_>>();
        let first = rouge_1(&first.join(" "), text("summary"));
        (ours, lead) = (ours + summary, lead + first);
    }
    let count = records.lines().count();
    assert!(count >= 40 && ours / count as f64 > lead / count as f64 + 0.015, "{ours} {lead} of {count}");
}
