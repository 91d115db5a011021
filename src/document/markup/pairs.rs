//! Marks that belong together: a pair that opens and closes, or the begin and the end of a range.
//!
//! Invariant: of a pair the first mark stands before the second one. Opening and closing pairs are nested or beside each other;
//! ranges, such as bookmarks, may cross each other and the pairs.

use super::{Mark, MarkKind};

/// The pairs among marks, as indices of these.
pub(super) struct MarkPairs {
    /// The opening and closing marks, inner pairs before outer ones.
    pub(super) nested: Vec<(usize, usize)>,
    /// The begins and ends of ranges.
    pub(super) bounds: Vec<(usize, usize)>,
    /// For each mark the other one of its pair.
    mates: Vec<Option<usize>>,
    /// For each mark the innermost pair that it is in.
    around: Vec<Option<(usize, usize)>>,
}

impl MarkPairs {
    /// Finds the pairs among marks, which are in the order of the source.
    pub(super) fn of(marks: &[Mark]) -> Self {
        let (mut open, mut begun) = (Vec::new(), Vec::new());
        let (mut nested, mut bounds) = (Vec::new(), Vec::new());
        for (index, mark) in marks.iter().enumerate() {
            match mark.kind {
                MarkKind::Open => open.push(index),
                MarkKind::Close => nested.extend(open.pop().map(|open| (open, index))),
                MarkKind::Begin(number) => begun.push((number, index)),
                MarkKind::End(number) => {
                    if let Some(at) = begun.iter().rposition(|&(other, _)| other == number) {
                        bounds.push((begun.remove(at).1, index));
                    }
                }
                MarkKind::Single | MarkKind::Leading | MarkKind::Break | MarkKind::Timed => {}
            }
        }
        let (mut mates, mut around) = (vec![None; marks.len()], vec![None; marks.len()]);
        let mut all: Vec<(usize, usize)> = nested.iter().chain(&bounds).copied().collect();
        all.sort_unstable();
        for (first, second) in all {
            (mates[first], mates[second]) = (Some(second), Some(first));
            around[first + 1..second].fill(Some((first, second)));
        }
        Self { nested, bounds, mates, around }
    }

    /// Moves single marks to the places inside the pairs that they were in.
    pub(super) fn keep_inside(&self, marks: &[Mark], places: &mut [usize]) {
        for (at, mark) in marks.iter().enumerate() {
            if let Some((first, second)) = self.around[at].filter(|&(first, second)| places[first] <= places[second])
                && matches!(mark.kind, MarkKind::Single | MarkKind::Leading)
            {
                places[at] = places[at].clamp(places[first], places[second]);
            }
        }
    }

    /// The order of marks at one place: those that end there, then single ones, then those that start there. What was inside a pair
    /// that ends or starts there stays inside.
    pub(super) fn rank(&self, mark: usize, kind: MarkKind, places: &[usize]) -> u8 {
        let is_here = |other: usize| places[other] == places[mark];
        let is_empty = self.mates[mark].is_some_and(is_here);
        let (starts, ends) =
            self.around[mark].map_or((false, false), |(first, second)| (is_here(first), is_here(second)));
        match kind {
            MarkKind::Close | MarkKind::End(_) if !is_empty => 0,
            MarkKind::Open | MarkKind::Begin(_) if !is_empty => 2,
            MarkKind::Break | MarkKind::Timed => 1,
            _ if ends && !starts => 0,
            MarkKind::Leading => 2,
            _ if starts && !ends => 2,
            _ => 1,
        }
    }

    /// Whether opening and closing marks are nested or beside each other when the marks are in this order.
    pub(super) fn is_nested(&self, order: &[usize]) -> bool {
        let mut is_closing = vec![false; self.mates.len()];
        self.nested.iter().for_each(|&(_, close)| is_closing[close] = true);
        let mut is_opening = vec![false; self.mates.len()];
        self.nested.iter().for_each(|&(open, _)| is_opening[open] = true);
        let mut open = Vec::new();
        for &mark in order {
            if is_opening[mark] {
                open.push(mark);
            } else if is_closing[mark] && open.pop() != self.mates[mark] {
                return false;
            }
        }
        true
    }
}

/// Moves times in front of the line break that they were in front of, and of the time that came after them.
pub(super) fn keep_times(marks: &[Mark], places: &mut [usize]) {
    let mut limit = usize::MAX;
    for (mark, place) in marks.iter().zip(places).rev() {
        match mark.kind {
            MarkKind::Break => limit = *place,
            MarkKind::Timed => {
                limit = limit.min(*place);
                *place = limit;
            }
            _ => {}
        }
    }
}
