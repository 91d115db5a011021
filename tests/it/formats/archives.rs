//! Archives that are damaged, or made to harm: each is refused with what is wrong with it, and none stops the program.

use kortom::document::{Document, Format, ReadOptions};

use super::Backwards;
use super::package::{CHAPTER, PARAGRAPH, TEXT, TYPES, WORD, archive, book, slides, translated, word, writer, written};

/// A document of Word with these entries in place of its own, or beside them.
fn word_with(more: &[(&str, &[u8])]) -> Vec<u8> {
    let body = format!("<w:document {WORD}><w:body>{PARAGRAPH}</w:body></w:document>");
    let notes = format!("<w:footnotes {WORD}/>");
    let styles = format!("<w:styles {WORD}/>");
    let usual = [
        ("[Content_Types].xml", TYPES),
        ("word/document.xml", &body),
        ("word/footnotes.xml", &notes),
        ("word/styles.xml", &styles),
    ];
    let kept = usual.iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    let entries: Vec<(&str, &[u8])> =
        kept.map(|(name, text)| (*name, text.as_bytes())).chain(more.iter().copied()).collect();
    archive(&entries)
}

fn refused(bytes: Vec<u8>, options: &ReadOptions, said: &[&str]) {
    let error = Document::read_with("-", bytes, Format::Docx, options).expect_err(said[0]);
    let told = format!("{error:#}");
    assert!(said.iter().all(|said| told.contains(said)), "{said:?}: {told}");
}

#[test]
fn parts_in_other_encodings_or_with_entities_or_without_an_end_are_refused_by_name() {
    let utf16 = |text: &str, mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect()
    };
    let document = format!("<w:document {WORD}><w:body>{PARAGRAPH}</w:body></w:document>");
    let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><w:document>\xE9</w:document>";
    let named = format!("<?xml version=\"1.0\" encoding=\"windows-1252\"?>{document}é");
    let entity =
        format!("<!DOCTYPE w [<!ENTITY a \"boem\"><!ENTITY b \"&a;&a;&a;\">]>{}", document.replace("raad", "&b;"));
    for (content, said) in [
        (utf16(&document, [0xFF, 0xFE], u16::to_le_bytes), "UTF-16"),
        (utf16(&document, [0xFE, 0xFF], u16::to_be_bytes), "UTF-16"),
        (latin.to_vec(), "not valid UTF-8"),
        (named.into_bytes(), "windows-1252"),
        (entity.into_bytes(), "defines entities, which are never expanded"),
        (document.as_bytes()[..document.len() - 30].to_vec(), "hint: the document is damaged"),
        (document.replace("</w:body>", "").into_bytes(), "not well-formed"),
        (Vec::new(), "no text of Word"),
    ] {
        // An empty part has nothing to translate, and is well-formed: what is missing then is its kind.
        let types = if content.is_empty() {
            TYPES.replace("wordprocessingml.document.main", "other")
        } else {
            TYPES.to_owned()
        };
        let bytes = word_with(&[("[Content_Types].xml", types.as_bytes()), ("word/document.xml", &content)]);
        let place = if content.is_empty() { "Word" } else { "`word/document.xml`" };
        refused(bytes, &ReadOptions::default(), &[said, place]);
    }
}

#[test]
fn entries_that_are_there_twice_or_lead_out_of_the_archive_are_refused() {
    let outside = ["../evil.xml", "/etc/evil.xml", "word/../../evil.xml", "word\\evil.xml"];
    for name in outside {
        refused(word_with(&[(name, b"x")]), &ReadOptions::default(), &["outside of the archive", "evil.xml"]);
    }
    let twice = word_with(&[("word/evil.xml", b"x"), ("word/evil.xml", b"y")]);
    refused(twice, &ReadOptions::default(), &["`word/evil.xml` is there twice"]);
}

#[test]
fn a_part_that_a_relationship_names_must_be_there_unless_it_is_a_picture() {
    let relation = |kind: &str, target: &str, mode: &str| {
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" \
             Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}\" Target=\"{target}\"{mode}/></Relationships>"
        )
    };
    let with = |list: &str| word_with(&[("word/_rels/document.xml.rels", list.as_bytes())]);
    let said = ["`word/_rels/document.xml.rels` names `word/header1.xml`, which is missing"];
    refused(with(&relation("header", "header1.xml", "")), &ReadOptions::default(), &said);
    refused(with(&relation("header", "/word/header1.xml", "")), &ReadOptions::default(), &said);
    for (kind, target, mode) in [
        ("image", "NULL", ""),
        ("footnotes", "footnotes.xml", ""),
        ("footnotes", "../word/footnotes.xml", ""),
        ("header", "https://voorbeeld.nl/kop.xml", " TargetMode=\"External\""),
    ] {
        assert!(Document::read("-", with(&relation(kind, target, mode)), Format::Docx).is_ok(), "{kind} {target}");
    }
}

#[test]
fn an_archive_in_the_form_for_more_than_4_gb_is_refused_by_that_name() {
    let mut archive = word_with(&[]);
    let record = archive.windows(4).position(|head| head == b"PK\x01\x02").unwrap();
    archive[record + 24..record + 28].copy_from_slice(&[0xFF; 4]);
    refused(archive, &ReadOptions::default(), &["ZIP64", "save it anew"]);
}

#[test]
fn what_would_fill_a_memory_is_refused_unless_somebody_allows_it() {
    let padding = " ".repeat(17 << 20);
    let document = format!("<w:document {WORD}><w:body>{PARAGRAPH}</w:body>{padding}</w:document>");
    let bomb = word_with(&[("word/document.xml", document.as_bytes())]);
    let trusted = ReadOptions { max_unpacked: Some(64 << 20), ..ReadOptions::default() };
    refused(bomb.clone(), &ReadOptions::default(), &["`word/document.xml` would take 18 MiB", "`--max-unpacked`"]);
    assert_eq!(Document::read_with("-", bomb, Format::Docx, &trusted).unwrap().blocks.len(), 3);
    // What counts is all that is unpacked, not what one entry takes.
    let small = word(PARAGRAPH);
    for (most, is_read) in [(100, false), (2000, false), (1 << 20, true)] {
        let options = ReadOptions { max_unpacked: Some(most), ..ReadOptions::default() };
        assert_eq!(Document::read_with("-", small.clone(), Format::Docx, &options).is_ok(), is_read, "{most}");
    }
}

/// A text in this many elements, one around the other.
fn nested(count: usize, open: &str, text: &str, close: &str) -> String {
    [&open.repeat(count), text, &close.repeat(count)].concat()
}

/// Documents with elements around elements, `count` in all, beside the few around those.
fn deep(count: usize) -> Vec<(Vec<u8>, Format)> {
    let run = "<w:r><w:t>Het regent hard.</w:t></w:r>";
    let paragraph = format!("<w:p>{run}</w:p>");
    let tables = nested(count / 3, "<w:tbl><w:tr><w:tc>", &paragraph, "</w:tc></w:tr></w:tbl>");
    let boxes = nested(count / 3, "<w:p><w:r><w:txbxContent>", &paragraph, "</w:txbxContent></w:r></w:p>");
    let spans = nested(count, "<text:span>", "Het regent hard.", "</text:span>");
    let page = |body: &str| format!("<html xmlns=\"http://www.w3.org/1999/xhtml\"><body>{body}</body></html>");
    let text = nested(count, "<g>", "Het regent hard.", "</g>");
    let unit = format!(
        "<xliff xmlns=\"urn:oasis:names:tc:xliff:document:1.2\"><file><body><trans-unit><source>{text}</source></trans-unit></body></file></xliff>"
    );
    vec![
        (word(&format!("<w:p>{}</w:p>", nested(count, "<w:smartTag>", run, "</w:smartTag>"))), Format::Docx),
        (word(&tables), Format::Docx),
        (word(&boxes), Format::Docx),
        (
            writer(&format!("<office:body><office:text><text:p>{spans}</text:p></office:text></office:body>")),
            Format::Odt,
        ),
        (book(&page(&nested(count, "<div>", "Het regent.", "</div>")), &[]), Format::Epub),
        (book(&page(&format!("<p>{}</p>", nested(count, "<i>", "Het regent.", "</i>"))), &[]), Format::Epub),
        (unit.into_bytes(), Format::Xliff),
    ]
}

#[test]
fn elements_that_are_nested_without_end_are_refused_before_they_fill_a_stack() {
    // The server reads documents on threads of twice this size.
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let read = thread.spawn(|| {
        for (bytes, format) in deep(248) {
            let document = Document::read("-", bytes, format).unwrap_or_else(|error| panic!("{format:?}: {error:#}"));
            let made = written(&translated(&Backwards, &document));
            assert!(Document::read("-", made, format).is_ok(), "{format:?}");
        }
        for (bytes, format) in deep(20_000).into_iter().filter(|(_, format)| *format != Format::Epub) {
            let error = format!("{:#}", Document::read("-", bytes, format).expect_err("too deep"));
            let named = if format == Format::Xliff { "the file" } else { ".xml`" };
            let said = [named, "nested more than 256 deep", "hint: "];
            assert!(said.iter().all(|said| error.contains(said)), "{format:?}: {error}");
        }
    });
    assert!(read.unwrap().join().is_ok());
}

#[test]
fn no_cut_and_no_wrong_byte_stops_the_program() {
    for (bytes, format) in [
        (word(PARAGRAPH), Format::Docx),
        (writer(TEXT), Format::Odt),
        (book(CHAPTER, &[]), Format::Epub),
        (slides(), Format::Pptx),
    ] {
        for end in (0..bytes.len()).step_by(13) {
            assert!(Document::read("-", bytes[..end].to_vec(), format).is_err(), "{format:?} cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x55;
            // Where a wrong byte does not matter, such as in a date, the document is written as it is.
            if let Ok(document) = Document::read("-", wrong.clone(), format) {
                let mut out = Vec::new();
                document.write(&mut out).unwrap_or_else(|error| panic!("{format:?} at {at}: {error:#}"));
                assert!(out == wrong, "{format:?} at {at}");
            }
        }
    }
}
