//! Whatever a model says, a document has the rows and cells, lines of dialogue and units that it had.

use anyhow::Result;
use kortom::document::{Document, FieldFormat, Format, ReadOptions};
use kortom::engine::{Generation, Input};
use kortom::segment::Language;
use kortom::translate::{Generate, Translator};

use super::generated::Dice;
use super::{Backwards, Capitals};

/// A model that says what this makes of a source.
struct Says(fn(&str) -> String);

impl Generate for Says {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        let said = |input: &Input| Generation { text: (self.0)(input.text), ..Generation::default() };
        Ok(inputs.iter().map(said).collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

/// The first word only, and with signs that mean something to tables and tags.
const SHORT: Says = Says(|text| text.split_whitespace().next().unwrap_or_default().to_owned());
const SIGNS: Says = Says(|text| format!("\"{text}, <so>; \\ \"ja\" & {{nee}} \t|"));

fn models() -> [&'static dyn Generate; 4] {
    [&Capitals, &Backwards, &SHORT, &SIGNS]
}

/// What each model makes of a document; `None` if it cannot be read.
fn translations(text: &str, format: Format, options: &ReadOptions) -> Option<Vec<String>> {
    let document = Document::read_with("-", text, format, options).ok()?;
    let made = |model: &dyn Generate| {
        let translator = Translator::new(model, Language::Dutch, Language::English);
        translator.translate(std::slice::from_ref(&document)).unwrap().remove(0).document.text()
    };
    Some(models().into_iter().map(made).collect())
}

fn generated(dice: &mut Dice, pieces: &[&str], most: usize) -> String {
    (0..=dice.roll(most)).map(|_| pieces[dice.roll(pieces.len())]).collect()
}

/// The rows of a table as other programs read it: a cell that begins with a quotation mark goes up to the next single one.
fn cells(text: &str, separator: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut rest, mut is_quoted) = (text.chars().peekable(), false);
    let mut is_first = true;
    while let Some(c) = rest.next() {
        match c {
            '"' if is_quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' if is_quoted => is_quoted = false,
            '"' if is_first => is_quoted = true,
            c if !is_quoted && c == separator => row.push(std::mem::take(&mut cell)),
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
        is_first = !is_quoted && (c == separator || c == '\n');
    }
    row.push(cell);
    rows.push(row);
    rows
}

#[test]
fn a_table_keeps_its_rows_and_its_other_cells() {
    let words = ["een woord", " ", "Zin. ", "12", "é", "<b>x</b>", "a & b", "'"];
    let mut dice = Dice(5);
    for round in 0..300 {
        let separator = [',', ';', '\t', '|'][dice.roll(4)];
        let cell = |dice: &mut Dice, extra: &[&str]| {
            let words = [&words[..], extra].concat();
            generated(dice, &words, 4)
        };
        let mut table = format!("id{separator}text{separator}n\n");
        for number in 0..4 {
            let said = match dice.roll(3) {
                0 => format!("\"{}\"", cell(&mut dice, &["\"\"", "\n", ",", ";", "\t", "|"])),
                _ => cell(&mut dice, &["x\"y\""]),
            };
            table += &format!("{number}{separator}{said}{separator}z\n");
        }
        let field_format = [FieldFormat::Text, FieldFormat::Html, FieldFormat::Markdown][dice.roll(3)];
        let format = if separator == '\t' { Format::Tsv } else { Format::Csv };
        let options = ReadOptions { field_format, ..ReadOptions::default() };
        let before = cells(&table, separator);
        for made in translations(&table, format, &options).unwrap() {
            let after = cells(&made, separator);
            let others = |rows: &[Vec<String>]| -> Vec<Vec<String>> {
                rows.iter()
                    .map(|row| {
                        row.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, cell)| cell.clone()).collect()
                    })
                    .collect()
            };
            assert_eq!(others(&after), others(&before), "{round}: {table:?} became {made:?}");
        }
    }
}

#[test]
fn lines_of_dialogue_keep_all_but_their_text() {
    let words = ["een woord ", "Zin. ", "\\N", "{\\i1}", "{\\i0}", "é ", ", ", "twee woorden", "{", "\\h"];
    let mut dice = Dice(11);
    for _ in 0..200 {
        let mut text = "[Events]\nFormat: Start, Style, Text\n".to_owned();
        for number in 0..5 {
            text += &format!("Dialogue: {number},A,{}\n", generated(&mut dice, &words, 6));
        }
        let fields = |text: &str| -> Vec<String> {
            text.lines().map(|line| line.splitn(3, ',').take(2).collect::<Vec<_>>().join(",")).collect()
        };
        for made in translations(&text, Format::Ass, &ReadOptions::default()).unwrap() {
            assert_eq!(fields(&made), fields(&text), "{text:?} became {made:?}");
        }
    }
}

#[test]
fn texts_for_translation_stay_well_formed() {
    let words = [
        "een woord ",
        "Zin. ",
        "\n",
        "<g id='1'>x</g>",
        "<x id='2'/>",
        "&lt;b&gt;",
        "<mrk mtype='protected'>niet</mrk>",
        " ",
        "é ",
    ];
    let mut dice = Dice(17);
    for _ in 0..200 {
        let unit = |dice: &mut Dice, number: usize| {
            let head = ["", " xml:space=\"preserve\"", " translate=\"no\""][dice.roll(3)];
            let target = ["", "<target/>", "<target xml:lang='en' state='new'>x</target>"][dice.roll(3)];
            format!(
                "<trans-unit id=\"{number}\"{head}><source>{}</source>{target}</trans-unit>",
                generated(dice, &words, 6)
            )
        };
        let units: String = (0..3).map(|number| unit(&mut dice, number)).collect();
        let text =
            format!("<xliff xmlns=\"urn:oasis:names:tc:xliff:document:1.2\"><file><body>{units}</body></file></xliff>");
        for made in translations(&text, Format::Xliff, &ReadOptions::default()).unwrap() {
            let parts = |text: &str| -> Vec<String> {
                text.split("<source>")
                    .skip(1)
                    .map(|rest| rest.split("</source>").next().unwrap_or_default().to_owned())
                    .collect()
            };
            assert_eq!(parts(&made), parts(&text));
            let read = Document::read("-", made.as_str(), Format::Xliff);
            assert!(read.is_ok(), "{text:?} became {made:?}");
        }
    }
}
