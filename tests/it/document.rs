//! Documents lose nothing, and their blocks and sentences are where a reader sees them.

use std::io::BufReader;

use kortom::document::jsonl::{self, JsonlRecords};
use kortom::document::{BlockKind, Document, Format, TranslatedSentence, decode};
use kortom::segment::{Language, sentences, wrap};

/// The cases of a table whose sentences are not all found, as text for the failure.
fn failures(table: &str, language: Language) -> Vec<String> {
    let cases: Vec<&str> = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(cases.len() > 40);
    cases
        .into_iter()
        .filter_map(|case| {
            let wanted: Vec<&str> = case.split(" | ").collect();
            let text = wanted.join(" ");
            let found: Vec<&str> = sentences(&text, language).into_iter().map(|range| &text[range]).collect();
            (found != wanted).then(|| format!("wanted {wanted:?}\n found {found:?}"))
        })
        .collect()
}

#[test]
fn invisible_characters_are_not_part_of_the_text() {
    let (hidden, said) = ("De ge\u{ad}meen\u{ad}te\u{200b} bouwt\u{2060}.", "De gemeente bouwt.");
    for (text, format) in [
        (format!("{hidden}\n\n{hidden}\n"), Format::Text),
        (format!("- {hidden}\n\n*{hidden}*\n"), Format::Markdown),
        (format!("<p>De ge&shy;meen<b>\u{ad}te</b>\u{200b} bouwt&#x2060;.</p><p>{hidden}</p>"), Format::HtmlWhole),
        (
            format!("1\n00:00:01,000 --> 00:00:02,000\n{hidden}\n\n2\n00:00:03,000 --> 00:00:04,000\n{hidden}\n"),
            Format::Srt,
        ),
    ] {
        let document = Document::parse("-", &text, format);
        assert!(document.blocks.iter().all(|block| block.text == said) && document.blocks.len() == 2, "{document:?}");
        assert_eq!(document.text(), text);
        let translated = document.blocks[1].translated(&[TranslatedSentence {
            range: 0..said.len(),
            target: "Yes.".to_owned(),
            pairs: Vec::new(),
        }]);
        assert_eq!(translated.source().replace('*', ""), "Yes.", "{text}");
    }
    let line = Document::parse("-", hidden, Format::Lines);
    assert_eq!(line.blocks[0].text, hidden);
}

#[test]
fn sentences_end_where_the_tables_say() {
    let dutch = failures(include_str!("../fixtures/sentences/nl.txt"), Language::Dutch);
    let english = failures(include_str!("../fixtures/sentences/en.txt"), Language::English);
    assert!(dutch.is_empty() && english.is_empty(), "{}\n{}", dutch.join("\n"), english.join("\n"));
}

/// An article in the form of a news archive, with everything in it that is no sentence.
const ARTICLE: &str = " date 2019-03-07 De oude brug bij Deest is weer open. Dat meldde de provincie \
    donderdag om 12.00 uur.\n\nHerstel\n\n\"We zijn klaar\", zegt de uitvoerder. Het werk kostte 30.000 euro.\n\n\
    Volledig scherm De brug (links) gezien vanaf de dijk. © ANP / Jan Smit\n\nWat nu?\n\nFietsers mogen er \
    ’s avonds\nook weer over.";

fn kinds(document: &Document) -> Vec<BlockKind> {
    document.blocks.iter().map(|block| block.kind).collect()
}

fn texts(document: &Document) -> Vec<&str> {
    document.blocks.iter().map(|block| block.text.as_str()).collect()
}

#[test]
fn an_article_is_seen_for_what_it_is() {
    use BlockKind::{Caption, Credit, Date, Heading, Label, Paragraph};
    let document = Document::parse("-", ARTICLE, Format::Text);
    assert_eq!(
        kinds(&document),
        [Date, Paragraph, Heading, Paragraph, Label, Caption, Credit, Heading, Paragraph],
        "{document:#?}"
    );
    let texts = texts(&document);
    assert_eq!(texts[0], "date 2019-03-07");
    assert_eq!(
        &texts[4..8],
        ["Volledig scherm", "De brug (links) gezien vanaf de dijk.", "© ANP / Jan Smit", "Wat nu?"]
    );
    assert_eq!(texts[8], "Fietsers mogen er ’s avonds\nook weer over.");
    assert_eq!(document.date.as_deref(), Some("2019-03-07"));
    assert_eq!(document.title(), None);
    assert_eq!(document.text(), ARTICLE);
    assert!(document.body().starts_with("De oude brug") && document.body().ends_with("weer over."));
}

#[test]
fn only_a_date_that_can_be_is_one() {
    for (text, date) in [
        ("date 2020-10 Na nieuwe gevechten.", Some("2020-10")),
        (" date 2020-10-31\nNa nieuwe gevechten.", Some("2020-10-31")),
        ("\u{feff}date 2020-10", Some("2020-10")),
        ("date 2020-13 Na nieuwe gevechten.", None),
        ("date 2020-10-32 Na nieuwe gevechten.", None),
        ("date 2020-10, na nieuwe gevechten.", None),
        ("date 20-10 Na nieuwe gevechten.", None),
        ("Er was een date 2020-10 in Ede.", None),
        ("dates 2020-10 Na nieuwe gevechten.", None),
    ] {
        let document = Document::parse("-", text, Format::Text);
        assert_eq!(document.date.as_deref(), date, "{text}");
        assert_eq!(document.text(), text);
    }
}

#[test]
fn a_wrapped_sentence_stays_whole_and_a_meant_break_parts() {
    let parts = |text: &str| {
        let document = Document::parse("-", text, Format::Text);
        document.blocks.iter().map(|block| block.text.clone()).collect::<Vec<_>>()
    };
    let wrapped = "De gemeente heeft besloten dat het plein\nvoor de kerk er volgend jaar heel anders uit\ngaat zien. Dat is goed nieuws.";
    assert_eq!(parts(wrapped), [wrapped]);
    assert_eq!(
        parts("Plein op de schop\nDe gemeente heeft besloten dat het plein verandert."),
        ["Plein op de schop", "De gemeente heeft besloten dat het plein verandert."]
    );
    assert_eq!(
        parts("Nodig zijn:\n- twee eieren\n- een ui\n1. Klop de eieren."),
        ["Nodig zijn:", "twee eieren", "een ui", "Klop de eieren."]
    );
    let long = format!("{}\n{}", "Dit is een lange alinea op een regel. ".repeat(9).trim(), "Nog een alinea.");
    assert_eq!(parts(&long).len(), 2);
}

#[test]
fn labels_and_credits_are_not_seen_where_there_are_none() {
    use BlockKind::{Heading, Paragraph};
    let text = "Volledig scherm is een stand van de speler. Foto: dat woord staat hier midden in een zin.\n\n© is het teken \
                voor auteursrecht, dat iedereen kent en dat al in de negentiende eeuw werd gebruikt door uitgevers van boeken.";
    assert_eq!(kinds(&Document::parse("-", text, Format::Text)), [Paragraph, Paragraph]);
    assert_eq!(
        kinds(&Document::parse("-", "Kop\n\nEen zin.\n\nLaatste regel", Format::Text)),
        [Heading, Paragraph, Paragraph]
    );
}

/// Pieces that articles are made of, the odd ones included.
const PIECES: [&str; 30] = [
    "De raad stemde in.",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\t",
    "\u{a0}",
    "Bestand",
    "Volledig scherm ",
    "© AP",
    "date 2020-10 ",
    "\u{feff}",
    "- punt",
    "1. een",
    "Zei hij: ",
    "“Ja.”",
    ",,nee''",
    "(zie blz. 3)",
    "…",
    "...",
    "’s Avonds",
    "30.000",
    "É",
    "字。",
    "👩‍👩‍👧",
    "Foto: ",
    "#",
    "een zin die doorloopt",
];

/// A small generator, so that the same articles are tried each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

fn check_lossless(text: &str, format: Format) {
    let document = Document::parse("-", text, format);
    assert_eq!(document.gaps.len(), document.blocks.len() + 1);
    assert_eq!(document.text(), text);
    for block in &document.blocks {
        if format == Format::Text {
            assert_eq!(block.text.trim(), block.text, "{text:?}");
            assert!(!block.text.is_empty());
        }
        let mut end = 0;
        for range in sentences(&block.text, Language::Dutch) {
            assert!(block.text[end..range.start].trim().is_empty(), "{text:?}");
            assert!(!range.is_empty() && block.text[range.clone()].trim() == &block.text[range.clone()]);
            end = range.end;
        }
        assert!(block.text[end..].trim().is_empty(), "{text:?}");
    }
    if format == Format::Text {
        assert!(document.gaps.iter().all(|gap| gap.chars().all(|c| !c.is_alphabetic() || c == '\u{feff}')), "{text:?}");
    }
}

#[test]
fn nothing_is_lost_whatever_the_article() {
    for text in [
        "",
        " ",
        "\n\n\n",
        "\r\n\r\n",
        "\t\u{a0}\n",
        "\u{feff}",
        "\u{feff}\n",
        "Een.",
        "Een.\r\n\r\nTwee.\r\n",
        ARTICLE,
    ] {
        check_lossless(text, Format::Text);
        check_lossless(text, Format::Lines);
    }
    let mut dice = Dice(1);
    for _ in 0..4000 {
        let pieces = dice.roll(14);
        let text: String = (0..pieces).map(|_| PIECES[dice.roll(PIECES.len())]).collect();
        check_lossless(&text, Format::Text);
        check_lossless(&text, Format::Lines);
    }
}

#[test]
fn five_megabytes_are_lossless_too() {
    let paragraphs = "De trein van 12.00 uur reed niet. Dat zei dhr. Jansen (58) van het spoor.\n\n".repeat(70_000);
    let unstopped = "zonder punt of komma gaat dit maar door ".repeat(131_000);
    let titles = "mr. dr. prof. ".repeat(375_000);
    let brackets = "a (b [c ".repeat(650_000);
    for text in [paragraphs, unstopped, titles, brackets] {
        assert!(text.len() > 5_000_000);
        check_lossless(&text, Format::Text);
    }
}

#[test]
fn lines_are_not_trimmed_and_each_is_there() {
    for (text, lines) in [
        ("een\ntwee\n", vec!["een", "twee"]),
        ("een\r\n\r\n twee ", vec!["een", "", " twee "]),
        ("\n", vec![""]),
        ("", vec![]),
        ("a\rb\n", vec!["a\rb"]),
    ] {
        assert_eq!(texts(&Document::parse("-", text, Format::Lines)), lines);
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_offset() {
    assert_eq!(decode("één".as_bytes().to_vec()).unwrap(), "één");
    let invalid = decode(b"caf\xe9 en bar".to_vec()).unwrap_err().to_string();
    assert!(invalid.contains("offset 3") && invalid.contains("\nhint: "), "{invalid}");
    let nul = decode(b"een\0twee".to_vec()).unwrap_err().to_string();
    assert!(nul.contains("offset 3") && nul.contains("\nhint: "), "{nul}");
}

#[test]
fn records_pass_through_untouched() {
    let line = r#"{"id":7, "n":1.50,"big":123456789012345678901234567890 ,"text":"Het regent.\nHet waait.","x":{"b":[1e400,2],"a":null},"é":"\u00e9"}"#;
    let stream = format!("\u{feff}{line}\n\n{line}");
    let documents: Vec<_> =
        JsonlRecords::new(BufReader::new(stream.as_bytes()), "a.jsonl", "text").collect::<Result<_, _>>().unwrap();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[1].id.as_deref(), Some("7"));
    assert_eq!(documents[0].text(), "Het regent.\nHet waait.");
    assert_eq!(
        jsonl::object(&documents[0].fields),
        r#"{"id":7,"n":1.50,"big":123456789012345678901234567890,"text":"Het regent.\nHet waait.","x":{"b":[1e400,2],"a":null},"é":"\u00e9"}"#
    );
}

#[test]
fn a_broken_line_is_named_and_the_rest_goes_on() {
    let stream = b"{\"text\":\"een\"}\n{\"text\":\n{\"tekst\":\"x\"}\n{\"text\":3}\n[1]\n\xff{}\n{\"text\":\"a\\u0000\"}\n{\"text\":\"twee\"} x\n{\"text\":\"twee\"}";
    let records: Vec<_> = JsonlRecords::new(BufReader::new(&stream[..]), "a.jsonl", "text").collect();
    assert_eq!(records.len(), 9);
    for (record, said) in records[1..8].iter().zip([
        "not a JSON object",
        "no field `text`",
        "is not a text",
        "not a JSON object",
        "offset 0",
        "NUL character at offset 1",
        "not a JSON object",
    ]) {
        let message = format!("{:#}", record.as_ref().unwrap_err());
        assert!(message.contains(said) && message.contains("hint: "), "{message}");
    }
    assert!(format!("{:#}", records[1].as_ref().unwrap_err()).contains("line 2 of `a.jsonl`"));
    assert_eq!(records[8].as_ref().unwrap().text(), "twee");
}

/// A tokenizer for tests: one token for four letters of a word, two more for the sentence.
fn count(text: &str) -> usize {
    2 + text.split_whitespace().map(|word| word.chars().count().div_ceil(4)).sum::<usize>()
}

fn pieces(text: &str, budget: usize) -> Vec<&str> {
    wrap(text, budget, |text| Ok(count(text)))
        .expect("counting does not fail")
        .into_iter()
        .map(|range| &text[range])
        .collect()
}

#[test]
fn a_long_sentence_is_parted_at_its_best_inner_boundary() {
    let sentence =
        "De minister wil dat de wet snel wordt aangenomen; de Kamer denkt daar anders over en vraagt uitstel.";
    assert_eq!(pieces(sentence, 100), [sentence]);
    assert_eq!(
        pieces(sentence, 24),
        ["De minister wil dat de wet snel wordt aangenomen;", "de Kamer denkt daar anders over en vraagt uitstel."]
    );
    assert_eq!(
        pieces("De man ging weg en de vrouw bleef daar nog lang staan", 14),
        ["De man ging weg", "en de vrouw bleef daar nog lang staan"]
    );
}

#[test]
fn pieces_fit_and_together_are_the_sentence() {
    let mut dice = Dice(5);
    let words = [
        "de",
        "commissie",
        "vergadert,",
        "en",
        "(besloten)",
        "achterstandsproblematiek",
        "–",
        "3,5",
        "é\u{301}",
        "字",
        "a-b",
    ];
    for round in 0..300 {
        let length = 1 + dice.roll(200);
        let text = (0..length).map(|_| words[dice.roll(words.len())]).collect::<Vec<_>>().join(if round % 9 == 0 {
            ""
        } else {
            " "
        });
        let budget = 4 + dice.roll(60);
        let ranges = wrap(&text, budget, |text| Ok(count(text))).unwrap();
        let mut end = 0;
        for range in ranges {
            assert!(text[end..range.start].trim().is_empty());
            assert!(!range.is_empty() && count(&text[range.clone()]) <= budget, "{budget} {:?}", &text[range]);
            end = range.end;
        }
        assert_eq!(end, text.len());
    }
}

#[test]
fn very_long_sentences_are_counted_about_once() {
    for text in ["woord ".repeat(500_000), "w".repeat(3_000_000), "a, ".repeat(1_000_000)] {
        let mut counted = 0;
        let ranges = wrap(&text, 512, |text| {
            counted += text.len();
            Ok(count(text))
        })
        .unwrap();
        assert!(ranges.len() > 1000 && counted < 8 * text.len(), "{} pieces, {counted} bytes counted", ranges.len());
    }
}
