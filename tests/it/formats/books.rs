//! Books: signs that are no words, spaces between words, and chapters that say how they are written.

use kortom::document::Format;
use kortom::segment::Language;
use kortom::translate::Translator;

use super::package::{book, entry, read, texts, translated, writer, written};
use super::{Backwards, Capitals, Echo};

const CHAPTER: &str = "in/hoofd een.xhtml";

fn page(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\" xmlns:epub=\"http://www.idpf.org/2007/ops\" lang=\"nl\">\
         <body>{body}</body></html>"
    )
}

/// The texts of a chapter, and the chapter in capitals.
fn in_capitals(chapter: &str) -> (Vec<String>, String) {
    let bytes = book(chapter, &[]);
    let document = read(&bytes, Format::Epub);
    assert!(written(&translated(&Echo, &document)) == bytes, "{chapter}");
    let mut found: Vec<String> = texts(&document).iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(found.pop().as_deref(), Some("De reis"));
    let made = written(&translated(&Capitals, &document).in_language(&document, "en"));
    (found, entry(&made, CHAPTER).0)
}

#[test]
fn a_space_in_a_format_of_its_own_parts_two_words() {
    let (texts, made) = in_capitals(&page("<p><span>In</span><span> </span><span>Utrecht</span> kost<b> </b>12.</p>"));
    assert_eq!(texts, ["In Utrecht kost 12."]);
    assert!(made.contains("<p><span>IN</span><span> </span><span>UTRECHT</span> KOST<b> </b>12.</p>"), "{made}");
    let body = "<office:body><office:text><text:p>De hond<text:span text:style-name=\"B\"><text:s/></text:span>blaft\
        <text:span text:style-name=\"B\"> </text:span>hard.</text:p></office:text></office:body>";
    let bytes = writer(body);
    let document = read(&bytes, Format::Odt);
    assert_eq!(super::package::texts(&document), ["De hond blaft hard."]);
    assert!(written(&translated(&Echo, &document)) == bytes);
    let (made, _) = entry(&written(&translated(&Capitals, &document)), "content.xml");
    let expected = "DE HOND<text:span text:style-name=\"B\"><text:s/></text:span>BLAFT<text:span text:style-name=\"B\"> </text:span>HARD.";
    assert!(made.contains(expected), "{made}");
    // Several spaces in a row are one for a model, and stay several.
    let body = "<office:body><office:text><text:p>De <text:s text:c=\"3\"/>hond<text:s/><text:s/>blaft hard.</text:p></office:text></office:body>";
    let document = read(&writer(body), Format::Odt);
    assert_eq!(super::package::texts(&document), ["De hond blaft hard."]);
    let (made, _) = entry(&written(&translated(&Capitals, &document)), "content.xml");
    assert!(made.contains("DE <text:s text:c=\"3\"/>HOND<text:s/><text:s/>BLAFT HARD."), "{made}");
}

#[test]
fn signs_of_notes_and_numbers_of_pages_are_no_words() {
    for sign in [
        "<a href=\"#n\" epub:type=\"noteref\">1</a>",
        "<a href=\"n.xhtml\" class=\"footnote-ref\">a</a>",
        "<sup><a href=\"#n\">12</a></sup>",
        "<a href=\"n.xhtml#n\"><sup>[3]</sup></a>",
        "<a href=\"#r\">\u{21a9}\u{fe0e}</a>",
        "<span id=\"p\" epub:type=\"pagebreak\">iv</span>",
        "<span role=\"doc-pagebreak\">123</span>",
    ] {
        let body = format!("<p>De man kwam gisteren{sign} langs.{sign} Daarna ging hij.</p>");
        let (texts, made) = in_capitals(&page(&body));
        assert_eq!(texts, ["De man kwam gisteren langs. Daarna ging hij."], "{sign}");
        let expected = format!("<p>DE MAN KWAM GISTEREN{sign} LANGS.{sign} DAARNA GING HIJ.</p>");
        assert!(made.contains(&expected), "{made}");
    }
    // A link to a section is text, and so is a raised number.
    let (texts, _) = in_capitals(&page("<p>Zie <a href=\"#b\">2.1</a> over m<sup>2</sup>.</p>"));
    assert_eq!(texts, ["Zie 2.1 over m2."]);
    let list = "<nav epub:type=\"page-list\"><ol><li><a href=\"#p\">iv</a></li></ol></nav>";
    assert_eq!(in_capitals(&page(&format!("<p>Tekst.</p>{list}"))).0, ["Tekst."]);
}

#[test]
fn the_page_numbers_of_the_second_edition_stay() {
    let list = "<package xmlns=\"http://www.idpf.org/2007/opf\"><manifest><item id=\"n\" href=\"toc.ncx\" \
        media-type=\"application/x-dtbncx+xml\"/></manifest><spine/></package>";
    let label = |text: &str| format!("<navLabel><text>{text}</text></navLabel>");
    let contents = format!(
        "<ncx xmlns=\"http://www.daisy.org/z3986/2005/ncx/\"><navMap><navPoint>{}</navPoint></navMap>\
         <pageList><pageTarget>{}</pageTarget></pageList></ncx>",
        label("Het begin"),
        label("iv")
    );
    let container = "<container xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\"><rootfiles>\
        <rootfile full-path=\"a.opf\"/></rootfiles></container>";
    let bytes = super::package::archive(&[
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", container),
        ("a.opf", list),
        ("toc.ncx", &contents),
    ]);
    assert_eq!(texts(&read(&bytes, Format::Epub)), ["Het begin"]);
}

#[test]
fn a_chapter_that_defines_entities_is_xml_and_they_stay() {
    let chapter = "<!DOCTYPE html [<!ENTITY merk \"boem\">]><html xmlns=\"http://www.w3.org/1999/xhtml\"><head><script src=\"x.js\"/></head>\
        <body><p>De hond &merk; blaft.</p><p>De kat slaapt.<br/></p></body></html>";
    let (texts, made) = in_capitals(chapter);
    assert_eq!(texts, ["De hond blaft.", "De kat slaapt."]);
    let expected =
        "<script src=\"x.js\"/></head><body><p>DE HOND &merk; BLAFT.</p><p>DE KAT SLAAPT.<br/></p></body></html>";
    assert!(made.ends_with(expected), "{made}");
}

#[test]
fn what_names_the_language_of_its_page_names_that_of_the_translation() {
    let (_, made) = in_capitals(&page("<div lang=\"nl-BE\" xml:lang=\"nl\">De <i lang=\"fr\">rue</i> is lang.</div>"));
    assert!(made.contains("<div lang=\"en\" xml:lang=\"en\">DE <i lang=\"fr\">RUE</i> IS LANG.</div>"), "{made}");
    assert!(made.contains("lang=\"en\"><body>"), "{made}");
}

#[test]
fn a_chapter_in_another_encoding_says_that_its_translation_is_in_utf_8() {
    let chapter = |encoding: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"{encoding}\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><p>Het caf&#233; is open.</p></html>"
        )
    };
    let (texts, made) = in_capitals(&chapter("ISO-8859-1"));
    assert_eq!(texts, ["Het café is open."]);
    assert_eq!(made, chapter("UTF-8").replace("Het caf&#233; is open.", "HET CAFÉ IS OPEN."));
}

#[test]
fn an_explanation_stays_behind_its_word() {
    let ruby = "<text:ruby><text:ruby-base>woord</text:ruby-base><text:ruby-text>uitleg</text:ruby-text></text:ruby>";
    let bytes =
        writer(&format!("<office:body><office:text><text:p>Een {ruby} is lang.</text:p></office:text></office:body>"));
    let document = read(&bytes, Format::Odt);
    assert_eq!(texts(&document), ["Een woord is lang."]);
    assert!(written(&translated(&Echo, &document)) == bytes);
    let (made, _) = entry(&written(&translated(&Backwards, &document)), "content.xml");
    let (before, after) = made.split_once("<text:ruby><text:ruby-base>").unwrap();
    let (word, _) = after.split_once("</text:ruby-base><text:ruby-text>uitleg</text:ruby-text></text:ruby>").unwrap();
    assert!(!word.contains('<') && !word.is_empty() && !before.contains("ruby"), "{made}");
}

#[test]
fn a_chapter_without_a_namespace_or_in_another_one_is_a_page_too() {
    for head in ["<html lang=\"nl\">", "<html xmlns=\"http://www.w3.org/TR/xhtml1\">", "<HTML>"] {
        let end = if head == "<HTML>" { "</HTML>" } else { "</html>" };
        let chapter = format!("<?xml version=\"1.0\"?>{head}<body><p>De hond <b>loopt</b>.</p></body>{end}");
        let (texts, made) = in_capitals(&chapter);
        assert_eq!(texts, ["De hond loopt."], "{head}");
        let expected = chapter.replace("De hond <b>loopt</b>.", "DE HOND <b>LOOPT</b>.").replace("\"nl\"", "\"en\"");
        assert_eq!(made, expected);
    }
}

#[test]
fn a_quotation_in_another_language_stays_as_it_is() {
    let body = "<p>Een zin.</p><section lang=\"fr\"><p>Un mot.</p><p xml:lang=\"nl\">Een woord.</p></section>";
    let document = read(&book(&page(body), &[]), Format::Epub);
    let translator = Translator::new(&Capitals, Language::Dutch, Language::English).reading("nl");
    let made = translator.translate(std::slice::from_ref(&document)).unwrap().remove(0).document;
    let (chapter, _) = entry(&written(&made), CHAPTER);
    assert!(chapter.contains(&body.replace("Een zin", "EEN ZIN").replace("Een woord", "EEN WOORD")), "{chapter}");
}
