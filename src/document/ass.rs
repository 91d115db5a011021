//! Subtitles in the formats of Sub Station Alpha (`.ass`, `.ssa`).
//!
//! Of each line `Dialogue:` the last field is text; a sentence may run over several lines of the same style, as in `subtitles`.
//! Invariant: times, styles, effects, comments and drawings keep their bytes; tags in braces and line breaks are marks.

use std::ops::Range;

use anyhow::{Result, ensure};

use super::markup::{Inline, MarkKind, Style};
use super::subtitles::{MOST_CUES, ends_sentence};
use super::{Block, BlockKind, Document, Format};
use crate::error::WithHint;

/// The heading of the section with the lines.
const EVENTS: &str = "[events]";
/// Number of fields before the text of a line, if there is no line `Format:`.
const FIELDS: usize = 9;

/// A line of dialogue.
struct DialogueText<'a> {
    text: Range<usize>,
    /// Style and speaker.
    who: Vec<&'a str>,
}

/// Cuts `text` into blocks.
pub(super) fn parse(input: &str, text: &str) -> Document {
    let mut blocks = Vec::new();
    let mut open: Vec<DialogueText> = Vec::new();
    for said in lines(text) {
        if open.last().is_some_and(|before| before.who != said.who) || open.len() == MOST_CUES {
            blocks.extend(block(text, &std::mem::take(&mut open)));
        }
        let ends = ends_sentence(&text[said.text.clone()]);
        open.push(said);
        if ends {
            blocks.extend(block(text, &std::mem::take(&mut open)));
        }
    }
    blocks.extend(block(text, &open));
    Document::assemble(input, text, Format::Ass, blocks)
}

/// Makes sure that there are lines.
pub(super) fn check(text: &str, _: &Document) -> Result<()> {
    let has_events = text.lines().any(|line| line.trim().eq_ignore_ascii_case(EVENTS));
    ensure!(
        has_events || text.trim().is_empty(),
        "there is no `[Events]` in it".with_hint("such subtitles have that line; others may be in the format `srt`")
    );
    Ok(())
}

/// The lines of dialogue, in their order.
fn lines(text: &str) -> Vec<DialogueText<'_>> {
    let (mut fields, mut who) = (FIELDS, vec![3, 4]);
    let (mut lines, mut start, mut is_events) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let (at, trimmed) = (start, line.trim_end());
        start += line.len();
        if trimmed.starts_with('[') {
            is_events = trimmed.eq_ignore_ascii_case(EVENTS);
        } else if let (true, Some(names)) = (is_events, trimmed.strip_prefix("Format:")) {
            let names: Vec<String> = names.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
            fields = names.len().saturating_sub(1);
            who = (0..names.len()).filter(|&at| matches!(&*names[at], "style" | "name" | "actor")).collect();
        } else if let (true, Some(rest)) = (is_events, trimmed.strip_prefix("Dialogue:")) {
            let values: Vec<&str> = rest.splitn(fields + 1, ',').collect();
            if let Some(said) = values.get(fields).and_then(|said| spoken(said)) {
                let text = at + trimmed.len() - said.len()..at + trimmed.len();
                lines.push(DialogueText { text, who: who.iter().filter_map(|&at| values.get(at).copied()).collect() });
            }
        }
    }
    lines
}

/// The text of a line: all of it, or what stands behind a drawing; `None` for a line that is nothing but a drawing.
fn spoken(line: &str) -> Option<&str> {
    if !is_drawing(line) {
        return Some(line);
    }
    let (_, after) = line[line.rfind("\\p0")?..].split_once('}')?;
    (!after.trim().is_empty()).then_some(after)
}

/// Whether a text is a drawing: `{\p1}m 0 0 l 1 1`.
fn is_drawing(text: &str) -> bool {
    text.split("\\p").skip(1).any(|rest| rest.starts_with(|c: char| ('1'..='9').contains(&c)))
}

/// One block of these lines.
fn block(text: &str, lines: &[DialogueText]) -> Option<(Range<usize>, Block)> {
    let start = lines.first()?.text.start;
    let mut inline = Inline::default();
    let mut end = start;
    for (number, line) in lines.iter().enumerate() {
        if line.text.start > start {
            inline.line_end(&text[end..line.text.start]);
        }
        tagged(&text[line.text.clone()], number, &mut inline);
        end = line.text.end;
    }
    inline.has_text().then(|| (start..end, inline.finish(BlockKind::Speech, &text[start..end], Style::Plain)))
}

/// Reads a line with its tags and breaks; `number` tells it from the other lines of its block.
fn tagged(line: &str, number: usize, inline: &mut Inline) {
    let mut bounds = bounds(line).into_iter();
    let mut rest = line;
    while let Some(at) = rest.find(['{', '\\']) {
        let (before, found) = rest.split_at(at);
        let tag = found.starts_with('{').then(|| found.find('}').map(|end| &found[..=end])).flatten();
        let broken = ["\\N", "\\n", "\\h"].into_iter().find(|mark| found.starts_with(mark));
        inline.text(before);
        if let Some(tag) = tag {
            rest = &found[tag.len()..];
            let leads = rest.starts_with(char::is_alphanumeric) && !before.ends_with(char::is_alphanumeric);
            match bounds.next().flatten() {
                Some((begins, key)) => inline.bound(begins, &format!("{number} {key}"), tag),
                None => inline.mark(if leads { MarkKind::Leading } else { MarkKind::Single }, tag),
            }
        } else if let Some(mark) = broken {
            inline.line_end(mark);
            rest = &found[mark.len()..];
        } else if let Some(brace) = ["\\{", "\\}"].into_iter().find(|brace| found.starts_with(brace)) {
            // A brace that is no tag is one mark with its backslash: a model may lose one of the two.
            inline.mark(MarkKind::Single, brace);
            rest = &found[brace.len()..];
        } else {
            inline.text(&found[..1]);
            rest = &found[1..];
        }
    }
    inline.text(rest);
}

/// The groups of tags in a line, without their braces. A brace after a backslash begins none.
fn groups(line: &str) -> Vec<&str> {
    let (mut groups, mut rest) = (Vec::new(), line);
    while let Some((before, after)) = rest.split_once('{') {
        rest = after;
        if before.ends_with('\\') {
            continue;
        }
        let Some((group, after)) = after.split_once('}') else { break };
        groups.push(group);
        rest = after;
    }
    groups
}

/// For each group of tags in a line, the range that it begins or ends, as `{\b1}` and `{\b0}` do.
fn bounds(line: &str) -> Vec<Option<(bool, usize)>> {
    let mut bounds = Vec::new();
    let mut open: Vec<(&str, usize)> = Vec::new();
    for (at, group) in groups(line).into_iter().enumerate() {
        bounds.push(None);
        let tags: Vec<&str> = group.split('\\').skip(1).map(str::trim).collect();
        let ends = open.iter().rposition(|&(name, _)| tags.iter().any(|tag| name_of(tag) == name || *tag == "r"));
        if let Some(ended) = ends {
            let (_, begin) = open.remove(ended);
            (bounds[begin], bounds[at]) = (Some((true, begin)), Some((false, begin)));
        } else if let Some(tag) = tags.iter().find(|tag| begins(tag)) {
            open.push((name_of(tag), at));
        }
    }
    bounds
}

/// The name of a tag, without its value: `b` of `b1`, `1c` of `1c&HFF&`.
fn name_of(tag: &str) -> &str {
    let letters = |c: char| c.is_ascii_alphabetic();
    let start = usize::from(tag.starts_with(|c: char| c.is_ascii_digit()));
    let length = tag[start..].find(|c| !letters(c)).unwrap_or(tag.len() - start);
    &tag[..start + length]
}

/// Whether a tag sets a format of the words after it.
fn begins(tag: &str) -> bool {
    let name = name_of(tag);
    let value = &tag[name.len()..];
    match name {
        "b" | "i" | "u" | "s" => !matches!(value, "" | "0"),
        "c" | "1c" | "3c" | "4c" | "fs" => !value.is_empty(),
        _ => false,
    }
}
