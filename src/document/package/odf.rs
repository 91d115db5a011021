//! Documents of `OpenDocument`: text (`.odt`), presentations (`.odp`) and workbooks (`.ods`).
//!
//! Text is in `content.xml`, headers and footers in `styles.xml`, the title in `meta.xml`. Notes, annotations and text in
//! drawings are flows of their own. Never translated: deleted text of tracked changes, fields, cells with formulas,
//! code in a paragraph.

use std::ops::Range;

use anyhow::{Context, Result, ensure};

use super::flow::{Role, Rules};
use super::formulas::Literals;
use super::front::{Front, FrontPlace};
use super::sheets::is_sentence;
use super::xml::{NodeId, Tree, attribute};
use super::{Label, PackageReader};
use crate::document::BlockKind;
use crate::document::markup::{Style, escape};
use crate::error::WithHint;

/// The rules for elements of `OpenDocument`.
struct OpenDocument {
    /// Whether text of master pages is text of the document: it is in texts (headers and footers), but not in presentations.
    masters: bool,
    /// Whether cells are those of a sheet, of which only sentences are translated.
    sheets: bool,
    /// Whether annotations are text of the document.
    annotations: bool,
    /// Strings that formulas of a workbook have, and lists of allowed values.
    compared: Literals,
}

/// Elements that are structure although their names begin like those of elements inside paragraphs.
const STRUCTURE: [&str; 13] = [
    "text:list",
    "text:list-header",
    "text:section",
    "text:index-body",
    "text:index-title",
    "text:table-of-content",
    "text:illustration-index",
    "text:table-index",
    "text:object-index",
    "text:user-index",
    "text:alphabetical-index",
    "text:bibliography",
    "text:numbered-paragraph",
];

/// The styles of a heading and of a paragraph in a preface, if the document has them.
const STYLES: [&str; 2] = ["Heading_20_1", "Text_20_body"];
/// The styles of code in a paragraph, as Writer and pandoc name them.
const CODE: [&str; 2] = ["Source_20_Text", "Source_Text"];
/// Elements before the text of a document.
const DECLARATIONS: [&str; 9] = [
    "office:forms",
    "text:tracked-changes",
    "text:variable-decls",
    "text:sequence-decls",
    "text:user-field-decls",
    "text:dde-connection-decls",
    "text:alphabetical-index-auto-mark-file",
    "table:calculation-settings",
    "table:content-validations",
];

/// Reads all parts of a text.
pub(super) fn read(reader: &mut PackageReader) -> Result<()> {
    let named = if reader.archive.has("styles.xml") { reader.text("styles.xml")? } else { String::new() };
    let styles = STYLES.map(|style| named.contains(&format!("\"{style}\"")).then(|| style.to_owned()));
    reader.front = Some(Front { entry: "content.xml".to_owned(), styles, find: front });
    parts(reader, true, false)
}

/// Reads all parts of a presentation.
pub(super) fn read_slides(reader: &mut PackageReader) -> Result<()> {
    parts(reader, false, false)
}

/// Reads all parts of a workbook.
pub(super) fn read_sheets(reader: &mut PackageReader) -> Result<()> {
    parts(reader, true, true)
}

fn parts(reader: &mut PackageReader, masters: bool, sheets: bool) -> Result<()> {
    let missing = || "there is no text of OpenDocument in it".with_hint("look what kind of file it is");
    ensure!(reader.archive.has("content.xml"), missing());
    if reader.archive.has("META-INF/manifest.xml") {
        let list = reader.text("META-INF/manifest.xml")?;
        let tree = Tree::parse(&list).context("`META-INF/manifest.xml`")?;
        let locked = tree.all("manifest:encryption-data").next().is_some();
        ensure!(!locked, "the document has a password".with_hint("save it without one"));
    }
    let mut compared = Literals::default();
    if sheets {
        compared.add_calc(&reader.text("content.xml")?);
    }
    let rules = OpenDocument { masters, sheets, annotations: !reader.without_comments, compared };
    for entry in ["content.xml", "styles.xml", "meta.xml"] {
        if reader.archive.has(entry) {
            reader.add(entry, &rules, labels)?;
        }
    }
    Ok(())
}

/// The place of a preface: in front of the first paragraph.
fn front(tree: &Tree, styles: &[Option<String>; 2]) -> Option<FrontPlace> {
    let text = tree.all("office:text").find(|&text| !tree.end_tag(text).is_empty())?;
    let declares = |&child: &NodeId| !tree.is_element(child) || DECLARATIONS.contains(&tree.name(child));
    let last = tree.children(text).take_while(declares).last();
    let prefix = tree.all("text:p").map(|paragraph| tree.qualified(paragraph)).next().unwrap_or("text:p");
    let prefix = prefix.trim_end_matches('p');
    let style = |style: &Option<String>| {
        style.as_ref().map_or_else(String::new, |style| format!(" {prefix}style-name=\"{style}\""))
    };
    let [heading, paragraph] = [style(&styles[0]), style(&styles[1])];
    Some(FrontPlace {
        at: last.map_or(tree.inner(text).start, |last| tree.outer(last).end),
        heading: [format!("<{prefix}h{heading} {prefix}outline-level=\"1\">"), format!("</{prefix}h>")],
        paragraph: [format!("<{prefix}p{paragraph}>"), format!("</{prefix}p>")],
    })
}

/// The place where an element names a language.
fn labels(tree: &Tree, node: NodeId) -> Label {
    match tree.name(node) {
        "style:text-properties" => Label::Pair("language", "country"),
        "dc:language" => Label::Text,
        _ => Label::None,
    }
}

impl Rules for OpenDocument {
    fn role(&self, tree: &Tree, node: NodeId) -> Role {
        let name = tree.name(node);
        match name {
            "text:p" => Role::Paragraph(None),
            "text:h" => Role::Paragraph(Some(BlockKind::Heading)),
            "dc:title" if tree.said(node).contains(char::is_alphabetic) => Role::Paragraph(Some(BlockKind::Title)),
            "text:list-item" => Role::Structure(Some(BlockKind::Item)),
            "table:table-cell" if is_text(tree, node) && (!self.sheets || self.is_cell(&shown(tree, node))) => {
                Role::Structure(Some(BlockKind::Cell))
            }
            "table:table-cell" => Role::FlowsOnly,
            "table:covered-table-cell" | "office:annotation-end" => Role::Single,
            "office:annotation" if !self.annotations => Role::Single,
            "text:span" if tree.attribute(node, "style-name").is_some_and(|style| CODE.contains(&style.as_ref())) => {
                Role::Single
            }
            "text:span" | "text:a" | "text:meta" | "text:ruby-base" | "text:text-input" => Role::Phrase,
            "text:ruby" => Role::Explained,
            "text:s" => Role::Space,
            "text:tab" | "text:line-break" => Role::Parting,
            "text:note-body" | "office:annotation" | "draw:text-box" => Role::Flow,
            "style:master-page" if !self.masters => Role::Single,
            "draw:frame" => {
                let is_title = tree.attribute(node, "class").is_some_and(|class| class == "title");
                Role::Frame(is_title.then_some(BlockKind::Heading))
            }
            "draw:g" | "draw:a" | "draw:page" => Role::Frame(None),
            _ if STRUCTURE.contains(&name) => Role::Structure(None),
            _ => match name.split_once(':').map(|(prefix, _)| prefix) {
                Some("office" | "table" | "style" | "presentation") => Role::Structure(None),
                // Shapes may have text in them.
                Some("draw") => Role::Flow,
                _ => Role::Single,
            },
        }
    }
}

impl OpenDocument {
    /// Whether the text of a cell of a sheet is translated.
    fn is_cell(&self, said: &str) -> bool {
        is_sentence(said) && !self.compared.has(said)
    }
}

/// Whether a cell contains text that was typed: no formula computes it, and no attribute has another text as its value. An
/// attribute with the same text, as odfpy and pandas write it, follows the text: see [`repeated`].
fn is_text(tree: &Tree, cell: NodeId) -> bool {
    let kind = tree.attribute(cell, "value-type");
    let value = tree.attribute(cell, "string-value");
    let is_same = |value: &str| shown(tree, cell).split_whitespace().eq(value.split_whitespace());
    let is_said = tree.attribute(cell, "formula").is_none() && value.is_none_or(|value| is_same(&value));
    is_said && kind.is_none_or(|kind| kind == "string")
}

/// The text that a cell shows, without that of a comment on it.
fn shown(tree: &Tree, cell: NodeId) -> String {
    let said = |node: NodeId| match tree.name(node) {
        "text:s" => Some(" ".into()),
        "text:line-break" => Some("\n".into()),
        _ => tree.text(node),
    };
    let paragraphs = tree.children(cell).filter(|&child| matches!(tree.name(child), "text:p" | "text:h"));
    let texts: Vec<String> = paragraphs.map(|paragraph| tree.inside(paragraph).filter_map(said).collect()).collect();
    texts.join("\n")
}

/// The places where an attribute of a cell repeats the text that the cell had before, and what it has now. The cells are those of
/// the part before and after its translation.
pub(super) fn repeated(before: &Tree, after: &Tree) -> Vec<(Range<usize>, String)> {
    let cells = before.all("table:table-cell").zip(after.all("table:table-cell"));
    let changed = cells.filter_map(|(was, is)| {
        let value = attribute(after.tag(is), "string-value")?;
        let (old, new) = (shown(before, was), shown(after, is));
        let start = after.outer(is).start;
        let written =
            || escape(&new, Style::Html, false).replace('"', "&quot;").replace('\'', "&apos;").replace('\n', "&#10;");
        (is_text(before, was) && old != new).then(|| (start + value.start..start + value.end, written()))
    });
    changed.collect()
}
