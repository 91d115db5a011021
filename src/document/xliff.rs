//! Texts for translation (`.xlf`, XLIFF 1.2 and 2).
//!
//! A text without a translation, or with an empty one, is a block. Its inline elements are marks, so the translation has them too; so are
//! tags of HTML that are escaped in it.
//! Invariant: everything else is in the gaps and keeps its bytes: skeletons, notes, and texts that have a translation or must not
//! have one. Line breaks are part of a text where the file says so (`xml:space`). In XLIFF 1.2 a translation gets the state that asks for a review. In XLIFF 2 its segment gets the state `translated`,
//! which means that it is not reviewed yet.

use std::ops::Range;

use anyhow::{Context, Result, ensure};

use super::markup::{Inline, MarkKind, Style, escape};
use super::tags::TagReader;
use super::xml::{self, NodeId, Tree};
use super::{Block, BlockKind, Document, Format, ReadOptions};
use crate::error::WithHint;
use crate::language::Code;

/// The states of a text that still needs a translation: of a target in XLIFF 1.2, of a segment in XLIFF 2.
const EMPTY_STATES: [&str; 3] = ["new", "needs-translation", "initial"];

/// Reads texts.
pub(super) fn read(input: &str, text: &str, options: &ReadOptions) -> Result<Document> {
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Ok(Document::assemble(input, text, Format::Xliff, Vec::new()));
    }
    let tree = Tree::parse(text).context("the file is damaged")?;
    let root = tree.roots().find(|&root| tree.is_element(root));
    let is_ours = root.is_some_and(|root| matches!(tree.name(root), "xl1:xliff" | "xl2:xliff"));
    ensure!(is_ours, "there is no XLIFF in it".with_hint("editions 1.2 and 2 are read"));
    let mut blocks = Vec::new();
    if let Some(root) = root {
        let reader = UnitReader { tree: &tree, overwrite: options.overwrite };
        reader.units(root, Inherited::default().inside(&tree, root), &mut blocks);
    }
    Ok(Document::assemble(input, text, Format::Xliff, blocks))
}

/// Reads units.
struct UnitReader<'t> {
    tree: &'t Tree<'t>,
    /// Whether translations are replaced.
    overwrite: bool,
}

/// What elements say for those inside them.
#[derive(Clone, Copy, Default)]
struct Inherited {
    /// Whether texts must not be translated.
    is_kept: bool,
    /// Whether line breaks and tabulators are part of a text.
    preserves: bool,
}

impl Inherited {
    /// What an element inside says, or inherits.
    fn inside(self, tree: &Tree, node: NodeId) -> Self {
        let says = |name: &str, value: &str, inherited: bool| {
            tree.attribute(node, name).map_or(inherited, |said| said == value)
        };
        Self { is_kept: says("translate", "no", self.is_kept), preserves: says("space", "preserve", self.preserves) }
    }
}

impl UnitReader<'_> {
    /// The blocks of all units in an element that may be translated.
    fn units(&self, node: NodeId, inherited: Inherited, blocks: &mut Vec<(Range<usize>, Block)>) {
        for child in self.tree.children(node).filter(|&child| self.tree.is_element(child)) {
            let inherited = inherited.inside(self.tree, child);
            match self.tree.name(child) {
                "xl1:trans-unit" | "xl2:segment" if inherited.is_kept => {}
                "xl1:trans-unit" | "xl2:segment" => blocks.extend(unit(self.tree, child, self.overwrite, inherited)),
                _ => self.units(child, inherited, blocks),
            }
        }
    }
}

/// The block of a unit, if it needs a translation, or if translations are replaced.
fn unit(tree: &Tree, unit: NodeId, overwrite: bool, inherited: Inherited) -> Option<(Range<usize>, Block)> {
    let child = |name: &str| tree.children(unit).find(|&child| tree.name(child).split(':').nth(1) == Some(name));
    let (source, target) = (child("source")?, child("target"));
    let is_segment = tree.name(unit) == "xl2:segment";
    let is_new = |target: NodeId| {
        let state = tree.attribute(if is_segment { unit } else { target }, "state");
        tree.said(target).trim().is_empty() || state.is_some_and(|state| EMPTY_STATES.contains(&state.as_ref()))
    };
    // The segments of a source have numbers, by which programs find those of its target.
    let segmented = child("seg-source").unwrap_or(source);
    let after = tree.outer(segmented).end;
    let place = match target {
        Some(target) if overwrite || is_new(target) => tree.outer(target),
        Some(_) => return None,
        None => after..after,
    };
    let mut inline = Inline::default();
    let said = tree.said(segmented).to_ascii_lowercase();
    let mut tags = TagReader::new(&said, |tag| escape(tag, Style::Html, false));
    inside(tree, segmented, &mut inline, &mut tags);
    if !inline.has_text() {
        return None;
    }
    // Space after a text belongs to what a program shows, and not to the sentence.
    let space = inline.trailing_space().to_owned();
    // A translated segment gets another state, and nobody has approved a new translation, so the unit's tag is part of the block.
    let tag =
        if is_segment { Some(stated(tree.tag(unit), "translated", "subState")) } else { unapproved(tree.tag(unit)) };
    let head = tag.as_ref().map(|tag| tag.clone() + &tree.source[tree.inner(unit).start..place.start]);
    let place = if head.is_some() { tree.outer(unit).start..place.end } else { place };
    let written = &tree.source[place.clone()];
    let preserves = inherited.inside(tree, source).preserves;
    let kind = if preserves || tags.has_parted { BlockKind::Message } else { BlockKind::Cell };
    let block = inline.finish(kind, written, Style::Html);
    let (tag, name) = target_tag(tree, source, target);
    let tag = if is_segment { tag } else { stated(&tag, "needs-review-translation", "state-qualifier") };
    let tags = [head.unwrap_or_default() + &tag, format!("{space}</{name}>")];
    let markup = block.markup.map(|markup| Box::new(markup.tagged(tags)));
    Some((place, Block { markup, ..block }))
}

/// The tag and the name of a target: those it has, with its attributes, or new ones.
fn target_tag(tree: &Tree, source: NodeId, target: Option<NodeId>) -> (String, String) {
    if let Some(target) = target {
        return (opened(tree.tag(target)), tree.qualified(target).to_owned());
    }
    let name = format!("{}target", tree.qualified(source).trim_end_matches("source"));
    (format!("<{name}>"), name)
}

/// A tag with another state. The attribute `detail` said more of the old state, so it is removed: XLIFF 2 requires that of
/// `subState`.
fn stated(tag: &str, state: &str, detail: &str) -> String {
    let mut tag = tag.to_owned();
    if let Some(value) = xml::attribute(&tag, detail)
        && let Some(name) = tag[..value.start].rfind(detail)
    {
        tag.replace_range(tag[..name].trim_end().len()..=value.end, "");
    }
    match xml::attribute(&tag, "state") {
        Some(value) => tag.replace_range(value, state),
        None => tag.insert_str(tag.len() - 1, &format!(" state=\"{state}\"")),
    }
    tag
}

/// The tag of a unit of XLIFF 1.2 whose translation nobody has approved, from one that says that somebody has; `None` for other tags.
fn unapproved(tag: &str) -> Option<String> {
    let value = xml::attribute(tag, "approved").filter(|value| &tag[value.clone()] == "yes")?;
    Some(format!("{}no{}", &tag[..value.start], &tag[value.end..]))
}

/// The tag of an element with content, from one that may say that there is none.
fn opened(tag: &str) -> String {
    tag.strip_suffix("/>").map_or_else(|| tag.to_owned(), |tag| format!("{}>", tag.trim_end()))
}

/// Adds the content of an element to a block. A text may have tags of HTML in it, which are escaped or in CDATA.
fn inside(tree: &Tree, node: NodeId, inline: &mut Inline, tags: &mut TagReader) {
    let mut piece = String::new();
    for child in tree.children(node) {
        if let Some(text) = tree.text(child) {
            piece.push_str(&text);
            continue;
        }
        tags.add(&std::mem::take(&mut piece), inline);
        match tree.name(child).split(':').nth(1) {
            Some("g" | "mrk" | "pc") if !tree.end_tag(child).is_empty() && !is_protected(tree, child) => {
                inline.mark(MarkKind::Open, tree.tag(child));
                inside(tree, child, inline, tags);
                inline.mark(MarkKind::Close, tree.end_tag(child));
                continue;
            }
            Some(name) => match bound(tree, child, name) {
                Some((begins, key)) => inline.bound(begins, &key, tree.written(child)),
                None => inline.mark(MarkKind::Single, tree.written(child)),
            },
            None => inline.mark(MarkKind::Single, tree.written(child)),
        }
        tags.skip(tree.said(child).len());
    }
    tags.add(&piece, inline);
}

/// Whether an element says that its content is not translated.
fn is_protected(tree: &Tree, node: NodeId) -> bool {
    let says = |name: &str, value: &str| tree.attribute(node, name).is_some_and(|said| said == value);
    says("mtype", "protected") || says("translate", "no")
}

/// Whether an element begins a range that another one ends, and the key that both have; `None` if it does neither.
fn bound(tree: &Tree, node: NodeId, name: &str) -> Option<(bool, String)> {
    let (begins, kind) = match name {
        "bpt" | "ept" => (name == "bpt", "pt"),
        "bx" | "ex" => (name == "bx", "x"),
        "sc" | "ec" => (name == "sc", "c"),
        "sm" | "em" => (name == "sm", "m"),
        _ => return None,
    };
    let names = if matches!(name, "ec" | "em") { ["startRef", "id"] } else { ["rid", "id"] };
    let id = names.into_iter().find_map(|name| tree.attribute(node, name))?;
    Some((begins, format!("{kind} {id}")))
}

/// The positions where a file lacks the language of its translations, with the text to insert.
pub(super) fn languages(text: &str, language: &str) -> Vec<(Range<usize>, String)> {
    let Ok(tree) = Tree::parse(text) else { return Vec::new() };
    let language = Code::parse(language).tag();
    let lacks = |node: NodeId| {
        let name = match tree.name(node) {
            "xl1:file" => "target-language",
            "xl2:xliff" => "trgLang",
            _ => return None,
        };
        let at = tree.outer(node).start + 1 + tree.qualified(node).len();
        tree.attribute(node, name).is_none().then(|| (at..at, format!(" {name}=\"{language}\"")))
    };
    tree.elements().filter_map(lacks).collect()
}
