//! What comes of Markdown, web pages and subtitles in other forms than their own.

use kortom::document::{BlockKind, Document, Format as DocumentFormat};

use super::{Place, objects};
use crate::formats::package::word;

const MARKDOWN: &str = "# De brug\n\nDe **brug** is [open](https://voorbeeld.nl).\n";
const PAGE: &str = "<html lang=nl><head><title>De brug is open - De Krant</title><body><nav>\
    <a href=/>Voorpagina</a></nav><article><h1>De brug is open</h1><p>De <b>nieuwe</b> \
    brug bij het dorp is vanaf zaterdag open voor het verkeer, meldt de gemeente. De bouw duurde twee jaar langer dan \
    gepland.</p><p>De schippers zijn boos, omdat de brug op werkdagen dicht blijft tussen zeven en negen \
    uur.</p></article></body></html>";
const SUBTITLES: &str = "1\r\n00:00:01,000 --> 00:00:02,000\r\nHet regent vandaag\r\n\r\n2\r\n00:00:02,000 --> \
    00:00:03,000\r\n<i>in de stad.</i>\r\n\r\n3\r\n00:00:03,000 --> 00:00:04,000\r\n";

fn place() -> Place {
    let place = Place::new();
    place.file("a.md", MARKDOWN).file("p.html", PAGE).file("s.srt", SUBTITLES);
    place
}

#[test]
fn in_json_markdown_keeps_its_signs_and_pages_and_subtitles_are_text() {
    let place = place();
    let report = |name: &str| objects(&place.run(&["translate", name, "--format", "jsonl"]).good()).remove(0);
    let (markdown, page, subtitles) = (report("a.md"), report("p.html"), report("s.srt"));
    assert_eq!(markdown["translation"], place.run(&["translate", "a.md"]).good());
    assert!(markdown["translation"].as_str().unwrap().starts_with("# ") && markdown["title"].is_string());
    let text = page["translation"].as_str().unwrap();
    assert!(!text.contains('<') && text.split("\n\n").count() == 3, "{text}");
    assert_eq!(page["title"], page["segments"][0]["target"]);
    let text = subtitles["translation"].as_str().unwrap();
    assert!(!text.contains("-->") && !text.contains("<i>") && text.lines().count() == 1, "{text}");
    assert_eq!(subtitles["segments"][0]["source"], "Het regent vandaag in de stad.");
    for report in [markdown, page, subtitles] {
        let sources = report["segments"].as_array().unwrap().iter().map(|segment| segment["source"].as_str().unwrap());
        assert!(sources.into_iter().all(|source| !source.contains(['<', '*', '[', '#', '\n'])), "{report}");
    }
}

#[test]
fn digests_of_every_format_have_the_summary_on_top() {
    let place = place();
    place.run(&["digest", "a.md", "p.html", "s.srt", "--output", "out", "--quiet"]).good();
    assert_eq!(super::visible(&place.path("out")), ["a.md", "p.html", "s.txt"]);
    assert!(place.read("out/a.md").starts_with("> **Summary.** "));
    let page = place.read("out/p.html");
    assert!(page.contains("<nav><a href=/>") && page.contains("<article><h2>Summary</h2>\n<p>"), "{page}");
    place.run(&["digest", "p.html", "--output", "read.html", "--format", "html", "--quiet"]).good();
    let page = place.read("read.html");
    assert!(page.contains("<section class=\"summary\">") && page.matches("<div class=\"pair").count() == 3, "{page}");
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("@media print") && !page.contains("@import"));
    assert!(!page.contains("<b>") && !page.contains("<nav"), "{page}");
    assert!(place.read("out/s.txt").starts_with("Summary\n-------\n"));
}

#[test]
fn of_a_page_the_article_is_taken_or_all_of_it() {
    let place = place();
    place.file("none.html", "<html><body><nav><a href=/>Voorpagina</a></nav></body></html>");
    let article = place.run(&["translate", "p.html"]).good();
    assert!(article.contains("<nav><a href=/>Voorpagina</a></nav>") && article.contains("<b>"), "{article}");
    let heading = article.split_once("<h1>").and_then(|(_, rest)| rest.split_once("</h1>")).unwrap().0;
    let start = format!("<html lang=en><head><title>{heading} - De Krant</title><body>");
    assert!(article.starts_with(&start) && heading != "De brug is open", "{article}");
    let whole = place.run(&["translate", "p.html", "--html-whole"]).good();
    assert!(whole.starts_with("<html lang=en><head><title>") && !whole.contains(">De brug is open"), "{whole}");
    assert!(whole.contains("<nav><a href=/>") && !whole.contains("Voorpagina"), "{whole}");
    let said = ["`none.html`: there is no article in this page", "--html-whole", "1 failed, 1 done"];
    let ran = place.run(&["translate", "none.html", "p.html"]).bad(1, &said);
    assert_eq!(ran.stdout, article);
    place.run(&["translate", "none.html", "--html-whole"]).good();
}

#[test]
fn a_document_comes_back_as_one_and_a_broken_one_stops_no_other() {
    let place = place();
    let bytes = word("<w:p><w:r><w:t>Het regent </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>vandaag.</w:t></w:r></w:p>");
    place.file("in/a.docx", &bytes).file("in/b.docx", b"PK").file("in/c.txt", "Het regent vandaag.");
    let ran = place.run(&["translate", "in", "--output", "out"]);
    ran.bad(1, &["`in/b.docx`: this is no zip archive", "1 failed, 2 done"]);
    assert_eq!(super::visible(&place.path("out")), ["a.docx", "c.txt"]);
    let document =
        Document::read("a", std::fs::File::open(place.path("out/a.docx")).unwrap(), DocumentFormat::Docx).unwrap();
    let english = place.read("out/c.txt");
    assert_eq!(document.blocks[0].text, english.trim_end());
    assert!(document.blocks[0].source().contains("<w:b/>"));
    let text = place.run(&["translate", "in/a.docx", "--format", "text"]).good();
    assert!(text.starts_with(&format!("{}\n\n", english.trim_end())) && text.lines().count() == 3, "{text}");
    assert!(place.run(&["digest", "in/a.docx"]).good().starts_with("Summary\n-------\n"));
    place.run(&["translate", "in", "--output", "out", "--resume"]).bad(1, &["2 finished before"]);
}

#[test]
fn a_digest_of_a_document_is_that_document_with_the_summary_in_front() {
    let place = place();
    let bytes = word("<w:p><w:r><w:t>Het regent vandaag in de stad.</w:t></w:r></w:p>");
    place.file("a.docx", &bytes);
    place.run(&["digest", "a.docx", "p.html", "--output", "out", "--quiet"]).good();
    assert_eq!(super::visible(&place.path("out")), ["a.docx", "p.html"]);
    let file = std::fs::File::open(place.path("out/a.docx")).unwrap();
    let document = Document::read("a", file, DocumentFormat::Docx).unwrap();
    assert_eq!((document.blocks[0].kind, &*document.blocks[0].text), (BlockKind::Heading, "Summary"));
    assert!(document.blocks[1].text.starts_with(&document.blocks[2].text), "{:?}", document.blocks);
}

#[test]
fn an_output_does_not_bear_the_name_of_a_document_that_it_is_not() {
    let place = place();
    place.file("a.docx", word("<w:p><w:r><w:t>Het regent vandaag in de stad.</w:t></w:r></w:p>"));
    for arguments in [
        ["digest", "a.txt", "--output", "b.xlsx"],
        ["translate", "a.txt", "--output", "b.docx"],
        ["translate", "a.docx", "--output", "b.odt"],
    ] {
        place.file("a.txt", "Het regent vandaag.");
        place.run(&arguments).bad(2, &["has the extension of `", "hint: end its name in `."]);
        assert!(!place.path(arguments[3]).exists());
    }
}

#[test]
fn documents_may_have_their_source_beside_them_and_comments_on_what_needs_a_look() {
    let place = place();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-marian");
    place.file("a.docx", word("<w:p><w:r><w:t>Op 12 maart kostte het 30.000 euro.</w:t></w:r></w:p>"));
    place
        .run(&["translate", "a.docx", "--model", model, "--output", "b.docx", "--bilingual", "--comments", "--quiet"])
        .good();
    let file = std::fs::File::open(place.path("b.docx")).unwrap();
    let document = Document::read("b", file, DocumentFormat::Docx).unwrap();
    assert_eq!(document.blocks[0].text, "Op 12 maart kostte het 30.000 euro.");
    assert!(document.blocks.iter().filter(|block| block.text.contains("30.000")).count() > 1, "{:?}", document.blocks);
    place.run(&["translate", "p.html", "--bilingual"]).good();
    for (arguments, said) in [
        (&["translate", "a.md", "--bilingual"][..], "`--bilingual` applies to DOCX, ODT, EPUB and web pages"),
        (&["translate", "p.html", "--comments"], "`--comments` applies to DOCX and ODT"),
        (&["translate", "a.docx", "--comments", "--format", "json"], "`--comments` applies to DOCX and ODT"),
    ] {
        place.run(arguments).bad(2, &[said]);
    }
}

#[test]
fn segments_are_written_for_other_programs() {
    let place = place();
    place.file("a.txt", "Het regent vandaag.\n\nA & b is <c>.");
    let json = objects(&place.run(&["translate", "a.txt", "--format", "jsonl"]).good()).remove(0);
    let segments = json["segments"].as_array().unwrap();
    let rows = segments
        .iter()
        .map(|one| format!("{}\t{}\n", one["source"].as_str().unwrap(), one["target"].as_str().unwrap()));
    assert_eq!(place.run(&["translate", "a.txt", "--format", "tsv"]).good(), rows.collect::<String>());
    let memory = place.run(&["translate", "a.txt", "a.txt", "--format", "tmx"]).good();
    assert!(memory.starts_with("<?xml") && memory.ends_with("</body>\n</tmx>\n"), "{memory}");
    assert_eq!((memory.matches("<tmx ").count(), memory.matches("<tu>").count()), (1, 2 * segments.len()));
    assert!(
        memory.contains("<tuv xml:lang=\"nl\"><seg>A &amp; b is &lt;c&gt;.</seg></tuv><tuv xml:lang=\"en\">"),
        "{memory}"
    );
    place.run(&["summarize", "a.txt", "--format", "tmx"]).bad(2, &["a summary has no segments"]);
}

#[cfg(feature = "pdf")]
#[test]
fn a_pdf_comes_out_as_markdown_or_as_what_is_asked_for() {
    use crate::formats::pdf::{lines, pdf};
    let place = Place::new();
    let page = lines(50.0, 700.0, &["Het regent vandaag.", "De brug is de hele week dicht voor het verkeer."]);
    place.file("in/a.pdf", pdf(&[page], &[])).file("in/scan.pdf", pdf(&["/P Do".to_owned()], &[]));
    let ran = place.run(&["translate", "in", "--output", "out"]);
    let said =
        ["`in/a.pdf`: the layout of a PDF is not kept", "`in/scan.pdf`", "hint: OCR it first", "1 failed, 1 done"];
    ran.bad(1, &said);
    assert_eq!(super::visible(&place.path("out")), ["a.md"]);
    assert!(place.read("out/a.md").starts_with("It's raining today."), "{}", place.read("out/a.md"));
    let page = place.run(&["digest", "in/a.pdf", "--format", "html"]).good();
    assert!(page.contains("<section class=\"summary\">"), "{page}");
    let summary = place.run(&["digest", "in/a.pdf", "--max-unpacked", "1", "--quiet"]);
    assert_eq!(summary.stderr, "");
    assert!(summary.good().starts_with("> **Summary.** "));
    let pipe = std::fs::read(place.path("in/a.pdf")).unwrap();
    let piped = place.pipe(&["translate", "--input-format", "pdf"], &pipe).good();
    assert_eq!(piped, place.read("out/a.md"));
    place.pipe(&["translate"], &pipe).bad(1, &["this is a PDF", "--input-format pdf"]);
}

#[test]
fn what_stays_in_its_format_keeps_its_extension() {
    let place = Place::new();
    let subtitles = "[Events]\nDialogue: 0,0,0,A,,0,0,0,,Het regent vandaag.\n";
    let feed = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Het regent vandaag.</title></feed>";
    place
        .file("in/a.ssa", subtitles)
        .file("in/b.ass", subtitles)
        .file("in/c.atom", feed)
        .file("in/d.md", "Het regent.");
    place.run(&["translate", "in", "--output", "out", "--quiet"]).good();
    assert_eq!(super::visible(&place.path("out")), ["a.ssa", "b.ass", "c.atom", "d.md"]);
    place.run(&["translate", "in/a.ssa", "--output", "other/", "--format", "text", "--quiet"]).good();
    assert_eq!(super::visible(&place.path("other")), ["a.txt"]);
}
