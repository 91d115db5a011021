//! Subtitles.

use anyhow::Result;
use kortom::document::{BlockKind, Document, Format};
use kortom::engine::{Generation, Input};
use kortom::translate::Generate;

use super::{Backwards, Capitals, only_words_change, sources, translate};

/// A model that always says this.
struct Says(&'static str);

impl Generate for Says {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        Ok(inputs.iter().map(|_| Generation { text: self.0.to_owned(), ..Generation::default() }).collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

const SUBTITLES: &str = "1\r\n00:00:01,000 --> 00:00:02,500\r\nDe trein naar Zwolle\r\nvertrekt vandaag\r\n\r\n\
    2\r\n00:00:02,600 --> 00:00:04,000\r\n<i>pas om twaalf uur.</i>\r\n\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\n\
    - Echt waar?\r\n- Ja, zeker.\r\n";

#[test]
fn subtitles_keep_their_times_and_a_sentence_may_run_over_cues() {
    let translation = translate(&Capitals, SUBTITLES, Format::Srt);
    let expected: String = SUBTITLES
        .lines()
        .map(|line| if line.contains('<') { line.to_uppercase().replace("I>", "i>") } else { line.to_uppercase() } + "\r\n")
        .collect::<Vec<_>>()
        .concat();
    assert_eq!(translation.document.text(), expected);
    assert_eq!(
        sources(&translation),
        ["De trein naar Zwolle vertrekt vandaag pas om twaalf uur.", "Echt waar?", "Ja, zeker."]
    );
    assert!(translation.document.blocks.iter().all(|block| block.kind == BlockKind::Speech));
}

#[test]
fn bad_times_are_named_by_their_line() {
    assert!(Document::read("-", SUBTITLES, Format::Srt).is_ok());
    assert!(Document::read("-", "", Format::Srt).is_ok());
    for bad in ["00:00:05,000 -> 00:00:06,000", "00:00:65,000 --> 00:01:06,000", "00:00:07,000 --> 00:00:06,000", "x"] {
        let text = SUBTITLES.replace("00:00:05,000 --> 00:00:06,000", bad);
        let message = Document::read("-", text.as_str(), Format::Srt).expect_err(bad).to_string();
        assert!(message.contains("line 11") && message.contains("hint: "), "{message}");
    }
    let unparted = SUBTITLES.replace("\r\n\r\n3", "\r\n3");
    assert!(
        Document::read("-", unparted.as_str(), Format::Srt).expect_err("no blank line").to_string().contains("line 10")
    );
}

/// Everything that players take and a reader could be lost in.
const NASTY: [&str; 7] = [
    "\u{feff}1\r\n00:00:01,000 --> 00:00:02,000\r\nMet BOM en CRLF.\r\n\r\n\r\n\r\n2\r\n00:00:02,000 --> 00:00:03,000\r\nEinde",
    "7\n00:00:01,000 --> 00:00:02,000\nHet begint bij zeven\n\n3\n00:00:03,000 --> 00:00:04,000\nen gaat terug.\n\n3\n00:00:05,000 --> 00:00:06,000\nTwee keer drie.\n",
    "1\n00:00:01,000 --> 00:00:02,000\n\n2\n00:00:02,500 --> 00:00:03,000\n \t\n3\n00:00:03,500 --> 00:00:04,000\nNa twee lege.\n\n4\n00:00:05,000 --> 00:00:06,000\n",
    "1\n00:00:01.000 --> 00:00:02.500  X1:100 X2:200 Y1:50 Y2:60\n{\\an8}<font color=\"#fff\">Boven</font> in beeld.\n",
    "00:00:01,000 --> 00:00:02,000\nZonder nummer.\n\n00:00:03,000 --> 00:00:04,000\n<i>Schuin\nen</i> recht.\n",
    "1\n00:00:01,000 --> 00:00:02,000\n1984\n\n2\n00:00:03,000 --> 00:00:04,000\n♪ Zing mee ♪\n- Nee.\n– Ja, a < b { en c.\n",
    "1\n00:00:01,000 --> 00:00:02,000  \n  Ingesprongen tekst  \n\tmet een tab.\n   \n2\n100:00:01,000 --> 100:00:01,000\nLang en kort.",
];

#[test]
fn whatever_subtitles_hold_comes_back_as_it_was() {
    only_words_change(&NASTY, Format::Srt, &['\n', '\r', '\t', '>', '}']);
    for text in NASTY {
        Document::read("-", text, Format::Srt).unwrap();
    }
}

#[test]
fn a_sentence_runs_over_empty_cues_and_gaps_in_the_numbers() {
    let asked = |text| sources(&translate(&Capitals, text, Format::Srt)).join("|");
    assert_eq!(asked(NASTY[1]), "Het begint bij zeven en gaat terug.|Twee keer drie.");
    assert_eq!(asked(NASTY[2]), "Na twee lege.");
    assert_eq!(asked(NASTY[3]), "Boven in beeld.");
    assert_eq!(asked(NASTY[4]), "Zonder nummer.|Schuin en recht.");
}

#[test]
fn no_cue_gets_an_empty_line_whatever_lines_of_it_say() {
    for lines in [
        "- Ja\nhoor\ntoch\nzeker.\n- Nee.",
        "<i></i>\nDe trein\nvertrekt\nnu.",
        "De trein\n<i></i>\nvertrekt vandaag.\n- Echt?",
        "<i>\nDe trein vertrekt.\n</i>\n- Echt?",
        "- De trein\n<b><i></i></b>\n<i></i>\n- vertrekt\n<i>\nnu.\n</i>",
        "{\\an8}\nDe trein vertrekt\n{\\an1}\nom twaalf uur.",
        "De trein vertrekt.\n<i></i>\n- Nee, die\nniet.\n<i></i>",
    ] {
        let text = format!(
            "1\n00:00:01,000 --> 00:00:02,000\n{lines}\n\n2\n00:00:03,000 --> 00:00:04,000\nKlaar.\n<i></i>\n\n3\n\
             00:00:05,000 --> 00:00:06,000\nEinde.\n"
        );
        let page = format!("WEBVTT\n\n{}", text.replace(",000", ".000"));
        for (text, format) in [(text, Format::Srt), (page, Format::Vtt)] {
            let made = [translate(&Says("Yes."), &text, format), translate(&Backwards, &text, format)];
            for made in made.map(|made| made.document.text()) {
                let cues = |text: &str| text.split("\n\n").map(|cue| cue.lines().count() > 2).collect::<Vec<_>>();
                assert_eq!(cues(&made), cues(&text), "{text}\n became\n{made}");
                assert!(made.matches("<i>").count() == text.matches("<i>").count() && !made.contains(" \n"), "{made}");
            }
        }
    }
}

#[test]
fn a_cue_with_a_word_gets_one_if_there_are_enough() {
    let text = "1\n00:00:01,000 --> 00:00:02,000\nMet 3 doelpunten won\n\n2\n00:00:02,000 --> 00:00:03,000\nAjax\n\n\
        3\n00:00:03,000 --> 00:00:04,000\nde wedstrijd van gisteren.\n";
    let cues = |said: &'static str| -> Vec<String> {
        let made = translate(&Says(said), text, Format::Srt).document.text();
        made.split("\n\n").map(|cue| cue.lines().skip(2).collect::<Vec<_>>().join(" ")).collect()
    };
    let made = cues("With 3 goals, Ajax won the match yesterday.");
    assert_eq!(made, ["With 3 goals, Ajax", "won", "the match yesterday."]);
    let brief = translate(&Says("Ajax won."), text, Format::Srt).document.text();
    assert!(brief.ends_with(":04,000\nwon.\n"), "{brief}");
}
