//! What is added to a translated document: a summary in front, the source above the translation, comments on sentences.

use kortom::document::{Comment, Document, Format, Preface, ReadOptions};

use super::package::{
    CHAPTER, PARAGRAPH, TEXT, TYPES, WORD, archive, book, entry, read, slides, translated, word, writer, written,
};
use super::{Capitals, translate};

fn preface() -> Preface {
    Preface {
        heading: "Summary".to_owned(),
        paragraphs: vec!["It rains & blows.".to_owned(), "That is <all>.".to_owned()],
    }
}

/// The entry with the text of a document that has something in front, and of that without.
fn with_preface(bytes: &[u8], format: Format, name: &str) -> (String, String) {
    let document = read(bytes, format);
    let text = |document: &Document| entry(&written(document), name).0;
    (text(&document.clone().with_preface(preface())), text(&document))
}

#[test]
fn a_summary_stands_in_front_in_the_styles_of_the_document() {
    let (made, plain) = with_preface(&word(PARAGRAPH), Format::Docx, "word/document.xml");
    let summary = "<w:p><w:pPr><w:pStyle w:val=\"Kop1\"/></w:pPr><w:r><w:t>Summary</w:t></w:r></w:p>\
        <w:p><w:r><w:t>It rains &amp; blows.</w:t></w:r></w:p><w:p><w:r><w:t>That is &lt;all&gt;.</w:t></w:r></w:p>";
    assert_eq!(made, plain.replace("<w:body>", &format!("<w:body>{summary}")));
    let content = writer(&TEXT.replace("<office:text>", "<office:text><text:sequence-decls/>"));
    let (made, plain) = with_preface(&content, Format::Odt, "content.xml");
    let summary = "<text:h text:outline-level=\"1\">Summary</text:h><text:p>It rains &amp; blows.</text:p><text:p>That is &lt;all&gt;.</text:p>";
    assert_eq!(made, plain.replace("<text:sequence-decls/>", &format!("<text:sequence-decls/>{summary}")));
    let (made, plain) = with_preface(&book(CHAPTER, &[]), Format::Epub, "in/hoofd een.xhtml");
    let summary = "<h1>Summary</h1><p>It rains &amp; blows.</p><p>That is &lt;all&gt;.</p>";
    assert_eq!(made, plain.replace("<body>", &format!("<body>{summary}")));
    let page = "<html><head><title>Een</title><body>\n<h1 class=a>De brug</h1><p>De brug is open.</p>";
    let made = Document::parse("-", page, Format::HtmlWhole).with_preface(preface()).text();
    let summary = "<h2>Summary</h2>\n<p>It rains &amp; blows.</p>\n<p>That is &lt;all&gt;.</p>\n";
    assert_eq!(made, page.replace("<h1", &format!("{summary}<h1")));
    // A book without a chapter that is well-formed gets one of its own.
    let contents = "<ncx xmlns=\"http://www.daisy.org/z3986/2005/ncx/\"><navMap><navPoint id=\"a\"/></navMap></ncx>";
    let plain = book(CHAPTER, &[]);
    let listed = "<item id=\"t\" href=\"toc.ncx\" media-type=\"application/x-dtbncx+xml\"/></manifest>";
    let list = entry(&plain, "in/list.opf").0.replace("</manifest>", listed);
    let container = entry(&plain, "META-INF/container.xml").0;
    let loose = archive(&[
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", &*container),
        ("in/list.opf", &*list),
        ("in/hoofd een.xhtml", "<body><p>Het regent<br>vandaag."),
        ("in/toc.ncx", contents),
    ]);
    let document = read(&loose, Format::Epub);
    assert!(written(&document) == loose);
    let made = written(&document.clone().in_language(&document, "en").with_preface(preface()));
    let (chapter, _) = entry(&made, "in/kortom-summary.xhtml");
    assert!(
        chapter.contains("<h1>Summary</h1>\n<p>It rains &amp; blows.</p>\n<p>That is &lt;all&gt;.</p>"),
        "{chapter}"
    );
    let (list, _) = entry(&made, "in/list.opf");
    assert!(list.contains("<item id=\"kortom-summary\" href=\"kortom-summary.xhtml\" "), "{list}");
    assert!(list.contains("<spine><itemref idref=\"kortom-summary\"/><itemref idref=\"a\"/></spine>"), "{list}");
    let (contents, _) = entry(&made, "in/toc.ncx");
    assert!(contents.contains("<text>Summary</text></navLabel><content src=\"kortom-summary.xhtml\"/>"), "{contents}");
    assert_eq!(read(&made, Format::Epub).blocks[0].text, "Summary");
    // What has no place for a summary says so, and nothing is lost silently.
    let error = read(&slides(), Format::Pptx).with_preface(preface()).write(&mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("no place for a summary"), "{error}");
}

#[test]
fn a_source_after_a_field_keeps_its_space_and_the_record_of_a_changed_format_is_there_once() {
    let field = |kind: &str| format!("<w:r><w:fldChar w:fldCharType=\"{kind}\"/></w:r>");
    let name = format!(
        "{}<w:r><w:instrText>MERGEFIELD Naam</w:instrText></w:r>{}<w:r><w:t>Jan</w:t></w:r>{}",
        field("begin"),
        field("separate"),
        field("end")
    );
    let changed = "<w:r><w:rPr><w:b/><w:rPrChange w:id=\"7\"><w:rPr/></w:rPrChange></w:rPr>";
    let body = format!(
        "<w:p>{name}<w:r><w:t xml:space=\"preserve\"> schreef een </w:t></w:r>{changed}<w:t>dik boek</w:t></w:r>\
         <w:r><w:t xml:space=\"preserve\"> voor </w:t></w:r>{name}<w:r><w:t xml:space=\"preserve\"> toen.</w:t></w:r></w:p>"
    );
    let source = read(&word(&body), Format::Docx);
    let made = translated(&Capitals, &source).bilingual(&source, "nl");
    let (text, _) = entry(&written(&made), "word/document.xml");
    assert!(text.contains("<w:t xml:space=\"preserve\"> schreef een "), "{text}");
    // What a field shows is in both lines, and the field in one.
    assert_eq!((text.matches("Jan</w:t>").count(), text.matches("MERGEFIELD").count()), (4, 2), "{text}");
    assert!(text.contains("dik boek") && text.contains("DIK BOEK"), "{text}");
    assert!(text.matches("w:id=\"7\"").count() < 2, "{text}");
}

#[test]
fn what_fields_show_beside_a_text_is_in_its_source_and_its_translation() {
    let words = |text: &str| format!("<w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r>");
    let field = |said: &str| format!("<w:fldSimple w:instr=\" AUTHOR \">{}</w:fldSimple>", words(said));
    let body = format!("<w:p>{}{}{}</w:p>", field("Piet"), words(" groet u, "), field("Jan &amp; Co"));
    let source = read(&word(&body), Format::Docx);
    let made = translated(&Capitals, &source).bilingual(&source, "nl");
    let (text, _) = entry(&written(&made), "word/document.xml");
    let said: String =
        text.split("<w:t").skip(1).filter_map(|text| text.split_once('>')?.1.split("</w:t>").next()).collect();
    assert_eq!(said, "Piet groet u, Jan &amp; CoPiet GROET U, Jan &amp; Co", "{text}");
    assert!(text.matches("<w:fldSimple").count() == 2 && text.matches("<w:br/>").count() == 1, "{text}");
    let body = "<office:body><office:text><text:p><text:author-name>Piet</text:author-name> groet u op \
        <text:date text:fixed=\"true\">3 mei</text:date> met <text:page-number>2</text:page-number></text:p></office:text></office:body>";
    let source = read(&writer(body), Format::Odt);
    let made = translated(&Capitals, &source).bilingual(&source, "nl");
    let (text, _) = entry(&written(&made), "content.xml");
    let expected = "<text:p><text:author-name>Piet</text:author-name> groet u op 3 mei met 2<text:line-break/>Piet GROET U OP \
        <text:date text:fixed=\"true\">3 mei</text:date> MET <text:page-number>2</text:page-number></text:p>";
    assert!(text.contains(expected), "{text}");
    let page = "<p>Gebruik <code>git</code> en <kbd id=\"x\">Enter</kbd> hier.</p>";
    let source = Document::parse("-", page, Format::HtmlWhole);
    let made = translate(&Capitals, page, Format::HtmlWhole).document.bilingual(&source, "nl").text();
    let expected = "<p><span lang=\"nl\">Gebruik <code>git</code> en hier.</span><br/>GEBRUIK <code>git</code> EN \
        <kbd id=\"x\">Enter</kbd> HIER.</p>";
    assert_eq!(made, expected);
    let page = "<p>Het woord <span translate=no>brug</span> blijft <span translate=no><img src=a></span> hier.</p>";
    let source = Document::parse("-", page, Format::HtmlWhole);
    let made = translate(&Capitals, page, Format::HtmlWhole).document.bilingual(&source, "nl").text();
    assert!(
        made.starts_with("<p><span lang=\"nl\">Het woord <span translate=no>brug</span> blijft hier.</span><br/>"),
        "{made}"
    );
}

#[test]
fn the_source_stands_above_its_translation_and_no_id_is_there_twice() {
    let bytes = word(PARAGRAPH);
    let source = read(&bytes, Format::Docx);
    let made = translated(&Capitals, &source).bilingual(&source, "nl");
    let (text, _) = entry(&written(&made), "word/document.xml");
    let expected = "<w:r w:rsidR=\"2\"><w:t xml:space=\"preserve\">De wethouder &amp; </w:t></w:r><w:r><w:rPr><w:b/><w:lang w:val=\"nl-NL\"/></w:rPr>\
        <w:t xml:space=\"preserve\">de raad</w:t></w:r><w:r w:rsidR=\"2\"><w:t xml:space=\"preserve\"> zeggen </w:t></w:r>";
    assert!(text.contains(expected), "{text}");
    assert!(
        text.contains("<w:br/></w:r><w:r w:rsidR=\"2\"><w:t xml:space=\"preserve\">DE WETHOUDER &amp; </w:t></w:r>"),
        "{text}"
    );
    assert_eq!(text.matches("<w:footnoteReference").count(), 1, "{text}");
    let read_again = read(&written(&made), Format::Docx);
    assert_eq!(read_again.blocks.len(), 2 * source.blocks.len());
    let source = read(&writer(TEXT), Format::Odt);
    let made = translated(&Capitals, &source).bilingual(&source, "nl");
    let (text, _) = entry(&written(&made), "content.xml");
    let expected = "Dit is <text:span text:style-name=\"vet\">heel belangrijk</text:span> nieuws.<text:line-break/>DIT IS<text:s/>";
    assert!(text.contains(expected) && text.matches("<text:note>").count() == 1, "{text}");
    let chapter = CHAPTER.replace("<b>dicht</b>", "<b>dicht</b> <i id=\"y\">nu</i>");
    let source = read(&book(&chapter, &[]), Format::Epub);
    let made = translated(&Capitals, &source).bilingual(&source, "nl");
    let (text, _) = entry(&written(&made), "in/hoofd een.xhtml");
    let expected = "<p><span lang=\"nl\" xml:lang=\"nl\">Het café is <b>dicht</b> nu.</span><br/>HET CAFÉ IS <b>DICHT</b> <i id=\"y\">NU</i>.<a id=\"x\"/></p>";
    assert!(text.contains(expected) && text.contains("<title>HET BEGIN</title>"), "{text}");
    // An entry in a table of contents must be one link.
    let contents = "<ol><li><a href=\"een.xhtml\">Een brug</a></li></ol>";
    let source = read(&book(&CHAPTER.replace("<h1>", &format!("{contents}<h1>")), &[]), Format::Epub);
    let made = translated(&Capitals, &source).bilingual(&source, "nl");
    let (text, _) = entry(&written(&made), "in/hoofd een.xhtml");
    let expected = "<li><a href=\"een.xhtml\"><span lang=\"nl\" xml:lang=\"nl\">Een brug</span><br/>EEN BRUG</a></li>";
    assert!(text.contains(expected), "{text}");
    let page = "<p>Het <b>regent</b>.</p><pre>niet</pre>";
    let source = Document::parse("-", page, Format::HtmlWhole);
    let made = translate(&Capitals, page, Format::HtmlWhole).document.bilingual(&source, "nl").text();
    assert_eq!(made, "<p><span lang=\"nl\">Het <b>regent</b>.</span><br/>HET <b>REGENT</b>.</p><pre>niet</pre>");
}

fn comment(document: &Document, block: usize, said: &str) -> Comment {
    let at = document.blocks[block].text.find(said).unwrap();
    Comment { block, range: at..at + said.len(), text: "number: `3 < 4` is missing".to_owned() }
}

#[test]
fn comments_of_word_have_an_entry_that_the_lists_name() {
    let relations = "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"/>";
    let body = format!("<w:document {WORD}><w:body>{PARAGRAPH}</w:body></w:document>");
    let (notes, styles) = (format!("<w:footnotes {WORD}/>"), format!("<w:styles {WORD}/>"));
    let entries = [
        ("[Content_Types].xml", TYPES),
        ("word/document.xml", &*body),
        ("word/footnotes.xml", &*notes),
        ("word/styles.xml", &*styles),
        ("word/_rels/document.xml.rels", relations),
    ];
    let document = read(&archive(&entries), Format::Docx);
    let comments = [comment(&document, 0, "de raad zeggen"), comment(&document, 1, "Zie")];
    let made = written(&document.clone().commented(&comments));
    let (text, _) = entry(&made, "word/document.xml");
    for number in ["1", "2"] {
        for tag in ["commentRangeStart", "commentRangeEnd", "commentReference"] {
            assert_eq!(text.matches(&format!("<w:{tag} w:id=\"{number}\"/>")).count(), 1, "{tag} {number}: {text}");
        }
    }
    let start = text.find("<w:commentRangeStart w:id=\"1\"/>").unwrap();
    assert!(text[..start].ends_with("De wethouder &amp; </w:t></w:r>"), "{text}");
    let (list, _) = entry(&made, "word/comments.xml");
    assert_eq!(list.matches("<w:t>number: `3 &lt; 4` is missing</w:t>").count(), 2, "{list}");
    assert!(entry(&made, "[Content_Types].xml").0.contains("PartName=\"/word/comments.xml\""));
    assert!(entry(&made, "word/_rels/document.xml.rels").0.contains("Target=\"comments.xml\"/></Relationships>"));
    // A second round finds them, goes on counting, and translates what they say.
    let again = read(&made, Format::Docx);
    assert_eq!(again.blocks.len(), document.blocks.len() + 2);
    let made = written(&again.clone().commented(&[comment(&again, 0, "nee")]));
    let (list, _) = entry(&made, "word/comments.xml");
    assert!(list.matches("<w:comment ").count() == 3 && list.contains("<w:comment w:id=\"3\""), "{list}");
    let texts: Vec<_> = read(&made, Format::Docx).blocks.into_iter().map(|block| block.text).collect();
    assert_eq!(texts.len(), document.blocks.len() + 3, "{texts:?}");
}

#[test]
fn comments_of_writer_stand_where_they_belong_and_nowhere_else() {
    let document = read(&writer(TEXT), Format::Odt);
    let comments = [comment(&document, 1, "heel belangrijk"), comment(&document, 2, "nota")];
    let made = document.clone().commented(&comments);
    let (text, _) = entry(&written(&made), "content.xml");
    assert_eq!(text.matches("<office:annotation ").count(), 1, "a note can have no comment: {text}");
    assert!(text.contains("<text:p>number: `3 &lt; 4` is missing</text:p></office:annotation>"), "{text}");
    assert_eq!(text.matches("<office:annotation-end ").count(), 1, "{text}");
    let texts: Vec<_> = read(&written(&made), Format::Odt).blocks.into_iter().map(|block| block.text).collect();
    assert!(texts.contains(&"Dit is heel belangrijk nieuws.".to_owned()), "{texts:?}");
    let options = ReadOptions { without_comments: true, ..ReadOptions::default() };
    let without = |bytes: Vec<u8>| -> Vec<String> {
        let document = Document::read_with("-", bytes, Format::Odt, &options).unwrap();
        document.blocks.into_iter().map(|block| block.text).collect()
    };
    assert_eq!(without(written(&made)), without(writer(TEXT)));
    // Where a format has no comments, the document is what it was.
    let bytes = slides();
    let document = read(&bytes, Format::Pptx);
    assert!(written(&document.clone().commented(&[comment(&document, 0, "brug")])) == bytes);
}
