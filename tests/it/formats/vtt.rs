//! Subtitles of web pages: their head, notes, settings, speakers and times stay; a sentence goes over cues.

use kortom::document::{Document, Format};

use super::{Capitals, only_words_change, sources, translate};

const SUBTITLES: &str = "\u{feff}WEBVTT - Journaal\r\n\r\nSTYLE\r\n::cue { color: red }\r\n\r\nNOTE Niet vertalen.\r\n\r\nintro\r\n\
    00:01.000 --> 00:02.500 align:start line:0\r\n<v Jan>Het regent &amp; waait\r\n\r\n00:00:02.500 --> 00:00:04.000\r\n\
    <c.geel>in de stad.</c></v>\r\n\r\n00:04.000 --> 00:05.000\r\n<v Piet de Boer>Echt <00:04.500>waar?\r\n- Nee &lt;3";

#[test]
fn sentences_go_over_cues_and_only_words_change() {
    let translation = translate(&Capitals, SUBTITLES, Format::Vtt);
    assert_eq!(sources(&translation), ["Het regent & waait in de stad.", "Echt waar?", "Nee <3"]);
    let text = translation.document.text();
    assert!(text.contains("<v Jan>HET REGENT &amp; WAAIT\r\n\r\n00:00:02.500 --> "), "{text}");
    assert!(text.contains("<c.geel>IN DE STAD.</c></v>\r\n") && text.ends_with("- NEE &lt;3"), "{text}");
    assert!(text.contains("NOTE Niet vertalen.") && text.contains("WEBVTT - Journaal"), "{text}");
    only_words_change(&["WEBVTT\n\n00:01.000 --> 00:02.000\nEen <i>brug</i> te\nver."], Format::Vtt, &['\n', '<', '>']);
}

#[test]
fn what_is_no_such_subtitle_is_refused_by_its_line() {
    assert!(Document::read("-", SUBTITLES, Format::Vtt).is_ok() && Document::read("-", "", Format::Vtt).is_ok());
    let good = "WEBVTT\n\n00:01.000 --> 00:02.000\nHallo.\n";
    for (text, said) in [
        (good.replace("WEBVTT", "1"), "WEBVTT"),
        (good.replace("00:02", "00:00"), "line 3"),
        (good.replace("02.000", "02"), "line 3"),
        (good.replace("Hallo.", "00:03.000 --> 00:04.000"), "line 4"),
    ] {
        let error = Document::read("-", text.as_str(), Format::Vtt).expect_err(said).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn only_an_empty_line_ends_a_cue() {
    // Captions of YouTube have a space for a line without words.
    let captions = "WEBVTT\nKind: captions\nLanguage: nl\n\n00:00:00.160 --> 00:00:02.030 align:start position:0%\n \n\
        hallo<00:00:00.480><c> allemaal</c>\n\n00:00:02.030 --> 00:00:02.040 align:start position:0%\nhallo allemaal\n \n\n\
        00:00:02.040 --> 00:00:04.000\nNog\n \neen regel.\n";
    assert!(Document::read("-", captions, Format::Vtt).is_ok());
    let document = Document::parse("-", captions, Format::Vtt);
    let made = translate(&Capitals, captions, Format::Vtt).document.in_language(&document, "en").text();
    let expected = captions
        .replace("Language: nl", "Language: en")
        .replace("hallo<00:00:00.480><c> allemaal</c>", "HALLO <00:00:00.480><c>ALLEMAAL</c>")
        .replace("hallo allemaal", "HALLO ALLEMAAL")
        .replace("Nog\n \neen regel", "NOG\n \nEEN REGEL");
    assert_eq!(made, expected);
    let titles = "1\n00:00:01,000 --> 00:00:02,000\n \nDe hond loopt.\n \n2\n00:00:03,000 --> 00:00:04,000\nDe kat zit.\n\t\n\
        00:00:05,000 --> 00:00:06,000\nKlaar.\n";
    assert!(Document::read("-", titles, Format::Srt).is_ok());
    assert_eq!(sources(&translate(&Capitals, titles, Format::Srt)), ["De hond loopt.", "De kat zit.", "Klaar."]);
    only_words_change(&[titles], Format::Srt, &['\n', '\t', '>']);
}

#[test]
fn a_cue_may_begin_below_the_head_lines_may_end_in_cr_and_an_ampersand_may_stand_alone() {
    let loose = "WEBVTT\n00:01.000 --> 00:02.000\nHet bedrijf R&D &amp; zo, <i>de firma</i>.\n\n00:03.000 --> 00:04.000\nTot ziens.\n";
    let asked = |text: &str| {
        let translation = translate(&Capitals, text, Format::Vtt);
        sources(&translation).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(asked(loose), ["Het bedrijf R&D & zo, de firma.", "Tot ziens."]);
    let made = translate(&Capitals, loose, Format::Vtt).document.text();
    assert!(made.contains("\nHET BEDRIJF R&amp;D &amp; ZO, <i>DE FIRMA</i>.\n"), "{made}");
    let old = loose.replace('\n', "\r");
    assert_eq!(asked(&old), asked(loose));
    let made = translate(&Capitals, &old, Format::Vtt).document.text();
    assert!(made.ends_with("\r\r00:03.000 --> 00:04.000\rTOT ZIENS.\r"), "{made:?}");
    let bad = old.replace("00:04.000", "00:02.000");
    assert!(Document::read("-", bad.as_str(), Format::Vtt).expect_err("bad times").to_string().contains("line 5"));
}
