//! Matrix products with weights that are packed once: `y = act(x · Wᵀ + bias) + residual` in f32.
//!
//! Invariant (row invariance): each output is one chain of multiply-adds over `k = 0, 1, 2, …`, whatever
//! the number of rows, threads or neighbours, so a row's result has the same bits in any batch.
//!
//! The weights lie in panels of 16 outputs, `[ceil(n / 16)][k][16]`; a tile of up to six rows and some
//! panels stays in registers. Rows of the input are packed in groups of six, `[k][6]`, for the same
//! reason (the scheme of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008).

use std::borrow::Cow;
use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape, bail};
use rayon::prelude::*;

use super::activation::Activation;
use super::attention::slice;
use super::simd::{self, Kernel, Simd, WIDE};

/// Rows of one register tile.
const GROUP: usize = 6;
/// Rows whose packed input (with `k` up to 1024) stays in the second-level cache.
const BLOCK: usize = 16 * GROUP;
/// Products with fewer multiply-adds than this are not worth waking a second thread for.
const PARALLEL_WORK: usize = 1 << 17;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Lane([f32; WIDE]);

/// A weight matrix `[n, k]`, packed for [`multiply`].
pub struct Packed {
    lanes: Vec<Lane>,
    n: usize,
    k: usize,
}

impl Packed {
    /// Packs rows that come one after another, each with `k` values; `fill(row, values)` writes one.
    pub fn pack(n: usize, k: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        let mut lanes = vec![Lane([0.0; WIDE]); n.div_ceil(WIDE) * k];
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
        Self { lanes, n, k }
    }

    /// Outputs, the rows of the matrix.
    #[must_use]
    pub fn n(&self) -> usize {
        self.n
    }

    /// Inputs, the columns of the matrix.
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// Copies row `row` of the matrix to `out`: an embedding looked up in a tied output matrix.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let panel = &self.lanes[row / WIDE * self.k..][..self.k];
        for (out, lane) in out.iter_mut().zip(panel) {
            *out = lane.0[row % WIDE];
        }
    }

    fn panels(&self) -> usize {
        self.n.div_ceil(WIDE)
    }
}

/// What is done to each output before it is written.
#[derive(Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// `[n]`, added first.
    pub bias: Option<&'a [f32]>,
    /// Applied next.
    pub activation: Option<Activation>,
    /// `[m, n]`, added last.
    pub residual: Option<&'a [f32]>,
}

/// `x` is `[m, k]`, `y` is `[m, n]`.
///
/// # Panics
/// When `y` has another size.
pub fn multiply(x: &[f32], weight: &Packed, epilogue: Epilogue, y: &mut [f32]) {
    let (n, k) = (weight.n, weight.k);
    let m = x.len() / k;
    assert_eq!(y.len(), m * n, "the output holds m rows of n");
    let input = pack_rows(x, m, k);
    let blocks = m.div_ceil(BLOCK);
    let ranges = ranges(m * n * k, weight.panels(), blocks);
    let output = Output(y.as_mut_ptr());
    let task = |task: usize| {
        let (block, range) = (task % blocks, task / blocks);
        let first = block * BLOCK;
        let panels = ranges.start(range)..ranges.start(range + 1);
        simd::run(Block { input: &input, rows: first..m.min(first + BLOCK), panels, weight, epilogue, output });
    };
    let tasks = blocks * ranges.count;
    if tasks == 1 { task(0) } else { (0..tasks).into_par_iter().for_each(task) }
}

/// [`multiply`] as a candle operation on `[…, k]`; with a second input, the residual `[…, n]`.
pub struct Product<'a> {
    /// The packed weights.
    pub weight: &'a Packed,
    /// `[n]`.
    pub bias: Option<&'a [f32]>,
    /// Applied after the bias.
    pub activation: Option<Activation>,
}

impl Product<'_> {
    fn forward(&self, x: &[f32], shape: &Shape, residual: Option<&[f32]>) -> candle_core::Result<(CpuStorage, Shape)> {
        let mut dims = shape.dims().to_vec();
        let last = dims.last_mut().filter(|last| **last == self.weight.k);
        let Some(last) = last else { bail!("a product over {} columns of {shape:?}", self.weight.k) };
        *last = self.weight.n;
        let mut y = vec![0f32; dims.iter().product()];
        let epilogue = Epilogue { bias: self.bias, activation: self.activation, residual };
        multiply(x, self.weight, epilogue, &mut y);
        Ok((CpuStorage::F32(y), dims.into()))
    }
}

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "packed-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        self.forward(slice(x, layout)?, layout.shape(), None)
    }
}

impl CustomOp2 for Product<'_> {
    fn name(&self) -> &'static str {
        "packed-product-add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.forward(slice(x, layout)?, layout.shape(), Some(slice(residual, residual_layout)?))
    }
}

/// How the panels are divided among tasks.
struct Ranges {
    panels: usize,
    count: usize,
}

impl Ranges {
    fn start(&self, range: usize) -> usize {
        range * self.panels / self.count
    }
}

fn ranges(work: usize, panels: usize, blocks: usize) -> Ranges {
    let threads = rayon::current_num_threads();
    let count = if work < PARALLEL_WORK || threads == 1 {
        1
    } else {
        // A few tasks a thread, so that one that is held up does not hold up all.
        (threads * 4).div_ceil(blocks).max(if blocks == 1 { threads } else { 1 }).min(panels)
    };
    Ranges { panels, count }
}

/// Groups of six rows, `[k][6]` each; a last group of fewer is `[k][fewer]`. One row is itself.
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
    if m * k < PARALLEL_WORK {
        x.chunks(GROUP * k).zip(packed.chunks_mut(GROUP * k)).for_each(pack);
    } else {
        x.par_chunks(GROUP * k).zip(packed.par_chunks_mut(GROUP * k)).for_each(pack);
    }
    Cow::Owned(packed)
}

/// Where the outputs go. Tasks write disjoint columns or rows, which slices cannot express.
#[derive(Clone, Copy)]
struct Output(*mut f32);
// SAFETY: every task of `multiply` writes only its own rows and panels, and `multiply` holds the slice.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

/// Some rows times some panels, on one thread.
struct Block<'a> {
    input: &'a [f32],
    rows: Range<usize>,
    panels: Range<usize>,
    weight: &'a Packed,
    epilogue: Epilogue<'a>,
    output: Output,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let k = self.weight.k;
        let mut panel = self.panels.start;
        while panel < self.panels.end {
            let width = Self::width::<S>((self.rows.len()).min(GROUP)).min(self.panels.end - panel);
            for first in self.rows.clone().step_by(GROUP) {
                let group = (self.rows.end - first).min(GROUP);
                let a = &self.input[first * k..(first + group) * k];
                let mut done = 0;
                while done < width {
                    done += self.tiles(simd, a, group, first, panel + done, width - done);
                }
            }
            self.finish(simd, panel..panel + width);
            panel += width;
        }
    }
}

impl Block<'_> {
    /// Panels that a tile of `rows` rows takes at once, so that its sums hide the latency of the
    /// multiply-add (8 sums in flight) and fit the registers.
    #[inline(always)]
    fn width<S: Simd>(rows: usize) -> usize {
        match (S::LANES == WIDE, rows) {
            (true, _) | (false, 1) => 4,
            (false, 2 | 3) => 2,
            _ => 1,
        }
    }

    /// One tile at `panel`; returns how many of the `left` panels it took.
    #[inline(always)]
    fn tiles<S: Simd>(&self, simd: S, a: &[f32], rows: usize, first: usize, panel: usize, left: usize) -> usize {
        if S::LANES == WIDE {
            if left >= 4 {
                match rows {
                    1 => self.tile::<S, 1, 4, 1>(simd, a, first, panel),
                    2 => self.tile::<S, 2, 4, 1>(simd, a, first, panel),
                    3 => self.tile::<S, 3, 4, 1>(simd, a, first, panel),
                    4 => self.tile::<S, 4, 4, 1>(simd, a, first, panel),
                    5 => self.tile::<S, 5, 4, 1>(simd, a, first, panel),
                    _ => self.tile::<S, 6, 4, 1>(simd, a, first, panel),
                }
                return 4;
            }
            match rows {
                1 => self.tile::<S, 1, 1, 1>(simd, a, first, panel),
                2 => self.tile::<S, 2, 1, 1>(simd, a, first, panel),
                3 => self.tile::<S, 3, 1, 1>(simd, a, first, panel),
                4 => self.tile::<S, 4, 1, 1>(simd, a, first, panel),
                5 => self.tile::<S, 5, 1, 1>(simd, a, first, panel),
                _ => self.tile::<S, 6, 1, 1>(simd, a, first, panel),
            }
            return 1;
        }
        match (rows, left) {
            (1, 4..) => {
                self.tile::<S, 1, 4, 2>(simd, a, first, panel);
                return 4;
            }
            (2, 2..) => {
                self.tile::<S, 2, 2, 2>(simd, a, first, panel);
                return 2;
            }
            (3, 2..) => {
                self.tile::<S, 3, 2, 2>(simd, a, first, panel);
                return 2;
            }
            (1, _) => self.tile::<S, 1, 1, 2>(simd, a, first, panel),
            (2, _) => self.tile::<S, 2, 1, 2>(simd, a, first, panel),
            (3, _) => self.tile::<S, 3, 1, 2>(simd, a, first, panel),
            (4, _) => self.tile::<S, 4, 1, 2>(simd, a, first, panel),
            (5, _) => self.tile::<S, 5, 1, 2>(simd, a, first, panel),
            _ => self.tile::<S, 6, 1, 2>(simd, a, first, panel),
        }
        1
    }

    /// `R` rows times `P` panels of `V` vectors each.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const P: usize, const V: usize>(
        &self,
        simd: S,
        a: &[f32],
        first: usize,
        panel: usize,
    ) {
        let k = self.weight.k;
        let panels: [*const f32; P] =
            std::array::from_fn(|p| self.weight.lanes[(panel + p) * k..][..k].as_ptr().cast());
        let a = a[..k * R].as_ptr();
        let mut sums = [[[simd.splat(0.0); V]; P]; R];
        for i in 0..k {
            // SAFETY: `i < k`; each panel has `k` lanes of 16 values and `a` has `k` groups of `R`. Slices
            // here would cost a spill for every bounds check.
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
        for r in 0..R {
            for p in 0..P {
                let mut out = [0f32; WIDE];
                for v in 0..V {
                    simd.store(&mut out[v * S::LANES..], sums[r][p][v]);
                }
                let (row, columns) = (first + r, self.columns(panel + p));
                // SAFETY: `row` and `columns` lie inside the `[m, n]` output, and no other task has both.
                unsafe {
                    let start = self.output.0.add(row * self.weight.n + columns.start);
                    std::ptr::copy_nonoverlapping(out.as_ptr(), start, columns.len());
                }
            }
        }
    }

    #[inline(always)]
    fn columns(&self, panel: usize) -> Range<usize> {
        panel * WIDE..self.weight.n.min((panel + 1) * WIDE)
    }

    /// The epilogue of some panels, while they are still in the first-level cache.
    #[inline(always)]
    fn finish<S: Simd>(&self, simd: S, panels: Range<usize>) {
        let Epilogue { bias, activation, residual } = self.epilogue;
        if bias.is_none() && activation.is_none() && residual.is_none() {
            return;
        }
        for panel in panels {
            let columns = self.columns(panel);
            let mut add = [0f32; WIDE];
            if let Some(bias) = bias {
                add[..columns.len()].copy_from_slice(&bias[columns.clone()]);
            }
            for row in self.rows.clone() {
                let start = row * self.weight.n + columns.start;
                // SAFETY: inside the output, and this task alone has these rows and columns.
                let y = unsafe { std::slice::from_raw_parts_mut(self.output.0.add(start), columns.len()) };
                let residual = residual.map(|residual| &residual[start..][..columns.len()]);
                finish_row(simd, &add, activation, residual, y);
            }
        }
    }
}

/// Bias, activation and residual on up to 16 outputs.
#[inline(always)]
fn finish_row<S: Simd>(
    simd: S,
    bias: &[f32; WIDE],
    activation: Option<Activation>,
    residual: Option<&[f32]>,
    y: &mut [f32],
) {
    let mut out = [0f32; WIDE];
    out[..y.len()].copy_from_slice(y);
    for (out, bias) in out.chunks_exact_mut(S::LANES).zip(bias.chunks_exact(S::LANES)) {
        let mut value = simd.add(simd.load(out), simd.load(bias));
        if let Some(activation) = activation {
            value = activation.apply(simd, value);
        }
        simd.store(out, value);
    }
    if let Some(residual) = residual {
        for (out, &residual) in out.iter_mut().zip(residual) {
            *out += residual;
        }
    }
    y.copy_from_slice(&out[..y.len()]);
}

#[cfg(test)]
mod tests {
    use super::super::noise;
    use super::*;

    fn pack(w: &[f32], n: usize, k: usize) -> Packed {
        Packed::pack(n, k, |row, out| out.copy_from_slice(&w[row * k..][..k]))
    }

    #[test]
    fn equals_the_plain_product_for_all_shapes() {
        for (m, n, k) in [(1, 1, 1), (1, 130, 64), (2, 33, 17), (3, 64, 8), (4, 16, 100), (7, 47, 31), (200, 70, 40)] {
            let (x, w, bias, residual) = (noise(m * k, 1), noise(n * k, 2), noise(n, 3), noise(m * n, 4));
            let packed = pack(&w, n, k);
            let mut y = vec![0f32; m * n];
            let epilogue =
                Epilogue { bias: Some(&bias), activation: Some(Activation::Relu), residual: Some(&residual) };
            multiply(&x, &packed, epilogue, &mut y);
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
    fn a_row_has_the_same_bits_in_any_batch() {
        let (n, k) = (300, 96);
        let (x, w) = (noise(150 * k, 5), noise(n * k, 6));
        let packed = pack(&w, n, k);
        let mut all = vec![0f32; 150 * n];
        multiply(&x, &packed, Epilogue::default(), &mut all);
        for m in 1..=13 {
            for first in [0, 5, 137] {
                let mut some = vec![0f32; m * n];
                multiply(&x[first * k..(first + m) * k], &packed, Epilogue::default(), &mut some);
                assert!(some.iter().zip(&all[first * n..]).all(|(a, b)| a.to_bits() == b.to_bits()));
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
