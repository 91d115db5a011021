//! PDF: its text is read in order, and what is damaged, encrypted, scanned or made to harm is refused by name.

use std::io::Read;

use flate2::Compression;
use flate2::read::ZlibEncoder;
use kortom::document::{BlockKind, Document, Format, ReadOptions};

/// A PDF whose pages draw this, in Helvetica as `/F`, in bold as `/B`, and the picture `/P`. `more` are objects from 6 on.
pub fn pdf(pages: &[String], more: &[Vec<u8>]) -> Vec<u8> {
    let mut objects: Vec<Vec<u8>> = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        Vec::new(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_vec(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>".to_vec(),
        stream("/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray", b"x"),
    ];
    objects.extend(more.iter().cloned());
    let mut kids = String::new();
    for page in pages {
        // Each character is one byte, as the encoding of the fonts has it.
        let program: Vec<u8> = page.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        objects.push(stream("", &program));
        let contents = objects.len();
        objects.push(
            format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {contents} 0 R /Resources << /Font << /F 3 0 R /B 4 0 R >> \
                 /XObject << /P 5 0 R /X 6 0 R >> >> >>"
            )
            .into_bytes(),
        );
        kids += &format!("{} 0 R ", objects.len());
    }
    objects[1] = format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len()).into_bytes();
    file(&objects, "")
}

/// A file of these objects.
fn file(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n", at + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let start = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    file.extend(places.iter().flat_map(|place| format!("{place:010} 00000 n \n").into_bytes()));
    let size = objects.len() + 1;
    file.extend(format!("trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n").bytes());
    file
}

fn stream(entries: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<< {entries} /Length {} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    ZlibEncoder::new(content, Compression::best()).read_to_end(&mut packed).unwrap();
    packed
}

/// Lines that are drawn from this place on, 12 points apart, in letters of 10 points.
pub fn lines(left: f32, top: f32, lines: &[&str]) -> String {
    shown("F", 10.0, left, top, lines)
}

fn shown(font: &str, size: f32, left: f32, top: f32, lines: &[&str]) -> String {
    let shown: Vec<String> = lines.iter().map(|line| format!("({line}) Tj T*")).collect();
    format!("BT /{font} {size} Tf {} TL {left} {top} Td {} ET\n", 1.2 * size, shown.join(" "))
}

fn read(pdf: Vec<u8>) -> Document {
    Document::read("-", pdf, Format::Pdf).unwrap_or_else(|error| panic!("{error:#}"))
}

fn refused(pdf: Vec<u8>, said: &[&str]) {
    let error = Document::read("-", pdf, Format::Pdf).expect_err(said[0]);
    let told = format!("{error:#}");
    assert!(said.iter().all(|said| told.contains(said)), "{said:?}: {told}");
}

const LEFT: [&str; 4] = [
    "De brug over het kanaal is de hele week ge-",
    "sloten voor het verkeer, zegt de gemeente.",
    "Wie naar de overkant wil, moet nu omrijden",
    "langs Wierdum en",
];
const RIGHT: [&str; 3] = ["dan over de dijk.", "De werkzaamheden duren tot het einde van", "de maand."];

#[test]
fn columns_are_read_one_after_the_other_without_heads_and_numbers() {
    let page = |number: usize, text: String| {
        let head = lines(50.0, 770.0, &[&format!("Dorpsblad van mei, pagina {number}")]);
        let foot = lines(300.0, 20.0, &[&number.to_string()]);
        // The head is drawn last, as many programs do.
        text + &foot + &head
    };
    let title = shown("B", 18.0, 150.0, 720.0, &["Brug dicht"]);
    let first = page(1, title + &lines(320.0, 680.0, &RIGHT) + &lines(50.0, 680.0, &LEFT));
    let second = page(2, lines(50.0, 700.0, &["Het vervolg staat hier, met een caf\u{e9} (en meer)."]));
    let document = read(pdf(&[first, second], &[]));
    let texts: Vec<&str> = document.blocks.iter().map(|block| &*block.text).collect();
    let expected = [
        "Brug dicht",
        "De brug over het kanaal is de hele week gesloten voor het verkeer, zegt de gemeente. Wie naar de overkant wil, moet nu \
         omrijden langs Wierdum en dan over de dijk.",
        "De werkzaamheden duren tot het einde van de maand.",
        "Het vervolg staat hier, met een café (en meer).",
    ];
    assert_eq!(texts, expected);
    assert_eq!(document.title(), Some("Brug dicht"));
    assert!(document.text().starts_with("# Brug dicht\n\nDe brug "), "{}", document.text());
    assert!(document.warnings.iter().any(|warning| warning.contains("the layout of a PDF is not kept")));
}

#[test]
fn a_date_at_the_right_edge_of_a_letter_comes_before_the_salutation() {
    let page = [
        lines(400.0, 760.0, &["Wierdum, 3 mei"]),
        lines(50.0, 730.0, &["Geachte heer De Boer,"]),
        lines(
            50.0,
            700.0,
            &["De brug over het kanaal is de hele week dicht voor het verkeer, en dat blijft nog even zo."],
        ),
        lines(50.0, 670.0, &["Met vriendelijke groet,"]),
    ];
    let document = read(pdf(&[page.concat()], &[]));
    let texts: Vec<&str> = document.blocks.iter().map(|block| &*block.text).collect();
    assert_eq!(texts[..2], ["Wierdum, 3 mei", "Geachte heer De Boer,"]);
}

#[test]
fn headings_at_the_top_of_pages_are_no_page_heads() {
    let chapter = |number: usize, title: &str| {
        let head = lines(50.0, 785.0, &["Het boek van de brug"]);
        let who = ["de gemeente", "het dorp", "de provincie", "iedereen"][number - 1];
        let said = format!("De brug over het kanaal is dicht, zegt {who} vandaag.");
        let more = format!("Wie {who} kent, weet er meer van.");
        let text = lines(50.0, 700.0, &[&said, &more]);
        head + &shown("B", 18.0, 50.0, 750.0, &[title]) + &text + &lines(300.0, 20.0, &[&number.to_string()])
    };
    let titles = ["Hoofdstuk 1", "Hoofdstuk 2", "Slot", "Slot"];
    let pages: Vec<String> = titles.iter().enumerate().map(|(at, title)| chapter(at + 1, title)).collect();
    let document = read(pdf(&pages, &[]));
    let headings = document.blocks.iter().filter(|block| block.kind == BlockKind::Heading);
    let headings: Vec<&str> = headings.map(|block| &*block.text).collect();
    assert_eq!(headings, titles[..3]);
    assert!(!document.text().contains("Het boek van de brug"), "{}", document.text());
}

#[test]
fn items_bold_headings_and_signs_of_markdown_are_what_they_are() {
    let page = [
        shown("B", 10.0, 50.0, 700.0, &["Wat er nodig is"]),
        lines(50.0, 688.0, &["\u{95} een *ster* van hout die aan de", "   muur hangt", "\u{95} een hek"]),
        lines(50.0, 640.0, &["# geen kop maar een teken."]),
        lines(50.0, 620.0, &["Gewone tekst die lang genoeg is om de meeste letters te hebben."]),
    ];
    let document = read(pdf(&[page.concat()], &[]));
    let kinds: Vec<(BlockKind, &str)> = document.blocks.iter().map(|block| (block.kind, &*block.text)).collect();
    let expected = [
        (BlockKind::Heading, "Wat er nodig is"),
        (BlockKind::Item, "een *ster* van hout die aan de muur hangt"),
        (BlockKind::Item, "een hek"),
        (BlockKind::Paragraph, "# geen kop maar een teken."),
        (BlockKind::Paragraph, "Gewone tekst die lang genoeg is om de meeste letters te hebben."),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn what_is_drawn_in_forms_or_turned_is_read_and_artifacts_are_not() {
    let form = stream(
        "/Type /XObject /Subtype /Form /Resources << /Font << /F 3 0 R >> >>",
        &lines(0.0, 0.0, &["In een vorm."]).into_bytes(),
    );
    let turned = "BT /F 10 Tf 0 1 -1 0 40 100 Tm (Op zijn kant.) Tj ET\n";
    let artifact = format!("/Artifact BMC {} EMC ", lines(50.0, 400.0, &["Een kop van de bladzijde."]));
    let page =
        lines(50.0, 700.0, &["Gewone tekst op deze bladzijde."]) + "q 1 0 0 1 50 600 cm /X Do Q " + turned + &artifact;
    let document = read(pdf(&[page], &[form]));
    let texts: Vec<&str> = document.blocks.iter().map(|block| &*block.text).collect();
    assert_eq!(texts, ["Gewone tekst op deze bladzijde.", "In een vorm.", "Op zijn kant."]);
}

#[test]
fn a_scan_is_to_be_read_by_other_programs_first() {
    let scan = || "q 600 0 0 800 0 0 cm /P Do Q ".to_owned();
    refused(pdf(&[scan()], &[]), &["there is no text in it", "hint: OCR it first"]);
    let document = read(pdf(&[lines(50.0, 700.0, &["Er is tekst op deze bladzijde."]), scan(), scan()], &[]));
    assert!(
        document
            .warnings
            .iter()
            .any(|warning| warning.contains("page 2 and 1 more") && warning.contains("OCR it first"))
    );
}

#[test]
fn what_is_encrypted_or_damaged_is_refused_by_name() {
    let whole = pdf(&[lines(50.0, 700.0, &["De brug is dicht."])], &[]);
    let key = "00".repeat(32);
    let locked = format!("/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{key}> /U <{key}> >> /ID [<00> <00>]");
    let at = whole.windows(10).position(|window| window == b"/Root 1 0 ").unwrap();
    let encrypted = [&whole[..at], locked.as_bytes(), b" ", &whole[at..]].concat();
    refused(encrypted, &["this PDF is encrypted", "hint: save it without a password"]);
    refused(b"%PDF-1.4\nand then nothing".to_vec(), &["no PDF, or it is damaged", "hint: "]);
    refused(b"Just a text.".to_vec(), &["no PDF, or it is damaged"]);
    // Without its table a file can still be read.
    let table = whole.windows(5).position(|window| window == b"xref\n").unwrap();
    assert_eq!(read(whole[..table].to_vec()).blocks[0].text, "De brug is dicht.");
    let told = format!("{:#}", Document::read("-", whole, Format::Text).expect_err("a PDF is no text"));
    assert!(told.contains("hint: name it with `--input-format pdf`"), "{told}");
}

#[test]
fn what_would_fill_a_memory_is_refused_unless_somebody_allows_it() {
    let text = lines(50.0, 700.0, &["De brug is dicht."]);
    let large = [text.as_bytes(), &vec![b' '; 3 << 20]].concat();
    let form = |entries: &str, content: &[u8]| stream(&format!("/Type /XObject /Subtype /Form {entries}"), content);
    let once = form("/Filter /FlateDecode", &packed(&large));
    let twice = form("/Filter [/FlateDecode /FlateDecode]", &packed(&packed(&large)));
    // Small, and drawn many times.
    let many = form("/Resources << /XObject << /Y 7 0 R >> >>", &b"/Y Do ".repeat(200));
    let small = form("", &[b' '; 12_000]);
    for parts in [vec![once.clone()], vec![twice], vec![many, small]] {
        let file = pdf(&[format!("{text} /X Do ")], &parts);
        let options = ReadOptions { max_unpacked: Some(1 << 20), ..ReadOptions::default() };
        let error = Document::read_with("-", file, Format::Pdf, &options).expect_err("it is too large");
        let told = format!("{error:#}");
        assert!(told.contains("more than 1 MiB") && told.contains("--max-unpacked"), "{told}");
    }
    let file = pdf(&[text], &[once]);
    assert_eq!(read(file).blocks.len(), 1);
}

#[test]
fn no_cut_and_no_wrong_byte_stops_the_program() {
    let form = stream(
        "/Type /XObject /Subtype /Form /Filter /FlateDecode",
        &packed(lines(0.0, 0.0, &["In een vorm."]).as_bytes()),
    );
    let whole = pdf(&[lines(50.0, 700.0, &LEFT) + "/X Do", lines(50.0, 700.0, &RIGHT)], &[form]);
    for end in (0..whole.len()).step_by(23) {
        let _ = Document::read("-", whole[..end].to_vec(), Format::Pdf);
    }
    for at in (0..whole.len()).step_by(7) {
        for byte in [0, b'(', b'<', b'9', 255] {
            let mut other = whole.clone();
            other[at] = byte;
            let _ = Document::read("-", other, Format::Pdf);
        }
    }
}
