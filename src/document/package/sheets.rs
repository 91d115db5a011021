//! Workbooks of Excel (`.xlsx`), and of other programs that write its format: strings that are sentences, comments, and the
//! text of drawings and charts.
//!
//! A string is translated if it has two words or more. Strings of one word are codes, names, or values that formulas compare with.
//! Never translated: formulas and their results, names of sheets, and titles of table columns, because Excel has them in two places
//! that must be equal.

use std::collections::HashSet;

use anyhow::{Context, Result};

use super::PackageReader;
use super::flow::{Role, Rules};
use super::word::{Drawing, Properties, entries, labels, refuse_missing};
use super::xml::{NodeId, Tree};
use crate::document::BlockKind;
use crate::error::{Explain, WithHint};

/// Kinds of entries with strings, as the ends of their content types, in the order in which they are read.
const KINDS: [&str; 3] = [".sharedStrings+xml", ".worksheet+xml", ".comments+xml"];
/// Kinds of entries with text in drawings.
const DRAWINGS: [&str; 2] = [".drawing+xml", ".chart+xml"];
/// The least number of words of a sentence.
const FEWEST_WORDS: usize = 2;

/// The rules for elements of workbooks.
struct Workbook {
    /// Titles of the columns of tables.
    titles: HashSet<String>,
}

/// Reads all parts of a workbook.
pub(super) fn read(reader: &mut PackageReader) -> Result<()> {
    let types = entries(reader)?;
    let main = types.iter().find(|(_, kind)| kind.ends_with("main+xml") && kind.contains("sheet"));
    let (main, _) = main.explain(|| "there is no workbook of Excel in it".with_hint("look what kind of file it is"))?;
    refuse_missing(reader, main)?;
    let of = |kind: &str| -> Vec<String> {
        let mut found: Vec<&String> =
            types.iter().filter(|(_, known)| known.ends_with(kind)).map(|(entry, _)| entry).collect();
        found.sort_by_key(|entry| (entry.len(), *entry));
        found.into_iter().cloned().collect()
    };
    let mut titles = HashSet::new();
    for entry in of(".table+xml") {
        let text = reader.text(&entry)?;
        let tree = Tree::parse(&text).with_context(|| format!("`{entry}`"))?;
        titles
            .extend(tree.all("x:tableColumn").filter_map(|column| Some(tree.attribute(column, "name")?.into_owned())));
    }
    let rules = Workbook { titles };
    for entry in KINDS.into_iter().flat_map(of) {
        // Most sheets have no strings of their own, but may have millions of numbers, so they are not parsed.
        if !entry.contains("/worksheets/") || reader.text(&entry)?.contains("inlineStr") {
            reader.add(&entry, &rules, labels)?;
        }
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

impl Workbook {
    /// The role of a string: lines of text, or runs of several formats.
    fn string(&self, tree: &Tree, string: NodeId) -> Role {
        let runs = |node| tree.children(node).filter(|&child| tree.name(child) == "x:r");
        let words = |node| tree.children(node).filter(|&child| tree.name(child) == "x:t");
        let said: String = words(string).chain(runs(string).flat_map(words)).map(|words| tree.said(words)).collect();
        if !is_sentence(&said) || self.titles.contains(&said) {
            Role::Single
        } else if runs(string).next().is_some() {
            Role::RunParagraph(Some(BlockKind::Cell))
        } else {
            Role::Lines(BlockKind::Cell)
        }
    }
}

impl Rules for Workbook {
    fn role(&self, tree: &Tree, node: NodeId) -> Role {
        match tree.name(node) {
            "x:si" | "x:is" | "x:text" => self.string(tree, node),
            "x:r" => Role::Run,
            "x:rPr" => Role::Format,
            "x:t" => Role::Words,
            "x:c" if tree.child(node, "x:f").is_some() => Role::Single,
            "x:sst" | "x:worksheet" | "x:sheetData" | "x:row" | "x:c" | "x:comments" | "x:commentList"
            | "x:comment" => Role::Structure(None),
            _ => Role::Single,
        }
    }
}
