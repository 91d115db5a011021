//! Where markup goes when a sentence is translated and its words change places.
//!
//! A guess, made without the model: to the same words if the translation has them (a name, a number),
//! else as far into the sentence as it was and around as many words, at the edges of words. Invariant:
//! every mark is placed, never inside an address or another protected span, and pairs that were nested, or beside
//! each other, are nested or beside each other; where the guesses would cross, all marks keep the order they had.

use std::ops::Range;

use super::markup::{Mark, MarkKind};
use crate::glossary;

/// Takes marks from a text to its translation.
pub(super) struct Carrier<'a> {
    /// The text.
    pub(super) source: &'a str,
    /// Its translation.
    pub(super) target: &'a str,
    /// Which part of the target each sentence of the source became.
    pub(super) moves: &'a [(Range<usize>, Range<usize>)],
}

impl Carrier<'_> {
    /// The marks, in the order in which they stand in the target.
    pub(super) fn carry(&self, marks: &[Mark]) -> Vec<Mark> {
        let mut places: Vec<usize> = marks.iter().map(|mark| self.point(mark)).collect();
        let pairs = pairs(marks);
        for &(open, close) in &pairs {
            let stretch = marks[open].at..marks[close].at;
            let span = self.same(&stretch, places[open]).or_else(|| {
                let inner = pairs.iter().filter(|(inner, _)| (open + 1..close).contains(inner));
                let inner = inner.map(|&(open, close)| places[open]..places[close]);
                self.span(&stretch, inner.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)))
            });
            if let Some(span) = span {
                (places[open], places[close]) = (span.start, span.end);
            }
        }
        let spans = glossary::spans(self.target);
        let outside = |(place, mark): (usize, &Mark)| outside(&spans, place, mark);
        places = places.into_iter().zip(marks).map(outside).collect();
        let mut order: Vec<usize> = (0..marks.len()).collect();
        order.sort_by_key(|&mark| (places[mark], rank(marks[mark].kind, mark, &pairs, &places), mark));
        if !is_nested(&order, &pairs) {
            // In the order of the source, each as near to its place as those before it allow.
            order = (0..marks.len()).collect();
            places = marks.iter().map(|mark| outside((self.point(mark), mark))).collect();
            for mark in 1..places.len() {
                places[mark] = places[mark].max(places[mark - 1]);
            }
        }
        order.into_iter().map(|mark| Mark { at: places[mark], ..marks[mark].clone() }).collect()
    }

    /// The sentence around a stretch of the source, and what became of it.
    fn around(&self, stretch: &Range<usize>) -> Option<&(Range<usize>, Range<usize>)> {
        let after = self.moves.partition_point(|(from, _)| from.end < stretch.end);
        self.moves.get(after).filter(|(from, _)| from.start <= stretch.start)
    }

    /// Where a mark goes by how far into its sentence it stands.
    fn point(&self, mark: &Mark) -> usize {
        let at = mark.at;
        let Some((from, to)) = self.around(&(at..at)) else {
            // Between sentences: as far from the sentence before as it was.
            let before = self.moves.partition_point(|(from, _)| from.end < at);
            return before.checked_sub(1).map_or(at, |index| {
                let (from, to) = &self.moves[index];
                floor(self.target, to.end + (at - from.end))
            });
        };
        if at == from.start && mark.kind != MarkKind::Close {
            return to.start;
        }
        if at == from.end {
            return to.end;
        }
        let (theirs, ours) = (words(self.source, from), words(self.target, to));
        let before = theirs.iter().filter(|word| word.start < at).count();
        let count = scale(before, theirs.len(), ours.len());
        let opens = mark.kind == MarkKind::Open || (mark.kind == MarkKind::Single && mark.markup.ends_with(' '));
        match (opens, count) {
            (true, count) => ours.get(count).map_or(to.end, |word| word.start),
            (false, 0) => to.start,
            (false, count) if mark.kind == MarkKind::Break => {
                let end = ours[count - 1].end;
                end + self.target[end..to.end].find(char::is_whitespace).unwrap_or(to.end - end)
            }
            (false, count) => ours[count - 1].end,
        }
    }

    /// Where the very words of a stretch are in what became of its sentence; the ones nearest to `near`.
    fn same(&self, stretch: &Range<usize>, near: usize) -> Option<Range<usize>> {
        let (from, to) = self.around(stretch)?;
        let words = self.source[stretch.clone()].trim();
        if stretch == from {
            return Some(to.clone());
        }
        if words.is_empty() {
            return None;
        }
        let found =
            self.target[to.clone()].match_indices(words).map(|(at, _)| to.start + at..to.start + at + words.len());
        found.filter(|range| is_whole(self.target, range)).min_by_key(|range| range.start.abs_diff(near))
    }

    /// Where a stretch went, if it is in one sentence, by how far into the sentence it is and how many of
    /// its words it has; moved so that it has `inner` in it.
    fn span(&self, stretch: &Range<usize>, inner: Option<Range<usize>>) -> Option<Range<usize>> {
        let (from, to) = self.around(stretch)?;
        let (theirs, ours) = (words(self.source, from), words(self.target, to));
        let first = theirs.iter().filter(|word| word.end <= stretch.start).count();
        let last = theirs.iter().filter(|word| word.start < stretch.end).count();
        let mut first = scale(first, theirs.len(), ours.len()).min(ours.len().checked_sub(1)?);
        let mut last = scale(last, theirs.len(), ours.len()).max(first + 1);
        if let Some(inner) = inner {
            let count = last - first;
            let inner_first = ours.iter().filter(|word| word.end <= inner.start).count();
            let inner_last = ours.iter().filter(|word| word.start < inner.end).count();
            if inner_first < first {
                (first, last) = (inner_first, inner_last.max(inner_first + count));
            } else if inner_last > last {
                (first, last) = (inner_first.min(inner_last - count.min(inner_last)), inner_last);
            }
        }
        let start = if stretch.start == from.start && first == 0 { to.start } else { ours.get(first)?.start };
        let end = if stretch.end == from.end && last == ours.len() { to.end } else { ours.get(last - 1)?.end };
        Some(start..end)
    }
}

/// A place, moved to the edge of the span that it is inside of.
fn outside(spans: &[Range<usize>], place: usize, mark: &Mark) -> usize {
    let inside = spans.iter().find(|span| span.start < place && place < span.end);
    inside.map_or(place, |span| if mark.kind == MarkKind::Open { span.start } else { span.end })
}

/// `count` of `theirs` as a count of `ours`.
fn scale(count: usize, theirs: usize, ours: usize) -> usize {
    if theirs == 0 { 0 } else { ((2 * count * ours + theirs) / (2 * theirs)).min(ours) }
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The words of `text[range]`, without the punctuation around them.
fn words(text: &str, range: &Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = range.start;
    for part in text[range.clone()].split_inclusive(char::is_whitespace) {
        let word = part.trim_start_matches(|c: char| !c.is_alphanumeric());
        let start = at + part.len() - word.len();
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        if !word.is_empty() {
            words.push(start..start + word.len());
        }
        at += part.len();
    }
    words
}

/// Whether no letter or digit touches this stretch.
fn is_whole(text: &str, range: &Range<usize>) -> bool {
    !text[..range.start].ends_with(char::is_alphanumeric) && !text[range.end..].starts_with(char::is_alphanumeric)
}

/// Which marks open and close the same thing, by their indices; inner ones before outer ones.
fn pairs(marks: &[Mark]) -> Vec<(usize, usize)> {
    let mut open = Vec::new();
    let mut pairs = Vec::new();
    for (index, mark) in marks.iter().enumerate() {
        match mark.kind {
            MarkKind::Open => open.push(index),
            MarkKind::Close => pairs.extend(open.pop().map(|open| (open, index))),
            MarkKind::Single | MarkKind::Break => {}
        }
    }
    pairs
}

/// The order of marks at one place: what ends there, then what stands there, then what starts there.
fn rank(kind: MarkKind, mark: usize, pairs: &[(usize, usize)], places: &[usize]) -> u8 {
    let empty = pairs.iter().any(|&(open, close)| [open, close].contains(&mark) && places[open] == places[close]);
    match kind {
        _ if empty => 1,
        MarkKind::Close => 0,
        MarkKind::Single | MarkKind::Break => 1,
        MarkKind::Open => 2,
    }
}

/// Whether pairs stand inside or beside each other when the marks are in this order.
fn is_nested(order: &[usize], pairs: &[(usize, usize)]) -> bool {
    let mut open = Vec::new();
    for &mark in order {
        if pairs.iter().any(|&(start, _)| start == mark) {
            open.push(mark);
        } else if let Some(&(start, _)) = pairs.iter().find(|&&(_, end)| end == mark)
            && open.pop() != Some(start)
        {
            return false;
        }
    }
    true
}
