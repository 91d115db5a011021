//! What pandoc, PHP Markdown Extra, Obsidian and other dialects add to Markdown, as far as it must keep its form.
//!
//! Lines: `:::` around a block, `:   ` before a definition, `*[HTML]:` before an explanation, `[!WARNING]` above a call-out,
//! `!!! note "Title"` above an admonition, `=== "Title"` above a tab. Among words: attributes such as `{#id .class}`, spans with
//! attributes, notes such as `^[text]`, links to pages such as `[[page]]` and `[[page|text]]`, `![[file]]`, the name `^name` of a
//! paragraph at its end. Whole paragraphs: tables that are drawn with lines, commands of TeX, `import` and `export` of MDX.
//! Invariant: what is found here is never sent to a model.

use std::collections::HashSet;
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
    /// Whether indented text below it is text.
    pub(super) is_admonition: bool,
    /// Where the quotation mark stands that ends a title, which is all that follows the mark.
    pub(super) title: Option<usize>,
}

/// The line of a text from `at` on, without space at its end.
pub(super) fn line(text: &str, at: usize) -> &str {
    text[at..].lines().next().unwrap_or_default().trim_end()
}

impl LineMark {
    /// The mark of the line whose text begins at `at`.
    pub(super) fn at(text: &str, at: usize) -> Option<Self> {
        let line = line(text, at);
        if let Some(mark) = Self::admonition(line) {
            return Some(mark);
        }
        let mark = |length, is_alone| Self { length, is_alone, is_admonition: false, title: None };
        let spaces = |after: usize| line[after..].len() - line[after..].trim_start().len();
        if line.starts_with(":::") {
            return Some(mark(line.len(), true));
        }
        if line.starts_with(": ") || line.starts_with(":\t") {
            return Some(mark(1 + spaces(1), false));
        }
        let (length, is_word) = if line.starts_with("*[") {
            (line.find("]:")? + 2, true)
        } else {
            let word = line.strip_prefix("[!")?.split(']').next()?;
            let end = word.len() + "[!]".len();
            let fold = usize::from(line.get(end..)?.starts_with(['+', '-']));
            (end + fold, !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic() || c == '-'))
        };
        is_word.then(|| mark(length + spaces(length), true))
    }

    /// The mark of a line that begins an admonition or a tab of `MkDocs`.
    fn admonition(line: &str) -> Option<Self> {
        let is_tab = line.starts_with("===");
        if !is_tab && !line.starts_with("!!!") && !line.starts_with("???") {
            return None;
        }
        let kind = line[3..].trim_start_matches(['+', '!']).strip_prefix(' ')?;
        let mark = |length, title| Some(Self { length, is_alone: true, is_admonition: true, title });
        match line.find('"').map(|open| open + 1) {
            Some(open) if line.ends_with('"') && open < line.len() => mark(open, Some(line.len() - 1)),
            None if !is_tab && kind.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')) => {
                mark(line.len(), None)
            }
            _ => None,
        }
    }
}

/// Something among the words of a line, with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WordMark {
    /// What opens a span with attributes or a link to a page with a text, to its end, and the range of what closes it: the bracket
    /// and the attributes, or both brackets.
    Open(usize, Range<usize>),
    /// The brackets that open a link to a page whose name is its text, and the range of those that close it.
    Page(Range<usize>),
    /// What closes the open span, to its end.
    Close(usize),
    Attributes(usize),
    Note(usize),
}

/// The first thing of these in a range of the text; `open` is what closes the open span, `labels` are those of link definitions.
pub(super) fn word_mark(
    text: &str,
    range: &Range<usize>,
    open: Option<&Range<usize>>,
    labels: &HashSet<String>,
) -> Option<(usize, WordMark)> {
    text[range.clone()].char_indices().find_map(|(at, c)| {
        let at = range.start + at;
        let mark = match c {
            '!' if !text[..at].ends_with('\\') => WordMark::Note(page(text, at + 1, labels)?.end),
            '[' if !text[..at].ends_with('\\') => bracket(text, at, labels)?,
            ']' => WordMark::Close(open.filter(|open| open.start == at)?.end),
            '{' => WordMark::Attributes(attributes(text, at)?),
            '^' if text[at + 1..].starts_with('[') => WordMark::Note(closing(text, at + 1)? + 1),
            '^' if text[..at].ends_with(' ') => {
                let name = line(text, at + 1);
                let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                WordMark::Note(is_name.then_some(at + 1 + name.len())?)
            }
            _ => return None,
        };
        Some((at, mark))
    })
}

/// What the bracket at `at` opens: a link to a page, or a span with attributes.
fn bracket(text: &str, at: usize, labels: &HashSet<String>) -> Option<WordMark> {
    let Some(end) = page(text, at, labels) else {
        let close = closing(text, at)?;
        return Some(WordMark::Open(at + 1, close..attributes(text, close + 1)?));
    };
    let bar = text[at..end.start].find('|');
    Some(bar.map_or_else(|| WordMark::Page(end.clone()), |bar| WordMark::Open(at + bar + 1, end.clone())))
}

/// The closing brackets of the link to a page that begins at `at`, such as `[[page]]`. What `labels` have is a link to something else.
fn page(text: &str, at: usize, labels: &HashSet<String>) -> Option<Range<usize>> {
    let inner = text[at..].strip_prefix("[[")?;
    let inner = &inner[..inner.find(['[', ']', '\n'])?];
    let end = at + 2 + inner.len();
    let is_page = text[end..].strip_prefix("]]").is_some_and(|rest| !rest.starts_with(['(', '[', ':']));
    let is_named = inner.starts_with(|c: char| !c.is_whitespace()) && !labels.contains(&inner.to_lowercase());
    (is_page && is_named && !inner.ends_with('|')).then_some(end..end + 2)
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

/// Whether a paragraph is a table that is drawn with lines, a command of TeX, or what an MDX file imports and exports.
pub(super) fn is_kept(source: &str) -> bool {
    let is_drawn = |line: &str| {
        let line = line.trim_start_matches(['>', ' ', '\t']).trim_end();
        let is_grid = (line.starts_with("+-") || line.starts_with("+=")) && line.ends_with('+');
        let is_ruled = line.contains("- ") && line.contains("--") && line.chars().all(|c| matches!(c, '-' | ' '));
        is_grid || is_ruled
    };
    let command = source.strip_prefix('\\').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()));
    let is_command = command.is_some_and(|rest| rest.is_empty() || (rest.starts_with('{') && rest.ends_with('}')));
    let imports = |line: &str| {
        let rest = line.strip_prefix("import ").unwrap_or_default();
        rest.trim_end_matches(';').ends_with(['"', '\'']) && (rest.contains(" from ") || rest.starts_with(['"', '\'']))
    };
    let exports = ["export const ", "export default ", "export function ", "export let "];
    let is_code =
        source.lines().next().is_some_and(|line| imports(line) || exports.iter().any(|word| line.starts_with(word)));
    is_command || is_code || source.lines().any(is_drawn)
}
