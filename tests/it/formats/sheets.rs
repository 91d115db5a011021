//! Workbooks: cells that are sentences change, and nothing else.

use kortom::document::{BlockKind, Document, Format};

use super::package::{OPEN_DOCUMENT, archive, entry, read, texts, translated, written};
use super::{Backwards, Capitals, Echo};

const STRINGS: &str = "<sst xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" count=\"6\" uniqueCount=\"6\">\
    <si><t>Naam</t></si><si><t xml:space=\"preserve\"> De brug &amp; de sluis zijn dicht. </t></si>\
    <si><t>Eerste regel hier\nTweede regel hier&#10;2024</t></si>\
    <si><r><t xml:space=\"preserve\">Het regent </t></r><r><rPr><b/></rPr><t>hard</t></r><rPh sb=\"0\" eb=\"1\"><t>uit spraak</t></rPh></si>\
    <si><t>Aantal bruggen</t></si><si><t>AB-12 3</t></si></sst>";
const SHEET: &str = "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData><row r=\"1\">\
    <c r=\"A1\" t=\"s\"><v>1</v></c><c r=\"B1\" t=\"inlineStr\"><is><t>Staat in de cel</t></is></c>\
    <c r=\"C1\" t=\"str\"><f>\"niet dit\"&amp;\" en dat\"</f><v>niet dit en dat</v></c>\
    <c r=\"D1\" t=\"inlineStr\"><f>A1</f><is><t>niet deze cel</t></is></c></row></sheetData></worksheet>";
const COMMENTS: &str = "<comments xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><authors><author>Jan de Boer</author></authors>\
    <commentList><comment ref=\"A1\" authorId=\"0\"><text><r><rPr><sz val=\"9\"/></rPr><t>Klopt dit wel?</t></r></text></comment></commentList></comments>";
const TABLE: &str = "<table xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><tableColumns count=\"1\">\
    <tableColumn id=\"1\" name=\"Aantal bruggen\"/></tableColumns></table>";

fn workbook() -> Vec<u8> {
    let office = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let kinds = [
        ("xl/workbook.xml", "sheet.main"),
        ("xl/worksheets/sheet1.xml", "worksheet"),
        ("xl/sharedStrings.xml", "sharedStrings"),
        ("xl/comments1.xml", "comments"),
        ("xl/tables/table1.xml", "table"),
    ];
    let list: Vec<String> = kinds
        .iter()
        .map(|(name, kind)| format!("<Override PartName=\"/{name}\" ContentType=\"{office}.{kind}+xml\"/>"))
        .collect();
    let types = format!(
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">{}</Types>",
        list.concat()
    );
    archive(&[
        ("[Content_Types].xml", types.as_str()),
        ("xl/workbook.xml", "<workbook/>"),
        ("xl/worksheets/sheet1.xml", SHEET),
        ("xl/sharedStrings.xml", STRINGS),
        ("xl/comments1.xml", COMMENTS),
        ("xl/tables/table1.xml", TABLE),
    ])
}

#[test]
fn only_cells_that_are_sentences_change() {
    let bytes = workbook();
    let document = read(&bytes, Format::Xlsx);
    let expected = [
        "De brug & de sluis zijn dicht.",
        "Eerste regel hier",
        "Tweede regel hier",
        "Het regent hard",
        "Staat in de cel",
        "Klopt dit wel?",
    ];
    assert_eq!(texts(&document), expected);
    assert!(document.blocks[..5].iter().all(|block| block.kind == BlockKind::Cell));
    assert!(written(&translated(&Echo, &document)) == bytes);
    let made = written(&translated(&Capitals, &document));
    let (strings, _) = entry(&made, "xl/sharedStrings.xml");
    for said in [
        "<si><t>Naam</t></si><si><t xml:space=\"preserve\"> DE BRUG &amp; DE SLUIS ZIJN DICHT. </t></si>",
        "<si><t>EERSTE REGEL HIER\nTWEEDE REGEL HIER&#10;2024</t></si>",
        "<si><r><t xml:space=\"preserve\">HET REGENT </t></r><r><rPr><b/></rPr><t xml:space=\"preserve\">HARD</t></r><rPh sb",
        "<t>uit spraak</t></rPh></si><si><t>Aantal bruggen</t></si><si><t>AB-12 3</t></si></sst>",
    ] {
        assert!(strings.contains(said), "{said}: {strings}");
    }
    let (sheet, _) = entry(&made, "xl/worksheets/sheet1.xml");
    assert_eq!(sheet, SHEET.replace("Staat in de cel", "STAAT IN DE CEL"));
    assert!(entry(&made, "xl/comments1.xml").0.contains("KLOPT DIT WEL?"));
    assert_eq!(entry(&made, "xl/tables/table1.xml"), entry(&bytes, "xl/tables/table1.xml"));
}

/// The workbook with other content for its sheet and its strings.
fn workbook_of(sheet: &str, strings: &str) -> Vec<u8> {
    let space = "xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"";
    let office = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let kinds = [
        ("xl/workbook.xml", format!("{office}.sheet.main")),
        ("xl/worksheets/sheet1.xml", format!("{office}.worksheet")),
        ("xl/sharedStrings.xml", format!("{office}.sharedStrings")),
        ("xl/threadedComments/threadedComment1.xml", "application/vnd.ms-excel.threadedcomments".to_owned()),
    ];
    let list =
        kinds.map(|(name, kind)| format!("<Override PartName=\"/{name}\" ContentType=\"{kind}+xml\"/>")).concat();
    let types = format!("<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">{list}</Types>");
    let comments = "<ThreadedComments xmlns=\"http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments\">\
        <threadedComment><text>Klopt dit wel?</text></threadedComment><threadedComment><text>Vraag @Jan even.</text>\
        <mentions><mention startIndex=\"6\" length=\"4\"/></mentions></threadedComment></ThreadedComments>";
    archive(&[
        ("[Content_Types].xml", types),
        ("xl/workbook.xml", "<workbook/>".to_owned()),
        ("xl/worksheets/sheet1.xml", format!("<worksheet {space}><sheetData>{sheet}</worksheet>")),
        ("xl/sharedStrings.xml", format!("<sst {space}>{strings}</sst>")),
        ("xl/threadedComments/threadedComment1.xml", comments.to_owned()),
    ])
}

#[test]
fn each_line_of_a_text_in_several_formats_is_a_block() {
    let bold = "<rPr><b/></rPr>";
    let string = format!(
        "<si><r>{bold}<t xml:space=\"preserve\">Jan de Boer:\n</t></r><r><t>Klopt dit &amp; dat?&#10;&#10;Nee, dit niet.&#10;2024</t></r>\
         <r>{bold}<t>_x000D_\nKijk daar </t></r><r><t>eens goed\nnaar. </t></r></si><si><r><t>Een regel\n</t></r></si>"
    );
    let bytes = workbook_of("</sheetData>", &string);
    let document = read(&bytes, Format::Xlsx);
    let lines =
        ["Jan de Boer:", "Klopt dit & dat?", "Nee, dit niet.", "2024", "Kijk daar eens goed", "naar.", "Een regel"];
    assert_eq!(texts(&document)[..7], lines);
    assert!(written(&translated(&Echo, &document)) == bytes);
    let shown = |made: &[u8]| -> Vec<String> {
        let (text, _) = entry(made, "xl/sharedStrings.xml");
        let strings = text.split("<si>").skip(1).map(|string| {
            let texts = string.split("<t").skip(1).filter_map(|text| text.split_once('>')?.1.split("</t>").next());
            texts.collect::<String>().replace("&#10;", "\n").replace("_x000D_", "\r")
        });
        strings.collect()
    };
    let made = written(&translated(&Capitals, &document));
    let expected = [
        "JAN DE BOER:\nKLOPT DIT &amp; DAT?\n\nNEE, DIT NIET.\n2024\r\nKIJK DAAR EENS GOED\nNAAR.".to_owned(),
        "EEN REGEL\n".to_owned(),
    ];
    assert_eq!(shown(&made), expected);
    let (text, _) = entry(&made, "xl/sharedStrings.xml");
    let line = "<t>_x000D_\nKIJK DAAR </t></r><r><t xml:space=\"preserve\">EENS GOED\nNAAR.</t></r></si>";
    assert!(text.contains(line), "{text}");
    // Words that change places take their formats along, and no line gets another one's words.
    let made = written(&translated(&Backwards, &document));
    assert_eq!(texts(&read(&made, Format::Xlsx))[4..7], ["goed eens daar Kijk", "naar.", "regel Een"]);
}

#[test]
fn typed_strings_are_read_wherever_a_program_writes_them() {
    let sheet = "<row><c t=\"str\"><v>De hond blaft hard.</v></c><c t=\"str\"><v>Jan</v></c><c><v>12</v></c>\
        <c t=\"str\"><f>A1</f><v>Niet deze cel</v></c></row></sheetData>";
    let bytes = workbook_of(sheet, "");
    let document = read(&bytes, Format::Xlsx);
    assert_eq!(texts(&document), ["De hond blaft hard.", "Klopt dit wel?"]);
    assert!(written(&translated(&Echo, &document)) == bytes);
    let made = written(&translated(&Capitals, &document));
    let (text, _) = entry(&made, "xl/worksheets/sheet1.xml");
    assert!(text.contains(&sheet.replace("De hond blaft hard.", "DE HOND BLAFT HARD.")), "{text}");
    let (comments, _) = entry(&made, "xl/threadedComments/threadedComment1.xml");
    assert!(comments.contains("<text>KLOPT DIT WEL?</text>") && comments.contains("<text>Vraag @Jan even.</text>"));
}

#[test]
fn cells_that_a_formula_or_a_list_of_values_compares_with_stay() {
    let sheet = "<row><c t=\"s\"><v>0</v></c><c t=\"str\"><f>IF(A1=\"Niet akkoord\",1,2)</f><v>1</v></c></row></sheetData>\
        <dataValidations><dataValidation type=\"list\"><formula1>\"Half akkoord,Wel akkoord\"</formula1></dataValidation></dataValidations>\
        <autoFilter ref=\"A1:A9\"><filterColumn colId=\"0\"><filters><filter val=\"Grote hond\"/></filters></filterColumn></autoFilter>";
    let strings = ["Niet akkoord", "Wel Akkoord", "Grote hond", "De brug is dicht."]
        .map(|text| format!("<si><t>{text}</t></si>"));
    let document = read(&workbook_of(sheet, &strings.concat()), Format::Xlsx);
    assert_eq!(texts(&document)[..1], ["De brug is dicht."]);
    assert_eq!(document.blocks.len(), 2);
}

#[test]
fn of_calc_too_only_cells_that_are_sentences_change() {
    let cell = |attributes: &str, text: &str| {
        format!("<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>")
    };
    let string = "office:value-type=\"string\"";
    let content = format!(
        "<office:document-content {OPEN_DOCUMENT}><office:body><office:spreadsheet><table:table table:name=\"Blad een hier\"><table:table-row>\
         {}{}{}{}{}{}</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>",
        cell(string, "De brug is <text:span>dicht</text:span>."),
        cell(string, "Brug"),
        cell("office:value-type=\"float\" office:value=\"2\"", "twee en een"),
        cell(&format!("table:formula=\"of:=IF([.A1]=&quot;Niet akkoord&quot;;1;2)\" {string}"), "De brug is open."),
        cell(string, "Niet akkoord"),
        [string, "office:value-type=\"float\" office:value=\"5\""]
            .map(|kind| cell(kind, "Nee")
                .replace("<text:p>", "<office:annotation><text:p>Klopt dit?</text:p></office:annotation><text:p>"))
            .concat(),
    );
    let bytes = archive(&[("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), ("content.xml", &content)]);
    let document = read(&bytes, Format::Ods);
    assert_eq!(texts(&document), ["De brug is dicht.", "Klopt dit?"]);
    assert!(written(&translated(&Echo, &document)) == bytes);
    let made = written(&translated(&Capitals, &document));
    let expected = content
        .replace("De brug is <text:span>dicht", "DE BRUG IS <text:span>DICHT")
        .replace("Klopt dit?", "KLOPT DIT?");
    assert_eq!(entry(&made, "content.xml").0, expected);
}

#[test]
fn what_repeats_the_text_of_a_cell_of_calc_follows_it() {
    let sheet = |cells: &str| {
        format!(
            "<office:document-content {OPEN_DOCUMENT}><office:body><office:spreadsheet><table:table><table:table-row>{cells}\
             </table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"
        )
    };
    let content = sheet(
        "<table:table-cell office:value-type=\"string\" office:string-value=\"De hond &amp; de kat.\"><text:p>De hond &amp; de <text:span>kat</text:span>.</text:p>\
         </table:table-cell><table:table-cell office:value-type=\"string\" office:string-value=\"Een\"><text:p>Een</text:p></table:table-cell>\
         <table:table-cell office:value-type=\"string\" office:string-value=\"een ander\"><text:p>Niet deze cel</text:p></table:table-cell>\
         <table:table-cell office:value-type='string' office:string-value='Een regel.&#10;Nog een regel.'><text:p>Een regel.</text:p><text:p>Nog een regel.</text:p>\
         </table:table-cell>",
    );
    let bytes = archive(&[("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), ("content.xml", &content)]);
    let document = read(&bytes, Format::Ods);
    assert_eq!(texts(&document), ["De hond & de kat.", "Een regel.", "Nog een regel."]);
    assert!(written(&translated(&Echo, &document)) == bytes);
    let expected = content
        .replace("De hond &amp; de kat.", "DE HOND &amp; DE KAT.")
        .replace("De hond &amp; de <text:span>kat", "DE HOND &amp; DE <text:span>KAT")
        .replace("Een regel.", "EEN REGEL.")
        .replace("Nog een regel.", "NOG EEN REGEL.");
    assert_eq!(entry(&written(&translated(&Capitals, &document)), "content.xml").0, expected);
}

#[test]
fn what_is_no_workbook_is_refused() {
    for (bytes, format, said) in [
        (super::package::word(""), Format::Xlsx, "no workbook of Excel"),
        (b"a;b\n".to_vec(), Format::Xlsx, "no zip archive"),
        (archive(&[("mimetype", "x")]), Format::Ods, "OpenDocument"),
    ] {
        let error = Document::read("-", bytes, format).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}
