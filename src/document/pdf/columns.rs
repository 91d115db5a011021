//! In which order the lines of a page are read.
//!
//! Lines that follow each other from top to bottom, with nothing beside them, are a column. Columns are ordered by two rules of
//! Breuel, "High Performance Document Layout Analysis" (2003): what stands above comes before what it overlaps, and what stands to the
//! left comes before what is to the right, unless something between them spans both. So a title over two columns comes first,
//! then the left one, then the right one. What stands lower than the whole of something beside it comes after that, unless there are
//! lines on both sides all the way: a date at the right edge comes before the salutation below it at the left one. Invariant: each line
//! is in one column.

use super::lines::TextLine;

/// The largest gap between two lines of a column, in sizes of their letters.
const FARTHEST: f32 = 3.5;
/// The least number of lines on each side of a gap between columns that stand beside each other.
const LEAST_BESIDE: usize = 2;
/// The least number of lines on each side of a gap between columns of which one ends where the other begins, such as those beside
/// pictures. Addresses of letters have fewer.
const LEAST_APART: usize = 8;
/// The most columns of a page of text. A page with more is a table or a drawing, and is read from top to bottom.
const MOST_COLUMNS: usize = 400;
/// The most lines of a page whose columns are ordered. A page with more is read from top to bottom.
const MOST_LINES: usize = 4000;

/// A column: lines that are read from top to bottom.
#[derive(Debug)]
pub(super) struct Column {
    /// The lines, the topmost first.
    pub(super) lines: Vec<TextLine>,
    /// The left edge of the leftmost line.
    pub(super) left: f32,
    /// The right edge of the line that reaches furthest to the right.
    pub(super) right: f32,
    top: f32,
    bottom: f32,
}

/// The columns of a page in the order in which they are read. Lines come sorted from top to bottom.
pub(super) fn columns(lines: Vec<TextLine>) -> Vec<Column> {
    if lines.len() > MOST_LINES {
        return vec![Column::new(lines)];
    }
    let mut columns: Vec<Column> = chains(&lines).into_iter().map(Column::new).collect();
    columns.sort_by(|one, other| other.top.total_cmp(&one.top).then(one.left.total_cmp(&other.left)));
    if columns.len() <= MOST_COLUMNS { ordered(columns) } else { columns }
}

impl Column {
    fn new(lines: Vec<TextLine>) -> Self {
        let least = |edge: fn(&TextLine) -> f32| lines.iter().map(edge).fold(f32::INFINITY, f32::min);
        let most = |edge: fn(&TextLine) -> f32| lines.iter().map(edge).fold(f32::NEG_INFINITY, f32::max);
        let (left, right) = (least(|line| line.left), most(|line| line.right));
        let (bottom, top) = (least(|line| line.baseline), most(|line| line.baseline + 0.7 * line.size));
        Self { lines, left, right, top, bottom }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right
    }

    fn is_above(&self, other: &Self) -> bool {
        self.top + self.bottom > other.top + other.bottom
    }

    /// Whether this column is read before `other`. That also depends on the other columns of the page.
    fn comes_before(&self, other: &Self, all: &[Self]) -> bool {
        if self.overlaps(other) {
            return self.is_above(other);
        }
        let is_between = |middle: &Self| {
            let (upper, lower) = if self.is_above(other) { (self, other) } else { (other, self) };
            upper.bottom > middle.bottom && middle.top > lower.top && middle.overlaps(self) && middle.overlaps(other)
        };
        if all.iter().any(is_between) {
            return false;
        }
        let is_beside = self.bottom < other.top && other.bottom < self.top;
        if is_beside || are_columns(self, other, all) { self.left < other.left } else { self.is_above(other) }
    }
}

/// Whether the gap between two columns, neither of which is beside the other, is one between columns of the page: there are several
/// lines on both of its sides, from the top of the upper one to the bottom of the lower one, and some of them are beside each other.
fn are_columns(one: &Column, other: &Column, all: &[Column]) -> bool {
    let (bottom, top) = (one.bottom.min(other.bottom), one.top.max(other.top));
    let (from, to) = if one.left < other.left { (one.right, other.left) } else { (other.right, one.left) };
    let near = all.iter().filter(|column| column.bottom < top && bottom < column.top);
    let (left, others): (Vec<&Column>, Vec<&Column>) = near.partition(|column| column.right <= to);
    let right: Vec<&Column> = others.into_iter().filter(|column| column.left >= from).collect();
    let sides = [left, right];
    let fewest =
        sides.iter().map(|side| side.iter().map(|column| column.lines.len()).sum::<usize>()).min().unwrap_or(0);
    let [left, right] = sides.map(|side| {
        let lowest = side.iter().map(|column| column.bottom).fold(f32::INFINITY, f32::min);
        (lowest, side.iter().map(|column| column.top).fold(f32::NEG_INFINITY, f32::max))
    });
    let is_beside = left.0 < right.1 && right.0 < left.1;
    fewest >= if is_beside { LEAST_BESIDE } else { LEAST_APART }
}

/// Divides lines into columns. Two lines follow each other in a column if the second is the only line below the first, and the
/// first is the only line above the second.
fn chains(lines: &[TextLine]) -> Vec<Vec<TextLine>> {
    let above: Vec<Vec<usize>> = (0..lines.len()).map(|at| neighbours(lines, at, (0..at).rev())).collect();
    let below: Vec<Vec<usize>> = (0..lines.len()).map(|at| neighbours(lines, at, at + 1..lines.len())).collect();
    let mut chains: Vec<Vec<TextLine>> = Vec::new();
    let mut chain_of = vec![0; lines.len()];
    for (at, line) in lines.iter().enumerate() {
        let before = match above[at][..] {
            [before] if below[before] == [at] => {
                let gap = lines[before].baseline - line.baseline;
                (gap <= FARTHEST * line.size.max(lines[before].size)).then_some(before)
            }
            _ => None,
        };
        chain_of[at] = before.map_or(chains.len(), |before| chain_of[before]);
        if before.is_none() {
            chains.push(Vec::new());
        }
        chains[chain_of[at]].push(line.clone());
    }
    chains
}

/// The lines among `others` that have no other line between them and `lines[at]`; the nearest comes first. Lines in the row of
/// `lines[at]` are left out.
fn neighbours(lines: &[TextLine], at: usize, others: impl Iterator<Item = usize>) -> Vec<usize> {
    let line = &lines[at];
    let mut found: Vec<usize> = Vec::new();
    for other in others {
        let there = &lines[other];
        if !there.overlaps(line) || (there.baseline - line.baseline).abs() < 0.4 * line.size.min(there.size) {
            continue;
        }
        // A nearer line between the two hides this one, even if that line is short.
        let (left, right) = (there.left.max(line.left), there.right.min(line.right));
        let is_hidden = found.iter().any(|&near| {
            let near = &lines[near];
            let shared = near.right.min(right) - near.left.max(left);
            shared > 0.25 * (right - left).min(near.right - near.left)
        });
        if !is_hidden {
            found.push(other);
        }
    }
    found
}

/// Sorts columns into reading order: the next one is always the topmost of those that no remaining column comes before.
fn ordered(columns: Vec<Column>) -> Vec<Column> {
    let count = columns.len();
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut waits_for = vec![0_usize; count];
    for one in 0..count {
        for other in (0..count).filter(|&other| other != one) {
            if columns[one].comes_before(&columns[other], &columns) {
                after[one].push(other);
                waits_for[other] += 1;
            }
        }
    }
    let mut columns: Vec<Option<Column>> = columns.into_iter().map(Some).collect();
    let mut order = Vec::with_capacity(count);
    while order.len() < count {
        // If the rules contradict each other, the topmost is next.
        let free = (0..count).find(|&at| columns[at].is_some() && waits_for[at] == 0);
        let Some(next) = free.or_else(|| columns.iter().position(Option::is_some)) else { break };
        order.extend(columns[next].take());
        for &other in &after[next] {
            waits_for[other] = waits_for[other].saturating_sub(1);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, left: f32, right: f32, baseline: f32) -> TextLine {
        TextLine { text: text.to_owned(), left, right, baseline, size: 10.0, bold: false }
    }

    fn read(mut lines: Vec<TextLine>) -> String {
        lines.sort_by(|one, other| other.baseline.total_cmp(&one.baseline).then(one.left.total_cmp(&other.left)));
        let texts = columns(lines).into_iter().map(|column| {
            let texts: Vec<String> = column.lines.into_iter().map(|line| line.text).collect();
            texts.join(" ")
        });
        texts.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn a_title_comes_first_then_the_left_column_then_the_right_one() {
        let page = vec![
            line("titel", 50.0, 350.0, 700.0),
            line("a", 0.0, 190.0, 660.0),
            line("b", 0.0, 190.0, 648.0),
            line("c", 0.0, 120.0, 636.0),
            line("d", 210.0, 400.0, 660.0),
            line("e", 210.0, 400.0, 648.0),
        ];
        assert_eq!(read(page), "titel | a b c | d e");
    }

    #[test]
    fn two_articles_above_each_other_are_read_one_after_the_other() {
        let article = |top: f32, name: &str| {
            vec![
                line(name, 0.0, 400.0, top),
                line("l1", 0.0, 190.0, top - 30.0),
                line("l2", 0.0, 190.0, top - 42.0),
                line("r1", 210.0, 400.0, top - 30.0),
                line("r2", 210.0, 400.0, top - 42.0),
            ]
        };
        let page = [article(700.0, "een"), article(500.0, "twee")].concat();
        assert_eq!(read(page), "een | l1 l2 | r1 r2 | twee | l1 l2 | r1 r2");
    }

    #[test]
    fn what_is_centred_or_at_the_right_edge_comes_before_what_stands_below_it() {
        let letter = vec![
            line("datum", 300.0, 400.0, 700.0),
            line("aanhef", 0.0, 90.0, 676.0),
            line("een lange regel", 0.0, 400.0, 652.0),
            line("groet", 0.0, 80.0, 628.0),
        ];
        assert_eq!(read(letter), "datum | aanhef | een lange regel groet");
        let addresses = [300.0, 0.0].map(|left| {
            let top = if left > 0.0 { 760.0 } else { 700.0 };
            let rows = ["naam", "straat", "plaats"].into_iter().enumerate();
            rows.map(|(row, text)| line(text, left, left + 90.0, top - 12.0 * row as f32)).collect::<Vec<_>>()
        });
        assert_eq!(read(addresses.concat()), "naam straat plaats | naam straat plaats");
        let page = vec![
            line("titel", 80.0, 320.0, 700.0),
            line("door", 150.0, 250.0, 680.0),
            line("kop", 0.0, 110.0, 650.0),
            line("een lange regel", 0.0, 400.0, 630.0),
        ];
        assert_eq!(read(page).split(" | ").collect::<Vec<_>>().join(" "), "titel door kop een lange regel");
    }

    #[test]
    fn a_column_in_several_pieces_comes_before_the_one_beside_it() {
        let page = vec![
            line("r1", 210.0, 400.0, 700.0),
            line("r2", 210.0, 400.0, 688.0),
            line("l1", 0.0, 190.0, 700.0),
            line("l2", 0.0, 190.0, 688.0),
            line("onder", 0.0, 100.0, 500.0),
        ];
        assert_eq!(read(page), "l1 l2 | onder | r1 r2");
    }

    #[test]
    fn columns_whose_lines_are_not_level_are_columns_too() {
        let page = vec![
            line("a", 0.0, 190.0, 660.0),
            line("d", 210.0, 400.0, 655.0),
            line("b", 0.0, 190.0, 648.0),
            line("e", 210.0, 400.0, 643.0),
        ];
        assert_eq!(read(page), "a b | d e");
    }
}
