//! Fields of Word: what programs compute stays, what a reader typed is translated, and no field swallows the text after it.

use kortom::document::Format;

use super::package::{entry, read, texts, translated, word, writer, written};
use super::{Backwards, Capitals, Echo};

const BEGIN: &str = "<w:fldChar w:fldCharType=\"begin\"/>";
const SEPARATE: &str = "<w:fldChar w:fldCharType=\"separate\"/>";
const END: &str = "<w:fldChar w:fldCharType=\"end\"/>";
const NEXT: &str = "<w:p><w:r><w:t>De brug is dicht.</w:t></w:r></w:p>";

fn run(content: &str) -> String {
    format!("<w:r>{content}</w:r>")
}

fn said(text: &str) -> String {
    format!("<w:t xml:space=\"preserve\">{text}</w:t>")
}

fn code(text: &str) -> String {
    format!("<w:instrText xml:space=\"preserve\"> {text} </w:instrText>")
}

/// The texts of a paragraph that another one follows, and the document with them in capitals.
fn in_capitals(paragraph: &str) -> (Vec<String>, String) {
    let bytes = word(&format!("<w:p>{paragraph}</w:p>{NEXT}"));
    let document = read(&bytes, Format::Docx);
    assert!(written(&translated(&Echo, &document)) == bytes, "{paragraph}");
    let mut found: Vec<String> = texts(&document).iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(found.split_off(found.len() - 2), ["De brug is dicht.", "Zie de nota."], "{paragraph}");
    let backwards = written(&translated(&Backwards, &document));
    let made = written(&translated(&Capitals, &document));
    for made in [&backwards, &made] {
        let (text, _) = entry(made, "word/document.xml");
        for kept in [BEGIN, SEPARATE, END, "<w:instrText"] {
            assert_eq!(text.matches(kept).count(), paragraph.matches(kept).count(), "{kept}: {text}");
        }
        assert_eq!(texts(&read(made, Format::Docx)).len(), found.len() + 2, "{text}");
    }
    (found, entry(&made, "word/document.xml").0)
}

#[test]
fn a_field_in_one_run_ends_in_it() {
    let field = format!("<w:r><w:rPr><w:b/></w:rPr>{BEGIN}{}{END}</w:r>", code("PAGE"));
    let (texts, made) = in_capitals(&[run(&said("Dit is bladzij ")), field.clone(), run(&said(" hier."))].concat());
    assert_eq!(texts, ["Dit is bladzij hier."]);
    assert!(made.contains(&field) && made.contains("DE BRUG IS DICHT."), "{made}");
    // A field at the end stays a word of its own.
    let (texts, made) = in_capitals(&[run(&said("Dit is bladzij ")), field].concat());
    assert_eq!(texts, ["Dit is bladzij"]);
    assert!(made.contains("DIT IS BLADZIJ </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:fldChar"), "{made}");
    // As the npm package docx begins a table of contents.
    let begin = run(&[BEGIN, &code("TOC"), SEPARATE].concat());
    let (texts, made) = in_capitals(&[begin, run(&said("De kop")), run(END)].concat());
    assert_eq!(texts, ["De kop"]);
    assert!(made.contains("DE KOP"), "{made}");
}

#[test]
fn text_beside_a_field_in_its_run_is_translated_and_its_result_is_not() {
    let page = [BEGIN, &code("PAGE"), SEPARATE, "<w:t>negen</w:t>", END].concat();
    let (texts, made) = in_capitals(&run(&[&said("Zie bladzij "), &*page, &said(" hiervan.")].concat()));
    assert_eq!(texts, ["Zie bladzij hiervan."]);
    assert!(made.contains("<w:t>negen</w:t>") && made.contains(">ZIE BLADZIJ "), "{made}");
    let link = [BEGIN, &code("HYPERLINK \"a\""), SEPARATE, &said("de brug"), END].concat();
    let (texts, made) = in_capitals(&run(&[&said("Ga over "), &*link, &said(".")].concat()));
    assert_eq!(texts, ["Ga over de brug."]);
    let places = [BEGIN, SEPARATE, "DE BRUG", END].map(|part| made.find(part).unwrap());
    assert!(places.is_sorted(), "{made}");
}

#[test]
fn a_field_that_never_ends_is_none() {
    let (texts, _) = in_capitals(&[run(BEGIN), run(&code("PAGE")), run(&said("De man loopt."))].concat());
    assert_eq!(texts, ["De man loopt."]);
    let (texts, _) = in_capitals(&[run(&[BEGIN, &code("PAGE")].concat()), run(&said("De man loopt."))].concat());
    assert_eq!(texts, ["De man loopt."]);
}

#[test]
fn what_was_typed_into_a_form_is_text_and_an_empty_form_holds_no_word() {
    let form = |typed: &str| [run(BEGIN), run(&code("FORMTEXT")), run(SEPARATE), run(&said(typed)), run(END)].concat();
    let (texts, made) = in_capitals(&[run(&said("Naam: ")), form("de bakker"), run(&said(" is er."))].concat());
    assert_eq!(texts, ["Naam: de bakker is er."]);
    let places = [SEPARATE, "DE BAKKER", END].map(|part| made.find(part).unwrap());
    assert!(places.is_sorted(), "{made}");
    let empty = form("\u{2002}\u{2002}\u{2002}");
    let (texts, made) = in_capitals(&[run(&said("Naam: ")), empty.clone(), run(&said(" is er."))].concat());
    assert_eq!(texts, ["Naam: is er."]);
    assert!(made.contains(&empty), "{made}");
    let input = |text: &str| format!("<text:text-input text:description=\"wie\">{text}</text:text-input>");
    let body = |typed: &str| format!("<office:body><office:text><text:p>{typed}</text:p></office:text></office:body>");
    let document = read(&writer(&body(&format!("Naam: {} is er.", input("de bakker")))), Format::Odt);
    assert_eq!(self::texts(&document), ["Naam: de bakker is er."]);
    let (made, _) = entry(&written(&translated(&Capitals, &document)), "content.xml");
    assert!(made.contains(&body(&format!("NAAM: {} IS ER.", input("DE BAKKER")))), "{made}");
}
