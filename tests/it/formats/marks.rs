//! Marks that belong together, marks without words, and marks inside words: in every format they come back in one piece.

use kortom::document::{Document, Format};

use super::package::{OPEN_DOCUMENT, archive, entry, read, translated, word, written};
use super::{Backwards, Capitals, only_words_change, sources, translate};

/// The page with its words in reverse order; every paragraph alone.
fn backwards(page: &str) -> String {
    translate(&Backwards, page, Format::HtmlWhole).document.text()
}

#[test]
fn elements_without_words_are_one_mark() {
    for (page, expected) in [
        ("<p><a href=b><img src=s></a>Een hond.</p>", "<p><a href=b><img src=s></a>hond. Een</p>"),
        ("<h2>Een kop<a class=h href=#x>¶</a></h2>", "<h2>kop Een<a class=h href=#x>¶</a></h2>"),
        ("<h2><a class=anchor href=#x></a>Een kop</h2>", "<h2><a class=anchor href=#x></a>kop Een</h2>"),
        (
            "<p>Zie <a href=z><code>git commit</code></a> Piet.</p>",
            "<p><a href=z><code>git commit</code></a> Piet. Zie</p>",
        ),
        ("<p>Zie <kbd>Ctrl</kbd>+<kbd>C</kbd> Piet.</p>", "<p><kbd>Ctrl</kbd>+<kbd>C</kbd> Piet. Zie</p>"),
        ("<p>Een noot <a href=#r>\u{21a9}\u{fe0e}</a></p>", "<p>noot Een <a href=#r>\u{21a9}\u{fe0e}</a></p>"),
    ] {
        assert_eq!(backwards(page), expected, "{page}");
    }
    let link = "<p>Lees de <a href=x>link naar <code>code</code></a> en meer.</p>";
    let whole = translate(&Capitals, link, Format::HtmlWhole).document.text();
    assert_eq!(whole, "<p>LEES DE <a href=x>LINK NAAR <code>code</code></a> EN MEER.</p>");
    only_words_change(
        &[link, "<p>Dat kost<b> </b>12.000 <i class=x></i> euro.</p>", "<p>Een <a href=y><img src=p> </a> staat.</p>"],
        Format::HtmlWhole,
        &['<', '>'],
    );
    for (text, expected) in [
        ("Zie [`git`](u) Piet.", "[`git`](u) Piet. Zie"),
        ("Zie [![foto](p)](u) Piet.", "[![foto](p)](u) Piet. Zie"),
        ("Zie **`--force`** Piet.", "**`--force`** Piet. Zie"),
        ("Zie <a href=\"u\"><img src=\"s\"></a> Piet.", "<a href=\"u\"><img src=\"s\"></a> Piet. Zie"),
    ] {
        assert_eq!(translate(&Backwards, text, Format::Markdown).document.text(), expected);
    }
}

#[test]
fn a_mark_inside_a_word_stays_inside_it() {
    for (page, expected) in [
        ("<p>Er is CO<sub>2</sub> vrij.</p>", "<p>vrij. CO<sub>2</sub> is Er</p>"),
        ("<p>Het is 25 m<sup>2</sup> groot.</p>", "<p>groot. m<sup>2</sup> 25 is Het</p>"),
        ("<p>Een <b>brand</b>weer.</p>", "<p><b>brand</b>weer. Een</p>"),
    ] {
        assert_eq!(backwards(page), expected);
    }
    let large = translate(&Capitals, "<p><b>E</b>r was eens.</p>", Format::HtmlWhole);
    assert_eq!(large.document.text(), "<p><b>E</b>R WAS EENS.</p>");
}

#[test]
fn the_sign_of_a_note_stays_behind_its_word() {
    for sign in [
        "<sup>2</sup>",
        "<sup><a href=\"#fn:2\">2</a></sup>",
        "<a href=\"#_ftn1\" name=\"_ftnref1\"><span><![if !supportFootnotes]>[1]<![endif]></span></a>",
        "<a class=\"sdfootnoteanc\" name=\"sdfootnote1anc\" href=\"#sdfootnote1sym\"><sup>1</sup></a>",
    ] {
        let page = format!("<p>De bakker kwam gisteren{sign} hier.</p>");
        let translation = translate(&Capitals, &page, Format::HtmlWhole);
        assert_eq!(sources(&translation), ["De bakker kwam gisteren hier."]);
        assert_eq!(translation.document.text(), format!("<p>DE BAKKER KWAM GISTEREN{sign} HIER.</p>"));
        let two = format!("<p>Het was hard.{sign} Daarna niet.</p>");
        assert_eq!(sources(&translate(&Capitals, &two, Format::HtmlWhole)), ["Het was hard.", "Daarna niet."]);
    }
    let page = "<p>Ga naar <a href=\"#p3\">3</a>, 8 m<sup>2</sup> of 10<sup>6</sup>.</p>";
    assert_eq!(sources(&translate(&Capitals, page, Format::HtmlWhole)), ["Ga naar 3, 8 m2 of 106."]);
}

/// Asserts that these stand in a text in their order.
fn in_order(text: &str, parts: &[&str]) {
    let places: Vec<_> =
        parts.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"))).collect();
    assert!(places.is_sorted(), "{parts:?} in {text}");
}

#[test]
fn the_end_of_a_range_comes_after_its_begin() {
    let old = "<xliff version=\"1.2\" xmlns=\"urn:oasis:names:tc:xliff:document:1.2\"><file original=\"a\"><body><trans-unit id=\"1\">\
        <source>Met 3 doelpunten <bpt id=\"1\">b</bpt>won Ajax<ept id=\"1\">e</ept> de wedstrijd.</source>\
        </trans-unit></body></file></xliff>";
    let text = translated(&Backwards, &Document::read("-", old, Format::Xliff).unwrap()).text();
    in_order(&text[text.find("<target").unwrap()..], &["<bpt", "Ajax", "<ept"]);
    let new = "<xliff version=\"2.0\" xmlns=\"urn:oasis:names:tc:xliff:document:2.0\" srcLang=\"nl\"><file id=\"f\"><unit id=\"1\">\
        <segment><source>Met 3 doelpunten <sc id=\"1\"/>won Ajax<ec startRef=\"1\"/> de wedstrijd.</source></segment></unit></file></xliff>";
    let text = translated(&Backwards, &Document::read("-", new, Format::Xliff).unwrap()).text();
    in_order(&text[text.find("<target").unwrap()..], &["<sc", "Ajax", "<ec"]);
    let ass = "[Events]\nDialogue: 0,0:00:06.00,0:00:07.00,Default,,0,0,0,,Met 3 doelpunten {\\b1}won Ajax{\\b0} de wedstrijd.\n";
    in_order(&translate(&Backwards, ass, Format::Ass).document.text(), &["{\\b1}", "Ajax", "{\\b0}"]);
}

#[test]
fn times_in_a_cue_keep_their_order_and_their_cue() {
    let vtt = "WEBVTT\n\n00:03.000 --> 00:05.000\n<00:03.200>Met 3 doelpunten <00:03.500>won Ajax <00:04.200>de\n\n\
        00:05.000 --> 00:06.000\nwedstrijd <00:05.500>van Piet.\n";
    let text = translate(&Backwards, vtt, Format::Vtt).document.text();
    in_order(&text, &["<00:03.200>", "<00:03.500>", "<00:04.200>", "00:05.000 -->", "<00:05.500>"]);
    only_words_change(&[vtt], Format::Vtt, &['<', '>', '\n']);
}

#[test]
fn bookmarks_and_comments_go_around_their_words() {
    let run = |text: &str| format!("<w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r>");
    let body = format!(
        "<w:p>{}<w:bookmarkStart w:id=\"4\" w:name=\"x\"/><w:commentRangeStart w:id=\"4\"/>{}<w:commentRangeEnd w:id=\"4\"/>\
         <w:r><w:commentReference w:id=\"4\"/></w:r><w:bookmarkEnd w:id=\"4\"/>{}</w:p>",
        run("Met 3 doelpunten "),
        run("won Ajax"),
        run(" de wedstrijd.")
    );
    let document = read(&word(&body), Format::Docx);
    let text = entry(&written(&translated(&Backwards, &document)), "word/document.xml").0;
    in_order(&text, &["<w:commentRangeStart", "Ajax", "<w:commentRangeEnd", "<w:commentReference"]);
    in_order(&text, &["<w:bookmarkStart", "Ajax", "<w:bookmarkEnd"]);
    assert!(entry(&written(&document), "word/document.xml").0.contains(&body), "unchanged");

    let paragraph = "<text:p>Met 3 doelpunten <text:bookmark-start text:name=\"x\"/>won Ajax<text:bookmark-end text:name=\"x\"/> de \
        wedstrijd.</text:p>";
    let content = format!(
        "<office:document-content {OPEN_DOCUMENT}><office:body><office:text>{paragraph}</office:text></office:body></office:document-content>"
    );
    let writer = archive(&[("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", content.as_str())]);
    let text = entry(&written(&translated(&Backwards, &read(&writer, Format::Odt))), "content.xml").0;
    in_order(&text, &["<text:bookmark-start", "Ajax", "<text:bookmark-end"]);
}
