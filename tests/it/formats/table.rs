//! Tables: only cells of the columns that are named change, and no byte around them.

use kortom::document::{Document, Format, ReadOptions};
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

/// A model that says things with commas in them.
struct Commas;

impl Generate for Commas {
    fn generate(&self, inputs: &[Input]) -> anyhow::Result<Vec<Generation>> {
        let said = |input: &Input| Generation { text: format!("{}, \"so\"", input.text), ..Generation::default() };
        Ok(inputs.iter().map(said).collect())
    }

    fn count_tokens(&self, text: &str) -> anyhow::Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

#[test]
fn a_translation_gets_quotation_marks_where_it_needs_them() {
    let table = "text,id\nregen,1\n\"wind\",2\n";
    let expected = "text,id\n\"regen, \"\"so\"\"\",1\n\"wind, \"\"so\"\"\",2\n";
    assert_eq!(translated(&Commas, table, Format::Csv, &[]).0, expected);
    assert_eq!(translated(&Commas, "text\tid\nregen\t1", Format::Tsv, &[]).0, "text\tid\nregen, \"so\"\t1");
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
