//! Workbooks of Excel (`.xlsx`), and of other programs that write its format: strings that are sentences, comments, and the
//! text of drawings and charts.
//!
//! A string is translated if it has two words or more. Strings of one word are codes, names, or values that formulas compare with.
//! Never translated: formulas and their results, names of sheets, titles of table columns, because Excel has them in two places
//! that must be equal, and strings that a formula, a filter or a list of allowed values has too.

use std::collections::HashSet;

use anyhow::{Context, Result};

use super::PackageReader;
use super::drawings::Drawing;
use super::flow::{Role, Rules};
use super::formulas::Literals;
use super::parts::{entries, main, refuse_missing};
use super::word::{Properties, labels};
use super::xml::{NodeId, Tree};
use crate::document::BlockKind;

/// Kinds of entries with strings, as the ends of their content types, in the order in which they are read.
const KINDS: [&str; 4] = [SHARED, SHEETS, ".comments+xml", ".threadedcomments+xml"];
const SHARED: &str = ".sharedStrings+xml";
const SHEETS: &str = ".worksheet+xml";
/// Kinds of entries with text in drawings.
const DRAWINGS: [&str; 4] = [".drawing+xml", ".chart+xml", ".diagramData+xml", ".diagramDrawing+xml"];
/// The least number of words of a sentence.
const FEWEST_WORDS: usize = 2;

/// The rules for elements of workbooks.
struct Workbook {
    /// Titles of the columns of tables.
    titles: HashSet<String>,
    /// Strings that formulas and lists of allowed values have.
    compared: Literals,
}

/// Reads all parts of a workbook.
pub(super) fn read(reader: &mut PackageReader) -> Result<()> {
    let types = entries(reader)?;
    let is_main = |kind: &str| kind.ends_with("main+xml") && kind.contains("sheet");
    let main = main(reader, &types, is_main, "there is no workbook of Excel in it")?;
    refuse_missing(reader, &main)?;
    let of = |kind: &str| -> Vec<String> {
        let mut found: Vec<&String> =
            types.iter().filter(|(_, known)| known.ends_with(kind)).map(|(entry, _)| entry).collect();
        found.sort_by_key(|entry| (entry.len(), *entry));
        found.into_iter().cloned().collect()
    };
    let mut titles = HashSet::new();
    let mut compared = Literals::default();
    compared.add_sheet(&reader.text(&main)?);
    for entry in of(".table+xml") {
        let text = reader.text(&entry)?;
        compared.add_sheet(&text);
        let tree = Tree::parse(&text).with_context(|| format!("`{entry}`"))?;
        titles
            .extend(tree.all("x:tableColumn").filter_map(|column| Some(tree.attribute(column, "name")?.into_owned())));
    }
    // Most sheets have no strings of their own, but may have millions of numbers, so they are not parsed.
    let mut without_strings = HashSet::new();
    for entry in of(SHEETS) {
        let text = reader.text(&entry)?;
        compared.add_sheet(&text);
        if !has_strings(&text) {
            without_strings.insert(entry);
        }
    }
    let rules = Workbook { titles, compared };
    for entry in KINDS.into_iter().flat_map(of).filter(|entry| !without_strings.contains(entry)) {
        reader.add(&entry, &rules, labels)?;
    }
    for entry in DRAWINGS.into_iter().flat_map(of) {
        reader.add(&entry, &Drawing, labels)?;
    }
    for entry in of(".core-properties+xml") {
        reader.add(&entry, &Properties, labels)?;
    }
    Ok(())
}

/// Whether a text has the words of a sentence.
pub(super) fn is_sentence(text: &str) -> bool {
    text.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count() >= FEWEST_WORDS
}

/// Whether a sheet has strings in its cells: inline, or typed as if a formula had computed them, as `SheetJS` writes them.
fn has_strings(sheet: &str) -> bool {
    let is_typed = |(at, _)| {
        let cell = sheet[at..].split_once('>').map_or("", |(_, cell): (&str, &str)| cell.trim_start());
        !cell.starts_with("<f") && !cell.starts_with("<x:f")
    };
    sheet.contains("inlineStr") || sheet.match_indices("t=\"str\"").any(is_typed)
}

impl Workbook {
    /// Whether a string is translated.
    fn is_text(&self, said: &str) -> bool {
        is_sentence(said) && !self.titles.contains(said) && !self.compared.has(said)
    }

    /// The role of a string: lines of text, or runs of several formats.
    fn string(&self, tree: &Tree, string: NodeId) -> Role {
        let runs = |node| tree.children(node).filter(|&child| tree.name(child) == "x:r");
        let words = |node| tree.children(node).filter(|&child| tree.name(child) == "x:t");
        let said: String = words(string).chain(runs(string).flat_map(words)).map(|words| tree.said(words)).collect();
        if !self.is_text(&said) {
            Role::Single
        } else if runs(string).next().is_some() {
            Role::RunParagraph(Some(BlockKind::Cell))
        } else {
            Role::Lines(BlockKind::Cell)
        }
    }
}

impl Rules for Workbook {
    fn has_lines(&self) -> bool {
        true
    }

    fn role(&self, tree: &Tree, node: NodeId) -> Role {
        match tree.name(node) {
            "x:si" | "x:is" | "x:text" => self.string(tree, node),
            "x:r" => Role::Run,
            "x:rPr" => Role::Format,
            "x:t" | "x:v" | "tc:text" => Role::Words,
            "x:c" if tree.child(node, "x:f").is_some() => Role::Single,
            "x:c" if tree.attribute(node, "t").is_some_and(|kind| kind == "str") => {
                if self.is_text(&tree.said(node)) {
                    Role::Lines(BlockKind::Cell)
                } else {
                    Role::Single
                }
            }
            // Positions in a comment say where it names persons.
            "tc:threadedComment" if tree.child(node, "tc:mentions").is_some() => Role::Single,
            "tc:threadedComment" if is_sentence(&tree.said(node)) => Role::Lines(BlockKind::Paragraph),
            "x:sst"
            | "x:worksheet"
            | "x:sheetData"
            | "x:row"
            | "x:c"
            | "x:comments"
            | "x:commentList"
            | "x:comment"
            | "tc:ThreadedComments" => Role::Structure(None),
            _ => Role::Single,
        }
    }
}
