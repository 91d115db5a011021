//! Messages whose translation has other placeholders than they have become `fuzzy`: `msgfmt -c` refuses such a file.

use crate::document::Block;
use crate::glossary;

/// Marks in the gaps the messages of translated blocks whose placeholders are not those of their sources.
pub(in crate::document) fn mark(gaps: &mut [String], blocks: &[Block], sources: &[Block]) {
    for (number, (block, source)) in blocks.iter().zip(sources).enumerate() {
        if placeholders(&block.text) == placeholders(&source.text) {
            continue;
        }
        // The second plural form stands after the message and the first form.
        let gap = gaps[..=number].iter_mut().rev().find_map(|gap| Some((message(gap)?, gap)));
        if let Some((at, gap)) = gap {
            make_fuzzy(gap, at);
        }
    }
}

/// The protected spans of a text, and how many signs of a placeholder it has.
fn placeholders(text: &str) -> (Vec<&str>, [usize; 3]) {
    let mut spans: Vec<&str> = glossary::spans(text).into_iter().map(|span| &text[span]).collect();
    spans.sort_unstable();
    (spans, ['%', '{', '}'].map(|sign| text.matches(sign).count()))
}

/// Where the line of the last `msgid` in a gap begins.
fn message(gap: &str) -> Option<usize> {
    let is_start = |at: &usize| *at == 0 || gap[..*at].ends_with('\n');
    gap.rmatch_indices("msgid").map(|(at, _)| at).find(|at| is_start(at) && !gap[*at..].starts_with("msgid_plural"))
}

/// Adds the flag to the message whose `msgid` is at a place of the gap.
fn make_fuzzy(gap: &mut String, at: usize) {
    let (mut first, mut flags) = (at, None);
    for line in gap[..at].split_inclusive('\n').rev() {
        let start = first - line.len();
        if line.starts_with("#,") {
            flags = Some(start);
        }
        // Comments stand in front of the flags, the former message and the context after them.
        if flags.is_some() || !(line.starts_with("#|") || line.starts_with("msgctxt") || line.starts_with('"')) {
            break;
        }
        first = start;
    }
    let end = if gap[at..].contains("\r\n") { "\r\n" } else { "\n" };
    match flags {
        Some(flags) if gap[flags..].lines().next().is_some_and(|line| line.contains("fuzzy")) => {}
        Some(flags) => gap.insert_str(flags + "#,".len(), " fuzzy,"),
        None => gap.insert_str(first, &format!("#, fuzzy{end}")),
    }
}
