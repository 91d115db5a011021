//! Matrix products in int8: weights are quantised once, with one scale per output; activations are quantised row by row
//! when they are multiplied.
//!
//! `w ≈ scale_w · q_w` with `|q_w| ≤ 64`, and `x ≈ scale_x · (q_x - zero)` with `0 ≤ q_x ≤ 255` over the row's own range
//! (as in Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
//! 2018). With these bounds the sum of two products fits 16 bits, in which AVX2 adds them. So no instruction set
//! saturates, and all of them give the same bits.
//!
//! Invariant: the sums are integers and exact; the outputs made from them depend on the row and the output alone.
//!
//! Weights lie in panels of 16 outputs, see [`panel`].

mod tiles;
mod panel;
mod quantise;
mod rows;

use std::io;
use std::sync::Arc;

use anyhow::Result;
use memmap2::Mmap;
use rayon::prelude::*;

use super::super::pages::{Pages, Slab};
use super::super::simd::{self, WIDE};
use super::super::threads::divides;
use super::super::topk::{self, RowTop};
use super::{Epilogue, OutputWindow, TILE, WeightMatrix, best, tasks};

use panel::{CacheLine, DEPTH, Layout, Order, WeightCell};
use rows::QuantisedRows;
use tiles::Int8Task;

/// Number of rows whose quantised inputs stay in the second-level cache.
const BLOCK: usize = 96;
/// Number of multiply-adds below which a product runs on one thread.
const PARALLEL_WORK: usize = 1 << 18;

/// A weight matrix `[n, k]` in int8.
pub struct Quantised {
    lines: PanelLines,
    layout: Layout,
    n: usize,
    k: usize,
}

/// The memory of the panels.
enum PanelLines {
    Owned(Slab<CacheLine>),
    /// A part of a file, from this byte on.
    Mapped(Arc<Mmap>, usize),
}

impl Quantised {
    /// Quantises `n` rows of `k` values each; `fill(row, values)` writes the values of one row.
    ///
    /// # Errors
    /// When the system has no memory for it.
    ///
    /// # Panics
    /// When `k` is more than 262,144.
    pub fn pack(pages: &Pages, n: usize, k: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> io::Result<Self> {
        Self::pack_in(Order::current(), pages, [n, k], fill)
    }

    fn pack_in(
        order: Order,
        pages: &Pages,
        [n, k]: [usize; 2],
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> io::Result<Self> {
        let layout = Layout::new(k, order);
        let lines = pages.slab(n.div_ceil(WIDE) * layout.lines(), |lines| {
            lines.par_chunks_mut(layout.lines()).enumerate().for_each_init(
                || (vec![0f32; k], vec![WeightCell::EMPTY; layout.depth]),
                |(values, cells), (panel, lines)| {
                    let (first, room) = (panel * WIDE, (&mut values[..], &mut cells[..]));
                    layout.pack(WIDE.min(n - first), |output, values| fill(first + output, values), lines, room);
                },
            );
        })?;
        Ok(Self { lines: PanelLines::Owned(lines), layout, n, k })
    }

    /// The name of the memory layout, which depends on the processor: a stored matrix can only be read in the layout in
    /// which it was written.
    #[must_use]
    pub fn form() -> &'static str {
        match Order::current() {
            Order::Plain => "plain",
            Order::Pairs => "pairs",
        }
    }

    /// A matrix whose [`Self::bytes`] lie in a file from byte `start` on, in the current [`form`](Self::form). `None` if
    /// the file ends before the matrix does, if a panel's order names cells that do not exist, or if `start` is not a
    /// multiple of 64.
    #[must_use]
    pub fn mapped(n: usize, k: usize, file: Arc<Mmap>, start: usize) -> Option<Self> {
        let layout = Layout::new(k, Order::current());
        let size = n.div_ceil(WIDE) * layout.lines() * size_of::<CacheLine>();
        let fits = start.checked_add(size)? <= file.len() && start.is_multiple_of(size_of::<CacheLine>());
        let matrix = fits.then_some(Self { lines: PanelLines::Mapped(file, start), layout, n, k })?;
        layout.holds(matrix.lines()).then_some(matrix)
    }

    /// Whether the matrix lies in a mapped file.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(self.lines, PanelLines::Mapped(..))
    }

    /// The memory of the matrix, to be stored; in this machine's byte order.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let lines = self.lines();
        // SAFETY: a line is 64 bytes.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(lines)) }
    }

    fn lines(&self) -> &[CacheLine] {
        match &self.lines {
            PanelLines::Owned(lines) => lines,
            PanelLines::Mapped(file, start) => {
                let count = self.panels() * self.layout.lines();
                // SAFETY: `mapped` has checked that the lines are inside the file and aligned; a file is mapped at a page
                // boundary.
                unsafe { std::slice::from_raw_parts(file[*start..].as_ptr().cast(), count) }
            }
        }
    }

    fn panels(&self) -> usize {
        self.n.div_ceil(WIDE)
    }
}

impl WeightMatrix for Quantised {
    fn n(&self) -> usize {
        self.n
    }

    fn k(&self) -> usize {
        self.k
    }

    fn is_quantised(&self) -> bool {
        true
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        let panel = self.layout.panel(self.lines(), row / WIDE);
        let step = panel.scales.steps[row % WIDE];
        for (number, cell) in panel.cells.iter().enumerate() {
            let inputs = panel.cell_inputs.get(number).map_or(number, |&inputs| inputs.into());
            let out = out.iter_mut().skip(inputs * DEPTH);
            for (out, &weight) in out.zip(&cell.0[row % WIDE]) {
                *out = f32::from(weight) * step;
            }
        }
    }

    fn multiply(&self, x: &[f32], epilogue: Epilogue) -> Vec<f32> {
        let m = x.len() / self.k;
        let input = QuantisedRows::quantise(x, m, self.k);
        let tasks = tasks(m, BLOCK, (self.panels(), TILE), divides(m * self.n * self.k, PARALLEL_WORK));
        let (lines, layout) = (self.lines(), self.layout);
        let write = |output| {
            tasks.into_par_iter().for_each(|(rows, panels)| {
                simd::run(Int8Task { input: &input, rows, panels, lines, layout, epilogue, output });
            });
        };
        // SAFETY: the tasks cover all rows times all panels.
        unsafe { OutputWindow::collect(m, self.n, write) }
    }

    fn top_k(&self, x: &[f32], bias: Option<&[f32]>, k: usize, edited: &[Vec<u32>]) -> Result<Vec<RowTop>> {
        let m = x.len() / self.k;
        let input = QuantisedRows::quantise(x, m, self.k);
        let tasks = tasks(m, BLOCK, (self.n.div_ceil(topk::BLOCK), 1), divides(m * self.n * self.k, PARALLEL_WORK));
        let (lines, layout) = (self.lines(), self.layout);
        let epilogue = Epilogue { bias, ..Epilogue::default() };
        best([m, self.n], &tasks, (k, edited), |rows, panels, output| {
            simd::run(Int8Task { input: &input, rows, panels, lines, layout, epilogue, output });
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::noise;
    use super::super::super::simd::{Level, run_at};
    use super::panel::WEIGHT;
    use super::rows::ACTIVATION;
    use super::*;

    fn pack(w: &[f32], n: usize, k: usize) -> Quantised {
        pack_in(Order::current(), w, n, k)
    }

    fn pack_in(order: Order, w: &[f32], n: usize, k: usize) -> Quantised {
        let fill = |row: usize, out: &mut [f32]| out.copy_from_slice(&w[row * k..][..k]);
        Quantised::pack_in(order, &Pages::default(), [n, k], fill).unwrap()
    }

    #[test]
    fn is_within_half_a_step_of_the_exact_product() {
        for (m, n, k) in [(1, 1, 1), (1, 130, 64), (2, 33, 17), (3, 64, 8), (5, 16, 100), (7, 47, 31), (200, 70, 40)] {
            let (x, w, bias, residual) = (noise(m * k, 1), noise(n * k, 2), noise(n, 3), noise(m * n, 4));
            let packed = pack(&w, n, k);
            let epilogue = Epilogue { bias: Some(&bias), activation: None, residual: Some(&residual) };
            let y = packed.multiply(&x, epilogue);
            for row in 0..m {
                for column in 0..n {
                    let (x, w) = (&x[row * k..][..k], &w[column * k..][..k]);
                    let exact: f32 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                    // Half a step of each factor times the other factor.
                    let bound: f32 =
                        x.iter().zip(w).map(|(x, w)| x.abs() * 0.5 / WEIGHT + w.abs() / ACTIVATION + 1e-4).sum();
                    let found = y[row * n + column] - bias[column] - residual[row * n + column];
                    assert!((found - exact).abs() <= bound, "{m} {n} {k}: {found}, exactly {exact} ± {bound}");
                }
            }
        }
    }

    /// The outputs of rows of the greatest activations, of which every instruction set gives the same bits in either order; and
    /// how many cells of the first panel stand in pairs.
    fn at_the_extremes(w: &[f32], n: usize, k: usize) -> (Vec<f32>, usize) {
        let m = 7;
        // Only the ends of the range, where an instruction that saturates would show.
        let x: Vec<f32> = (0..m * k).map(|i| if i % k == 0 { -1e-6 } else { 1.0 }).collect();
        let input = QuantisedRows::quantise(&x, m, k);
        let [plain, pairs] = [Order::Plain, Order::Pairs].map(|order| pack_in(order, w, n, k));
        let at = |level, rows: usize, packed: &Quantised| {
            let (lines, layout, panels) = (packed.lines(), packed.layout, 0..packed.panels());
            let epilogue = Epilogue::default();
            let write = |output| {
                run_at(level, Int8Task { input: &input, rows: 0..rows, panels, lines, layout, epilogue, output });
            };
            // SAFETY: the block is all panels times as many rows as there are outputs of.
            unsafe { OutputWindow::collect(rows, n, write) }
        };
        let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
        let generic = at(Level::Generic, m, &plain);
        for level in Level::ALL {
            for (packed, rows) in
                [&plain, &pairs].into_iter().flat_map(|packed| (1..=m).map(move |rows| (packed, rows)))
            {
                let some = at(level, rows, packed);
                assert_eq!(bits(&some), bits(&generic[..rows * n]), "{level:?} {:?} {rows}", packed.layout.order);
            }
        }
        (generic, 2 * pairs.layout.panel(pairs.lines(), 0).pairs)
    }

    #[test]
    fn all_instruction_sets_give_the_same_bits_at_the_extremes() {
        let (n, k) = (88, 264);
        let sign = |i: usize| if (i / k).is_multiple_of(2) { 1.0 } else { -1.0 };
        // The greatest weights everywhere, so that no two cells make a pair.
        let (y, paired) = at_the_extremes(&(0..n * k).map(sign).collect::<Vec<f32>>(), n, k);
        assert_eq!(paired, 0);
        assert!((y[0] - 263.0).abs() < 1.0 && (y[1] + 263.0).abs() < 1.0, "{} {}", y[0], y[1]);
        // In every other cell, so that each pair comes as near to the end of 16 bits as any can.
        let every_other = |i: usize| if (i / DEPTH).is_multiple_of(2) { sign(i) } else { 0.0 };
        let (y, paired) = at_the_extremes(&(0..n * k).map(every_other).collect::<Vec<f32>>(), n, k);
        assert_eq!(paired, k / DEPTH);
        assert!((y[0] - 131.0).abs() < 1.0 && (y[1] + 131.0).abs() < 1.0, "{} {}", y[0], y[1]);
        // Of all sizes, so that some are in pairs and some are not.
        let (_, paired) = at_the_extremes(&noise(n * k, 9), n, k);
        assert!((1..k / DEPTH).contains(&paired), "{paired}");
    }

    #[test]
    fn rows_come_back_out_of_the_panels() {
        let w = noise(37 * 9, 7);
        for order in [Order::Plain, Order::Pairs] {
            let packed = pack_in(order, &w, 37, 9);
            for (row, exact) in w.chunks_exact(9).enumerate() {
                let mut out = [0f32; 9];
                packed.row(row, &mut out);
                let greatest = exact.iter().fold(0f32, |greatest, x| greatest.max(x.abs()));
                assert!(out.iter().zip(exact).all(|(a, b)| (a - b).abs() <= greatest * 0.5001 / WEIGHT), "{order:?}");
            }
        }
    }
}
