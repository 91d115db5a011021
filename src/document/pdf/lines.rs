//! Fragments beside each other become lines.
//!
//! Invariant: each fragment is in one line, and lines of neighbouring columns stay apart. A text that is drawn twice in the same
//! place, as some programs do to make it bold, is kept once.

use std::collections::HashMap;
use std::ops::Range;

use super::fragments::{Fragment, SPACE};

/// Fragments whose baselines differ by less than this share of their size are on one line.
const SAME_LINE: f32 = 0.25;
/// Fragments that were not drawn one after the other are on one line if the gap is smaller than this share of their size:
/// columns are further apart.
const WIDEST_GAP: f32 = 0.7;
/// Letters of one line have sizes of at least this ratio.
const LEAST_RATIO: f32 = 0.6;
/// The most bytes of a cell of a table. Fragments up to this length that stand beside each other and were drawn one after the
/// other are cells.
const LONGEST_CELL: usize = 30;
/// The separator of cells in the text of a line.
pub(super) const CELL: char = '\t';

/// A line of a column and its place on the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TextLine {
    /// Its text; cells of a table are separated by `CELL`.
    pub(super) text: String,
    /// The left edge of its first letter.
    pub(super) left: f32,
    /// The right edge of its last letter.
    pub(super) right: f32,
    /// The height of its baseline; larger is further up.
    pub(super) baseline: f32,
    /// The size of its largest letters.
    pub(super) size: f32,
    /// Whether nearly all of it is bold.
    pub(super) bold: bool,
}

/// The size of most letters.
pub(super) fn usual_size<'a>(lines: impl Iterator<Item = &'a TextLine>) -> f32 {
    let mut sizes: HashMap<i32, usize> = HashMap::new();
    for line in lines {
        *sizes.entry(halves(line.size)).or_default() += line.text.len();
    }
    sizes.into_iter().max_by_key(|&(size, letters)| (letters, size)).map_or(10.0, |(size, _)| size as f32 / 2.0)
}

/// A length in halves of a point, so that lengths which are nearly the same are equal.
pub(super) fn halves(length: f32) -> i32 {
    (2.0 * length).round() as i32
}

impl TextLine {
    /// Whether two lines share a part of the page's width.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right
    }
}

/// The lines of a page, from top to bottom and from left to right: one list for each of the four ways in which lines can be
/// turned. The way that most lines have comes first.
pub(super) fn lines(fragments: Vec<Fragment>) -> Vec<Vec<TextLine>> {
    let mut turned: [Vec<Fragment>; 4] = Default::default();
    for fragment in fragments {
        turned[usize::from(fragment.turn)].push(fragment);
    }
    let mut turned: Vec<Vec<TextLine>> = turned.into_iter().filter(|all| !all.is_empty()).map(of_one_turn).collect();
    turned.sort_by_key(|lines| std::cmp::Reverse(lines.iter().map(|line| line.text.len()).sum::<usize>()));
    turned
}

fn of_one_turn(mut fragments: Vec<Fragment>) -> Vec<TextLine> {
    fragments.sort_by(|one, other| other.baseline.total_cmp(&one.baseline));
    let mut lines = Vec::new();
    while !fragments.is_empty() {
        let first = &fragments[0];
        let lowest = first.baseline - SAME_LINE * first.size;
        let count = fragments.iter().take_while(|fragment| fragment.baseline >= lowest).count();
        let mut row: Vec<Fragment> = fragments.drain(..count).collect();
        row.sort_by(|one, other| one.left.total_cmp(&other.left));
        let mut start = 0;
        for at in 1..=row.len() {
            if at == row.len() || !is_joined(&row[at - 1], &row[at]) {
                lines.push(line(&row, start..at));
                start = at;
            }
        }
    }
    lines
}

/// Whether a fragment is on the same line as one to the left of it.
fn is_joined(before: &Fragment, next: &Fragment) -> bool {
    is_twice(before, next) || is_near(before, next) || is_cell(before, next)
}

/// Whether a fragment continues the text of one to the left of it.
fn is_near(before: &Fragment, next: &Fragment) -> bool {
    let (large, small) = (before.size.max(next.size), before.size.min(next.size));
    let gap = next.left - before.right;
    -0.5 * large <= gap && gap <= WIDEST_GAP * small && small >= LEAST_RATIO * large
}

/// Whether a fragment is the next cell of a table after another fragment.
fn is_cell(before: &Fragment, next: &Fragment) -> bool {
    next.after_cell && before.text.len() <= LONGEST_CELL && next.text.len() <= LONGEST_CELL
}

/// Whether a text is drawn twice.
fn is_twice(one: &Fragment, other: &Fragment) -> bool {
    let near = |from: f32, to: f32| (from - to).abs() < SAME_LINE * one.size;
    one.text.trim() == other.text.trim() && near(one.left, other.left) && near(one.baseline, other.baseline)
}

fn line(row: &[Fragment], range: Range<usize>) -> TextLine {
    let (mut line, mut letters, mut bold) = (TextLine::default(), 0, 0);
    let mut before: Option<&Fragment> = None;
    for fragment in &row[range] {
        if before.is_some_and(|before| is_twice(before, fragment)) {
            continue;
        }
        match before {
            None => line.left = fragment.left,
            Some(before) if !is_near(before, fragment) => {
                line.text.truncate(line.text.trim_end().len());
                line.text.push(CELL);
            }
            Some(before) if fragment.left - before.right > SPACE * fragment.size && !line.text.ends_with(' ') => {
                line.text.push(' ');
            }
            Some(_) => {}
        }
        line.text += &fragment.text;
        line.right = line.right.max(fragment.right);
        if fragment.size > line.size {
            (line.size, line.baseline) = (fragment.size, fragment.baseline);
        }
        letters += fragment.text.chars().filter(|c| !c.is_whitespace()).count();
        bold += fragment.bold;
        before = Some(fragment);
    }
    line.bold = bold * 10 >= letters * 9;
    line.text.truncate(line.text.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(text: &str, left: f32, baseline: f32) -> Fragment {
        let right = left + 5.0 * text.len() as f32;
        Fragment { text: text.to_owned(), left, right, baseline, size: 10.0, ..Fragment::default() }
    }

    #[test]
    fn columns_stay_apart_and_what_is_drawn_twice_is_there_once() {
        let all = vec![
            fragment("rechts", 200.0, 100.2),
            fragment("links", 0.0, 100.0),
            fragment("links", 0.3, 100.0),
            fragment("verder", 28.0, 100.0),
            fragment("onder", 0.0, 88.0),
        ];
        let texts: Vec<String> = lines(all).concat().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["links verder", "rechts", "onder"]);
    }

    #[test]
    fn cells_are_on_one_line_if_they_are_short_and_were_drawn_in_turn() {
        let cell = |text: &str| Fragment { after_cell: true, ..fragment(text, 200.0, 100.0) };
        let long = "wat in een kolom staat en geen cel is".to_owned();
        for (next, expected) in [(cell("prijs"), vec!["wat\tprijs"]), (cell(&long), vec!["wat", &long])] {
            let texts: Vec<String> =
                lines(vec![fragment("wat", 0.0, 100.0), next]).concat().into_iter().map(|line| line.text).collect();
            assert_eq!(texts, expected);
        }
    }

    #[test]
    fn what_is_turned_stands_apart() {
        let all = vec![Fragment { turn: 1, ..fragment("op", 0.0, 100.0) }, fragment("liggend", 12.0, 100.0)];
        let texts: Vec<Vec<String>> =
            lines(all).into_iter().map(|lines| lines.into_iter().map(|line| line.text).collect()).collect();
        assert_eq!(texts, [["liggend"], ["op"]]);
    }
}
