//! What pandoc, PHP Markdown Extra, Obsidian and other dialects add to Markdown, as far as it must keep its form.
//!
//! Lines: `:::` around a block, `:   ` before a definition, `*[HTML]:` before an explanation, `[!WARNING]` above a call-out. Among
//! words: attributes such as `{#id .class}`, spans with attributes, notes such as `^[text]`. Whole paragraphs: tables that are drawn
//! with lines, commands of TeX. Invariant: what is found here is never sent to a model.

use std::ops::Range;

use pulldown_cmark::LinkType;

/// Longest span with attributes or note, in bytes: so that a text of brackets takes no more than its length in time.
const LONGEST_SPAN: usize = 2000;

/// What a line begins with that is not part of its sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineMark {
    pub(super) length: usize,
    /// Whether the next line is another block.
    pub(super) is_alone: bool,
}

impl LineMark {
    /// The mark of the line whose text begins at `at`.
    pub(super) fn at(text: &str, at: usize) -> Option<Self> {
        let line = text[at..].lines().next()?.trim_end();
        let spaces = |after: usize| line[after..].len() - line[after..].trim_start().len();
        if line.starts_with(":::") {
            return Some(Self { length: line.len(), is_alone: true });
        }
        if line.starts_with(": ") || line.starts_with(":\t") {
            return Some(Self { length: 1 + spaces(1), is_alone: false });
        }
        let (length, is_word) = if line.starts_with("*[") {
            (line.find("]:")? + 2, true)
        } else {
            let word = line.strip_prefix("[!")?.split(']').next()?;
            let end = word.len() + "[!]".len();
            let fold = usize::from(line.get(end..)?.starts_with(['+', '-']));
            (end + fold, !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic() || c == '-'))
        };
        is_word.then(|| Self { length: length + spaces(length), is_alone: true })
    }
}

/// Something among the words of a line, with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WordMark {
    /// The bracket that opens a span with attributes, and the range from its closing bracket to the end of its attributes.
    Open(Range<usize>),
    /// The closing bracket of the open span, to the end of its attributes.
    Close(usize),
    Attributes(usize),
    Note(usize),
}

/// The first thing of these in a range of the text; `open` is the end of the open span.
pub(super) fn word_mark(text: &str, range: &Range<usize>, open: Option<&Range<usize>>) -> Option<(usize, WordMark)> {
    text[range.clone()].char_indices().find_map(|(at, c)| {
        let at = range.start + at;
        let mark = match c {
            '[' if !text[..at].ends_with('\\') => {
                let close = closing(text, at)?;
                WordMark::Open(close..attributes(text, close + 1)?)
            }
            ']' => WordMark::Close(open.filter(|open| open.start == at)?.end),
            '{' => WordMark::Attributes(attributes(text, at)?),
            '^' if text[at + 1..].starts_with('[') => WordMark::Note(closing(text, at + 1)? + 1),
            _ => return None,
        };
        Some((at, mark))
    })
}

/// The bracket that closes the one at `at`, in the same paragraph.
fn closing(text: &str, at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (offset, c) in text[at..].char_indices().take_while(|(offset, _)| *offset < LONGEST_SPAN) {
        match c {
            '\n' if before == '\n' => return None,
            '[' if before != '\\' => depth += 1,
            ']' if before != '\\' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + offset);
        }
        before = c;
    }
    None
}

/// The end of the attributes in braces that begin at `at`.
fn attributes(text: &str, at: usize) -> Option<usize> {
    let inner = text[at..].strip_prefix('{')?;
    let inner = &inner[..inner.find(['}', '\n'])?];
    let end = at + 1 + inner.len();
    // What is in quotation marks may contain anything.
    let bare: String = inner.split('"').step_by(2).collect::<Vec<_>>().join("x");
    let mut parts = bare.trim_start_matches(':').split_whitespace().peekable();
    let is_name = |name: &str| name.starts_with(char::is_alphabetic);
    let is_attribute = |part: &str| match part.split_at_checked(1) {
        Some(("#" | "." | "=", name)) => is_name(name),
        _ => part.split_once('=').is_some_and(|(name, _)| is_name(name)),
    };
    (text[end..].starts_with('}') && parts.peek().is_some() && parts.all(is_attribute)).then_some(end + 1)
}

/// The label of a link whose text is its label too: the text may change, the label may not.
pub(super) fn label(kind: LinkType, link: &str) -> Option<String> {
    if !matches!(kind, LinkType::Shortcut | LinkType::Collapsed) {
        return None;
    }
    let label = link.strip_prefix('[')?;
    let label = label.strip_suffix("][]").or_else(|| label.strip_suffix(']'))?;
    Some(label.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether a paragraph is a table that is drawn with lines, or a command of TeX.
pub(super) fn is_kept(source: &str) -> bool {
    let is_drawn = |line: &str| {
        let line = line.trim_start_matches(['>', ' ', '\t']).trim_end();
        let is_grid = (line.starts_with("+-") || line.starts_with("+=")) && line.ends_with('+');
        let is_ruled = line.contains("- ") && line.contains("--") && line.chars().all(|c| matches!(c, '-' | ' '));
        is_grid || is_ruled
    };
    let command = source.strip_prefix('\\').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()));
    let is_command = command.is_some_and(|rest| rest.is_empty() || (rest.starts_with('{') && rest.ends_with('}')));
    is_command || source.lines().any(is_drawn)
}
