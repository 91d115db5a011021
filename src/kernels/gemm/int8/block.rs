//! Products of quantised rows with panels: tiles that stay in registers.
//!
//! Invariant: the sums are whole numbers and exact, so that neither the order of a panel's cells nor the shape of a tile
//! changes a result.

use std::ops::Range;

use super::super::super::simd::{Kernel, Simd, WIDE};
use super::super::{Ahead, Epilogue, Output};
use super::panel::{DEPTH, Layout, Line, Order, Panel};
use super::rows::Rows;

/// Some rows times some panels, on one thread.
pub struct Block<'a> {
    pub input: &'a Rows,
    pub rows: Range<usize>,
    pub panels: Range<usize>,
    pub lines: &'a [Line],
    pub layout: Layout,
    pub epilogue: Epilogue<'a>,
    pub output: Output,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.layout.order {
            Order::Plain => self.plain(simd),
            Order::Pairs => self.paired(simd),
        }
    }
}

impl Block<'_> {
    /// Some rows times some panels in plain order: as many of both as there are registers for.
    #[inline(always)]
    fn plain<S: Simd>(&self, simd: S) {
        let groups = self.rows.len().div_ceil(6);
        // One row alone takes four panels at once in any case, to have as many loads under way.
        let width = if S::LANES == WIDE || self.rows.len() == 1 { 4 } else { 1 };
        for panel in self.panels.clone().step_by(width) {
            for number in 0..groups {
                let (row, rows, ahead) = self.group::<1>(number, groups, panel + width, width);
                match (S::LANES == WIDE, rows) {
                    (true, 1) => self.tile::<S, 1, 4, 1>(simd, row, panel, ahead),
                    (true, 2) => self.tile::<S, 2, 4, 1>(simd, row, panel, ahead),
                    (true, 3) => self.tile::<S, 3, 4, 1>(simd, row, panel, ahead),
                    (true, 4) => self.tile::<S, 4, 4, 1>(simd, row, panel, ahead),
                    (true, 5) => self.tile::<S, 5, 4, 1>(simd, row, panel, ahead),
                    (true, _) => self.tile::<S, 6, 4, 1>(simd, row, panel, ahead),
                    (false, 1) if width == 4 => self.tile::<S, 1, 4, 2>(simd, row, panel, ahead),
                    (false, 1) => self.tile::<S, 1, 1, 2>(simd, row, panel, ahead),
                    (false, 2) => self.tile::<S, 2, 1, 2>(simd, row, panel, ahead),
                    (false, 3) => self.tile::<S, 3, 1, 2>(simd, row, panel, ahead),
                    (false, 4) => self.tile::<S, 4, 1, 2>(simd, row, panel, ahead),
                    (false, 5) => self.tile::<S, 5, 1, 2>(simd, row, panel, ahead),
                    (false, _) => self.tile::<S, 6, 1, 2>(simd, row, panel, ahead),
                }
            }
        }
    }

    /// The same in pairs: a panel names its inputs in an order of its own, so that panels at once share nothing.
    #[inline(always)]
    fn paired<S: Simd>(&self, simd: S) {
        // Rows at once, as many as there are registers for: of 32, or of 16 that hold half a panel each.
        let group = if S::LANES == WIDE { 8 } else { 3 };
        let groups = self.rows.len().div_ceil(group);
        let mut panel = self.panels.start;
        while panel < self.panels.end {
            // One row alone takes four panels at once, to have as many loads under way.
            let width = if self.rows.len() == 1 && panel + 4 <= self.panels.end { 4 } else { 1 };
            for number in 0..groups {
                let (row, rows, ahead) = self.group::<2>(number, groups, panel + width, width);
                match (S::LANES == WIDE, rows, width) {
                    (true, 1, 4) => self.paired_tile::<S, 1, 4, 1>(simd, row, panel, ahead),
                    (true, 1, _) => self.paired_tile::<S, 1, 1, 1>(simd, row, panel, ahead),
                    (true, 2, _) => self.paired_tile::<S, 2, 1, 1>(simd, row, panel, ahead),
                    (true, 3, _) => self.paired_tile::<S, 3, 1, 1>(simd, row, panel, ahead),
                    (true, 4, _) => self.paired_tile::<S, 4, 1, 1>(simd, row, panel, ahead),
                    (true, 5, _) => self.paired_tile::<S, 5, 1, 1>(simd, row, panel, ahead),
                    (true, 6, _) => self.paired_tile::<S, 6, 1, 1>(simd, row, panel, ahead),
                    (true, 7, _) => self.paired_tile::<S, 7, 1, 1>(simd, row, panel, ahead),
                    (true, ..) => self.paired_tile::<S, 8, 1, 1>(simd, row, panel, ahead),
                    (false, 1, 4) => self.paired_tile::<S, 1, 4, 2>(simd, row, panel, ahead),
                    (false, 1, _) => self.paired_tile::<S, 1, 1, 2>(simd, row, panel, ahead),
                    (false, 2, _) => self.paired_tile::<S, 2, 1, 2>(simd, row, panel, ahead),
                    (false, ..) => self.paired_tile::<S, 3, 1, 2>(simd, row, panel, ahead),
                }
            }
            panel += width;
        }
    }

    /// Of `groups` about equal groups of rows the first row of one, how many it has, and what it asks for of the `width` panels
    /// from `next` on, in steps of so many `CELLS`.
    #[inline(always)]
    fn group<const CELLS: usize>(
        &self,
        number: usize,
        groups: usize,
        next: usize,
        width: usize,
    ) -> (usize, usize, Ahead) {
        let start = |number: usize| self.rows.start + number * self.rows.len() / groups;
        let bytes = width * self.layout.lines() * size_of::<Line>();
        let next = self.lines.as_ptr().wrapping_add(next * self.layout.lines()).cast();
        let ahead = Ahead::new(next, bytes, number, groups, self.layout.depth / CELLS);
        (start(number), start(number + 1) - start(number), ahead)
    }

    /// `R` rows times `P` panels of `V` vectors each. Where fewer panels are left, the last is multiplied again in place of those
    /// that there are not.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const P: usize, const V: usize>(
        &self,
        simd: S,
        row: usize,
        panel: usize,
        mut ahead: Ahead,
    ) {
        let last = self.panels.end - 1;
        let cells: [*const i8; P] =
            std::array::from_fn(|p| self.layout.panel(self.lines, last.min(panel + p)).cells.as_ptr().cast());
        let rows = self.inputs::<R>(row);
        let mut sums = [[[simd.zero(); V]; P]; R];
        for cell in 0..self.layout.depth {
            ahead.step(simd);
            // SAFETY: each panel has `depth` cells of 64 bytes, and each row `depth` times 4 bytes. Slices here would cost a
            // spill for every bounds check.
            unsafe {
                let w: [[S::Bytes; V]; P] = std::array::from_fn(|p| {
                    std::array::from_fn(|v| simd.load_bytes(cells[p].add(DEPTH * (cell * WIDE + v * S::LANES))))
                });
                for r in 0..R {
                    let x = simd.splat_bytes(rows[r].add(DEPTH * cell));
                    for p in 0..P {
                        for v in 0..V {
                            sums[r][p][v] = simd.dot(x, w[p][v], sums[r][p][v]);
                        }
                    }
                }
            }
        }
        self.finish(simd, row, panel, &sums);
    }

    /// `R` rows times `P` panels of `V` vectors each, in pairs.
    #[inline(always)]
    fn paired_tile<S: Simd, const R: usize, const P: usize, const V: usize>(
        &self,
        simd: S,
        row: usize,
        panel: usize,
        mut ahead: Ahead,
    ) {
        let panels: [Panel; P] = std::array::from_fn(|p| self.layout.panel(self.lines, panel + p));
        let cells: [*const i8; P] = std::array::from_fn(|p| panels[p].cells.as_ptr().cast());
        let places: [*const u16; P] = std::array::from_fn(|p| panels[p].places.as_ptr());
        let rows = self.inputs::<R>(row);
        let mut sums = [[[simd.zero(); V]; P]; R];
        // The same for all panels: what stands in pairs may also be taken one by one.
        let pairs = panels.iter().fold(usize::MAX, |least, panel| least.min(panel.pairs));
        // SAFETY of both loops: each panel has `depth` cells of 64 bytes and as many places, of which those in pairs are the
        // first; a place is below `depth`, and each row has `depth` times 4 bytes. Slices here would cost a spill for every
        // bounds check.
        for pair in 0..pairs {
            ahead.step(simd);
            for p in 0..P {
                unsafe {
                    let inputs: [usize; 2] = std::array::from_fn(|i| DEPTH * usize::from(*places[p].add(2 * pair + i)));
                    let w: [[S::Bytes; V]; 2] = std::array::from_fn(|i| {
                        std::array::from_fn(|v| {
                            simd.load_bytes(cells[p].add(DEPTH * ((2 * pair + i) * WIDE + v * S::LANES)))
                        })
                    });
                    for r in 0..R {
                        let x = [simd.splat_bytes(rows[r].add(inputs[0])), simd.splat_bytes(rows[r].add(inputs[1]))];
                        for v in 0..V {
                            sums[r][p][v] = simd.dot_pair(x, [w[0][v], w[1][v]], sums[r][p][v]);
                        }
                    }
                }
            }
        }
        for cell in 2 * pairs..self.layout.depth {
            ahead.step(simd);
            for p in 0..P {
                unsafe {
                    let inputs = DEPTH * usize::from(*places[p].add(cell));
                    let w: [S::Bytes; V] =
                        std::array::from_fn(|v| simd.load_bytes(cells[p].add(DEPTH * (cell * WIDE + v * S::LANES))));
                    for r in 0..R {
                        let x = simd.splat_bytes(rows[r].add(inputs));
                        for v in 0..V {
                            sums[r][p][v] = simd.dot(x, w[v], sums[r][p][v]);
                        }
                    }
                }
            }
        }
        self.finish(simd, row, panel, &sums);
    }

    /// The bytes of `R` rows, `stride` of each.
    #[inline(always)]
    fn inputs<const R: usize>(&self, row: usize) -> [*const u8; R] {
        let stride = self.input.stride;
        std::array::from_fn(|r| self.input.bytes[(row + r) * stride..][..stride].as_ptr())
    }

    /// Makes numbers of sums and writes them.
    #[inline(always)]
    fn finish<S: Simd, const R: usize, const P: usize, const V: usize>(
        &self,
        simd: S,
        row: usize,
        panel: usize,
        sums: &[[[S::Sums; V]; P]; R],
    ) {
        let inputs = &self.input.scales[row..row + R];
        for p in 0..P.min(self.panels.end - panel) {
            let scales = self.layout.panel(self.lines, panel + p).scales;
            let mut out = [[simd.splat(0.0); V]; R];
            for r in 0..R {
                let (step, zero) = inputs[r];
                for v in 0..V {
                    let at = v * S::LANES;
                    let sum = simd.sub_product(sums[r][p][v], zero, &scales.sums[at..]);
                    let scale = simd.mul(simd.splat(step), simd.load(&scales.steps[at..]));
                    out[r][v] = simd.mul(simd.to_float(sum), scale);
                }
            }
            // SAFETY: the rows and the panel are this task's.
            unsafe { self.output.write(simd, row, panel + p, out, &self.epilogue) };
        }
    }
}
