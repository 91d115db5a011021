//! Summaries that a model writes: what it is asked, and what is made of its answers.

use std::cell::RefCell;
use std::path::Path;

use anyhow::Result;
use kortom::check::Flag;
use kortom::device::Placement;
use kortom::document::{Document, Format};
use kortom::engine::settings::{Caller, Overrides};
use kortom::engine::{Engine, Generation, Request};
use kortom::files::ModelFiles;
use kortom::search::EarlyStopping;
use kortom::segment::Language;
use kortom::summarize::abstractive::{Abstractive, LengthLimits, SummaryWriter};
use kortom::summarize::{Length, Summary, SummaryMethod};

/// A model that answers as it is told; a token is a word, and two more are added.
struct Scripted<F> {
    answer: F,
    window: usize,
    /// The texts of each call, and the limits.
    asked: RefCell<Vec<(Vec<String>, Option<LengthLimits>)>>,
}

impl<F: Fn(&str) -> String> Scripted<F> {
    fn new(window: usize, answer: F) -> Self {
        Self { answer, window, asked: RefCell::default() }
    }
}

impl<F: Fn(&str) -> String> SummaryWriter for Scripted<F> {
    fn write(&self, texts: &[&str], limits: Option<LengthLimits>) -> Result<Vec<Generation>> {
        self.asked.borrow_mut().push((texts.iter().map(|&text| text.to_owned()).collect(), limits));
        let generation = |text: &&str| -> Result<Generation> {
            let source_tokens = self.count_tokens(text)?;
            assert!(source_tokens <= self.window, "{text}");
            let text = (self.answer)(text);
            let (whole, cut) = (text.trim_end_matches(" CUT").to_owned(), text.ends_with(" CUT"));
            let target_tokens = whole.split_whitespace().count();
            Ok(Generation { text: whole, truncated: cut, source_tokens, target_tokens, ..Generation::default() })
        };
        texts.iter().map(generation).collect()
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.split_whitespace().count() + 2)
    }

    fn window(&self) -> usize {
        self.window
    }

    fn least_tokens(&self) -> usize {
        10
    }
}

fn summarize(model: &dyn SummaryWriter, texts: &[&str], length: Option<Length>) -> Vec<Summary> {
    let documents: Vec<Document> = texts.iter().map(|text| Document::parse("-", text, Format::Text)).collect();
    let steps = Abstractive { model, language: Language::English, length, own_limits: false };
    steps.summarize(&documents.iter().collect::<Vec<_>>()).unwrap()
}

/// The first sentence of a text.
fn first(text: &str) -> String {
    text.split_inclusive('.').next().unwrap_or_default().to_owned()
}

/// An article of paragraphs with numbered sentences.
fn article(paragraphs: usize) -> String {
    let paragraph = |p: usize| {
        let sentences: Vec<_> = (0..4).map(|s| format!("Sentence {s} of block {p} says what it says.")).collect();
        sentences.join(" ")
    };
    (0..paragraphs).map(paragraph).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn an_article_that_fits_is_one_text_without_headings_captions_and_date() {
    let model = Scripted::new(100, first);
    let text =
        "date 2020-10 The quay is\ndone.\n\nA heading\n\nIt is long.\n\nFull screen The quay. © AP\n\nShips come.";
    let summary = summarize(&model, &[text], None).remove(0);
    assert_eq!(model.asked.take(), [(vec!["The quay is done. It is long. Ships come.".to_owned()], None)]);
    assert_eq!((summary.text.as_str(), summary.method), ("The quay is done.", SummaryMethod::Abstractive));
    assert_eq!((summary.passes, summary.parts, summary.tokens), (1, 1, 4));
    // It read eleven tokens and had to write ten.
    assert!(summary.flags.is_empty() && summary.warnings.is_empty(), "{summary:?}");
}

#[test]
fn every_sentence_of_a_long_article_and_every_summary_of_a_part_is_read_once() {
    let model = Scripted::new(60, first);
    let text = article(30);
    let summary = summarize(&model, &[&text], None).remove(0);
    let asked = model.asked.take();
    for pair in asked.windows(2) {
        let answers: Vec<String> = pair[0].0.iter().map(|text| first(text)).collect();
        assert_eq!(pair[1].0.join(" "), answers.join(" "));
    }
    assert_eq!(asked[0].0.join(" "), text.replace("\n\n", " "));
    // A block has 36 words and the window limits for 58, so a part is a block; six of their summaries are one.
    assert_eq!(asked.iter().map(|(texts, _)| texts.len()).collect::<Vec<_>>(), [30, 5, 1]);
    assert_eq!((summary.passes, summary.parts), (3, 36));
    assert_eq!(summary.text, "Sentence 0 of block 0 says what it says.");
}

#[test]
fn blocks_and_sentences_longer_than_the_window_are_read_whole_too() {
    let long = format!("{} ends here.", "A clause of words, ".repeat(40));
    let text = format!("{}\n\n{long} After it comes this.\n\nThe end.", article(2).replace("\n\n", " "));
    for window in [16, 23, 50] {
        let model = Scripted::new(window, first);
        summarize(&model, &[&text], None);
        let squeeze = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(squeeze(&model.asked.take()[0].0.concat()), squeeze(&text), "{window}");
    }
}

#[test]
fn articles_share_calls_and_do_not_change_each_other() {
    let texts = [article(9), "Short. Very short.".to_owned(), String::new(), article(4), "Heading only".to_owned()];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let model = Scripted::new(60, first);
    let together = summarize(&model, &texts, None);
    // Nine summaries of blocks fill two parts, so there is a third pass.
    assert_eq!(model.asked.take().len(), 3, "one call for each pass");
    let alone: Vec<Summary> = texts.iter().flat_map(|text| summarize(&model, &[text], None)).collect();
    assert_eq!(together, alone);
    assert_eq!((together[2].text.as_str(), together[2].parts), ("", 0));
    assert_eq!(together[4].text, "Heading only");
}

#[test]
fn an_output_that_was_cut_ends_with_its_last_whole_sentence_and_is_flagged() {
    let summary = |answer: &'static str, length| {
        summarize(&Scripted::new(100, |_: &str| answer.to_owned()), &[&article(2)], length).remove(0)
    };
    let cut = summary("One is whole. Two is too. And three CUT", None);
    assert_eq!((cut.text.as_str(), &cut.flags[..]), ("One is whole. Two is too.", &[Flag::Truncated][..]));
    assert!(cut.warnings[0].contains("not all the model had to say"), "{:?}", cut.warnings);
    // Nothing is missing where no more was asked for.
    let enough = summary("One is whole. Two is too. And three CUT", Some(Length::Sentences(2)));
    assert_eq!((enough.text.as_str(), enough.flags.len()), ("One is whole. Two is too.", 0));
    let less = summary("One is whole. Two is too. And three CUT", Some(Length::Sentences(1)));
    assert_eq!(less.sentences, ["One is whole."]);
    let fragment = summary("It went on and on CUT", None);
    assert_eq!((fragment.text.as_str(), &fragment.flags[..]), ("It went on and on", &[Flag::Truncated][..]));
    assert!(fragment.warnings[0].contains("ends in the middle of a sentence"), "{:?}", fragment.warnings);
    // A model that ends by itself knows where.
    let unusual = summary("One is whole. No full stop", None);
    assert_eq!((unusual.text.as_str(), unusual.flags.len()), ("One is whole. No full stop", 0));
    let lines = summary("One line.<n>Two\nlines.", None);
    assert_eq!(lines.text, "One line. Two lines.");
}

#[test]
fn what_was_cut_in_the_middle_of_the_way_is_flagged_too() {
    let model =
        Scripted::new(60, |text: &str| if text.contains("block 3") { "Cut. Off CUT".into() } else { first(text) });
    let summary = summarize(&model, &[&article(8)], None).remove(0);
    assert!(model.asked.take()[1].0.concat().contains("Cut."));
    assert_eq!(summary.flags, [Flag::Truncated]);
}

#[test]
fn a_length_bounds_the_sentences_and_makes_room_for_them() {
    let chatter = "One. Two. Three. Four. Five. Six. Seven. Eight. Nine. Ten.";
    for (length, sentences) in [("short", 2), ("medium", 3), ("long", 6), ("5", 5), ("25%", 2), ("100", 8)] {
        let model = Scripted::new(100, |_: &str| chatter.to_owned());
        let summary = summarize(&model, &[&article(2)], Some(length.parse().unwrap())).remove(0);
        assert_eq!(summary.sentences.len(), sentences, "{length}");
        let limits = model.asked.take()[0].1.unwrap();
        assert!(limits.0 >= 10 * sentences && limits.1 >= 40 * sentences && limits.0 < limits.1, "{limits:?}");
    }
    // Only the last pass has those limits: what comes before is not the summary.
    let model = Scripted::new(60, first);
    summarize(&model, &[&article(8)], Some(Length::Short));
    let limited: Vec<bool> = model.asked.take().iter().map(|(_, limits)| limits.is_some()).collect();
    assert_eq!(limited, [false, false, true]);
    let own = Abstractive { model: &model, language: Language::English, length: Some(Length::Short), own_limits: true };
    own.summarize(&[&Document::parse("-", &article(1), Format::Text)]).unwrap();
    assert_eq!(model.asked.take()[0].1, None);
}

#[test]
fn a_model_that_does_not_get_shorter_is_given_up_and_said() {
    let model = Scripted::new(60, str::to_owned);
    let summary = summarize(&model, &[&article(9)], None).remove(0);
    assert!(model.asked.take().len() <= 3);
    assert_eq!((summary.method, summary.sentences.len()), (SummaryMethod::Extractive, 3));
    assert!(summary.warnings[0].contains("do not get shorter"), "{:?}", summary.warnings);
    for window in [60, 1000] {
        let silent = summarize(&Scripted::new(window, |_: &str| " ".to_owned()), &[&article(9)], None).remove(0);
        assert_eq!(silent.method, SummaryMethod::Extractive);
        assert!(silent.warnings[0].contains("wrote nothing"), "{:?}", silent.warnings);
    }
}

#[test]
fn an_article_shorter_than_its_summary_has_to_be_is_warned_of() {
    let model = Scripted::new(60, first);
    let warned = |length| summarize(&model, &["It rained. The sun shone."], length).remove(0).warnings;
    assert!(warned(None)[0].contains("7 tokens") && warned(None)[0].contains("10 at least"), "{:?}", warned(None));
    assert!(warned(Some(Length::Short)).is_empty());
}

/// A tiny checkpoint.
fn tiny(name: &str) -> Engine {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    Engine::load(&ModelFiles::folder(&folder, name, None).unwrap(), &Placement::cpu()).unwrap()
}

const ENGLISH: &str = "The ferry to the island sails again from Monday. The shipping company says the engine is repaired. \
                       It had broken down in the storm of last week.";

/// What a model writes without any of what is tested here.
fn generated(engine: &Engine, flags: Overrides, text: &str) -> Generation {
    let request = Request { flags, ..Request::new(Caller::Article) };
    engine.session(&request).unwrap().generate(&[text]).unwrap().remove(0)
}

#[test]
fn models_of_three_families_write_what_they_generate_with_the_settings_of_the_task() {
    // As the `task_specific_params` of tiny-t5 have them.
    let t5 = Overrides {
        num_beams: Some(4),
        early_stopping: Some(EarlyStopping::True),
        length_penalty: Some(2.0),
        no_repeat_ngram_size: Some(3),
        min_new_tokens: Some(11),
        max_new_tokens: Some(49),
        ..Overrides::default()
    };
    for (name, flags, prefix) in [
        ("tiny-t5", t5, "summarize: "),
        ("tiny-bart", Overrides::default(), ""),
        ("tiny-pegasus", Overrides::default(), ""),
    ] {
        let engine = tiny(name);
        let request = Request { task: Some(engine.task("summarization", "en")), ..Request::new(Caller::Article) };
        let session = engine.session(&request).unwrap();
        let expected = generated(&engine, flags, &format!("{prefix}{ENGLISH}"));
        let summary = summarize(&session, &[ENGLISH], None).remove(0);
        assert_eq!((summary.passes, summary.parts, summary.tokens), (1, 1, expected.target_tokens), "{name}");
        assert_eq!(summary.flags.is_empty(), !expected.truncated, "{name}");
        assert!(expected.text.trim().starts_with(&summary.text) && !summary.text.is_empty(), "{name}: {expected:?}");
        if !expected.truncated {
            assert_eq!(summary.text, expected.text.trim(), "{name}");
        }
    }
}

#[test]
fn a_prefix_counts_towards_the_window_and_a_small_model_takes_a_long_article() {
    let engine = tiny("tiny-bart");
    let request = Request { prefix: Some("summarise this article: ".to_owned()), ..Request::new(Caller::Article) };
    let session = engine.session(&request).unwrap();
    let text = [ENGLISH; 12].join("\n\n");
    let short = "The tram stops here. Nobody knows why.";
    let together = summarize(&session, &[&text, short], Some(Length::Short));
    assert!(together[0].passes >= 2 && together[0].parts > 3, "{together:?}");
    assert!(together[0].sentences.len() <= 2);
    assert_eq!(together, [&text, short].map(|text| summarize(&session, &[text], Some(Length::Short)).remove(0)));
    let request = Request { prefix: Some("word ".repeat(200)), ..Request::new(Caller::Article) };
    let session = engine.session(&request).unwrap();
    let documents = [Document::parse("-", short, Format::Text)];
    let steps = Abstractive { model: &session, language: Language::English, length: None, own_limits: false };
    let error = steps.summarize(&[&documents[0]]).unwrap_err().to_string();
    assert!(error.contains("hint: shorten `--prefix`"), "{error}");
}
