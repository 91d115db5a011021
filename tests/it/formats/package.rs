//! Documents of Word and Writer, and books: what is not translated stays the same bytes, whatever programs wrote around it.

use std::io::Read;

use flate2::Compression;
use flate2::read::{DeflateDecoder, DeflateEncoder};
use kortom::document::{BlockKind, Document, Format};
use kortom::segment::Language;
use kortom::translate::{Generate, Translator};

use super::{Backwards, Capitals, Echo};

pub const WORD: &str = "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" \
                    xmlns:mc=\"http://schemas.openxmlformats.org/markup-compatibility/2006\" xmlns:v=\"urn:v\"";
pub const TYPES: &str = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
    <Override PartName=\"/word/document.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml\"/>\
    <Override PartName=\"/word/footnotes.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml\"/>\
    <Override PartName=\"/word/styles.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml\"/>\
    </Types>";
pub const OPEN_DOCUMENT: &str = "xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
    xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\"";

/// An archive with these entries, the first of them stored as books have it, each with a date and an extra field.
pub fn archive<C: AsRef<[u8]>>(entries: &[(&str, C)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (place, (name, content)) in entries.iter().enumerate() {
        let (content, mut packed) = (content.as_ref(), Vec::new());
        DeflateEncoder::new(content, Compression::best()).read_to_end(&mut packed).unwrap();
        let (method, packed) = if place == 0 { (0_u16, content.to_vec()) } else { (8, packed) };
        let sizes = [crc32fast::hash(content), packed.len() as u32, content.len() as u32];
        let mut head: Vec<u8> =
            [20_u16, 0, method, 0x6b21, 0x5521].iter().flat_map(|number| number.to_le_bytes()).collect();
        head.extend(sizes.iter().flat_map(|number| number.to_le_bytes()));
        head.extend([name.len() as u16, 6].iter().flat_map(|number| number.to_le_bytes()));
        let at = bytes.len() as u32;
        bytes.extend([b"PK\x03\x04", &head[..], name.as_bytes(), b"\x99\x99\x02\x00hi", &packed].concat());
        let rest = [0_u16, 0, 0].iter().flat_map(|number| number.to_le_bytes());
        let rest = rest.chain([0_u32, at].iter().flat_map(|number| number.to_le_bytes())).collect::<Vec<u8>>();
        directory.extend([b"PK\x01\x02\x14\x00", &head[..], &rest, name.as_bytes(), b"\x99\x99\x02\x00hi"].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let place = [(directory.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
    [&bytes[..], &directory, b"PK\x05\x06\0\0\0\0", &count, &count, &place, b"\0\0"].concat()
}

/// What is in an entry, and its bytes as they lie in the archive.
pub fn entry(archive: &[u8], name: &str) -> (String, Vec<u8>) {
    let number = |at: usize, bytes: usize| {
        archive[at..at + bytes].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let head = (0..archive.len())
        .find(|&at| archive[at..].starts_with(b"PK\x01\x02") && archive[at + 46..].starts_with(name.as_bytes()))
        .unwrap_or_else(|| panic!("no `{name}`"));
    let (at, packed) = (number(head + 42, 4), number(head + 20, 4));
    let start = at + 30 + number(at + 26, 2) + number(at + 28, 2);
    let data = &archive[start..start + packed];
    let mut content = data.to_vec();
    if number(head + 10, 2) == 8 {
        content.clear();
        DeflateDecoder::new(data).read_to_end(&mut content).unwrap();
    }
    assert_eq!(number(head + 16, 4) as u32, crc32fast::hash(&content), "{name}");
    (String::from_utf8(content).unwrap(), archive[at..start + packed].to_vec())
}

pub fn read(archive: &[u8], format: Format) -> Document {
    Document::read("-", archive.to_vec(), format).unwrap_or_else(|error| panic!("{error:#}"))
}

pub fn written(document: &Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.write(&mut bytes).unwrap_or_else(|error| panic!("{error:#}"));
    bytes
}

pub fn translated(model: &impl Generate, document: &Document) -> Document {
    let translator = Translator::new(model, Language::Dutch, Language::English);
    translator.translate(std::slice::from_ref(document)).unwrap().remove(0).document
}

pub fn texts(document: &Document) -> Vec<&str> {
    document.blocks.iter().map(|block| block.text.as_str()).collect()
}

pub fn word(body: &str) -> Vec<u8> {
    let document = format!("<?xml version=\"1.0\"?>\r\n<w:document {WORD}><w:body>{body}</w:body></w:document>");
    let notes = format!(
        "<w:footnotes {WORD}><w:footnote w:id=\"1\"><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t xml:space=\"preserve\"> Zie de nota.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    );
    let styles = format!(
        "<w:styles {WORD}><w:lang w:val=\"nl-NL\"/><w:style w:styleId=\"Kop1\"><w:name w:val=\"heading 1\"/></w:style>\
         <w:style w:styleId=\"Code\"><w:name w:val=\"Source Code\"/></w:style>\
         <w:style w:styleId=\"Letters\"><w:name w:val=\"Verbatim Char\"/></w:style></w:styles>"
    );
    archive(&[
        ("[Content_Types].xml", TYPES),
        ("word/media/foto.png", "\u{1}\u{2} niet te vertalen"),
        ("word/document.xml", &document),
        ("word/footnotes.xml", &notes),
        ("word/styles.xml", &styles),
    ])
}

/// A paragraph as Word leaves it behind: words parted at random, a link, a note, a field, a deletion, a text box twice.
pub const PARAGRAPH: &str = "<w:p w:rsidR=\"1\"><w:pPr><w:pStyle w:val=\"Kop1\"/></w:pPr>\
    <w:r w:rsidR=\"2\"><w:t>De wet</w:t></w:r><w:proofErr w:type=\"spellStart\"/><w:r w:rsidR=\"3\"><w:t xml:space=\"preserve\">houder &amp; </w:t></w:r>\
    <w:r><w:rPr><w:b/><w:lang w:val=\"nl-NL\"/></w:rPr><w:t>de raad</w:t></w:r>\
    <w:r><w:t xml:space=\"preserve\"> zeggen </w:t></w:r><w:hyperlink r:id=\"rId1\"><w:r><w:rPr><w:i/></w:rPr><w:t>nee</w:t></w:r></w:hyperlink>\
    <w:r><w:footnoteReference w:id=\"1\"/></w:r><w:del><w:r><w:delText>weg ermee</w:delText></w:r></w:del>\
    <w:r><w:t>.</w:t></w:r><w:r><w:br/><w:t>Zie bladzij </w:t></w:r><w:r><w:fldChar w:fldCharType=\"begin\"/></w:r><w:r><w:instrText> PAGEREF x </w:instrText></w:r>\
    <w:r><w:fldChar w:fldCharType=\"separate\"/></w:r><w:r><w:t>12</w:t></w:r><w:r><w:fldChar w:fldCharType=\"end\"/></w:r><w:r><w:t xml:space=\"preserve\"> hieronder</w:t></w:r>\
    <w:r><mc:AlternateContent><mc:Choice><v:a><w:txbxContent><w:p><w:r><w:t>In een kader</w:t></w:r></w:p></w:txbxContent></v:a></mc:Choice>\
    <mc:Fallback><v:b><w:txbxContent><w:p><w:r><w:t>In een kader</w:t></w:r></w:p></w:txbxContent></v:b></mc:Fallback></mc:AlternateContent></w:r></w:p>";

#[test]
fn runs_that_part_a_sentence_are_one_and_everything_around_them_stays() {
    let bytes = word(PARAGRAPH);
    let document = read(&bytes, Format::Docx);
    let expected = ["De wethouder & de raad zeggen nee.", "Zie bladzij hieronder", "In een kader", "Zie de nota."];
    assert_eq!(texts(&document), expected);
    assert_eq!(document.title(), Some(expected[0]));
    let made = translated(&Capitals, &document).in_language(&document, "eng_Latn");
    let made = written(&made);
    let (text, _) = entry(&made, "word/document.xml");
    let body = text.split_once("</w:pPr>").unwrap().1;
    let expected = "<w:r w:rsidR=\"2\"><w:t xml:space=\"preserve\">DE WETHOUDER &amp; </w:t></w:r>\
        <w:r><w:rPr><w:b/><w:lang w:val=\"en\"/></w:rPr><w:t xml:space=\"preserve\">DE RAAD</w:t></w:r>\
        <w:r w:rsidR=\"2\"><w:t xml:space=\"preserve\"> ZEGGEN </w:t></w:r><w:hyperlink r:id=\"rId1\"><w:r><w:rPr><w:i/></w:rPr><w:t xml:space=\"preserve\">NEE</w:t></w:r></w:hyperlink>\
        <w:r><w:footnoteReference w:id=\"1\"/></w:r><w:del><w:r><w:delText>weg ermee</w:delText></w:r></w:del>\
        <w:r w:rsidR=\"2\"><w:t xml:space=\"preserve\">.</w:t></w:r><w:r><w:br/>";
    assert!(body.starts_with(expected), "{body}");
    assert!(body.contains("<w:instrText> PAGEREF x </w:instrText>") && body.contains("<w:t>12</w:t>"), "{body}");
    assert_eq!(body.matches("<w:t xml:space=\"preserve\">IN EEN KADER</w:t>").count(), 2, "{body}");
    assert!(entry(&made, "word/footnotes.xml").0.contains("<w:footnoteRef/></w:r>"));
    assert!(entry(&made, "word/styles.xml").0.contains("<w:lang w:val=\"en\"/>"));
    for name in ["[Content_Types].xml", "word/media/foto.png"] {
        assert_eq!(entry(&made, name).1, entry(&bytes, name).1, "{name}");
    }
}

#[test]
fn what_changes_places_stays_well_formed() {
    let bytes = word(PARAGRAPH);
    let document = read(&bytes, Format::Docx);
    let made = read(&written(&translated(&Backwards, &document)), Format::Docx);
    assert_eq!(texts(&made)[2..], ["kader een In", "nota. de Zie"]);
    let (text, _) = entry(&written(&made), "word/document.xml");
    for kept in ["<w:footnoteReference w:id=\"1\"/>", "<w:hyperlink r:id=\"rId1\">", "<w:b/>", "PAGEREF", "delText"] {
        assert_eq!(text.matches(kept).count(), PARAGRAPH.matches(kept).count(), "{kept}: {text}");
    }
}

#[test]
fn code_is_known_by_its_style_and_stays() {
    let body = "<w:p><w:pPr><w:pStyle w:val=\"Code\"/></w:pPr><w:r><w:t>print(als dan)</w:t></w:r></w:p>\
        <w:p><w:r><w:t xml:space=\"preserve\">Gebruik </w:t></w:r><w:r><w:rPr><w:rStyle w:val=\"Letters\"/></w:rPr><w:t>regel()</w:t></w:r>\
        <w:r><w:t xml:space=\"preserve\"> daarvoor.</w:t></w:r></w:p>";
    let document = read(&word(body), Format::Docx);
    assert_eq!(texts(&document)[0], "Gebruik daarvoor.");
    let (text, _) = entry(&written(&translated(&Capitals, &document)), "word/document.xml");
    let code = "<w:r><w:rPr><w:rStyle w:val=\"Letters\"/></w:rPr><w:t>regel()</w:t></w:r>";
    assert!(text.contains("<w:t>print(als dan)</w:t>") && text.contains(code) && text.contains("DAARVOOR."), "{text}");

    let body = "<office:body><office:text><text:p>Gebruik <text:span text:style-name=\"Source_Text\">regel()</text:span> \
        daarvoor.</text:p></office:text></office:body>";
    let document = read(&writer(body), Format::Odt);
    assert_eq!(texts(&document), ["Gebruik daarvoor."]);
    let (text, _) = entry(&written(&translated(&Capitals, &document)), "content.xml");
    assert!(text.contains(">regel()</text:span>") && text.contains("DAARVOOR."), "{text}");
}

pub const TEXT: &str = "<office:body><office:text><text:h text:outline-level=\"1\">De  brug</text:h>\
    <text:p>Dit is<text:s/><text:span text:style-name=\"vet\">heel belangrijk</text:span><text:note><text:note-citation>1</text:note-citation>\
    <text:note-body><text:p>Zie de nota.</text:p></text:note-body></text:note> nieuws.</text:p>\
    <text:tracked-changes><text:p>weg ermee</text:p></text:tracked-changes><text:p>Naam:<text:tab/>Jan</text:p>\
    <table:table-cell office:value-type=\"float\"><text:p>tien</text:p></table:table-cell></office:text></office:body>";

pub fn writer(body: &str) -> Vec<u8> {
    let content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<office:document-content {OPEN_DOCUMENT}>{body}</office:document-content>"
    );
    archive(&[("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", &content)])
}

#[test]
fn notes_of_writer_part_no_sentence() {
    let document = read(&writer(TEXT), Format::Odt);
    assert_eq!(texts(&document), ["De brug", "Dit is heel belangrijk nieuws.", "Zie de nota.", "Naam:", "Jan"]);
    assert_eq!(document.blocks[0].kind, BlockKind::Heading);
    let made = written(&translated(&Capitals, &document));
    let (text, _) = entry(&made, "content.xml");
    let expected = "<text:h text:outline-level=\"1\">DE BRUG</text:h><text:p>DIT IS<text:s/>\
        <text:span text:style-name=\"vet\">HEEL BELANGRIJK</text:span><text:note><text:note-citation>1</text:note-citation>\
        <text:note-body><text:p>ZIE DE NOTA.</text:p></text:note-body></text:note> NIEUWS.</text:p>";
    assert!(text.contains(expected) && text.contains("weg ermee") && text.contains("<text:p>tien"), "{text}");
    assert!(made.starts_with(b"PK\x03\x04") && made[38 - 8..].starts_with(b"mimetype"));
}

pub const CHAPTER: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"nl\" xml:lang=\"nl\">\
    <head><title>Het begin</title><style/></head><body><h1>Het begin</h1><p>Het caf&eacute; is <b>dicht</b>.<a id=\"x\"/></p>\
    <div>Los <p translate=\"no\">niets</p> woord</div></body></html>";

pub fn book(chapter: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let list = "<package xmlns=\"http://www.idpf.org/2007/opf\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\
        <metadata><dc:title>De reis</dc:title><dc:language>nl</dc:language><dc:creator>Jan</dc:creator></metadata>\
        <manifest><item id=\"a\" href=\"hoofd%20een.xhtml\" media-type=\"application/xhtml+xml\"/></manifest>\
        <spine><itemref idref=\"a\"/></spine></package>";
    let container = "<container xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\"><rootfiles>\
        <rootfile full-path=\"in/list.opf\"/></rootfiles></container>";
    let mut entries =
        vec![("mimetype", "application/epub+zip"), ("META-INF/container.xml", container), ("in/list.opf", list)];
    entries.push(("in/hoofd een.xhtml", chapter));
    entries.extend(more);
    archive(&entries)
}

#[test]
fn a_book_is_found_through_its_list_and_says_that_it_is_in_english() {
    let document = read(&book(CHAPTER, &[]), Format::Epub);
    assert_eq!(texts(&document), ["Het begin", "Het begin", "Het café is dicht.", "Los", "woord", "De reis"]);
    let made = written(&translated(&Capitals, &document).in_language(&document, "en"));
    let (text, _) = entry(&made, "in/hoofd een.xhtml");
    let expected = "lang=\"en\" xml:lang=\"en\"><head><title>HET BEGIN</title><style/></head><body><h1>HET BEGIN</h1>\
        <p>HET CAFÉ IS <b>DICHT</b>.<a id=\"x\"/></p><div>LOS <p translate=\"no\">niets</p> WOORD</div></body></html>";
    assert!(text.ends_with(expected), "{text}");
    let (list, _) = entry(&made, "in/list.opf");
    assert!(list.contains("<dc:title>DE REIS</dc:title><dc:language>en</dc:language><dc:creator>Jan"), "{list}");
    // A chapter that is no XML is read as a browser would read it.
    let loose = read(&book("<p>Het regent<br>vandaag.", &[]), Format::Epub);
    assert!(texts(&loose).contains(&"vandaag."), "{:?}", texts(&loose));
    let loose = read(&book("<html lang=nl><p>Het regent<br><i lang='nl'>vandaag</i>.<q lang=fr>", &[]), Format::Epub);
    let made = written(&translated(&Capitals, &loose).in_language(&loose, "en"));
    let expected = "<html lang=en><p>HET REGENT<br><i lang='en'>VANDAAG</i>.<q lang=fr>";
    assert_eq!(entry(&made, "in/hoofd een.xhtml").0, expected);
}

#[test]
fn a_translation_that_changes_nothing_gives_back_every_byte() {
    for (bytes, format) in
        [(word(PARAGRAPH), Format::Docx), (writer(TEXT), Format::Odt), (book(CHAPTER, &[]), Format::Epub)]
    {
        let document = read(&bytes, format);
        assert!(written(&translated(&Echo, &document)) == bytes, "{format:?}");
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), &bytes).unwrap();
        let from_file = Document::read("-", std::fs::File::open(path.path()).unwrap(), format).unwrap();
        assert!(written(&from_file) == bytes && texts(&from_file) == texts(&document), "{format:?}");
    }
}

pub fn slides() -> Vec<u8> {
    let types = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
        <Override PartName=\"/ppt/presentation.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml\"/>\
        <Override PartName=\"/ppt/slides/slide10.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.presentationml.slide+xml\"/>\
        <Override PartName=\"/ppt/slides/slide2.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.presentationml.slide+xml\"/></Types>";
    let slide = |text: &str| {
        format!(
            "<p:sld xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\" xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\">\
             <p:sp><p:nvPr><p:ph type=\"title\"/></p:nvPr><p:txBody><a:p><a:pPr lvl=\"1\"/><a:r><a:rPr lang=\"nl-NL\" dirty=\"0\"/><a:t>{text} </a:t></a:r>\
             <a:r><a:rPr lang=\"nl-NL\"/><a:t>brug</a:t></a:r><a:br/><a:r><a:rPr b=\"1\"/><a:t>Dicht</a:t></a:r>\
             <a:fld type=\"slidenum\"><a:t>een</a:t></a:fld><a:endParaRPr lang=\"nl-NL\"/></a:p></p:txBody></p:sp></p:sld>"
        )
    };
    let (tenth, second) = (slide("De tiende"), slide("De tweede"));
    let entries =
        [("[Content_Types].xml", types), ("ppt/slides/slide10.xml", &*tenth), ("ppt/slides/slide2.xml", &*second)];
    archive(&entries)
}

#[test]
fn slides_come_in_their_order_and_their_numbers_stay() {
    let bytes = slides();
    let document = read(&bytes, Format::Pptx);
    assert_eq!(texts(&document), ["De tweede brug", "Dicht", "De tiende brug", "Dicht"]);
    assert!(document.blocks.iter().all(|block| block.kind == BlockKind::Heading));
    let made = written(&translated(&Capitals, &document).in_language(&document, "en"));
    let (text, _) = entry(&made, "ppt/slides/slide2.xml");
    let expected = "<a:r><a:rPr lang=\"en\" dirty=\"0\"/><a:t>DE TWEEDE BRUG</a:t></a:r><a:br/><a:r><a:rPr b=\"1\"/><a:t>DICHT</a:t></a:r>\
        <a:fld type=\"slidenum\"><a:t>een</a:t></a:fld><a:endParaRPr lang=\"en\"/>";
    assert!(text.contains(expected), "{text}");
    assert!(written(&translated(&Echo, &document)) == bytes);
}

#[test]
fn a_master_of_slides_stays_and_a_frame_may_be_a_title() {
    let draw = "xmlns:draw=\"urn:oasis:names:tc:opendocument:xmlns:drawing:1.0\" xmlns:style=\"urn:oasis:names:tc:opendocument:xmlns:style:1.0\" \
                xmlns:presentation=\"urn:oasis:names:tc:opendocument:xmlns:presentation:1.0\"";
    let box_of = |class: &str, text: &str| {
        format!(
            "<draw:frame presentation:class=\"{class}\"><draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame>"
        )
    };
    let slide = format!("{}{}", box_of("title", "De brug"), box_of("outline", "Eerste punt"));
    let content = format!(
        "<office:document-content {OPEN_DOCUMENT} {draw}><draw:page>{slide}<draw:custom-shape><text:p>In een vorm</text:p></draw:custom-shape>\
         <presentation:notes>{}</presentation:notes></draw:page></office:document-content>",
        box_of("notes", "Vertel dit.")
    );
    let styles = format!(
        "<office:document-styles {OPEN_DOCUMENT} {draw}><style:master-page>{}</style:master-page></office:document-styles>",
        box_of("title", "Klik hier")
    );
    let bytes = archive(&[
        ("mimetype", "application/vnd.oasis.opendocument.presentation"),
        ("content.xml", &content),
        ("styles.xml", &styles),
    ]);
    let document = read(&bytes, Format::Odp);
    assert_eq!(texts(&document), ["De brug", "Eerste punt", "In een vorm", "Vertel dit."]);
    assert_eq!([BlockKind::Heading, BlockKind::Paragraph], [document.blocks[0].kind, document.blocks[1].kind]);
    assert!(written(&translated(&Echo, &document)) == bytes);
}

/// An archive with other bytes in place of some of its own.
pub fn with(archive: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut changed = archive.to_vec();
    for at in 0..archive.len() - from.len() {
        if archive[at..].starts_with(from) {
            changed[at..at + from.len()].copy_from_slice(to);
        }
    }
    changed
}

#[test]
fn what_is_no_honest_document_is_refused_by_name() {
    let good = word(PARAGRAPH);
    let mut bomb = good.clone();
    let size = bomb.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap() + 24;
    bomb[size..size + 4].copy_from_slice(&(200_u32 << 20).to_le_bytes());
    let encrypted = with(&good, b"PK\x01\x02\x14\x00\x14\x00\x00\x00", b"PK\x01\x02\x14\x00\x14\x00\x01\x00");
    let entity = "<!DOCTYPE a [<!ENTITY b \"ha\">]><html xmlns=\"http://www.w3.org/1999/xhtml\"><p>&b;</p></html>";
    let locked = "<encryption xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"><e:EncryptionMethod Algorithm=\"aes\"/></encryption>";
    let nothing = archive(&[("a.txt", "x")]);
    let list = "<m:manifest xmlns:m=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\"><m:file-entry m:full-path=\"content.xml\">\
        <m:encryption-data/></m:file-entry></m:manifest>";
    let closed = archive(&[("mimetype", "x"), ("content.xml", "\u{1}\u{2}"), ("META-INF/manifest.xml", list)]);
    for (bytes, format, said) in [
        (b"Dit is gewone tekst.".to_vec(), Format::Docx, "no zip archive"),
        (b"".to_vec(), Format::Docx, "no zip archive"),
        (b"\xD0\xCF\x11\xE0 oud".to_vec(), Format::Docx, "password"),
        (good[..good.len() / 2].to_vec(), Format::Docx, "no zip archive"),
        (bomb, Format::Docx, "would take 200 MiB"),
        (encrypted, Format::Docx, "encrypted"),
        (with(&good, b"word/media/foto.png", b"word/../../foto.png"), Format::Docx, "outside"),
        (with(&good, b"word/footnotes.xml", b"word/document.xml\0"), Format::Docx, "outside"),
        (with(&good, b"PK\x03\x04", b"PK\x03\x05"), Format::Docx, "damaged"),
        (nothing.clone(), Format::Docx, "[Content_Types].xml"),
        (nothing.clone(), Format::Odt, "OpenDocument"),
        (closed, Format::Odt, "has a password"),
        (nothing, Format::Epub, "META-INF/container.xml"),
        (archive(&[("[Content_Types].xml", TYPES)]), Format::Docx, "`word/styles.xml` is missing"),
        (word("<w:p><w:r>"), Format::Docx, "not well-formed"),
        (writer("<text:p>"), Format::Odt, "not well-formed"),
        (book(CHAPTER, &[("META-INF/encryption.xml", locked)]), Format::Epub, "locked"),
    ] {
        let error = Document::read("-", bytes, format).expect_err(said);
        assert!(format!("{error:#}").contains(said), "{said}: {error:#}");
    }
    // An entity that a document defines is not expanded: such a chapter is read as a browser would.
    assert!(!texts(&read(&book(entity, &[]), Format::Epub)).iter().any(|text| text.contains("ha")));
}
