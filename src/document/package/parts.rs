//! The list of entries in documents of Office, and the entries that others name.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, ensure};

use super::PackageReader;
use super::book::{unescaped, within};
use super::xml::{self, Tree};
use crate::error::{Explain, WithHint};

/// Kinds of entries with text, as relationships name them.
const RELATED: [&str; 12] = [
    "header",
    "footer",
    "footnotes",
    "endnotes",
    "comments",
    "chart",
    "diagramData",
    "slide",
    "notesSlide",
    "worksheet",
    "sharedStrings",
    "drawing",
];

/// The entries and their types, first those that the list names, then those whose type is that of their extension.
pub(super) fn entries(reader: &PackageReader) -> Result<Vec<(String, String)>> {
    const LIST: &str = "[Content_Types].xml";
    let list = reader.text(reader.archive.named(LIST).unwrap_or(LIST))?;
    let tree = Tree::parse(&list).context("`[Content_Types].xml`")?;
    let kind = |node| Some(tree.attribute(node, "ContentType")?.into_owned());
    let named = |node| {
        let name = tree.attribute(node, "PartName")?;
        let name = name.trim_start_matches('/');
        Some((reader.archive.named(name).unwrap_or(name).to_owned(), kind(node)?))
    };
    let mut entries: Vec<(String, String)> = tree.all("ct:Override").filter_map(named).collect();
    let usual = |node| Some((tree.attribute(node, "Extension")?.to_ascii_lowercase(), kind(node)?));
    let usual: HashMap<String, String> = tree.all("ct:Default").filter_map(usual).collect();
    let known: HashSet<String> = entries.iter().map(|(name, _)| name.clone()).collect();
    for name in reader.archive.names().filter(|name| !known.contains(*name)) {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let kind = extension.and_then(|extension| usual.get(&extension));
        entries.extend(kind.map(|kind| (name.to_owned(), kind.clone())));
    }
    Ok(entries)
}

/// The main entry of a document: the one of the right type. If all XML has that type because the list names no other, it is the one
/// that the document's own relationships name.
pub(super) fn main(
    reader: &PackageReader,
    entries: &[(String, String)],
    is_main: fn(&str) -> bool,
    missing: &'static str,
) -> Result<String> {
    let fitting: Vec<&String> = entries.iter().filter(|(_, kind)| is_main(kind)).map(|(entry, _)| entry).collect();
    let related = if fitting.len() > 1 { main_of_relationships(reader)? } else { None };
    let related = related.filter(|related| fitting.contains(&related));
    let main = related.or_else(|| fitting.first().map(|entry| (*entry).clone()));
    main.explain(|| missing.with_hint("look what kind of file it is"))
}

/// The main entry that the relationships of a document name.
fn main_of_relationships(reader: &PackageReader) -> Result<Option<String>> {
    let Some(list) = reader.archive.named("_rels/.rels") else { return Ok(None) };
    let text = reader.text(list)?;
    let tree = Tree::parse(&text).with_context(|| format!("`{list}`"))?;
    let is_main = |kind: &str| kind.rsplit('/').next() == Some("officeDocument");
    let target = tree.all("rel:Relationship").find_map(|named| {
        tree.attribute(named, "Type").filter(|kind| is_main(kind)).and_then(|_| tree.attribute(named, "Target"))
    });
    let target = target.map(|target| within(&unescaped(&target)));
    Ok(target.and_then(|target| reader.archive.named(&target).map(str::to_owned)))
}

/// Refuses a document without an entry of text that its relationships name. Missing pictures are accepted: they are common, and
/// every program opens such a document.
///
/// # Errors
/// When an entry with text is missing; the error names it.
pub(super) fn refuse_missing(reader: &PackageReader, entry: &str) -> Result<()> {
    let Some((list, related)) = relationships(reader, entry)? else { return Ok(()) };
    for Relationship { kind, target, is_external, .. } in related {
        let with_text = RELATED.contains(&kind.rsplit('/').next().unwrap_or_default());
        if with_text && !is_external {
            let missing = || {
                format!("`{list}` names `{target}`, which is missing")
                    .with_hint("the document is damaged: save it anew")
            };
            ensure!(reader.archive.named(&target).is_some(), missing());
        }
    }
    Ok(())
}

/// The entry that another one names by this id; `None` for a file outside of the document.
pub(super) fn related(reader: &PackageReader, entry: &str, id: &str) -> Option<String> {
    let (_, related) = relationships(reader, entry).ok()??;
    let found = related.into_iter().find(|named| named.id == id && !named.is_external)?;
    reader.archive.named(&found.target).map(str::to_owned)
}

/// An entry that another one names.
struct Relationship {
    id: String,
    kind: String,
    /// The name of the entry.
    target: String,
    /// Whether it is no entry, but a file outside of the document.
    is_external: bool,
}

/// The list in which an entry names others, and what it names; `None` without such a list.
fn relationships(reader: &PackageReader, entry: &str) -> Result<Option<(String, Vec<Relationship>)>> {
    let (folder, name) = entry.rsplit_once('/').unwrap_or(("", entry));
    let list = within(&format!("{folder}/_rels/{name}.rels"));
    if !reader.archive.has(&list) {
        return Ok(None);
    }
    let text = reader.text(&list)?;
    let tree = Tree::parse(&text).with_context(|| format!("`{list}`"))?;
    let related = tree.all("rel:Relationship").map(|named| {
        let attribute = |name| tree.attribute(named, name).unwrap_or_default();
        let target = unescaped(&attribute("Target"));
        let target = if target.starts_with('/') { within(&target) } else { within(&format!("{folder}/{target}")) };
        let (id, kind) = (attribute("Id").into_owned(), attribute("Type").into_owned());
        Relationship { id, kind, target, is_external: attribute("TargetMode") == "External" }
    });
    Ok(Some((list.clone(), related.collect())))
}

/// A changed part, which names the encoding that it is written in.
pub(super) fn in_utf8(mut text: String) -> String {
    if let Some((range, name)) = xml::in_utf8(&text) {
        text.replace_range(range, &name);
    }
    text
}
