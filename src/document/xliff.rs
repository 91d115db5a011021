//! Texts for translation (`.xlf`, XLIFF 1.2 and 2).
//!
//! A text without a translation, or with an empty one, is a block; its inline elements are marks, which the translation has too.
//! Invariant: everything else is in the gaps: skeletons, notes, texts that have a translation or must not have one, so all of it
//! keeps its bytes. In edition 1.2 a translation says that it needs a review; in edition 2 its segment says that it is translated,
//! which there means: not yet reviewed.

use std::ops::Range;

use anyhow::{Context, Result, ensure};

use super::markup::{Inline, MarkKind, Style};
use super::xml::{self, NodeId, Tree};
use super::{Block, BlockKind, Document, Format, ReadOptions};
use crate::error::WithHint;
use crate::language::Code;

/// States of a translation that is none yet: of a target in edition 1.2, of a segment in edition 2.
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

/// The block of a unit, if its translation is missing or is to be a new one.
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
    // With its translation a segment gets another state, so its tag is in the block.
    let inner = tree.inner(unit).start;
    let head = if is_segment { translated(tree.tag(unit)) + &tree.source[inner..place.start] } else { String::new() };
    let place = if is_segment { tree.outer(unit).start..place.end } else { place };
    let written = &tree.source[place.clone()];
    let block = inline.finish(BlockKind::Cell, written, Style::Html);
    // Space after a text is no part of a sentence, but of what a program shows.
    let space = &said[said.trim_end().len()..];
    let name = tree.qualified(source).trim_end_matches("source");
    let state = if is_segment { "" } else { " state=\"needs-review-translation\"" };
    let tags = [format!("{head}<{name}target{state}>"), format!("{space}</{name}target>")];
    let markup = block.markup.map(|markup| Box::new(markup.tagged(tags)));
    Some((place, Block { markup, ..block }))
}

/// The tag of a segment once it has a translation. What a program has to say of the old state goes with it, as XLIFF 2 wants it.
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

/// Takes what is in an element into a block.
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

/// Where a file lacks the language of its translations, and what is to stand there.
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
