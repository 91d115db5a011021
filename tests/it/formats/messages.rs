//! Messages of programs, texts for translation, subtitles of Sub Station Alpha: what has no translation gets one, and nothing else changes.

use anyhow::Result;
use kortom::document::{Document, Format, ReadOptions};
use kortom::engine::{Generation, Input};
use kortom::segment::Language;
use kortom::translate::{Generate, Translator};

use super::{Backwards, Capitals, Echo, only_words_change, sources, translate};

fn made(model: &impl Generate, text: &str, format: Format) -> String {
    let document = Document::read("-", text, format).unwrap_or_else(|error| panic!("{error:#}"));
    let translator = Translator::new(model, Language::Dutch, Language::English);
    let translated = translator.translate(std::slice::from_ref(&document)).unwrap().remove(0).document;
    translated.in_language(&document, "en").text()
}

const PO: &str = "# Hoofd\nmsgid \"\"\nmsgstr \"\"\n\"Content-Type: text/plain; charset=UTF-8\\n\"\n\n#: a.c:1\n#, c-format\nmsgctxt \"menu\"\r\n\
    msgid \"Zeg \\\"hallo\\\" tegen %s\"\r\nmsgstr \"\"\r\n\nmsgid \"Klaar\"\nmsgstr \"Done\"\n\nmsgid \"\"\n\"Een regel.\\n\"\n\"Nog een regel.\\n\"\nmsgstr \"\"\n\n\
    msgid \"%d bestand\"\nmsgid_plural \"%d bestanden\"\nmsgstr[0] \"\"\nmsgstr[1] \"\"\n\n#~ msgid \"Oud\"\n#~ msgstr \"\"\n\nmsgid \"123\"\nmsgstr \"\"\n";

#[test]
fn messages_without_a_translation_get_one() {
    let expected = PO
        .replace("tegen %s\"\r\nmsgstr \"\"", "tegen %s\"\r\nmsgstr \"ZEG \\\"HALLO\\\" TEGEN %s\"")
        .replace("regel.\\n\"\nmsgstr \"\"", "regel.\\n\"\nmsgstr \"EEN REGEL.\\nNOG EEN REGEL.\\n\"")
        .replace("msgstr[0] \"\"\nmsgstr[1] \"\"", "msgstr[0] \"%d BESTAND\"\nmsgstr[1] \"%d BESTANDEN\"");
    assert_eq!(made(&Capitals, PO, Format::Po), expected);
    assert_eq!(made(&Echo, PO, Format::Po), PO);
    for (text, said) in [
        ("Het regent.", "line 1"),
        ("msgid \"a\"\nmsgstr \"b", "line 2"),
        ("msgid \"a\"\nmsgstrr \"b\"", "line 2"),
        ("\"los\"", "line 1"),
        ("# niets\n", "no message"),
    ] {
        let error = Document::read("-", text, Format::Po).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn each_line_of_a_message_is_translated_by_itself_and_its_tags_stay() {
    for (message, expected) in [
        ("Gebruik: alles\\n  -a\\ttoon meer\\n\\nKlaar.\\n", "alles Gebruik:\\n  -a\\tmeer toon\\n\\nKlaar.\\n"),
        ("Klik op <a href=\\\"%s\\\">deze link</a> voor meer.", "meer. voor <a href=\\\"%s\\\">link deze</a> op Klik"),
        ("Gebruik <bestand> hier", "hier <bestand> Gebruik"),
        ("Een regel.<br>Nog een regel.<hr/>", "regel. Een<br>regel. een Nog<hr/>"),
        ("<p>Zie <code>a b</code> hier</p>", "<p>hier <code>a b</code> Zie</p>"),
        ("Let op.\\r\\nNeem een jas.", "op. Let\\r\\njas. een Neem"),
        ("<p>Een regel. </p>\\n", "<p>regel. Een </p>\\n"),
        ("<p><b>Let op </b> <img src='a'></p>", "<p><b>op Let </b> <img src='a'></p>"),
        ("Klik <i>hier </i>", "<i>hier</i> Klik "),
        ("\\033[1mLet op:\\x1b[0m neem mee", "mee neem op: \\033[1mLet\\033[0m"),
        ("Druk \\001nu\\002 op \\007 Enter", "Enter \\a op \\001nu\\002 Druk"),
        ("Caf\\303\\251 dicht", "dicht Café"),
        ("<B>Let op</B>, zegt <I>Jan</I><BR> Klaar <HR>", "<I>Jan</I> zegt op, <B>Let</B><BR> Klaar <HR>"),
    ] {
        let file = format!("msgid \"{message}\"\nmsgstr \"\"\n");
        assert_eq!(made(&Echo, &file, Format::Po), file);
        let made = made(&Backwards, &file, Format::Po);
        assert!(made.contains(&format!("msgstr \"{expected}\"")), "{expected}: {made}");
    }
}

const OLD: &str = "<?xml version=\"1.0\"?>\n<xliff version=\"1.2\" xmlns=\"urn:oasis:names:tc:xliff:document:1.2\"><file source-language=\"nl\" original=\"a\">\
    <body><trans-unit id=\"1\"><source>Zeg <g id=\"1\">hallo</g><x id=\"2\"/> nu &amp; straks. </source></trans-unit>\n\
    <trans-unit id=\"2\"><source>Klaar</source><target>Done</target></trans-unit>\
    <trans-unit id=\"3\"><source>Niet klaar</source><target state=\"needs-translation\">Niet klaar</target><note>Let op</note></trans-unit>\
    <trans-unit id=\"4\" translate=\"no\"><source>Niet dit</source></trans-unit><trans-unit id=\"5\"><source>Leeg hier</source><target/></trans-unit>\
    </body></file></xliff>";
const NEW: &str = "<xliff version=\"2.0\" xmlns=\"urn:oasis:names:tc:xliff:document:2.0\" srcLang=\"nl\" trgLang=\"en\"><file id=\"f\"><unit id=\"u\">\
    <segment><source>Zeg <pc id=\"1\">hallo</pc><ph id=\"2\"/>.</source></segment><ignorable><source> </source></ignorable>\
    <segment state=\"final\"><source>Klaar</source><target>Done</target></segment></unit>\
    <unit id=\"v\" translate=\"no\"><segment><source>Niet dit</source></segment></unit></file></xliff>";

#[test]
fn what_has_a_translation_gets_another_one_where_that_is_asked_for() {
    let options = ReadOptions { overwrite: true, ..ReadOptions::default() };
    let again = |text: &str, format: Format| {
        let document = Document::read_with("-", text, format, &options).unwrap();
        let translator = Translator::new(&Capitals, Language::Dutch, Language::English);
        translator.translate(&[document]).unwrap().remove(0).document.text()
    };
    let po = "msgid \"Klaar\"\nmsgstr \"\"\n\"Do\"\n\"ne\"\n\nmsgid \"Niet\"\nmsgstr \"Not\"\n";
    assert_eq!(again(po, Format::Po), "msgid \"Klaar\"\nmsgstr \"KLAAR\"\n\nmsgid \"Niet\"\nmsgstr \"NIET\"\n");
    let made = again(NEW, Format::Xliff);
    assert!(made.contains("<source>Klaar</source><target>KLAAR</target>") && !made.contains("Done"), "{made}");
}

#[test]
fn texts_for_translation_get_one_with_their_inline_elements() {
    let target = |text: &str| format!("<target state=\"needs-review-translation\">{text}</target>");
    let expected = OLD
        .replace("source-language=", "target-language=\"en\" source-language=")
        .replace(
            "straks. </source>",
            &format!("straks. </source>{}", target("ZEG <g id=\"1\">HALLO</g><x id=\"2\"/> NU &amp; STRAKS. ")),
        )
        .replace("<target state=\"needs-translation\">Niet klaar</target>", &target("NIET KLAAR"))
        .replace("<target/>", &target("LEEG HIER"));
    assert_eq!(made(&Capitals, OLD, Format::Xliff), expected);
    let expected = with_state(NEW, "Zeg").replace(
        "<ph id=\"2\"/>.</source>",
        "<ph id=\"2\"/>.</source><target>ZEG <pc id=\"1\">HALLO</pc><ph id=\"2\"/>.</target>",
    );
    assert_eq!(made(&Capitals, NEW, Format::Xliff), expected);
    assert_eq!(made(&Echo, NEW, Format::Xliff), NEW);
    let turned = made(&Backwards, NEW, Format::Xliff);
    assert!(
        turned.matches("<pc id=\"1\">").count() == 2 && Document::read("-", turned.as_str(), Format::Xliff).is_ok(),
        "{turned}"
    );
    for (text, said) in [("<a/>", "no XLIFF"), ("<xliff", "damaged"), ("Het regent.", "no XLIFF")] {
        let error = Document::read("-", text, Format::Xliff).expect_err(said);
        assert!(format!("{error:#}").contains(said), "{error:#}");
    }
}

#[test]
fn lines_protected_words_and_attributes_of_a_text_for_translation_stay() {
    let file = |units: &str| {
        format!(
            "<xliff version=\"1.2\" xmlns=\"urn:oasis:names:tc:xliff:document:1.2\"><file target-language=\"en\"><body>{units}</body></file>\
             </xliff>"
        )
    };
    let reviewed = "state=\"needs-review-translation\"";
    for (unit, expected) in [
        (
            "<trans-unit id=\"1\" xml:space=\"preserve\"><source>Het\nbestaat al</source></trans-unit>".to_owned(),
            format!("<target {reviewed}>HET\nBESTAAT AL</target>"),
        ),
        (
            "<trans-unit id=\"2\"><source>Zie <mrk mtype=\"protected\">de fiets</mrk> daar. <x id=\"1\"/></source></trans-unit>".to_owned(),
            format!("<target {reviewed}>ZIE <mrk mtype=\"protected\">de fiets</mrk> DAAR. <x id=\"1\"/></target>"),
        ),
        (
            "<group translate=\"no\"><trans-unit id=\"3\" translate=\"yes\"><source>Dit wel</source></trans-unit></group>".to_owned(),
            format!("<target {reviewed}>DIT WEL</target>"),
        ),
        (
            "<trans-unit id=\"4\"><source>Hallo daar</source><target xml:lang=\"en-GB\" state='new' state-qualifier=\"exact-match\"/>\
             </trans-unit>"
                .to_owned(),
            "<target xml:lang=\"en-GB\" state='needs-review-translation'>HALLO DAAR</target>".to_owned(),
        ),
    ] {
        let text = file(&unit);
        let made = made(&Capitals, &text, Format::Xliff);
        assert!(made.contains(&expected), "{expected}: {made}");
        assert_eq!(self::made(&Echo, &text, Format::Xliff), text);
    }
    let kept = file("<group translate=\"no\"><trans-unit id=\"1\"><source>Niet dit</source></trans-unit></group>");
    assert_eq!(made(&Capitals, &kept, Format::Xliff), kept);
}

#[test]
fn escaped_tags_in_a_text_for_translation_are_marks() {
    let file = |source: &str| {
        format!(
            "<xliff version=\"1.2\" xmlns=\"urn:oasis:names:tc:xliff:document:1.2\"><file target-language=\"en\"><body><trans-unit id=\"1\">\
             <source>{source}</source></trans-unit></body></file></xliff>"
        )
    };
    for (source, expected) in [
        ("De hond &lt;b&gt;loopt&lt;/b&gt; snel.", "snel. &lt;b&gt;loopt&lt;/b&gt; hond De"),
        (
            "<![CDATA[Klik <a href=\"https://voorbeeld.nl?a&b\">hier</a> nu.]]>",
            "nu. &lt;a href=\"https://voorbeeld.nl?a&amp;b\"&gt;hier&lt;/a&gt; Klik",
        ),
        ("Zie &lt;i&gt;dit <x id=\"1\"/>&lt;/i&gt; nu", "nu &lt;i&gt;dit <x id=\"1\"/>&lt;/i&gt; Zie"),
        ("Een regel.&lt;br/&gt;Nog een regel.", "regel. Een&lt;br/&gt;regel. een Nog"),
        ("Zie &lt;code&gt;a b&lt;/code&gt; hier", "hier &lt;code&gt;a b&lt;/code&gt; Zie"),
        ("Gebruik &lt;bestand&gt; hier", "hier &lt;bestand&gt; Gebruik"),
    ] {
        let text = file(source);
        assert_eq!(made(&Echo, &text, Format::Xliff), text);
        let made = made(&Backwards, &text, Format::Xliff);
        assert!(made.contains(&format!(">{expected}</target>")), "{expected}: {made}");
    }
}

#[test]
fn a_target_has_the_segments_of_its_source_and_is_approved_by_nobody() {
    let file = |units: &str| {
        format!(
            "<xliff version=\"1.2\" xmlns=\"urn:oasis:names:tc:xliff:document:1.2\"><file target-language=\"en\"><body>{units}</body></file>\
             </xliff>"
        )
    };
    let segments = |one: &str, two: &str| {
        format!("<mrk mid=\"0\" mtype=\"seg\">{one}</mrk> <mrk mid=\"1\" mtype=\"seg\">{two}</mrk>")
    };
    let source = segments("De hond loopt.", "De kat zit.");
    let target = |head: &str| {
        format!(
            "<target{head} state=\"needs-review-translation\">{}</target>",
            segments("DE HOND LOOPT.", "DE KAT ZIT.")
        )
    };
    let unit = |target: &str| {
        file(&format!(
            "<trans-unit id=\"1\"><source>De hond loopt. De kat zit.</source><seg-source>{source}</seg-source>{target}</trans-unit>"
        ))
    };
    let empty = "<target><mrk mid=\"0\" mtype=\"seg\"/> <mrk mid=\"1\" mtype=\"seg\"/></target>";
    for sent in ["", empty] {
        assert_eq!(made(&Capitals, &unit(sent), Format::Xliff), unit(&target("")));
    }
    let options = ReadOptions { overwrite: true, ..ReadOptions::default() };
    let approved =
        file("<trans-unit id=\"1\" approved=\"yes\"><source>Klaar</source><target>Done</target></trans-unit>");
    let document = Document::read_with("-", approved.as_str(), Format::Xliff, &options).unwrap();
    let translator = Translator::new(&Capitals, Language::Dutch, Language::English);
    let again = translator.translate(&[document]).unwrap().remove(0).document.text();
    let expected = "<target state=\"needs-review-translation\">KLAAR</target>";
    assert_eq!(again, approved.replace("\"yes\"", "\"no\"").replace("<target>Done</target>", expected));
    assert_eq!(made(&Capitals, &approved, Format::Xliff), approved);
}

#[test]
fn messages_say_in_which_encoding_their_translations_are() {
    let file = |charset: &str, message: &str| {
        format!(
            "msgid \"\"\nmsgstr \"\"\n\"Content-Type: text/plain; charset={charset}\\n\"\n\nmsgid \"een\"\nmsgstr \"{message}\"\n"
        )
    };
    let accented = |message: &str| file("ISO-8859-1", message).replace("een", "\\303\\251\\303\\251n");
    let told = accented("ÉÉN").replace("ISO-8859-1", "UTF-8");
    assert_eq!(made(&Capitals, &accented(""), Format::Po), told);
    assert_eq!(made(&Capitals, &file("ISO-8859-1", ""), Format::Po), file("ISO-8859-1", "EEN"));
}

/// With the state of the segment whose source begins like this.
fn with_state(text: &str, source: &str) -> String {
    text.replace(&format!("<segment><source>{source}"), &format!("<segment state=\"translated\"><source>{source}"))
}

#[test]
fn a_segment_says_in_which_state_it_is() {
    let file = |segments: &str| {
        format!(
            "<xliff xmlns=\"urn:oasis:names:tc:xliff:document:2.0\" version=\"2.0\" srcLang=\"nl\" trgLang=\"en\"><file id=\"f\">\
             <unit id=\"u\">{segments}</unit></file></xliff>"
        )
    };
    let segment = |head: &str, text: &str, target: &str| {
        format!(
            "<segment{head}>\n <source>{text}</source>{target}\n</segment><ignorable><source> </source></ignorable>"
        )
    };
    let sent = [
        segment(" id=\"a\" state=\"initial\" subState=\"x:leeg\"", "Een", "<target>Een</target>"),
        segment(" state='initial'", "Twee", "<target/>"),
        segment("", "Drie", ""),
        segment(" state=\"translated\" subState=\"x:klaar\"", "Vier", "<target>Four</target>"),
        segment(" state=\"final\"", "Vijf", "<target>Five</target>"),
        segment("", "Zes", "<target>Six</target>"),
    ];
    let expected = [
        segment(" id=\"a\" state=\"translated\"", "Een", "<target>EEN</target>"),
        segment(" state='translated'", "Twee", "<target>TWEE</target>"),
        segment(" state=\"translated\"", "Drie", "<target>DRIE</target>"),
        sent[3].clone(),
        sent[4].clone(),
        sent[5].clone(),
    ];
    assert_eq!(made(&Capitals, &file(&sent.concat()), Format::Xliff), file(&expected.concat()));
    assert_eq!(made(&Echo, &file(&sent.concat()), Format::Xliff), file(&sent.concat()));
}

const ASS: &str = "\u{feff}[Script Info]\r\nTitle: Niet dit\r\n\r\n[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n\
    Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\i1}Het regent{\\i0}, zegt\\NJan\r\nDialogue: 0,0:00:02.00,0:00:03.00,Default,,0,0,0,,de Boer.\r\n\
    Comment: 0,0:00:02.00,0:00:03.00,Default,,0,0,0,,Niet dit\r\nDialogue: 0,0:00:03.00,0:00:04.00,Bord,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}\r\n\
    Dialogue: 0,0:00:04.00,0:00:05.00,Bord,,0,0,0,,Verboden toegang\r\nDialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,Echt, waar?";

#[test]
fn lines_of_sub_station_alpha_are_sentences_with_their_tags() {
    let translation = translate(&Capitals, ASS, Format::Ass);
    assert_eq!(sources(&translation), ["Het regent, zegt Jan de Boer.", "Verboden toegang", "Echt, waar?"]);
    let expected = ASS
        .replace("Het regent{", "HET REGENT{")
        .replace("zegt\\NJan", "ZEGT\\NJAN")
        .replace("de Boer", "DE BOER")
        .replace("Verboden toegang", "VERBODEN TOEGANG")
        .replace("Echt, waar", "ECHT, WAAR");
    assert_eq!(translation.document.text(), expected);
    only_words_change(
        &[
            "[Events]\nDialogue: 0,0,0,A,,0,0,0,,Een {\\b1}brug{\\b0} te\\Nver.",
            "[Events]\nDialogue: 0,0,0,A,,0,0,0,,Hij kost {\\i1}tien{\\i0} euro \\{of meer\\} {\\i1}per{\\i0} dag.",
            "[Events]\nDialogue: 0,0,0,A,,0,0,0,,{\\p1}m 0 0 l 9 0{\\p0}De tekst staat hier.",
        ],
        Format::Ass,
        &['\n', '{', '}', '\\'],
    );
    let error = Document::read("-", "Het regent.", Format::Ass).expect_err("it is no such file").to_string();
    assert!(error.contains("[Events]"), "{error}");
    assert!(Document::read("-", ASS, Format::Ass).is_ok());
}

/// A model that says nothing of what it is told.
struct Nothing;

impl Generate for Nothing {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        Ok(inputs.iter().map(|_| Generation { text: "NIETS".to_owned(), ..Generation::default() }).collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

#[test]
fn a_message_whose_placeholders_are_lost_is_fuzzy() {
    for (before, after, text) in [
        ("", "#, fuzzy\n", "msgid \"Nog % d.\"\nmsgstr \"\"\n"),
        (
            "#: a.c:1\n#, c-format\n",
            "#: a.c:1\n#, fuzzy, c-format\n",
            "msgctxt \"x\"\nmsgid \"Nog % d.\"\nmsgstr \"\"\n",
        ),
        ("# Noot\r\n", "# Noot\r\n#, fuzzy\r\n", "#| msgid \"oud\"\r\nmsgid \"Nog % d.\"\r\nmsgstr \"\"\r\n"),
        ("#, fuzzy\n", "#, fuzzy\n", "msgid \"Nog % d.\"\nmsgstr \"\"\n"),
        ("", "#, fuzzy\n", "msgid \"Een.\"\nmsgid_plural \"Er is {n, plural}.\"\nmsgstr[0] \"\"\nmsgstr[1] \"\"\n"),
        ("", "", "msgid \"Een hond.\"\nmsgstr \"\"\n"),
    ] {
        let whole = format!("msgid \"Een kat.\"\nmsgstr \"\"\n\n{before}{text}");
        let expected = format!("msgid \"Een kat.\"\nmsgstr \"\"\n\n{after}{text}");
        assert_eq!(made(&Nothing, &whole, Format::Po).replace("NIETS", ""), expected);
        assert_eq!(made(&Echo, &whole, Format::Po).matches("fuzzy").count(), before.matches("fuzzy").count());
    }
}
