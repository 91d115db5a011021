//! Documents of Office as other programs write them: types by extension, text in two places, the strict edition.

use kortom::document::{Comment, Format};

use super::package::{PARAGRAPH, TYPES, WORD, archive, entry, read, texts, translated, word, written};
use super::{Backwards, Capitals, Echo};

const DRAWING: &str = "xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\"";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";

#[test]
fn the_type_of_an_entry_may_be_that_of_its_extension_and_names_are_in_any_case() {
    let main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml";
    let styles = "application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml";
    let types = format!(
        "<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"XML\" ContentType=\"{main}\"/>\
         <Override PartName=\"/Word/Styles.xml\" ContentType=\"{styles}\"/></Types>"
    );
    let relations = format!(
        "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"a\" Type=\"http://a.nl/relationships/officeDocument\" \
         Target=\"Word/document.xml\"/></Relationships>"
    );
    let document = format!("<w:document {WORD}><w:body>{PARAGRAPH}</w:body></w:document>");
    let named =
        format!("<w:styles {WORD}><w:style w:styleId=\"Kop1\"><w:name w:val=\"heading 1\"/></w:style></w:styles>");
    let bytes = archive(&[
        ("[Content_Types].xml", types.as_str()),
        ("customXml/item1.xml", "<a>niets</a>"),
        ("_rels/.rels", &relations),
        ("word/document.xml", &document),
        ("word/styles.xml", &named),
    ]);
    let read = read(&bytes, Format::Docx);
    assert_eq!(texts(&read)[0], "De wethouder & de raad zeggen nee.");
    assert_eq!(read.title(), Some(texts(&read)[0]));
    assert!(written(&translated(&Echo, &read)) == bytes);
}

#[test]
fn a_part_in_another_encoding_says_that_its_translation_is_in_utf_8() {
    let document = format!(
        "<?xml version='1.0' encoding='us-ascii'?><w:document {WORD}><w:body><w:p><w:r><w:t>Ren&#233; is er.</w:t></w:r></w:p></w:body></w:document>"
    );
    let types = TYPES.replace("wordprocessingml.styles", "andere").replace("wordprocessingml.footnotes", "andere");
    let bytes = archive(&[("[Content_Types].xml", types.as_str()), ("word/document.xml", &document)]);
    let made = written(&translated(&Capitals, &read(&bytes, Format::Docx)));
    let (text, _) = entry(&made, "word/document.xml");
    assert!(text.starts_with("<?xml version='1.0' encoding='UTF-8'?>") && text.contains("RENÉ IS ER."), "{text}");
}

#[test]
fn texts_in_another_encoding_say_that_their_translation_is_in_utf_8() {
    let feed =
        "<?xml version=\"1.0\" encoding=\"us-ascii\"?><rss><channel><title>Ren&#233; is er.</title></channel></rss>";
    let units = "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><xliff xmlns=\"urn:oasis:names:tc:xliff:document:1.2\"><file><body>\
        <trans-unit id=\"1\"><source>Ren&#233; is er.</source></trans-unit></body></file></xliff>";
    for (text, format) in [(feed, Format::Rss), (units, Format::Xliff)] {
        let document = kortom::document::Document::read("-", text.to_owned(), format).unwrap();
        let made = translated(&Capitals, &document).in_language(&document, "en").text();
        assert!(made.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>") && made.contains("RENÉ"), "{made}");
    }
}

/// A presentation of these entries, each with the end of its type.
fn presentation(entries: &[(&str, &str, String)]) -> Vec<u8> {
    let office = "application/vnd.openxmlformats-officedocument";
    let main = ("ppt/presentation.xml", "presentationml.presentation.main", "<presentation/>".to_owned());
    let all: Vec<_> = std::iter::once(&main).chain(entries).collect();
    let list = all
        .iter()
        .map(|(name, kind, _)| format!("<Override PartName=\"/{name}\" ContentType=\"{office}.{kind}+xml\"/>"));
    let types = format!("<Types xmlns=\"{PACKAGE}/content-types\">{}</Types>", list.collect::<String>());
    let mut written = vec![("[Content_Types].xml", types)];
    written.extend(all.iter().map(|(name, _, content)| (*name, content.clone())));
    archive(&written)
}

#[test]
fn a_run_of_a_slide_has_one_element_of_text() {
    let run = |text: &str| format!("<a:r><a:rPr b=\"1\"/><a:t>{text}</a:t></a:r>");
    let shown = |before: &str, after: &str| {
        format!("{}<a:fld type=\"slidenum\"><a:t>1</a:t></a:fld>{}", run(before), run(after))
    };
    let space = "xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\"";
    let slide = format!("<p:sld {space} {DRAWING}><a:p>{}</a:p></p:sld>", shown("  Dit is dia ", " van de reeks"));
    let document = read(&presentation(&[("ppt/slides/slide1.xml", "presentationml.slide", slide)]), Format::Pptx);
    let (text, _) = entry(&written(&translated(&Capitals, &document)), "ppt/slides/slide1.xml");
    assert!(text.contains(&shown("  DIT IS DIA ", " VAN DE REEKS")), "{text}");
}

#[test]
fn diagrams_and_charts_are_translated_where_they_are_shown_and_comments_too() {
    let paragraph = "<a:p><a:r><a:t>De eerste stap</a:t></a:r></a:p>";
    let names = |name: &str, text: &str| format!("<c:{name}><c:pt idx=\"0\"><c:v>{text}</c:v></c:pt></c:{name}>");
    let chart = format!(
        "<c:chart xmlns:c=\"http://schemas.openxmlformats.org/drawingml/2006/chart\" {DRAWING}><c:tx><c:v>Honden</c:v></c:tx>\
         <c:cat>{}</c:cat><c:val>{}</c:val><c:f>Blad een</c:f></c:chart>",
        names("strCache", "De eerste maand"),
        names("numCache", "een getal")
    );
    let bytes = presentation(&[
        ("ppt/diagrams/data1.xml", "drawingml.diagramData", format!("<d xmlns:b=\"urn:b\" {DRAWING}>{paragraph}</d>")),
        ("ppt/diagrams/drawing1.xml", "drawingml.diagramDrawing", format!("<d xmlns:b=\"urn:b\" {DRAWING}><b:sp>{paragraph}</b:sp></d>")),
        ("ppt/charts/chart1.xml", "drawingml.chart", chart),
        (
            "ppt/comments/comment1.xml",
            "presentationml.comments",
            "<p:cmLst xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\"><p:cm><p:text>Klopt dit wel?</p:text></p:cm></p:cmLst>".to_owned(),
        ),
    ]);
    let document = read(&bytes, Format::Pptx);
    let expected = ["Klopt dit wel?", "Honden", "De eerste maand", "De eerste stap", "De eerste stap"];
    assert_eq!(texts(&document), expected);
    assert!(written(&translated(&Echo, &document)) == bytes);
    let made = written(&translated(&Capitals, &document));
    assert!(entry(&made, "ppt/diagrams/drawing1.xml").0.contains("DE EERSTE STAP"));
    assert!(entry(&made, "ppt/comments/comment1.xml").0.contains("<p:text>KLOPT DIT WEL?</p:text>"));
    let (chart, _) = entry(&made, "ppt/charts/chart1.xml");
    let kept = ["<c:v>HONDEN</c:v>", "<c:v>DE EERSTE MAAND</c:v>", "<c:v>een getal</c:v>", "<c:f>Blad een</c:f>"];
    assert!(kept.iter().all(|kept| chart.contains(kept)), "{chart}");
}

#[test]
fn comments_of_the_strict_edition_are_in_its_namespace() {
    let transitional = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    let strict = "http://purl.oclc.org/ooxml/wordprocessingml/main";
    let namespace = WORD.replace(transitional, strict);
    let document = format!(
        "<w:document {namespace}><w:body><w:p><w:r><w:t>De brug is dicht.</w:t></w:r></w:p></w:body></w:document>"
    );
    let types = TYPES.replace("wordprocessingml.styles", "andere");
    let relations = format!("<Relationships xmlns=\"{PACKAGE}/relationships\"></Relationships>");
    let bytes = archive(&[
        ("[Content_Types].xml", types.as_str()),
        ("word/document.xml", &document),
        ("word/footnotes.xml", &format!("<w:footnotes {namespace}/>")),
        ("word/_rels/document.xml.rels", &relations),
    ]);
    let comment = Comment { block: 0, range: 0..2, text: "Kijk.".to_owned() };
    let made = written(&translated(&Capitals, &read(&bytes, Format::Docx)).commented(&[comment]));
    let (comments, _) = entry(&made, "word/comments.xml");
    assert!(comments.contains(strict) && !comments.contains(transitional), "{comments}");
    let (relations, _) = entry(&made, "word/_rels/document.xml.rels");
    assert!(relations.contains("http://purl.oclc.org/ooxml/officeDocument/relationships/comments"), "{relations}");
}

#[test]
fn a_file_that_a_document_takes_in_is_warned_of() {
    assert!(read(&word(PARAGRAPH), Format::Docx).warnings.is_empty());
    let document = read(&word(&format!("{PARAGRAPH}<w:altChunk/>")), Format::Docx);
    assert!(
        document.warnings.len() == 1 && document.warnings[0].contains("`word/document.xml`"),
        "{:?}",
        document.warnings
    );
}

#[test]
fn pages_texts_and_documents_that_a_document_takes_in_are_translated_in_their_places() {
    let page = "<html><head><meta charset=windows-1252></head><body class=a><p>Het caf&eacute; is <b>dicht</b>.<br>Morgen open</body>";
    let inner = word("<w:p><w:r><w:t>Een brief erin.</w:t></w:r></w:p><w:altChunk r:id=\"c1\"/>");
    let outer = "<w:p><w:r><w:t>De brug is open.</w:t></w:r></w:p><w:altChunk r:id=\"c1\"/><w:altChunk r:id=\"c2\"/>\
        <w:altChunk r:id=\"c3\"/><w:altChunk r:id=\"c1\"/>";
    let types = TYPES.replace(
        "</Types>",
        "<Default Extension=\"htm\" ContentType=\"text/html\"/><Default Extension=\"txt\" ContentType=\"text/plain\"/>\
         <Default Extension=\"rtf\" ContentType=\"application/rtf\"/></Types>",
    );
    let named = ["in/page.htm", "in/letter.docx", "in/text.txt", "in/old.rtf"];
    let named = named.iter().enumerate().map(|(number, name)| {
        format!("<Relationship Id=\"c{}\" Type=\"http://a/aFChunk\" Target=\"{name}\"/>", number + 1)
    });
    let relations = format!(
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{}</Relationships>",
        named.collect::<String>()
    );
    let made_of = |body: &str| {
        let document = format!("<w:document {WORD}><w:body>{body}</w:body></w:document>");
        let (notes, styles) = (format!("<w:footnotes {WORD}/>"), format!("<w:styles {WORD}/>"));
        archive::<&[u8]>(&[
            ("[Content_Types].xml", types.as_bytes()),
            ("word/document.xml", document.as_bytes()),
            ("word/footnotes.xml", notes.as_bytes()),
            ("word/styles.xml", styles.as_bytes()),
            ("word/_rels/document.xml.rels", relations.as_bytes()),
            ("word/in/page.htm", page.as_bytes()),
            ("word/in/letter.docx", &inner[..]),
            ("word/in/text.txt", "Een regel hier.\r\n\r\nNog een regel.\r\n".as_bytes()),
            ("word/in/old.rtf", "{\\rtf1 Niet dit.}".as_bytes()),
        ])
    };
    let bytes = made_of(outer);
    let document = read(&bytes, Format::Docx);
    let inside =
        ["Het café is dicht.", "Morgen open", "Een brief erin.", "Zie de nota.", "Een regel hier.", "Nog een regel."];
    assert_eq!(texts(&document), [&["De brug is open."], &inside[..]].concat());
    // What the letter names is not there.
    assert!(
        document.warnings.len() == 1 && document.warnings[0].starts_with("`word/in/letter.docx`: "),
        "{document:?}"
    );
    assert!(written(&translated(&Echo, &document)) == bytes);
    let made = written(&translated(&Capitals, &document).in_language(&document, "en"));
    let expected =
        page.replace("Het caf&eacute; is <b>dicht", "HET CAF&#201; IS <b>DICHT").replace("Morgen open", "MORGEN OPEN");
    assert_eq!(entry(&made, "word/in/page.htm").0, expected);
    assert_eq!(entry(&made, "word/in/text.txt").0, "EEN REGEL HIER.\r\n\r\nNOG EEN REGEL.\r\n");
    assert_eq!(entry(&made, "word/in/old.rtf"), entry(&bytes, "word/in/old.rtf"));
    let again = read(&made, Format::Docx);
    assert_eq!(texts(&again)[3..5], ["EEN BRIEF ERIN.", "ZIE DE NOTA."]);
    for (chunk, count) in [("c4", 1), ("c9", 1), ("c3", 0)] {
        let document = read(&made_of(&format!("{PARAGRAPH}<w:altChunk r:id=\"{chunk}\"/>")), Format::Docx);
        assert_eq!(document.warnings.len(), count, "{chunk}: {:?}", document.warnings);
    }
}

#[test]
fn text_that_is_there_in_several_forms_is_translated_in_each() {
    let run = |text: &str| format!("<w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r>");
    let forms = |first: &str, second: &str| {
        format!(
            "<mc:AlternateContent><mc:Choice Requires=\"x\">{first}</mc:Choice><mc:Fallback>{second}</mc:Fallback></mc:AlternateContent>"
        )
    };
    let paragraph = |text: &str| format!("<w:p>{}</w:p>", run(text));
    let body = [
        format!("<w:p>{}{}{}</w:p>", run("De brug "), forms(&run("is nu dicht"), &run("is nu dicht")), run(" en nat.")),
        forms(&paragraph("Een kader hier"), &paragraph("Een ander kader")),
        format!("<w:p><w:r><w:t>Kijk </w:t>{}</w:r></w:p>", forms("<w:t>naar boven</w:t>", "<w:t>naar boven</w:t>")),
        format!(
            "<w:p>{}</w:p>",
            forms(&format!("<w:hyperlink>{}</w:hyperlink>", run("een adres")), "<w:r><w:pict/></w:r>")
        ),
        PARAGRAPH.to_owned(),
    ]
    .concat();
    let bytes = word(&body);
    let document = read(&bytes, Format::Docx);
    let expected =
        ["De brug en nat.", "is nu dicht", "Een kader hier", "Een ander kader", "Kijk", "naar boven", "een adres"];
    assert_eq!(texts(&document)[..7], expected);
    assert_eq!(texts(&document)[9], "In een kader");
    assert!(written(&translated(&Echo, &document)) == bytes);
    let (text, _) = entry(&written(&translated(&Capitals, &document)), "word/document.xml");
    for (said, count) in
        [("IS NU DICHT", 2), ("EEN KADER HIER", 1), ("EEN ANDER KADER", 1), ("NAAR BOVEN", 2), ("IN EEN KADER", 2)]
    {
        assert_eq!(text.matches(said).count(), count, "{said}: {text}");
    }
    let backwards = read(&written(&translated(&Backwards, &document)), Format::Docx);
    assert!(texts(&backwards).contains(&"dicht nu is") && texts(&backwards).contains(&"adres een"), "{backwards:?}");
}
