//! Tables: only cells of the columns that are named change, and no byte around them.

use kortom::document::{Document, FieldFormat, Format, ReadOptions};
use kortom::engine::{Generation, Input};
use kortom::segment::Language;
use kortom::translate::Translator;

use super::{Capitals, Echo};
use kortom::translate::Generate;

/// As spreadsheets in Dutch write it: a byte order mark, semicolons, quotation marks, a line break in a cell.
const TABLE: &str = "\u{feff}id;tekst;noot\r\n1;\"Het regent \"\"hard\"\" vandaag.\r\nMorgen niet; toch?\";x\r\n\
                     2;De brug is dicht.;\"y\"\r\n3;te weinig\r\n\r\n4;\"\";z";

fn options(fields: &[&str]) -> ReadOptions {
    ReadOptions { fields: fields.iter().map(|field| (*field).to_owned()).collect(), ..ReadOptions::default() }
}

fn translated(model: &impl Generate, text: &str, format: Format, fields: &[&str]) -> (String, Vec<String>) {
    let document = Document::read_with("-", text, format, &options(fields)).unwrap_or_else(|error| panic!("{error:#}"));
    let warnings = document.warnings.clone();
    let translator = Translator::new(model, Language::Dutch, Language::English);
    (translator.translate(&[document]).unwrap().remove(0).document.text(), warnings)
}

#[test]
fn only_named_columns_change() {
    let (text, warnings) = translated(&Capitals, TABLE, Format::Csv, &["tekst"]);
    let expected = TABLE
        .replace("Het regent \"\"hard\"\" vandaag.", "HET REGENT \"\"HARD\"\" VANDAAG.")
        .replace("Morgen niet; toch?", "MORGEN NIET; TOCH?")
        .replace("De brug is dicht.", "DE BRUG IS DICHT.");
    assert_eq!(text, expected);
    assert_eq!(warnings, ["line 5 has 2 cells, the first row 3: left as they are"]);
    assert_eq!(translated(&Echo, TABLE, Format::Csv, &["tekst", "3"]).0, TABLE);
    let counted = translated(&Capitals, "Een brug\tnee\r\nTwee\tja", Format::Tsv, &["1"]).0;
    assert_eq!(counted, "EEN BRUG\tnee\r\nTWEE\tja");
    assert_eq!(translated(&Capitals, "sep=|\na|text\nb|c d", Format::Csv, &[]).0, "sep=|\na|text\nb|C D");
    for empty in ["", "\u{feff}", "\n"] {
        assert_eq!(translated(&Capitals, empty, Format::Csv, &[]).0, empty);
    }
}

/// A model that adds these words.
struct Adds(&'static str);

impl Generate for Adds {
    fn generate(&self, inputs: &[Input]) -> anyhow::Result<Vec<Generation>> {
        let said = |input: &Input| Generation { text: format!("{}{}", input.text, self.0), ..Generation::default() };
        Ok(inputs.iter().map(said).collect())
    }

    fn count_tokens(&self, text: &str) -> anyhow::Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

const COMMAS: Adds = Adds(", \"so\"");

#[test]
fn a_separator_in_a_cell_of_markdown_parts_no_row_and_is_read_as_itself() {
    let options = ReadOptions { field_format: FieldFormat::Markdown, ..options(&["tekst"]) };
    let table = "id|tekst\n1|Het *regent*\n2|De brug\n";
    let document = Document::read_with("-", table, Format::Csv, &options).unwrap();
    let translator = Translator::new(&Adds(" | *"), Language::Dutch, Language::English);
    let made = translator.translate(&[document]).unwrap().remove(0).document.text();
    assert_eq!(made, "id|tekst\n1|Het *regent* &#124; \\*\n2|De brug &#124; \\*\n");
}

#[test]
fn a_translation_gets_quotation_marks_where_it_needs_them() {
    let table = "text,id\nregen,1\n\"wind\",2\n";
    let expected = "text,id\n\"regen, \"\"so\"\"\",1\n\"wind, \"\"so\"\"\",2\n";
    assert_eq!(translated(&COMMAS, table, Format::Csv, &[]).0, expected);
    assert_eq!(translated(&COMMAS, "text\tid\nregen\t1", Format::Tsv, &[]).0, "text\tid\nregen, \"so\"\t1");
}

#[test]
fn quotation_marks_of_the_text_and_spaces_before_it_part_no_cell() {
    let table = "id\ttekst\n1\t\"Zo gaat dat\", zei de man.\n2\tregen\n";
    let expected = "id\ttekst\n1\t\"\"\"ZO GAAT DAT\"\", ZEI DE MAN.\"\n2\tREGEN\n";
    assert_eq!(translated(&Capitals, table, Format::Tsv, &["tekst"]).0, expected);
    assert_eq!(translated(&Echo, table, Format::Tsv, &["tekst"]).0, table);
    let (made, _) = translated(&COMMAS, "id, text\n1,  regen \n2, \"wind\"\n", Format::Csv, &["2"]);
    assert_eq!(made, "id,\" text, \"\"so\"\"\"\n1,\"  regen, \"\"so\"\"\" \n2,\" \"\"wind\"\", \"\"so\"\"\"\n");
}

#[test]
fn the_separator_is_that_of_most_rows_and_a_number_is_no_name() {
    let table = "\"id\";\"tekst, met komma, en nog een\"\n1;De hond blaft, hoor.\n2;\"De kat, die slaapt.\"\n";
    let expected = table
        .replace("De hond blaft, hoor.", "DE HOND BLAFT, HOOR.")
        .replace("De kat, die slaapt.", "DE KAT, DIE SLAAPT.");
    assert_eq!(translated(&Capitals, table, Format::Csv, &["tekst, met komma, en nog een"]).0, expected);
    let headless = "1,De hond blaft.,2\n2,De kat slaapt.,3\n";
    assert_eq!(translated(&Capitals, headless, Format::Csv, &["2"]).0, headless.to_uppercase());
}

#[test]
fn an_entity_in_a_cell_parts_no_row_at_semicolons() {
    let options = ReadOptions { field_format: FieldFormat::Html, ..options(&["body"]) };
    let table = "id;body\n1;<p>R&D van de hond < de kat</p>\n";
    let document = Document::read_with("-", table, Format::Csv, &options).unwrap();
    let translator = Translator::new(&Capitals, Language::Dutch, Language::English);
    let made = translator.translate(&[document]).unwrap().remove(0).document.text();
    assert_eq!(made, "id;body\n1;<p>R&ampD VAN DE HOND &lt DE KAT</p>\n");
}

#[test]
fn a_large_table_with_one_ragged_row_comes_back_and_an_unknown_column_is_named() {
    let mut table = "id,text\n".to_owned();
    (0..200_000).for_each(|row| table += &format!("{row},{}\n", if row == 100_000 { "a,b" } else { "7" }));
    let (text, warnings) = translated(&Capitals, &table, Format::Csv, &[]);
    assert!(
        text == table && warnings == ["line 100002 has 3 cells, the first row 2: left as they are"],
        "{warnings:?}"
    );
    let error = Document::read_with("-", "a,b\nx,y", Format::Csv, &options(&["c"])).unwrap_err().to_string();
    assert!(error.contains("no column `c`") && error.contains("`a`, `b`"), "{error}");
    assert!(Document::read_with("-", "a,b", Format::Csv, &options(&["3"])).is_err());
}
