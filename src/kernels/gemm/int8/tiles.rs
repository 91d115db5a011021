//! Products of quantised rows with int8 panels, in tiles whose sums stay in registers.
//!
//! Invariant: the sums are integers and exact, so neither the order of a panel's cells nor the shape of a tile changes a
//! result.

use std::ops::Range;

use super::super::super::simd::{Kernel, Simd, WIDE};
use super::super::{Epilogue, OutputWindow, Prefetch};
use super::panel::{CacheLine, DEPTH, Layout, Order, Panel};
use super::rows::QuantisedRows;

/// A task of one thread: some rows times some panels.
pub struct Int8Task<'a> {
    pub input: &'a QuantisedRows,
    pub rows: Range<usize>,
    pub panels: Range<usize>,
    pub lines: &'a [CacheLine],
    pub layout: Layout,
    pub epilogue: Epilogue<'a>,
    pub output: OutputWindow,
}

impl Kernel for Int8Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.layout.order {
            Order::Plain => self.plain(simd),
            Order::Pairs => self.paired(simd),
        }
    }
}

impl Int8Task<'_> {
    /// Multiplies panels in plain order, with as many rows and panels at once as the registers can hold.
    #[inline(always)]
    fn plain<S: Simd>(&self, simd: S) {
        let groups = self.rows.len().div_ceil(6);
        // A single row takes four panels at once on every instruction set, so that several loads overlap.
        let width = if S::LANES == WIDE || self.rows.len() == 1 { 4 } else { 1 };
        for panel in self.panels.clone().step_by(width) {
            for number in 0..groups {
                let (row, rows, prefetch) = self.group::<1>(number, groups, panel + width, width);
                match (S::LANES == WIDE, rows) {
                    (true, 1) => self.tile::<S, 1, 4, 1>(simd, row, panel, prefetch),
                    (true, 2) => self.tile::<S, 2, 4, 1>(simd, row, panel, prefetch),
                    (true, 3) => self.tile::<S, 3, 4, 1>(simd, row, panel, prefetch),
                    (true, 4) => self.tile::<S, 4, 4, 1>(simd, row, panel, prefetch),
                    (true, 5) => self.tile::<S, 5, 4, 1>(simd, row, panel, prefetch),
                    (true, _) => self.tile::<S, 6, 4, 1>(simd, row, panel, prefetch),
                    (false, 1) if width == 4 => self.tile::<S, 1, 4, 2>(simd, row, panel, prefetch),
                    (false, 1) => self.tile::<S, 1, 1, 2>(simd, row, panel, prefetch),
                    (false, 2) => self.tile::<S, 2, 1, 2>(simd, row, panel, prefetch),
                    (false, 3) => self.tile::<S, 3, 1, 2>(simd, row, panel, prefetch),
                    (false, 4) => self.tile::<S, 4, 1, 2>(simd, row, panel, prefetch),
                    (false, 5) => self.tile::<S, 5, 1, 2>(simd, row, panel, prefetch),
                    (false, _) => self.tile::<S, 6, 1, 2>(simd, row, panel, prefetch),
                }
            }
        }
    }

    /// Multiplies panels whose cells stand in pairs. Each panel has its own order of inputs, so panels cannot share loads
    /// of inputs.
    #[inline(always)]
    fn paired<S: Simd>(&self, simd: S) {
        // As many rows at once as the registers can hold: there are 32, or 16 that hold half a panel each.
        let group = if S::LANES == WIDE { 8 } else { 3 };
        let groups = self.rows.len().div_ceil(group);
        let mut panel = self.panels.start;
        while panel < self.panels.end {
            // A single row takes four panels at once, so that several loads overlap.
            let width = if self.rows.len() == 1 && panel + 4 <= self.panels.end { 4 } else { 1 };
            for number in 0..groups {
                let (row, rows, prefetch) = self.group::<2>(number, groups, panel + width, width);
                match (S::LANES == WIDE, rows, width) {
                    (true, 1, 4) => self.paired_tile::<S, 1, 4, 1>(simd, row, panel, prefetch),
                    (true, 1, _) => self.paired_tile::<S, 1, 1, 1>(simd, row, panel, prefetch),
                    (true, 2, _) => self.paired_tile::<S, 2, 1, 1>(simd, row, panel, prefetch),
                    (true, 3, _) => self.paired_tile::<S, 3, 1, 1>(simd, row, panel, prefetch),
                    (true, 4, _) => self.paired_tile::<S, 4, 1, 1>(simd, row, panel, prefetch),
                    (true, 5, _) => self.paired_tile::<S, 5, 1, 1>(simd, row, panel, prefetch),
                    (true, 6, _) => self.paired_tile::<S, 6, 1, 1>(simd, row, panel, prefetch),
                    (true, 7, _) => self.paired_tile::<S, 7, 1, 1>(simd, row, panel, prefetch),
                    (true, ..) => self.paired_tile::<S, 8, 1, 1>(simd, row, panel, prefetch),
                    (false, 1, 4) => self.paired_tile::<S, 1, 4, 2>(simd, row, panel, prefetch),
                    (false, 1, _) => self.paired_tile::<S, 1, 1, 2>(simd, row, panel, prefetch),
                    (false, 2, _) => self.paired_tile::<S, 2, 1, 2>(simd, row, panel, prefetch),
                    (false, ..) => self.paired_tile::<S, 3, 1, 2>(simd, row, panel, prefetch),
                }
            }
            panel += width;
        }
    }

    /// Splits the rows into `groups` groups of about equal size. Returns the first row and the number of rows of group
    /// `number`, and its share in prefetching the `width` panels from `next` on. A step multiplies `CELLS` cells.
    #[inline(always)]
    fn group<const CELLS: usize>(
        &self,
        number: usize,
        groups: usize,
        next: usize,
        width: usize,
    ) -> (usize, usize, Prefetch) {
        let start = |number: usize| self.rows.start + number * self.rows.len() / groups;
        let bytes = width * self.layout.lines() * size_of::<CacheLine>();
        let next = self.lines.as_ptr().wrapping_add(next * self.layout.lines()).cast();
        let prefetch = Prefetch::new(next, bytes, number, groups, self.layout.depth / CELLS);
        (start(number), start(number + 1) - start(number), prefetch)
    }

    /// Multiplies `R` rows with `P` panels of `V` vectors each. If fewer panels are left, the last one is multiplied
    /// again in place of the missing ones.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const P: usize, const V: usize>(
        &self,
        simd: S,
        row: usize,
        panel: usize,
        mut prefetch: Prefetch,
    ) {
        let last = self.panels.end - 1;
        let cells: [*const i8; P] =
            std::array::from_fn(|p| self.layout.panel(self.lines, last.min(panel + p)).cells.as_ptr().cast());
        let rows = self.inputs::<R>(row);
        let mut sums = [[[simd.zero(); V]; P]; R];
        for cell in 0..self.layout.depth {
            prefetch.step(simd);
            // SAFETY: each panel has `depth` cells of 64 bytes, and each row `depth` times 4 bytes. Slices would cost a
            // register spill for every bounds check.
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

    /// Multiplies `R` rows with `P` panels of `V` vectors each, whose cells stand in pairs.
    #[inline(always)]
    fn paired_tile<S: Simd, const R: usize, const P: usize, const V: usize>(
        &self,
        simd: S,
        row: usize,
        panel: usize,
        mut prefetch: Prefetch,
    ) {
        let panels: [Panel; P] = std::array::from_fn(|p| self.layout.panel(self.lines, panel + p));
        let cells: [*const i8; P] = std::array::from_fn(|p| panels[p].cells.as_ptr().cast());
        let cell_inputs: [*const u16; P] = std::array::from_fn(|p| panels[p].cell_inputs.as_ptr());
        let rows = self.inputs::<R>(row);
        let mut sums = [[[simd.zero(); V]; P]; R];
        // The number of pairs that every panel has; the cells of further pairs are multiplied one by one.
        let pairs = panels.iter().fold(usize::MAX, |least, panel| least.min(panel.pairs));
        for pair in 0..pairs {
            prefetch.step(simd);
            for p in 0..P {
                // SAFETY: each panel has `depth` cells of 64 bytes and `depth` indices of inputs, and the first `2 *
                // pairs` of both are in pairs. An index is below `depth` (checked by `Layout::holds`), and each row has
                // `depth` times 4 bytes. Slices would cost a register spill for every bounds check.
                unsafe {
                    let inputs: [usize; 2] =
                        std::array::from_fn(|i| DEPTH * usize::from(*cell_inputs[p].add(2 * pair + i)));
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
            prefetch.step(simd);
            for p in 0..P {
                // SAFETY: as in the loop above; `cell` is below `depth`.
                unsafe {
                    let inputs = DEPTH * usize::from(*cell_inputs[p].add(cell));
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

    /// Pointers to the bytes of `R` rows from `row` on, `stride` bytes each.
    #[inline(always)]
    fn inputs<const R: usize>(&self, row: usize) -> [*const u8; R] {
        let stride = self.input.stride;
        std::array::from_fn(|r| self.input.bytes[(row + r) * stride..][..stride].as_ptr())
    }

    /// Turns the integer sums into outputs and writes them.
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
            // SAFETY: no other task has these rows and this panel.
            unsafe { self.output.write(simd, row, panel + p, out, &self.epilogue) };
        }
    }
}
