//! The Levenshtein distance of two sequences of words near the diagonal, and the edits that it consists of.

/// How many columns are computed on either side of the diagonal: the beam of sacreBLEU.
const BEAM: usize = 25;
/// A cell that was not computed.
const UNKNOWN: EditCell = EditCell { cost: u32::MAX / 2, edit: Edit::Keep };

/// One edit on the way from the hypothesis to the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A word of both.
    Keep,
    /// A word of the reference in place of one of the hypothesis.
    Substitute,
    /// A word of the reference that the hypothesis lacks.
    Insert,
    /// A word that only the hypothesis has.
    Delete,
}

#[derive(Clone, Copy, Debug)]
struct EditCell {
    cost: u32,
    edit: Edit,
}

/// The matrix of edit distances between hypotheses of one length and a reference, near the diagonal.
///
/// Rows that the next hypothesis has in common with the last one are not computed again.
pub struct EditMatrix<'a> {
    reference: &'a [u32],
    /// The hypothesis of the cells.
    words: Vec<u32>,
    /// A row of `reference.len() + 1` cells for each word of the hypothesis, after one for none.
    cells: Vec<EditCell>,
    /// Words of the reference for each of the hypothesis.
    slope: f64,
    /// Columns on either side.
    width: usize,
}

impl<'a> EditMatrix<'a> {
    /// The matrix for hypotheses of `length` words.
    pub fn new(reference: &'a [u32], length: usize) -> Self {
        let slope = if length > 0 { reference.len() as f64 / length as f64 } else { 1.0 };
        // Rows far apart on the diagonal still have to overlap.
        let needed = slope / 2.0;
        let width = if (BEAM as f64) < needed { (needed + BEAM as f64).ceil() as usize } else { BEAM };
        let columns = reference.len() + 1;
        let mut cells = vec![UNKNOWN; columns * (length + 1)];
        for (cell, cost) in cells[..columns].iter_mut().zip(0..) {
            *cell = EditCell { cost, edit: Edit::Insert };
        }
        Self { reference, words: Vec::new(), cells, slope, width }
    }

    /// How many edits turn `words` into the reference.
    pub fn distance(&mut self, words: &[u32]) -> u32 {
        let known = self.words.iter().zip(words).take_while(|(one, other)| one == other).count();
        for row in known + 1..=words.len() {
            self.fill(row, words[row - 1], row == words.len());
        }
        self.words.truncate(known);
        self.words.extend(&words[known..]);
        self.cells[words.len() * (self.reference.len() + 1) + self.reference.len()].cost
    }

    /// The edits of the last distance, first to last.
    pub fn edits(&self, length: usize) -> Vec<Edit> {
        let (mut row, mut column) = (length, self.reference.len());
        let mut edits = Vec::new();
        while row > 0 || column > 0 {
            let edit = self.cells[row * (self.reference.len() + 1) + column].edit;
            row -= usize::from(edit != Edit::Insert);
            column -= usize::from(edit != Edit::Delete);
            edits.push(edit);
        }
        edits.reverse();
        edits
    }

    fn fill(&mut self, row: usize, word: u32, is_last: bool) {
        let columns = self.reference.len() + 1;
        let diagonal = (row as f64 * self.slope).floor() as usize;
        let first = diagonal.saturating_sub(self.width);
        let end = if is_last { columns } else { columns.min(diagonal + self.width) };
        let (above, current) = self.cells[(row - 1) * columns..(row + 1) * columns].split_at_mut(columns);
        current.fill(UNKNOWN);
        for column in first..end {
            let delete = EditCell { cost: above[column].cost + 1, edit: Edit::Delete };
            let Some(before) = column.checked_sub(1) else {
                current[column] = delete;
                continue;
            };
            let keeps = word == self.reference[before];
            let edit = if keeps { Edit::Keep } else { Edit::Substitute };
            let across = EditCell { cost: above[before].cost + u32::from(!keeps), edit };
            let insert = EditCell { cost: current[before].cost + 1, edit: Edit::Insert };
            // Of edits with equal costs the first is taken.
            let best =
                [delete, insert].into_iter().fold(across, |best, one| if one.cost < best.cost { one } else { best });
            current[column] = best;
        }
    }
}
