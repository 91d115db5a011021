//! A comparison to be read in a terminal: a table, then the segments that differ most. Words that only one translation has stand
//! in brackets.

use std::fmt::Write;

use super::{LETTERS, agreement, explanation, facts, measures, place};
use crate::compare::{ComparedSegment, Comparison};

/// The comparison with at most `limit` of the segments that differ.
#[must_use]
pub fn text(comparison: &Comparison, limit: usize) -> String {
    let mut page = String::new();
    for (letter, system) in LETTERS.iter().zip(&comparison.systems) {
        let about = match &system.error {
            Some(error) => format!("cannot be used: {error}"),
            None => facts(system).join(", "),
        };
        writeln!(page, "{letter}  {}: {about}", system.name).ok();
    }
    page += &format!("\n{}\n\n{}", agreement(comparison), table(comparison));
    if let Some(explanation) = explanation(comparison) {
        page += &format!("{explanation}\n");
    }
    let differing = comparison.differing();
    let shown = differing.len().min(limit);
    if shown > 0 {
        let said = match (differing.len(), shown) {
            (1, _) => "the segment that differs".to_owned(),
            (all, shown) if shown < all => format!("the {shown} of {all} segments that differ most"),
            (all, _) => format!("the {all} segments that differ, those that differ most first"),
        };
        page += &format!("\n{said}\n");
    }
    differing.into_iter().take(shown).for_each(|found| page += &segment(found));
    page
}

fn table(comparison: &Comparison) -> String {
    let measures = measures(comparison);
    let width = |text: &String| text.chars().count();
    let columns = [0, 1].map(|side| measures.iter().map(|row| width(&row.values[side])).max().unwrap_or(0).max(8));
    let name = |part: bool, name: &str| format!("{}{name}", if part { "  " } else { "" });
    let names = measures.iter().map(|row| width(&name(row.part, &row.name))).max().unwrap_or(0);
    let line = |name: &str, [one, other]: [&str; 2]| {
        let (first, second) = (columns[0], columns[1]);
        format!("{name:names$}  {one:>first$}  {other:>second$}\n")
    };
    let rows = measures.iter().map(|row| line(&name(row.part, &row.name), row.values.each_ref().map(String::as_str)));
    std::iter::once(line("", LETTERS)).chain(rows).collect()
}

fn segment(segment: &ComparedSegment) -> String {
    let mut page = format!("\n{}\n   {}\n", place(segment), segment.source);
    if let Some(reference) = &segment.reference {
        page += &format!("=  {reference}\n");
    }
    for (side, letter) in LETTERS.iter().enumerate() {
        let (Some(target), Some(difference)) = (&segment.targets[side], &segment.difference) else { continue };
        let mut marked = String::new();
        let mut end = 0;
        for range in &difference.ranges[side] {
            marked += &format!("{}[{}]", &target.target[end..range.start], &target.target[range.clone()]);
            end = range.end;
        }
        page += &format!("{letter}  {marked}{}\n", &target.target[end..]);
        for note in &target.notes {
            page += &format!("     {}: {}\n", note.flag, note.reason);
        }
    }
    page
}
