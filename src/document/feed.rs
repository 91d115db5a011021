//! Feeds: RSS, Atom and JSON Feed.
//!
//! Titles, descriptions and the text of entries are translated; addresses, guids, categories and authors stay. A text that has
//! markup in it, escaped or in a CDATA section, is read as a web page and put back as it was. Invariant: everything else is in
//! the gaps, so it keeps its bytes.
//!
//! An element of Atom without a `type` holds plain text (RFC 4287, section 3.1.1.1), and so does one of Media RSS. Many feeds put
//! escaped HTML there nevertheless, which readers show as HTML. So such a text is a page if it has a tag that ends something, or one
//! of an element of HTML. In any other one, `<file>` and `&eacute;` are what they say.

use std::ops::Range;

use anyhow::{Context, Result, ensure};

use super::envelope::{self, Envelope, FieldFormat};
use super::package::{Label, relabelled};
use super::xml::{NodeId, Tree};
use super::{Block, BlockKind, Document, Format, ReadOptions, html, json};
use crate::error::WithHint;
use crate::language::Code;

/// Elements that hold titles.
const TITLES: [&str; 5] = ["title", "rss1:title", "atom:title", "dc:title", "media:title"];
/// Elements that hold other texts.
const TEXTS: [&str; 13] = [
    "description",
    "rss1:description",
    "dc:description",
    "content:encoded",
    "excerpt:encoded",
    "atom:subtitle",
    "atom:summary",
    "atom:content",
    "media:description",
    "itunes:subtitle",
    "itunes:summary",
    "itunes:title",
    "googleplay:description",
];
/// Names of texts in a JSON Feed.
const JSON_TITLES: [&str; 1] = ["title"];
const JSON_TEXTS: [&str; 4] = ["description", "summary", "content_text", "content_html"];

/// Reads a feed: RSS, Atom or JSON Feed.
pub(super) fn read(input: &str, text: &str, _: &ReadOptions) -> Result<Document> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.is_empty() {
        return Ok(Document::assemble(input, text, Format::Rss, Vec::new()));
    }
    let head = start.get(..start.len().min(15)).unwrap_or_default().to_ascii_lowercase();
    ensure!(
        !head.starts_with("<!doctype html") && !head.starts_with("<html"),
        "this is a web page and no feed"
            .with_hint("fetch the address of the feed itself, or read it with `--input-format html`")
    );
    let blocks = if start.starts_with('{') { of_json(text)? } else { of_xml(text)? };
    Ok(Document::assemble(input, text, Format::Rss, blocks))
}

/// The blocks of RSS or Atom.
fn of_xml(text: &str) -> Result<Vec<(Range<usize>, Block)>> {
    let tree = Tree::parse(text).context("the feed is damaged")?;
    let root = tree.roots().find(|&root| tree.is_element(root));
    let is_feed = root.is_some_and(|root| matches!(tree.name(root), "rss" | "atom:feed" | "atom:entry" | "?:RDF"));
    ensure!(is_feed, "there is no feed in it".with_hint("a feed is RSS, Atom or JSON Feed"));
    let mut blocks = Vec::new();
    for node in tree.elements() {
        let kind = match tree.name(node) {
            name if TITLES.contains(&name) => BlockKind::Heading,
            name if TEXTS.contains(&name) => BlockKind::Paragraph,
            _ => continue,
        };
        let stated = tree.attribute(node, "type");
        let is_data = |kind: &str| kind.contains('/') && !kind.starts_with("text/");
        if tree.name(node) == "atom:content" && stated.as_deref().is_some_and(is_data) {
            continue;
        }
        // Some feeds of RSS have elements of HTML that are not escaped.
        let holds_elements = tree.children(node).any(|child| tree.is_element(child));
        if holds_elements || (tree.name(node).starts_with("atom:") && stated.as_deref() == Some("xhtml")) {
            let inner = tree.inner(node);
            let found = html::all(&text[inner.clone()]).into_iter();
            let placed = |(range, block): (Range<usize>, Block)| {
                let kind = if kind == BlockKind::Heading { kind } else { block.kind };
                (inner.start + range.start..inner.start + range.end, Block { kind, ..block })
            };
            blocks.extend(found.map(placed));
        } else {
            stretches(&tree, node, kind, test(&tree, node), &mut blocks);
        }
    }
    Ok(blocks)
}

/// Says of a text, decoded from XML, whether it is read as a web page.
type PageTest = fn(&str) -> bool;

/// The test for the text of an element. One that says that it is plain is no page, whatever it looks like.
fn test(tree: &Tree, node: NodeId) -> PageTest {
    match tree.attribute(node, "type").as_deref() {
        Some("text" | "plain" | "text/plain") => |_| false,
        None if tree.name(node).starts_with("atom:") || tree.name(node).starts_with("media:") => has_elements,
        _ => has_markup,
    }
}

/// The blocks of an element: of each CDATA section in it, and of what is written with references.
fn stretches(tree: &Tree, node: NodeId, kind: BlockKind, test: PageTest, blocks: &mut Vec<(Range<usize>, Block)>) {
    let content = |place, envelope| content(tree.source, place, envelope, (kind, test));
    let mut stretch: Option<Range<usize>> = None;
    for child in tree.children(node) {
        let place = tree.outer(child);
        let is_cdata = tree.source[place.clone()].starts_with("<![CDATA[");
        if tree.is_text(child) && !is_cdata {
            stretch = Some(stretch.map_or(place.clone(), |stretch| stretch.start..place.end));
            continue;
        }
        blocks.extend(stretch.take().into_iter().flat_map(|stretch| content(stretch, Envelope::Xml)));
        if is_cdata {
            let inside = place.start + "<![CDATA[".len()..place.end - "]]>".len();
            blocks.extend(content(inside, Envelope::Cdata));
        }
    }
    blocks.extend(stretch.into_iter().flat_map(|stretch| content(stretch, Envelope::Xml)));
}

/// The blocks of a text, which is read as a web page if the test says so.
fn content(
    feed: &str,
    place: Range<usize>,
    envelope: Envelope,
    (kind, test): (BlockKind, PageTest),
) -> Vec<(Range<usize>, Block)> {
    let written = &feed[place.clone()];
    let is_page = test(&envelope.unwrap(written).text);
    let format = if is_page { FieldFormat::Html } else { FieldFormat::Text };
    let mut blocks = envelope::blocks(written, place.start, envelope, format, kind);
    if kind == BlockKind::Heading {
        for (_, block) in &mut blocks {
            block.kind = kind;
        }
    }
    blocks
}

/// Whether a text has tags or references to characters in it.
fn has_markup(text: &str) -> bool {
    let is_tag = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!'));
    let tags = text.match_indices('<').any(|(at, _)| is_tag(&text[at + 1..]) && text[at..].contains('>'));
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#');
    let reference =
        |(at, _)| text[at + 1..].split_once(';').is_some_and(|(name, _): (&str, _)| name.len() < 12 && is_name(name));
    tags || text.match_indices('&').any(reference)
}

/// Whether a text has a tag that ends an element, or one of an element of HTML.
fn has_elements(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let Some((tag, _)) = text[at + 1..].split_once('>') else { return false };
        let (tag, closes) = tag.strip_prefix('/').map_or((tag, false), |tag| (tag, true));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':');
        let name = &tag[..tag.find(|c: char| !is_name(c)).unwrap_or(tag.len())];
        let is_tag = !name.is_empty() && tag[name.len()..].chars().next().is_none_or(|c| c == '/' || c.is_whitespace());
        is_tag && (closes || html::is_element(&name.to_ascii_lowercase()))
    })
}

/// The blocks of a JSON Feed.
fn of_json(text: &str) -> Result<Vec<(Range<usize>, Block)>> {
    let start = text.len() - text.trim_start_matches('\u{feff}').len();
    let members = json::members(text, start..text.len()).context("the feed is damaged")?;
    let version = members.iter().find(|(name, _)| name == "version");
    let is_feed = version.is_some_and(|(_, place)| text[place.clone()].contains("jsonfeed.org"));
    ensure!(
        is_feed,
        "this is JSON, and no JSON Feed"
            .with_hint("such a feed has a `version` with `jsonfeed.org` in it; records are read as `jsonl`")
    );
    let mut blocks = Vec::new();
    for (name, place) in members {
        if name == "items" {
            for item in json::elements(text, place)? {
                of_item(text, item, &mut blocks)?;
            }
        } else {
            string(text, &name, &place, &mut blocks);
        }
    }
    Ok(blocks)
}

/// The blocks of an item of a JSON Feed, and of what is attached to it.
fn of_item(text: &str, item: Range<usize>, blocks: &mut Vec<(Range<usize>, Block)>) -> Result<()> {
    for (name, place) in json::members(text, item)? {
        if name == "attachments" {
            for attachment in json::elements(text, place)? {
                let members = json::members(text, attachment)?.into_iter();
                members
                    .filter(|(name, _)| name == "title")
                    .for_each(|(name, place)| string(text, &name, &place, blocks));
            }
        } else {
            string(text, &name, &place, blocks);
        }
    }
    Ok(())
}

/// The blocks of a member of a JSON Feed, if it is a text that is translated.
fn string(text: &str, name: &str, place: &Range<usize>, blocks: &mut Vec<(Range<usize>, Block)>) {
    if !text[place.clone()].starts_with('"') {
        return;
    }
    let inside = place.start + 1..place.end - 1;
    let written = &text[inside.clone()];
    let found = if JSON_TITLES.contains(&name) {
        envelope::blocks(written, inside.start, Envelope::Json, FieldFormat::Text, BlockKind::Heading)
    } else if JSON_TEXTS.contains(&name) {
        let format = if name.ends_with("_html") { FieldFormat::Html } else { FieldFormat::Text };
        envelope::blocks(written, inside.start, Envelope::Json, format, BlockKind::Paragraph)
    } else {
        return;
    };
    blocks.extend(found);
}

/// The places where a feed names another language than `language`, and the code to put there.
pub(super) fn languages(text: &str, language: &str) -> Vec<(Range<usize>, String)> {
    let language = Code::parse(language).tag();
    if text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        let start = text.len() - text.trim_start_matches('\u{feff}').len();
        let whole = start..text.len();
        let items = json::at_path(text, whole.clone(), "items").and_then(|items| json::elements(text, items).ok());
        let named = |place: Range<usize>| json::at_path(text, place, "language").filter(|place| place.len() > 2);
        let places = std::iter::once(whole).chain(items.into_iter().flatten()).filter_map(named);
        let places = places.map(|place| place.start + 1..place.end - 1);
        let other = |place: &Range<usize>| !Code::parse(&text[place.clone()]).serves(&Code::parse(&language));
        let mut places: Vec<Range<usize>> = places.filter(other).collect();
        places.sort_by_key(|place| place.start);
        return places.into_iter().map(|place| (place, language.clone())).collect();
    }
    Tree::parse(text).map_or_else(|_| Vec::new(), |tree| relabelled(&tree, labels, &language))
}

/// The place where an element names the language of its text.
fn labels(tree: &Tree, node: NodeId) -> Label {
    match tree.name(node) {
        "language" | "dc:language" => Label::Text,
        name if name.starts_with("atom:") || name == "rss" || name == "?:RDF" => Label::Attribute("lang"),
        _ => Label::None,
    }
}
