//! Documents of Word (`.docx`), and of other programs that write its format.
//!
//! `[Content_Types].xml` names the entries with text: the document itself, headers and footers, notes, comments, charts and
//! diagrams. Never translated: codes of fields and their results, deleted text of tracked changes, formulas,
//! code.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};

use super::drawings::{Chart, Drawing};
use super::flow::{Role, Rules};
use super::front::{Front, FrontPlace};
use super::parts::{entries, main, refuse_missing};
use super::xml::{NodeId, Tree};
use super::{Label, PackageReader};
use crate::document::BlockKind;

/// Kinds of entries with text, as the ends of their content types, in the order in which they are read.
const KINDS: [&str; 5] = ["header+xml", "footer+xml", "footnotes+xml", "endnotes+xml", COMMENTS];
const COMMENTS: &str = "comments+xml";
/// Kinds of entries with text in diagrams: what a diagram says, and how it was last drawn, which is what is shown.
const DIAGRAMS: [&str; 2] = ["diagramData+xml", "diagramDrawing+xml"];

/// Names of styles whose text is code. `HTML Preformatted` is not among them: prose that was copied from a web page has it too.
const CODE: [&str; 5] = ["source code", "macro text", "verbatim char", "html code", "source text"];

/// The rules for elements of Word.
#[derive(Default)]
struct Word {
    /// The kind of paragraphs by their style.
    kinds: HashMap<String, BlockKind>,
    /// The styles of code, which is never translated.
    code: HashSet<String>,
    /// The style of a heading of the first level.
    heading: Option<String>,
}

/// Reads all parts of a document.
pub(super) fn read(reader: &mut PackageReader) -> Result<()> {
    let types = entries(reader)?;
    let of = |kind: &str| -> Vec<String> {
        types.iter().filter(|(_, known)| known.ends_with(kind)).map(|(entry, _)| entry.clone()).collect()
    };
    let is_main = |kind: &str| kind.ends_with("main+xml") && kind.contains("word");
    let main = main(reader, &types, is_main, "there is no text of Word in it")?;
    refuse_missing(reader, &main)?;
    let styles = of("styles+xml").into_iter().next();
    let rules = styles.as_ref().map_or_else(|| Ok(Word::default()), |styles| styled(reader, styles))?;
    reader.front = Some(Front { entry: main.clone(), styles: [rules.heading.clone(), None], find: front });
    let known = of(COMMENTS).into_iter().next();
    if let Some(entry) = &known {
        let text = reader.text(entry)?;
        let tree = Tree::parse(&text).with_context(|| format!("`{entry}`"))?;
        let numbers = tree.all("w:comment").filter_map(|comment| tree.attribute(comment, "id")?.parse::<usize>().ok());
        reader.first_comment = numbers.max().unwrap_or(0) + 1;
    }
    reader.comments = known;
    let without_comments = reader.without_comments;
    let kinds = KINDS.into_iter().filter(|&kind| kind != COMMENTS || !without_comments);
    for entry in std::iter::once(main).chain(kinds.flat_map(of)) {
        reader.add(&entry, &rules, labels)?;
    }
    for entry in of("chart+xml") {
        reader.add(&entry, &Chart, labels)?;
    }
    for entry in DIAGRAMS.into_iter().flat_map(of) {
        reader.add(&entry, &Drawing, labels)?;
    }
    for entry in styles.into_iter().chain(of("core-properties+xml")) {
        reader.add(&entry, &Properties, labels)?;
    }
    Ok(())
}

/// The rules for a document with these styles. Styles are known by their names, which are the same in every language of Word.
fn styled(reader: &PackageReader, entry: &str) -> Result<Word> {
    let text = reader.text(entry)?;
    let tree = Tree::parse(&text).with_context(|| format!("`{entry}`"))?;
    let mut rules = Word::default();
    for style in tree.all("w:style") {
        let name = tree.child(style, "w:name").and_then(|name| tree.attribute(name, "val"));
        let (Some(name), Some(id)) = (name, tree.attribute(style, "styleId")) else { continue };
        let (name, id) = (name.to_lowercase(), id.into_owned());
        match name.as_str() {
            "title" | "subtitle" => drop(rules.kinds.insert(id, BlockKind::Heading)),
            "caption" => drop(rules.kinds.insert(id, BlockKind::Caption)),
            name if CODE.contains(&name) => drop(rules.code.insert(id)),
            name if name.starts_with("heading ") => {
                if name == "heading 1" {
                    rules.heading.get_or_insert_with(|| id.clone());
                }
                rules.kinds.insert(id, BlockKind::Heading);
            }
            _ => {}
        }
    }
    Ok(rules)
}

/// The place of a preface: in front of the first paragraph.
fn front(tree: &Tree, [heading, _]: &[Option<String>; 2]) -> Option<FrontPlace> {
    let body = tree.all("w:body").find(|&body| !tree.end_tag(body).is_empty())?;
    let w = tree.qualified(body).trim_end_matches("body");
    let style = heading.as_ref().filter(|_| !w.is_empty());
    let style = style.map_or_else(String::new, |style| format!("<{w}pPr><{w}pStyle {w}val=\"{style}\"/></{w}pPr>"));
    let around = |style: &str| [format!("<{w}p>{style}<{w}r><{w}t>"), format!("</{w}t></{w}r></{w}p>")];
    Some(FrontPlace { at: tree.inner(body).start, heading: around(&style), paragraph: around("") })
}

/// The place where an element names a language.
pub(super) fn labels(tree: &Tree, node: NodeId) -> Label {
    match tree.name(node) {
        "w:lang" => Label::Attribute("val"),
        "a:rPr" | "a:endParaRPr" | "a:defRPr" => Label::Attribute("lang"),
        "dc:language" => Label::Text,
        _ => Label::None,
    }
}

impl Word {
    /// The kind that a paragraph's style names.
    fn kind(&self, tree: &Tree, paragraph: NodeId) -> Option<BlockKind> {
        let properties = tree.child(paragraph, "w:pPr")?;
        let style = tree.child(properties, "w:pStyle").and_then(|style| tree.attribute(style, "val"));
        let kind = style.and_then(|style| self.kinds.get(style.as_ref()).copied());
        kind.or_else(|| tree.child(properties, "w:outlineLvl").map(|_| BlockKind::Heading))
            .or_else(|| tree.child(properties, "w:numPr").map(|_| BlockKind::Item))
    }

    /// Whether a paragraph or a run is code: `properties` and `style` are the names of the elements that say so.
    fn is_code(&self, tree: &Tree, node: NodeId, properties: &str, style: &str) -> bool {
        let style = tree.child(node, properties).and_then(|properties| tree.child(properties, style));
        style.and_then(|style| tree.attribute(style, "val")).is_some_and(|style| self.code.contains(style.as_ref()))
    }
}

impl Rules for Word {
    fn role(&self, tree: &Tree, node: NodeId) -> Role {
        match tree.name(node) {
            "w:p" if self.is_code(tree, node, "w:pPr", "w:pStyle") => Role::Single,
            "w:r" if self.is_code(tree, node, "w:rPr", "w:rStyle") => Role::Single,
            "w:p" => Role::RunParagraph(self.kind(tree, node)),
            "w:tc" => Role::Structure(Some(BlockKind::Cell)),
            "w:r" => Role::Run,
            "w:rPr" => Role::Format,
            "w:t" => Role::Words,
            "w:noBreakHyphen" => Role::Hyphen,
            "w:tab" | "w:br" | "w:cr" | "w:ptab" => Role::Parting,
            "w:fldChar" => Role::Field,
            "w:txbxContent" => Role::Flow,
            "mc:AlternateContent" => Role::FlowsOnly,
            "mc:Choice" | "mc:Fallback" if has_own_text(tree, node) => Role::Flow,
            "w:lang" | "w:rPrChange" | "w:noProof" | "w:proofErr" | "w:lastRenderedPageBreak" | "w:softHyphen" => {
                Role::Dropped
            }
            "w:hyperlink" | "w:ins" | "w:moveTo" | "w:smartTag" | "w:sdtContent" | "w:sdt" | "w:customXml"
            | "w:dir" | "w:bdo" => Role::Phrase,
            "w:fldSimple" if tree.attribute(node, "instr").is_some_and(|code| code.contains("HYPERLINK")) => {
                Role::Phrase
            }
            "w:document" | "w:body" | "w:tbl" | "w:tr" | "w:hdr" | "w:ftr" | "w:footnotes" | "w:footnote"
            | "w:endnotes" | "w:endnote" | "w:comments" | "w:comment" => Role::Structure(None),
            _ => Role::Single,
        }
    }
}

/// Whether one of several forms of a text has words outside of text boxes, which are flows of their own.
fn has_own_text(tree: &Tree, form: NodeId) -> bool {
    let mut inside = tree.inside(form);
    while let Some(node) = inside.next() {
        match tree.name(node) {
            "w:t" => return true,
            "w:txbxContent" => inside.start = tree.inside(node).end,
            _ => {}
        }
    }
    false
}

/// The rules for the properties of a document, such as its title.
pub(super) struct Properties;

impl Rules for Properties {
    fn role(&self, tree: &Tree, node: NodeId) -> Role {
        match tree.name(node) {
            "dc:title" => Role::Paragraph(Some(BlockKind::Title)),
            "w:styles" => Role::Single,
            _ => Role::Structure(None),
        }
    }
}
