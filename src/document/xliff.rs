//! Texts for translation (`.xlf`, XLIFF 1.2 and 2).
//!
//! A text without a translation, or with an empty one, is a block. Its inline elements are marks, so the translation has them too.
//! Invariant: everything else is in the gaps and keeps its bytes: skeletons, notes, and texts that have a translation or must not
//! have one. In XLIFF 1.2 a translation gets the state that asks for a review. In XLIFF 2 its segment gets the state `translated`,
//! which means that it is not reviewed yet.

use std::ops::Range;

use anyhow::{Context, Result, ensure};

use super::markup::{Inline, MarkKind, Style};
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
        units(&tree, root, options.overwrite, &mut blocks);
    }
    Ok(Document::assemble(input, text, Format::Xliff, blocks))
}

/// The blocks of all units in an element that may be translated.
fn units(tree: &Tree, node: NodeId, overwrite: bool, blocks: &mut Vec<(Range<usize>, Block)>) {
    for child in tree.children(node) {
        if tree.attribute(child, "translate").is_some_and(|said| said == "no") {
            continue;
        }
        match tree.name(child) {
            "xl1:trans-unit" | "xl2:segment" => blocks.extend(unit(tree, child, overwrite)),
            _ if tree.is_element(child) => units(tree, child, overwrite, blocks),
            _ => {}
        }
    }
}

/// The block of a unit, if it needs a translation, or if translations are replaced.
fn unit(tree: &Tree, unit: NodeId, overwrite: bool) -> Option<(Range<usize>, Block)> {
    let child = |name: &str| tree.children(unit).find(|&child| tree.name(child).split(':').nth(1) == Some(name));
    let (source, target) = (child("source")?, child("target"));
    let is_segment = tree.name(unit) == "xl2:segment";
    let is_new = |target: NodeId| {
        let state = tree.attribute(if is_segment { unit } else { target }, "state");
        tree.said(target).trim().is_empty() || state.is_some_and(|state| EMPTY_STATES.contains(&state.as_ref()))
    };
    let after = tree.outer(child("seg-source").unwrap_or(source)).end;
    let place = match target {
        Some(target) if overwrite || is_new(target) => tree.outer(target),
        Some(_) => return None,
        None => after..after,
    };
    let mut inline = Inline::default();
    inside(tree, source, &mut inline);
    if !inline.has_text() {
        return None;
    }
    let said = tree.said(source);
    // A translated segment gets another state, so its tag is part of the block.
    let inner = tree.inner(unit).start;
    let head = if is_segment { translated(tree.tag(unit)) + &tree.source[inner..place.start] } else { String::new() };
    let place = if is_segment { tree.outer(unit).start..place.end } else { place };
    let written = &tree.source[place.clone()];
    let block = inline.finish(BlockKind::Cell, written, Style::Html);
    // Space after a text belongs to what a program shows, and not to the sentence.
    let space = &said[said.trim_end().len()..];
    let name = tree.qualified(source).trim_end_matches("source");
    let state = if is_segment { "" } else { " state=\"needs-review-translation\"" };
    let tags = [format!("{head}<{name}target{state}>"), format!("{space}</{name}target>")];
    let markup = block.markup.map(|markup| Box::new(markup.tagged(tags)));
    Some((place, Block { markup, ..block }))
}

/// The tag of a segment with a translation. The attribute `subState` is removed with the old state, as XLIFF 2 requires.
fn translated(tag: &str) -> String {
    let mut tag = tag.to_owned();
    if let Some(value) = xml::attribute(&tag, "subState")
        && let Some(name) = tag[..value.start].rfind("subState")
    {
        tag.replace_range(tag[..name].trim_end().len()..=value.end, "");
    }
    match xml::attribute(&tag, "state") {
        Some(value) => tag.replace_range(value, "translated"),
        None => tag.insert_str(tag.len() - 1, " state=\"translated\""),
    }
    tag
}

/// Adds the content of an element to a block.
fn inside(tree: &Tree, node: NodeId, inline: &mut Inline) {
    for child in tree.children(node) {
        if let Some(text) = tree.text(child) {
            inline.text(&text);
            continue;
        }
        match tree.name(child).split(':').nth(1) {
            Some("g" | "mrk" | "pc") if !tree.end_tag(child).is_empty() => {
                inline.mark(MarkKind::Open, tree.tag(child));
                inside(tree, child, inline);
                inline.mark(MarkKind::Close, tree.end_tag(child));
            }
            _ => inline.mark(MarkKind::Single, tree.written(child)),
        }
    }
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
