//! Books (`.epub`, editions 2 and 3).
//!
//! `META-INF/container.xml` names the book's list of files, and that list names the chapters in their order. Chapters are XHTML and
//! read as XML; a chapter that is not well-formed, or in another namespace, is read as HTML. Titles in the tables of contents are translated as well. Numbers
//! of printed pages and the signs that lead to notes and back are kept. A book that its seller has locked is refused.

use anyhow::{Context, Result, ensure};

use super::chapter::ChapterPlace;
use super::flow::{Role, Rules};
use super::front::{Front, FrontPlace};
use super::xml::{NodeId, Tree};
use super::{Label, PackageReader};
use crate::document::{BlockKind, html};
use crate::error::WithHint;
use crate::language::Code;

/// Methods that obfuscate a font's file. A book with such fonts is not locked.
const OBFUSCATIONS: [&str; 2] = ["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"];

/// What an element is for, in the words of EPUB, of DPUB-ARIA and of pandoc, if none of its words is text: the number of a printed
/// page or a list of them, the sign that leads to a note or back from it.
const SIGNS: [&str; 10] = [
    "pagebreak",
    "page-list",
    "doc-pagebreak",
    "doc-pagelist",
    "noteref",
    "doc-noteref",
    "backlink",
    "doc-backlink",
    "footnote-ref",
    "footnote-back",
];
/// The most characters of a link to a note that does not say that it is one.
const LONGEST_SIGN: usize = 5;

/// The rules for elements of chapters and of a book's lists.
struct Book;

/// Reads all parts of a book.
pub(super) fn read(reader: &mut PackageReader) -> Result<()> {
    refuse_locked(reader)?;
    let container = reader.text("META-INF/container.xml")?;
    let tree = Tree::parse(&container).context("`META-INF/container.xml`")?;
    let list = tree.all("ocf:rootfile").find_map(|file| tree.attribute(file, "full-path"));
    let list = list.context("`META-INF/container.xml` names no list of the book's files")?.into_owned();
    let text = reader.text(&list)?;
    for entry in files(&Tree::parse(&text).with_context(|| format!("`{list}`"))?, &list) {
        let missing =
            || format!("`{list}` names `{entry}`, which is missing").with_hint("the book is damaged: save it anew");
        ensure!(reader.archive.has(&entry), missing());
        let is_list = entry.to_ascii_lowercase().ends_with(".ncx");
        let is_html = !is_list && !reader.text(&entry).is_ok_and(|text| is_xhtml(&text));
        if is_html || reader.add(&entry, &Book, labels).is_err() && !is_list {
            reader.add_html(&entry)?;
        }
    }
    let mut telling = reader.parts.iter().filter(|part| part.has_running_text());
    let before = telling.clone().next().map(|part| part.entry.clone());
    let first = telling.find(|part| part.labels.is_some()).map(|part| part.entry.clone());
    reader.front = first.map(|entry| Front { entry, styles: [None, None], find: front });
    if reader.front.is_none() {
        reader.chapter = Some(ChapterPlace { list: list.clone(), before });
    }
    reader.add(&list, &Book, labels)
}

/// Whether a chapter may be XHTML: its elements are in that namespace, or in none. A chapter in another namespace, or whose names
/// are in capitals, is one that programs read as HTML.
fn is_xhtml(chapter: &str) -> bool {
    chapter.contains("http://www.w3.org/1999/xhtml") || chapter.contains("<html") && !chapter.contains("xmlns=")
}

/// The place of a preface in a chapter: in front of its text.
fn front(tree: &Tree, _: &[Option<String>; 2]) -> Option<FrontPlace> {
    let body = tree.all("h:body").find(|&body| !tree.end_tag(body).is_empty())?;
    let prefix = tree.qualified(body).trim_end_matches("body");
    let around = |name: &str| [format!("<{prefix}{name}>"), format!("</{prefix}{name}>")];
    Some(FrontPlace { at: tree.inner(body).start, heading: around("h1"), paragraph: around("p") })
}

/// Refuses a book that only its seller's program can read.
fn refuse_locked(reader: &PackageReader) -> Result<()> {
    if !reader.archive.has("META-INF/encryption.xml") {
        return Ok(());
    }
    let text = reader.text("META-INF/encryption.xml")?;
    let tree = Tree::parse(&text).context("`META-INF/encryption.xml`")?;
    let methods = tree.all("enc:EncryptionMethod").filter_map(|method| tree.attribute(method, "Algorithm"));
    let locked = methods.into_iter().any(|method| !OBFUSCATIONS.contains(&method.as_ref()));
    ensure!(!locked, "the book is locked (DRM)".with_hint("only a book that is not locked can be translated"));
    Ok(())
}

/// The files with text: chapters in their order, then other XHTML files, then the table of contents of edition 2.
fn files(tree: &Tree, list: &str) -> Vec<String> {
    let folder = list.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let items: Vec<(String, String, String)> = tree
        .all("opf:item")
        .filter_map(|item| {
            let href = tree.attribute(item, "href")?;
            let entry = within(&format!("{folder}{}", unescaped(&href)));
            Some((tree.attribute(item, "id")?.into_owned(), entry, tree.attribute(item, "media-type")?.into_owned()))
        })
        .collect();
    let chapters = tree.all("opf:itemref").filter_map(|item| tree.attribute(item, "idref"));
    let mut files: Vec<String> = Vec::new();
    let mut add = |found: Option<&(String, String, String)>| {
        if let Some((_, entry, _)) = found.filter(|(_, entry, _)| !files.contains(entry)) {
            files.push(entry.clone());
        }
    };
    let is_page = |kind: &str| kind == "application/xhtml+xml";
    for chapter in chapters {
        add(items.iter().find(|(id, _, kind)| *id == *chapter && is_page(kind)));
    }
    items.iter().filter(|(_, _, kind)| is_page(kind)).for_each(|item| add(Some(item)));
    items.iter().filter(|(_, _, kind)| kind == "application/x-dtbncx+xml").for_each(|item| add(Some(item)));
    files
}

/// An address without its `%20`s.
pub(super) fn unescaped(address: &str) -> String {
    form_urlencoded::parse(format!("a={}", address.replace('+', "%2B")).as_bytes())
        .next()
        .map_or_else(|| address.to_owned(), |(_, address)| address.into_owned())
}

/// A path without `..` and `.` in it.
pub(super) fn within(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The place where an element names a language.
fn labels(tree: &Tree, node: NodeId) -> Label {
    match tree.name(node) {
        "h:html" | "ncx:ncx" | "opf:package" => Label::Attribute("lang"),
        name if name.starts_with("h:") && is_in_language_of_page(tree, node) => Label::Attribute("lang"),
        "dc:language" => Label::Text,
        _ => Label::None,
    }
}

/// Whether an element names the language that its page names. A quotation in another language goes on to name that one.
fn is_in_language_of_page(tree: &Tree, node: NodeId) -> bool {
    let Some(own) = tree.attribute(node, "lang") else { return false };
    let page = tree.roots().find(|&root| tree.is_element(root));
    let of_page = |page| tree.attribute(page, "lang").or_else(|| tree.attribute(tree.child(page, "h:body")?, "lang"));
    page.and_then(of_page).is_some_and(|named| Code::parse(&named).short() == Code::parse(&own).short())
}

/// Whether the words of an element are no text: numbers of pages, and signs that lead to notes.
fn is_sign(tree: &Tree, node: NodeId) -> bool {
    let tag = tree.tag(node);
    let says = |(name, value): (&str, std::ops::Range<usize>)| {
        (name == "role" || name == "class" || name.ends_with(":type"))
            && tag[value].split_whitespace().any(|word| SIGNS.contains(&word))
    };
    super::xml::attributes(tag).any(says) || is_raised_link(tree, node)
}

/// Whether an element is a link into the book whose text is no word and is raised, as a link to a note is; or is an arrow, as a link
/// back from it is.
fn is_raised_link(tree: &Tree, node: NodeId) -> bool {
    let is_link =
        |node| tree.name(node) == "h:a" && tree.attribute(node, "href").is_some_and(|address| address.contains('#'));
    let said = || tree.said(node);
    let is_short = |said: &str| {
        let said = said.trim();
        !said.is_empty() && said.chars().count() <= LONGEST_SIGN && !said.contains(char::is_alphabetic)
    };
    match tree.name(node) {
        "h:sup" => tree.inside(node).any(is_link) && is_short(&said()),
        "h:a" if is_link(node) => {
            let said = said();
            is_short(&said) && (tree.child(node, "h:sup").is_some() || !said.contains(char::is_alphanumeric))
        }
        _ => false,
    }
}

impl Rules for Book {
    fn language(&self, tree: &Tree, node: NodeId) -> Option<String> {
        let (_, name) = tree.name(node).split_once("h:").filter(|(prefix, _)| prefix.is_empty())?;
        let language = tree.attribute(node, "lang").filter(|_| !matches!(name, "html" | "body"))?;
        Some(language.into_owned()).filter(|code| Code::parse(code).is_language())
    }

    fn role(&self, tree: &Tree, node: NodeId) -> Role {
        let Some((prefix, name)) = tree.name(node).split_once(':') else { return Role::Single };
        match (prefix, name) {
            ("h", _) if tree.attribute(node, "translate").is_some_and(|said| said == "no") || is_sign(tree, node) => {
                if html::is_phrase(name) {
                    Role::Single
                } else {
                    Role::Parting
                }
            }
            ("h" | "dc", "title") | ("ncx", "text") => Role::Paragraph(Some(BlockKind::Title)),
            ("h", "br") => Role::Parting,
            ("h", _) if html::is_kept(name) => Role::Single,
            ("h", _) if html::is_phrase(name) => Role::Phrase,
            ("h", _) => Role::Paragraph(html::kind(name)),
            ("ncx", "docAuthor" | "pageList") => Role::Single,
            ("ncx" | "opf", _) => Role::Structure(None),
            _ => Role::Single,
        }
    }
}
