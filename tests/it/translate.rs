//! Documents through a scripted model: what it is asked, and where its answers go.

use std::cell::RefCell;

use anyhow::Result;
use kortom::check::{Checks, Flag};
use kortom::document::{BlockKind, Document, Format};
use kortom::engine::{Alternative, Generation, Input, ResumePoint};
use kortom::segment::Language;
use kortom::translate::{Generate, Translation, Translator};

/// A model that shouts: what it is asked comes back in capitals, in brackets.
struct Shouter {
    asked: RefCell<Vec<Vec<String>>>,
    window: usize,
}

impl Shouter {
    fn new(window: usize) -> Self {
        Self { asked: RefCell::default(), window }
    }
}

impl Generate for Shouter {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        self.asked.borrow_mut().push(inputs.iter().map(|input| input.text.to_owned()).collect());
        Ok(inputs
            .iter()
            .map(|&Input { text, .. }| Generation {
                text: format!("<{}>", text.to_uppercase()),
                score: -(text.split(' ').count() as f32),
                target_tokens: text.split(' ').count(),
                truncated: text.contains("afgekapt"),
                hypotheses: Vec::new(),
                ..Generation::default()
            })
            .collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.split_whitespace().count() + 1)
    }

    fn window(&self) -> usize {
        self.window
    }
}

fn translate(model: &Shouter, documents: &[Document]) -> Vec<Translation> {
    Translator::new(model, Language::Dutch, Language::English).translate(documents).expect("the shouter does not fail")
}

#[test]
fn signs_are_masked_for_the_model_and_escaped_in_markup() {
    let model = Shouter::new(512);
    let page = "<p>Als 3 &lt; 5 → ja, <b>dan</b> &gt;20 keer.</p>";
    let translation = translate(&model, &[Document::parse("-", page, Format::Html)]).remove(0);
    assert_eq!(model.asked.borrow()[0], ["Als 3 XA 5 XB ja, dan XC 20 keer."]);
    let text = translation.document.text();
    assert!(text.starts_with("<p>&lt;ALS 3 &lt; 5 → JA, ") && text.ends_with(" &gt;20 KEER.&gt;</p>"), "{text}");
}

#[test]
fn structure_survives_and_dates_labels_and_credits_are_not_sent() {
    let text = " date 2020-10 Een zin. Nog\r\neen zin.\r\n\r\n***\r\n\r\nVolledig scherm De brug. © AP\r\n\r\n– punt\r\n\r\n2-1";
    let document = Document::parse("-", text, Format::Text);
    let model = Shouter::new(512);
    let translation = translate(&model, &[document]).remove(0);
    assert_eq!(
        translation.document.text(),
        " date 2020-10 <EEN ZIN.> <NOG EEN ZIN.>\r\n\r\n***\r\n\r\nFull screen <DE BRUG.> © AP\r\n\r\n– <PUNT>\r\n\r\n2-1"
    );
    assert_eq!(translation.document.date.as_deref(), Some("2020-10"));
    assert!(translation.document.body().starts_with("<EEN ZIN.>"));
    assert_eq!(
        model.asked.borrow()[..],
        [["Een zin.", "Nog een zin.", "De brug.", "punt"].map(str::to_owned).to_vec()]
    );
    let copied: Vec<_> =
        translation.segments.iter().filter(|segment| segment.score.is_none()).map(|segment| &segment.target).collect();
    assert_eq!(copied, ["***", "2-1"]);
    assert!(translation.warnings.is_empty());
}

#[test]
fn many_documents_share_one_call_and_equal_sentences_are_asked_once() {
    let documents: Vec<_> = ["Hallo daar. Tot ziens.", "", "Tot ziens.\n\nDag."]
        .map(|text| Document::parse("a.txt", text, Format::Text))
        .to_vec();
    let model = Shouter::new(512);
    let translations = translate(&model, &documents);
    assert_eq!(model.asked.borrow()[..], [["Hallo daar.", "Tot ziens.", "Dag."].map(str::to_owned).to_vec()]);
    let texts: Vec<_> = translations.iter().map(|translation| translation.document.text()).collect();
    assert_eq!(texts, ["<HALLO DAAR.> <TOT ZIENS.>", "", "<TOT ZIENS.>\n\n<DAG.>"]);
    assert!(translations[1].warnings[0].contains("`a.txt` is empty"));
    assert!(translations[0].warnings.is_empty());
}

#[test]
fn nothing_at_all_asks_nothing() {
    let model = Shouter::new(512);
    translate(&model, &[Document::parse("-", "\n\n", Format::Text)]);
    assert!(model.asked.borrow().is_empty());
}

#[test]
fn a_sentence_beyond_the_window_goes_in_pieces_and_comes_back_whole() {
    let sentence = format!("{} einde.", "woord ".repeat(3000).trim());
    let document = Document::parse("-", &format!("Kort.\n\n{sentence}"), Format::Text);
    let model = Shouter::new(100);
    let translation = translate(&model, &[document]).remove(0);
    assert_eq!(translation.segments.len(), 2);
    let long = &translation.segments[1];
    assert_eq!(long.source, sentence);
    let words = long.target.matches("WOORD").count();
    assert_eq!((words, long.tokens, long.target.matches("EINDE.").count()), (3000, 3001, 1));
    assert!(long.target.contains("> <") && long.score.is_some_and(|score| score > -100.0));
    assert!(model.asked.borrow()[0].iter().all(|text| text.split(' ').count() < 100));
}

#[test]
fn a_cut_output_is_flagged_and_said() {
    let document = Document::parse("-", "Dit wordt afgekapt. Dit niet.", Format::Text);
    let translation = translate(&Shouter::new(512), &[document]).remove(0);
    assert_eq!(translation.segments[0].flags, [Flag::Truncated]);
    assert!(translation.segments[1].flags.is_empty());
    assert!(translation.warnings[0].contains("1 of 2 segments") && translation.warnings[0].contains("\nhint: "));
}

/// A model that loops on some words; with the guard it gets some of them right.
#[derive(Default)]
struct Looper {
    guarded: RefCell<Vec<String>>,
}

impl Looper {
    fn answer(text: &str, target: &str) -> Generation {
        let tokens = target.split(' ').count();
        let scores = vec![if text.contains("raadsel") { -3.0 } else { -0.5 }; tokens];
        Generation { text: target.to_owned(), target_tokens: tokens, token_scores: scores, ..Generation::default() }
    }

    fn free(text: &str) -> Generation {
        let target = match text {
            "De man liep." => "The man the man the man walked.".to_owned(),
            "De vrouw liep." | "De hond liep." => "The woman the woman walked.".to_owned(),
            text => text.to_uppercase(),
        };
        let resume_point = if text == "De hond liep." { ResumePoint::Never } else { ResumePoint::Unknown };
        Generation { resume_point, ..Self::answer(text, &target) }
    }

    fn guarded(&self, text: &str) -> Generation {
        self.guarded.borrow_mut().push(text.to_owned());
        Self::answer(text, if text == "De man liep." { "The man walked." } else { "Walked walked walked walked." })
    }
}

impl Generate for Looper {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        let generation = |input: &Input| match input.guard {
            Some(_) => self.guarded(input.text),
            None => Self::free(input.text),
        };
        Ok(inputs.iter().map(generation).collect())
    }

    fn can_guard(&self) -> bool {
        true
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        100
    }
}

#[test]
fn a_loop_is_decoded_again_and_the_better_one_kept() {
    let model = &Looper::default();
    let document = Document::parse("-", "De man liep. De vrouw liep. Het regent.", Format::Text);
    let translator = Translator::new(model, Language::Dutch, Language::English).checking(Checks::of("nl", "en"));
    let translation = translator.translate(std::slice::from_ref(&document)).unwrap().remove(0);
    assert_eq!(model.guarded.borrow()[..], ["De man liep.", "De vrouw liep."]);
    assert_eq!(translation.document.text(), "The man walked. The woman the woman walked. HET REGENT.");
    let [better, no_better, good] = &translation.segments[..] else { panic!("{:?}", translation.segments) };
    assert_eq!((&better.flags[..], better.tokens, better.decoded_again), (&[Flag::Repetition][..], 3, true));
    let reason = "decoded again with a guard against repetition: at first, `The man` stands there 3 times";
    assert_eq!(better.notes[0].reason, reason);
    assert!(no_better.flags.contains(&Flag::Repetition));
    assert!(no_better.notes.iter().any(|note| note.reason.ends_with("gave nothing better")), "{:?}", no_better.notes);
    assert!(good.flags.is_empty() && !good.decoded_again, "{:?}", good.notes);
    assert!(translation.warnings[0].contains("in 2 of 3 segments the model repeated itself"));
    let unchecked = Translator::new(model, Language::Dutch, Language::English).translate(&[document]).unwrap();
    assert!(unchecked[0].document.text().starts_with("The man the man"));
}

#[test]
fn what_would_be_the_same_with_a_guard_is_not_decoded_again() {
    let (model, document) = (Looper::default(), Document::parse("-", "De hond liep.", Format::Text));
    let translator = Translator::new(&model, Language::Dutch, Language::English).checking(Checks::of("nl", "en"));
    let segment = translator.translate(&[document]).unwrap().remove(0).segments.remove(0);
    assert!(model.guarded.borrow().is_empty() && !segment.decoded_again);
    assert!(segment.notes.iter().any(|note| note.reason.ends_with("would change nothing")), "{:?}", segment.notes);
}

#[test]
fn a_model_that_guesses_is_told_on() {
    let model = Looper::default();
    let document = Document::parse("-", "Een raadsel hier. Geen hier.", Format::Text);
    let translator = Translator::new(&model, Language::Dutch, Language::English).checking(Checks::of("nl", "fr"));
    let flags = translator.translate(&[document]).unwrap().remove(0).segments.into_iter().map(|segment| segment.flags);
    assert_eq!(flags.collect::<Vec<_>>(), [vec![Flag::LowScore], vec![]]);
}

#[test]
fn every_line_gives_one_line() {
    let document = Document::parse("-", "Een. Twee.\n\n  3 \r\n", Format::Lines);
    assert_eq!(document.blocks.iter().filter(|block| block.kind == BlockKind::Line).count(), 3);
    let model = Shouter::new(512);
    let translation = translate(&model, &[document]).remove(0);
    assert_eq!(translation.document.text(), "<EEN. TWEE.>\n\n<  3 >\r\n");
    assert_eq!(translation.segments.len(), 3);
    assert_eq!((translation.segments[1].score, translation.segments[1].target.as_str()), (None, ""));
}

#[test]
fn a_plan_takes_its_answers_one_by_one_in_any_order() {
    // Said twice, nothing to translate, a loop, and spans of which the model loses those in front of an `x`.
    let text = "De man liep. Het regent.\n\n***\n\nDe man liep. Kijk op www.a.nl of www.b.nl x.\n\nKijk op www.a.nl.";
    let documents = [Document::parse("-", text, Format::Text), Document::parse("-", "Het regent.", Format::Text)];
    let model = Looper::default();
    let loses = |text: &str, generation: Generation| match text.strip_suffix(" x.") {
        Some(_) => Generation { text: "Lost.".to_owned(), ..generation },
        None => generation,
    };
    let translator = Translator::new(&model, Language::Dutch, Language::English).checking(Checks::of("nl", "en"));
    let run = |last_first: bool| {
        let mut plan = translator.plan(&documents).unwrap();
        let (mut inputs, mut complete): (Vec<usize>, Vec<usize>) = Default::default();
        loop {
            inputs.extend(plan.next_inputs());
            let next = if last_first { inputs.pop() } else { (!inputs.is_empty()).then(|| inputs.remove(0)) };
            let Some(number) = next else { break };
            let input = plan.input(number);
            let generation = loses(input.text, model.generate(&[input]).unwrap().remove(0));
            for sentence in plan.answer([(number, generation)]).unwrap() {
                assert!(plan.segment(sentence).is_some());
                complete.push(sentence);
            }
        }
        let told: Vec<_> = (0..plan.len()).map(|number| plan.segment(number).unwrap().clone()).collect();
        let translations = plan.finish().unwrap();
        assert!(translations.iter().flat_map(|translation| &translation.segments).eq(&told));
        complete.sort_unstable();
        // All but the one that is copied, each once.
        assert_eq!(complete, [0, 1, 3, 4, 5, 6]);
        translations.iter().map(|translation| translation.document.text()).collect::<Vec<_>>()
    };
    let expected = [
        "The man walked. HET REGENT.\n\n***\n\nThe man walked. KIJK OP www.a.nl OF www.b.nl X.\n\nKIJK OP www.a.nl.",
        "HET REGENT.",
    ];
    assert_eq!(run(false), expected);
    assert_eq!(run(true), expected);
}

#[test]
fn what_has_no_answer_is_an_error() {
    let document = [Document::parse("-", "Het regent.", Format::Text)];
    let model = Looper::default();
    let translator = Translator::new(&model, Language::Dutch, Language::English);
    let mut plan = translator.plan(&document).unwrap();
    assert_eq!(plan.next_inputs(), 0..1);
    assert_eq!(plan.finish().unwrap_err().to_string(), "the model left out a sentence");
}

#[test]
fn other_hypotheses_make_other_documents() {
    let document = [Document::parse("-", "Kijk op www.a.nl. Het regent.\n\n2-1", Format::Text)];
    let model = Looper::default();
    let translator = Translator::new(&model, Language::Dutch, Language::English);
    let mut plan = translator.plan(&document).unwrap();
    let inputs = plan.next_inputs();
    let answers = inputs.map(|number| {
        let text = plan.input(number).text.to_owned();
        let other =
            |words: &str| Alternative { text: text.replace("Kijk op", words).replace("Het", words), score: 0.0 };
        let lost = Alternative { text: "Lost.".to_owned(), score: 0.0 };
        let hypotheses = vec![other("best"), other("second"), lost];
        (number, Generation { text: hypotheses[0].text.clone(), hypotheses, ..Generation::default() })
    });
    let answers: Vec<_> = answers.collect();
    assert_eq!(plan.answer(answers).unwrap(), [0, 1]);
    let other = |rank: usize| plan.alternative(0, rank).map(|document| document.text());
    assert_eq!(other(1).unwrap(), "second www.a.nl. second regent.\n\n2-1");
    // In the next one the address is lost; of those that there are not, the best one stands in.
    assert_eq!(other(2), None);
    assert_eq!(other(3).unwrap(), "best www.a.nl. best regent.\n\n2-1");
}
