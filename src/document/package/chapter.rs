//! A chapter for the preface of a book that has no chapter to put it into: none that is well-formed XML.
//!
//! The chapter is a new entry. The book's list of files names it, in front of the first chapter with text; so do the tables of contents
//! that are well-formed.

use anyhow::{Context, Result};

use super::archive::Archive;
use super::book::{unescaped, within};
use super::comments::Changed;
use super::xml::{NodeId, Tree, decoded};
use crate::document::Preface;
use crate::document::markup::{Style, escape};

/// The id of the chapter, and the name of its entry.
const ID: &str = "kortom-summary";

/// The place of a new chapter.
pub(super) struct ChapterPlace {
    /// The entry that lists the book's files.
    pub(super) list: String,
    /// The entry of the first chapter with text.
    pub(super) before: Option<String>,
}

impl ChapterPlace {
    /// Puts a preface into a new chapter, which is returned; changes the lists that name it.
    pub(super) fn add(
        &self,
        archive: &Archive,
        preface: &Preface,
        language: Option<&str>,
        changed: &mut Vec<Changed>,
    ) -> Result<Changed> {
        let folder = self.list.rsplit_once('/').map_or("", |(folder, _)| folder);
        let names = (1..).map(|number| if number == 1 { ID.to_owned() } else { format!("{ID}-{number}") });
        let entry = |name: &String| within(&format!("{folder}/{name}.xhtml"));
        let name = names.into_iter().find(|name| !archive.has(&entry(name))).unwrap_or_default();
        let entry = entry(&name);
        let list = text(archive, &self.list, changed)?;
        let tree = Tree::parse(&list)?;
        let listed = self.listed(&tree, &name).context("there is no place for a summary in it")?;
        let title = escape(&preface.heading, Style::Html, false);
        for contents in tables_of_contents(&tree, &self.list) {
            let text = text(archive, &contents, changed)?;
            let href = relative(&contents, &entry);
            let inserted = Tree::parse(&text).ok().and_then(|tree| in_contents(&tree, &name, &href, &title));
            if let Some(inserted) = inserted {
                put(&contents, with(&text, vec![inserted]), changed);
            }
        }
        put(&self.list, with(&list, listed), changed);
        Ok((entry, chapter(preface, language).into_bytes()))
    }

    /// What names the chapter in the list of the book's files.
    fn listed(&self, tree: &Tree, name: &str) -> Option<Vec<(usize, String)>> {
        let filled = |name| tree.all(name).find(|&node| !tree.end_tag(node).is_empty());
        let (manifest, spine) = (filled("opf:manifest")?, filled("opf:spine")?);
        let p = tree.qualified(manifest).trim_end_matches("manifest");
        let item = format!("<{p}item id=\"{name}\" href=\"{name}.xhtml\" media-type=\"application/xhtml+xml\"/>");
        let is_first = |&item: &NodeId| entry_of(tree, item, &self.list) == self.before;
        let first = tree.all("opf:item").find(is_first).and_then(|item| tree.attribute(item, "id"));
        let first = first
            .and_then(|id| tree.all("opf:itemref").find(|&node| tree.attribute(node, "idref").as_ref() == Some(&id)));
        let at = first.map_or(tree.inner(spine).start, |first| tree.outer(first).start);
        Some(vec![(tree.inner(manifest).end, item), (at, format!("<{p}itemref idref=\"{name}\"/>"))])
    }
}

/// The entry that an item of the list names.
fn entry_of(tree: &Tree, item: NodeId, list: &str) -> Option<String> {
    let folder = list.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(within(&format!("{folder}/{}", unescaped(&tree.attribute(item, "href")?))))
}

/// The tables of contents that the list names.
fn tables_of_contents(tree: &Tree, list: &str) -> Vec<String> {
    let says = |item, name, value: &str| {
        tree.attribute(item, name).is_some_and(|said| said.split_whitespace().any(|word| word == value))
    };
    let is_contents =
        |&item: &NodeId| says(item, "properties", "nav") || says(item, "media-type", "application/x-dtbncx+xml");
    tree.all("opf:item").filter(is_contents).filter_map(|item| entry_of(tree, item, list)).collect()
}

/// What names a chapter in a table of contents, and where.
fn in_contents(tree: &Tree, name: &str, href: &str, title: &str) -> Option<(usize, String)> {
    if let Some(map) = tree.all("ncx:navMap").next() {
        let p = tree.qualified(map).trim_end_matches("navMap");
        let label = format!("<{p}navLabel><{p}text>{title}</{p}text></{p}navLabel>");
        let point = format!("<{p}navPoint id=\"{name}\">{label}<{p}content src=\"{href}\"/></{p}navPoint>");
        return Some((tree.inner(map).start, point));
    }
    let is_contents = |&nav: &NodeId| tree.attribute(nav, "type").is_some_and(|kind| kind == "toc");
    let nav = tree.all("h:nav").find(is_contents)?;
    let items = tree.inside(nav).find(|&node| tree.name(node) == "h:ol")?;
    let p = tree.qualified(items).trim_end_matches("ol");
    Some((tree.inner(items).start, format!("<{p}li><{p}a href=\"{href}\">{title}</{p}a></{p}li>")))
}

/// The address of an entry in another one.
fn relative(from: &str, to: &str) -> String {
    let folder: Vec<&str> = from.rsplit_once('/').map_or_else(Vec::new, |(folder, _)| folder.split('/').collect());
    let parts: Vec<&str> = to.split('/').collect();
    let same = folder.iter().zip(&parts[..parts.len() - 1]).take_while(|(a, b)| a == b).count();
    let up = "../".repeat(folder.len() - same);
    format!("{up}{}", parts[same..].join("/").replace(' ', "%20"))
}

/// The chapter, in XHTML that both editions of books allow.
fn chapter(preface: &Preface, language: Option<&str>) -> String {
    let said = |text: &String| escape(text, Style::Html, false);
    let title = said(&preface.heading);
    let language = language.map_or_else(String::new, |language| format!(" xml:lang=\"{language}\""));
    let mut paragraphs = String::new();
    paragraphs.extend(preface.paragraphs.iter().flat_map(|text| ["<p>".to_owned(), said(text), "</p>\n".to_owned()]));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<html xmlns=\"http://www.w3.org/1999/xhtml\"{language}>\n<head><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{paragraphs}</body>\n</html>\n"
    )
}

/// An entry as it is now.
fn text(archive: &Archive, entry: &str, changed: &[Changed]) -> Result<String> {
    let known = changed.iter().find(|(name, _)| name == entry).map(|(_, bytes)| bytes.clone());
    decoded(known.map_or_else(|| archive.read(entry), Ok)?).with_context(|| format!("`{entry}`"))
}

/// Changes an entry.
fn put(entry: &str, text: String, changed: &mut Vec<Changed>) {
    changed.retain(|(name, _)| name != entry);
    changed.push((entry.to_owned(), super::parts::in_utf8(text).into_bytes()));
}

/// A text with others inserted.
fn with(text: &str, mut inserted: Vec<(usize, String)>) -> String {
    let mut text = text.to_owned();
    inserted.sort_by_key(|(at, _)| *at);
    for (at, added) in inserted.into_iter().rev() {
        text.insert_str(at, &added);
    }
    text
}
