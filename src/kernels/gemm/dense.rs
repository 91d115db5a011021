//! Matrix products in f32.
//!
//! Invariant: each output is one chain of multiply-adds over `k = 0, 1, 2, …`, whatever the number of rows, threads or
//! neighbours, so a row's result has the same bits in any batch.
//!
//! Weights lie in panels of 16 outputs, `[ceil(n / 16)][k][16]`. A tile of up to six rows and up to four panels keeps its
//! sums in registers. Input rows are packed in groups of six, `[k][6]`, so that a tile reads memory from end to end (the
//! scheme of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008).

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use anyhow::Result;
use rayon::prelude::*;

use super::super::pages::{Pages, Plain, Slab};
use super::super::simd::{self, Kernel, Simd, WIDE};
use super::super::threads::divides;
use super::super::topk::{self, RowTop};
use super::{Epilogue, OutputWindow, Prefetch, TILE, WeightMatrix, best, tasks};

/// Rows of one register tile.
const GROUP: usize = 6;
/// Number of rows whose packed input (with `k` up to 1024) stays in the second-level cache.
const BLOCK: usize = 16 * GROUP;
/// Number of multiply-adds below which a product runs on one thread.
const PARALLEL_WORK: usize = 1 << 17;

/// The weights of one input for the sixteen outputs of a panel.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct PanelRow([f32; WIDE]);

// SAFETY: all-zero bytes are numbers, and the alignment is 64 bytes.
unsafe impl Plain for PanelRow {}

/// A weight matrix `[n, k]` in f32.
pub struct Packed {
    lanes: Slab<PanelRow>,
    n: usize,
    k: usize,
}

impl Packed {
    /// Packs `n` rows of `k` values each; `fill(row, values)` writes the values of one row.
    ///
    /// # Errors
    /// When the system has no memory for it.
    pub fn pack(pages: &Pages, n: usize, k: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> io::Result<Self> {
        let lanes = pages.slab(n.div_ceil(WIDE) * k, |lanes: &mut [PanelRow]| {
            lanes.par_chunks_mut(k.max(1)).enumerate().for_each_init(
                || vec![0f32; k],
                |row, (panel, lanes)| {
                    for column in 0..WIDE.min(n - panel * WIDE) {
                        fill(panel * WIDE + column, row);
                        for (lane, &value) in lanes.iter_mut().zip(row.iter()) {
                            lane.0[column] = value;
                        }
                    }
                },
            );
        })?;
        Ok(Self { lanes, n, k })
    }

    fn panels(&self) -> usize {
        self.n.div_ceil(WIDE)
    }
}

impl WeightMatrix for Packed {
    fn n(&self) -> usize {
        self.n
    }

    fn k(&self) -> usize {
        self.k
    }

    fn is_quantised(&self) -> bool {
        false
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        let panel = &self.lanes[row / WIDE * self.k..][..self.k];
        for (out, lane) in out.iter_mut().zip(panel) {
            *out = lane.0[row % WIDE];
        }
    }

    fn multiply(&self, x: &[f32], epilogue: Epilogue) -> Vec<f32> {
        let m = x.len() / self.k;
        let input = pack_rows(x, m, self.k);
        let tasks = tasks(m, BLOCK, (self.panels(), TILE), divides(m * self.n * self.k, PARALLEL_WORK));
        let write = |output| {
            tasks.into_par_iter().for_each(|(rows, panels)| {
                simd::run(DenseTask { input: &input, rows, panels, weight: self, epilogue, output });
            });
        };
        // SAFETY: the tasks cover all rows times all panels.
        unsafe { OutputWindow::collect(m, self.n, write) }
    }

    fn top_k(&self, x: &[f32], bias: Option<&[f32]>, k: usize, edited: &[Vec<u32>]) -> Result<Vec<RowTop>> {
        let m = x.len() / self.k;
        let input = pack_rows(x, m, self.k);
        let tasks = tasks(m, BLOCK, (self.n.div_ceil(topk::BLOCK), 1), divides(m * self.n * self.k, PARALLEL_WORK));
        let epilogue = Epilogue { bias, ..Epilogue::default() };
        best([m, self.n], &tasks, (k, edited), |rows, panels, output| {
            simd::run(DenseTask { input: &input, rows, panels, weight: self, epilogue, output });
        })
    }
}

/// Packs rows in groups of six, `[k][6]` each; a last group of fewer rows is `[k][fewer]`. A single row stays as it is.
fn pack_rows(x: &[f32], m: usize, k: usize) -> Cow<'_, [f32]> {
    if m == 1 {
        return Cow::Borrowed(x);
    }
    let mut packed = vec![0f32; m * k];
    let pack = |(rows, packed): (&[f32], &mut [f32])| {
        let group = rows.len() / k;
        for (r, row) in rows.chunks_exact(k).enumerate() {
            for (slot, &value) in packed[r..].iter_mut().step_by(group).zip(row) {
                *slot = value;
            }
        }
    };
    if divides(m * k, PARALLEL_WORK) {
        x.par_chunks(GROUP * k).zip(packed.par_chunks_mut(GROUP * k)).for_each(pack);
    } else {
        x.chunks(GROUP * k).zip(packed.chunks_mut(GROUP * k)).for_each(pack);
    }
    Cow::Owned(packed)
}

/// Up to [`GROUP`] packed rows, from row `first` on.
#[derive(Clone, Copy)]
struct RowGroup<'a> {
    a: &'a [f32],
    rows: usize,
    first: usize,
    prefetch: Prefetch,
}

/// A task of one thread: some rows times some panels.
struct DenseTask<'a> {
    input: &'a [f32],
    rows: Range<usize>,
    panels: Range<usize>,
    weight: &'a Packed,
    epilogue: Epilogue<'a>,
    output: OutputWindow,
}

impl Kernel for DenseTask<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let k = self.weight.k;
        let mut panel = self.panels.start;
        while panel < self.panels.end {
            let width = Self::width::<S>((self.rows.len()).min(GROUP)).min(self.panels.end - panel);
            let next = self.weight.lanes.as_ptr().wrapping_add((panel + width) * k).cast();
            let groups = self.rows.len().div_ceil(GROUP);
            for (number, first) in self.rows.clone().step_by(GROUP).enumerate() {
                let rows = (self.rows.end - first).min(GROUP);
                let a = &self.input[first * k..(first + rows) * k];
                let prefetch = Prefetch::new(next, width * k * size_of::<PanelRow>(), number, groups, k);
                let group = RowGroup { a, rows, first, prefetch };
                let mut done = 0;
                while done < width {
                    done += self.tiles(simd, group, panel + done, width - done);
                }
            }
            panel += width;
        }
    }
}

impl DenseTask<'_> {
    /// Number of panels that a tile of `rows` rows takes at once: enough sums to hide the latency of the multiply-add (8
    /// in flight), and no more than fit the registers.
    #[inline(always)]
    fn width<S: Simd>(rows: usize) -> usize {
        match (S::LANES == WIDE, rows) {
            (true, _) | (false, 1) => 4,
            (false, 2 | 3) => 2,
            _ => 1,
        }
    }

    /// Computes one tile at `panel`; returns how many of the `left` panels it took.
    #[inline(always)]
    fn tiles<S: Simd>(&self, simd: S, group: RowGroup, panel: usize, left: usize) -> usize {
        // Each shape is an instance of its own: sums stay in registers only if the size of a tile is a constant.
        if S::LANES == WIDE {
            if left >= 4 {
                match group.rows {
                    1 => self.tile::<S, 1, 4, 1>(simd, group, panel),
                    2 => self.tile::<S, 2, 4, 1>(simd, group, panel),
                    3 => self.tile::<S, 3, 4, 1>(simd, group, panel),
                    4 => self.tile::<S, 4, 4, 1>(simd, group, panel),
                    5 => self.tile::<S, 5, 4, 1>(simd, group, panel),
                    _ => self.tile::<S, 6, 4, 1>(simd, group, panel),
                }
                return 4;
            }
            match group.rows {
                1 => self.tile::<S, 1, 1, 1>(simd, group, panel),
                2 => self.tile::<S, 2, 1, 1>(simd, group, panel),
                3 => self.tile::<S, 3, 1, 1>(simd, group, panel),
                4 => self.tile::<S, 4, 1, 1>(simd, group, panel),
                5 => self.tile::<S, 5, 1, 1>(simd, group, panel),
                _ => self.tile::<S, 6, 1, 1>(simd, group, panel),
            }
            return 1;
        }
        match (group.rows, left) {
            (1, 4..) => {
                self.tile::<S, 1, 4, 2>(simd, group, panel);
                return 4;
            }
            (2, 2..) => {
                self.tile::<S, 2, 2, 2>(simd, group, panel);
                return 2;
            }
            (3, 2..) => {
                self.tile::<S, 3, 2, 2>(simd, group, panel);
                return 2;
            }
            (1, _) => self.tile::<S, 1, 1, 2>(simd, group, panel),
            (2, _) => self.tile::<S, 2, 1, 2>(simd, group, panel),
            (3, _) => self.tile::<S, 3, 1, 2>(simd, group, panel),
            (4, _) => self.tile::<S, 4, 1, 2>(simd, group, panel),
            (5, _) => self.tile::<S, 5, 1, 2>(simd, group, panel),
            _ => self.tile::<S, 6, 1, 2>(simd, group, panel),
        }
        1
    }

    /// Computes `R` rows times `P` panels of `V` vectors each.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const P: usize, const V: usize>(&self, simd: S, group: RowGroup, panel: usize) {
        let RowGroup { a, first, mut prefetch, .. } = group;
        let k = self.weight.k;
        let panels: [*const f32; P] =
            std::array::from_fn(|p| self.weight.lanes[(panel + p) * k..][..k].as_ptr().cast());
        let a = a[..k * R].as_ptr();
        let mut sums = [[[simd.splat(0.0); V]; P]; R];
        for i in 0..k {
            prefetch.step(simd);
            // SAFETY: `i < k`; each panel has `k` rows of 16 values and `a` has `k` groups of `R`. Slices would cost a
            // register spill for every bounds check.
            unsafe {
                let b: [[S::V; V]; P] = std::array::from_fn(|p| {
                    std::array::from_fn(|v| simd.load_at(panels[p].add(i * WIDE + v * S::LANES)))
                });
                for r in 0..R {
                    let x = simd.splat(*a.add(i * R + r));
                    for p in 0..P {
                        for v in 0..V {
                            sums[r][p][v] = simd.mul_add(x, b[p][v], sums[r][p][v]);
                        }
                    }
                }
            }
        }
        for p in 0..P {
            let mut out = [[simd.splat(0.0); V]; R];
            for r in 0..R {
                out[r] = sums[r][p];
            }
            // SAFETY: no other task has these rows and this panel.
            unsafe { self.output.write(simd, first, panel + p, out, &self.epilogue) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::activation::Activation;
    use super::super::super::noise;
    use super::*;

    fn pack(w: &[f32], n: usize, k: usize) -> Packed {
        Packed::pack(&Pages::default(), n, k, |row, out| out.copy_from_slice(&w[row * k..][..k])).unwrap()
    }

    #[test]
    fn equals_the_plain_product_for_all_shapes() {
        for (m, n, k) in [(1, 1, 1), (1, 130, 64), (2, 33, 17), (3, 64, 8), (4, 16, 100), (7, 47, 31), (200, 70, 40)] {
            let (x, w, bias, residual) = (noise(m * k, 1), noise(n * k, 2), noise(n, 3), noise(m * n, 4));
            let packed = pack(&w, n, k);
            let epilogue =
                Epilogue { bias: Some(&bias), activation: Some(Activation::Relu), residual: Some(&residual) };
            let y = packed.multiply(&x, epilogue);
            for row in 0..m {
                for column in 0..n {
                    let sum: f64 = (0..k).map(|i| f64::from(x[row * k + i]) * f64::from(w[column * k + i])).sum();
                    let expected = (sum + f64::from(bias[column])).max(0.0) + f64::from(residual[row * n + column]);
                    assert!((f64::from(y[row * n + column]) - expected).abs() < 1e-4, "{m} {n} {k} at {row} {column}");
                }
            }
        }
    }

    #[test]
    fn rows_come_back_out_of_the_panels() {
        let w = noise(37 * 9, 7);
        let packed = pack(&w, 37, 9);
        for row in 0..37 {
            let mut out = [0f32; 9];
            packed.row(row, &mut out);
            assert!(out.iter().zip(&w[row * 9..][..9]).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}
