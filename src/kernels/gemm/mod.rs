//! Matrix products with packed weights: `y = act(x · Wᵀ + bias) + residual`.
//!
//! Responsible for what products in f32 (`dense`) and in int8 share: the division among threads, the epilogue, the candle
//! operation, and the search for a row's best outputs. Invariant (row invariance): a row's result has the same bits
//! whatever other rows, batch size or threads there are.

mod dense;
mod int8;

use std::ops::Range;

use anyhow::Result;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape, bail};
use rayon::prelude::*;

use super::activation::Activation;
use super::attention::slice;
use super::simd::{Simd, WIDE};
use super::topk::{BLOCK, RowTop, Scan};

pub use dense::Packed;
pub use int8::Quantised;

/// A weight matrix `[n, k]`, packed for multiplication.
pub trait WeightMatrix: Send + Sync {
    /// Number of outputs, the rows of the matrix.
    fn n(&self) -> usize;

    /// Number of inputs, the columns of the matrix.
    fn k(&self) -> usize;

    /// Whether the weights are rounded to eight bits.
    fn is_quantised(&self) -> bool;

    /// Copies one row of the matrix to `out`, for an embedding that is tied to the output matrix.
    fn row(&self, row: usize, out: &mut [f32]);

    /// The product of `x` `[m, k]` with the transposed matrix, `[m, n]`.
    fn multiply(&self, x: &[f32], epilogue: Epilogue) -> Vec<f32>;

    /// The best `k` outputs of each row of `x`, `[m, k]`, and the row's sum of exponentials, see
    /// [`Logits::top_k`](super::topk::Logits::top_k).
    ///
    /// # Errors
    /// When an output is not a number, or a row's greatest output is infinite.
    fn top_k(&self, x: &[f32], bias: Option<&[f32]>, k: usize, edited: &[Vec<u32>]) -> Result<Vec<RowTop>>;
}

/// Operations that are fused with a product, applied to each output before it is written.
#[derive(Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// Bias `[n]`, added first.
    pub bias: Option<&'a [f32]>,
    /// Activation function, applied second.
    pub activation: Option<Activation>,
    /// Residual `[m, n]`, added last.
    pub residual: Option<&'a [f32]>,
}

/// [`WeightMatrix::multiply`] as a candle operation on `[…, k]`; with a second input, the residual `[…, n]`.
pub struct Product<'a> {
    /// The packed weights.
    pub weight: &'a dyn WeightMatrix,
    /// Bias `[n]`.
    pub bias: Option<&'a [f32]>,
    /// Activation function, applied after the bias.
    pub activation: Option<Activation>,
}

impl Product<'_> {
    fn forward(&self, x: &[f32], shape: &Shape, residual: Option<&[f32]>) -> candle_core::Result<(CpuStorage, Shape)> {
        let mut dims = shape.dims().to_vec();
        let last = dims.last_mut().filter(|last| **last == self.weight.k());
        let Some(last) = last else { bail!("a product over {} columns of {shape:?}", self.weight.k()) };
        *last = self.weight.n();
        let epilogue = Epilogue { bias: self.bias, activation: self.activation, residual };
        Ok((CpuStorage::F32(self.weight.multiply(x, epilogue)), dims.into()))
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

/// Most panels of a tile. If fewer are left at the end of a range of panels, a tile computes some in vain.
const TILE: usize = 4;

/// Divides a product into tasks: blocks of at most `block` rows times ranges of the `units` of outputs. Ranges are whole
/// multiples of `together`. With `parallel` there are enough tasks for all threads. For the same rows, ranges come in
/// ascending order.
fn tasks(
    m: usize,
    block: usize,
    (units, together): (usize, usize),
    parallel: bool,
) -> Vec<(Range<usize>, Range<usize>)> {
    let (blocks, most) = (m.div_ceil(block), units.div_ceil(together));
    let threads = rayon::current_num_threads();
    let ranges = if !parallel || threads == 1 {
        1
    } else {
        // Two tasks for each thread, so that a delayed thread does not delay all; more tasks would be too small.
        (threads * 2).div_ceil(blocks).min(most)
    };
    let start = |range: usize| units.min(range * most / ranges * together);
    let rows = |number: usize| number * block..m.min((number + 1) * block);
    (0..ranges)
        .flat_map(|range| (0..blocks).map(move |number| (rows(number), start(range)..start(range + 1))))
        .collect()
}

/// The best `k` of each row of outputs `[m, n]`, without storing the outputs: `multiply` writes a block of them, which is
/// scanned at once.
fn best(
    [m, n]: [usize; 2],
    tasks: &[(Range<usize>, Range<usize>)],
    (k, edited): (usize, &[Vec<u32>]),
    multiply: impl Fn(Range<usize>, Range<usize>, OutputWindow) + Sync,
) -> Result<Vec<RowTop>> {
    let scan = |(rows, blocks): &(Range<usize>, Range<usize>)| {
        let mut values = vec![0f32; rows.len() * BLOCK];
        let mut scans: Vec<Scan> = rows.clone().map(|_| Scan::new(k, blocks.len())).collect();
        for block in blocks.clone() {
            let columns = block * BLOCK..n.min((block + 1) * BLOCK);
            let output = OutputWindow::window(&mut values, rows.start, columns.start, n);
            multiply(rows.clone(), columns.start / WIDE..columns.end.div_ceil(WIDE), output);
            for ((scan, row), values) in scans.iter_mut().zip(rows.clone()).zip(values.chunks_exact(BLOCK)) {
                scan.take(&values[..columns.len()], columns.start, &edited[row]);
            }
        }
        scans
    };
    let mut whole: Vec<Scan> = Vec::with_capacity(m);
    // The first range of outputs comes for all rows first; later ranges are appended to the scans of their rows.
    for ((rows, _), scans) in tasks.iter().zip(tasks.par_iter().map(scan).collect::<Vec<_>>()) {
        if rows.start == whole.len() {
            whole.extend(scans);
        } else {
            whole[rows.clone()].iter_mut().zip(scans).for_each(|(whole, next)| whole.append(next));
        }
    }
    whole.into_iter().map(Scan::finish).collect()
}

/// Bytes that one prefetch brings.
const LINE: usize = 64;

/// Prefetches the next weights, little by little, while the current ones are used for several groups of rows. Otherwise a
/// matrix larger than the caches would arrive only as fast as the first group needs it.
#[derive(Clone, Copy)]
struct Prefetch {
    at: *const u8,
    stride: usize,
}

impl Prefetch {
    /// The share of group `group` of `groups` in prefetching the `bytes` at `next`; each group makes `steps` steps. A
    /// single group prefetches nothing, since it reads weights as fast as memory allows.
    #[inline(always)]
    fn new(next: *const u8, bytes: usize, group: usize, groups: usize, steps: usize) -> Self {
        if groups == 1 {
            return Self { at: next, stride: 0 };
        }
        Self { at: next.wrapping_add(group * bytes / groups), stride: bytes.div_ceil(groups * steps) }
    }

    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S) {
        // Two lines, since the weights of a few rows come faster than a line a step. A loop over as many as are needed would
        // cost more than it saves.
        simd.prefetch(self.at);
        simd.prefetch(self.at.wrapping_add(LINE));
        self.at = self.at.wrapping_add(self.stride);
    }
}

/// A view of the outputs `[m, n]`, or of a part of them, for tasks that write disjoint rows or columns, which slices
/// cannot express.
#[derive(Clone, Copy)]
struct OutputWindow {
    /// Address of the first output of row 0, which may lie before the memory of the window.
    values: *mut f32,
    /// Distance from one row to the next.
    stride: usize,
    n: usize,
}
// SAFETY: every task of a product writes only its own rows and panels, and the product holds the slice.
unsafe impl Send for OutputWindow {}
// SAFETY: as above.
unsafe impl Sync for OutputWindow {}

impl OutputWindow {
    /// Collects the outputs `[m, n]` that `write` writes. The memory is not cleared first: for a whole vocabulary that
    /// takes time.
    ///
    /// # Safety
    /// `write` must write all outputs.
    unsafe fn collect(m: usize, n: usize, write: impl FnOnce(Self)) -> Vec<f32> {
        let mut y = Vec::with_capacity(m * n);
        write(Self { values: y.as_mut_ptr(), stride: n, n });
        // SAFETY: the capacity is `m * n`, and the caller promises that all outputs are written.
        unsafe { y.set_len(m * n) };
        y
    }

    /// A window of [`BLOCK`] columns of the `n`, from `column` on, for the rows from `row` on; `values` is its memory.
    fn window(values: &mut [f32], row: usize, column: usize, n: usize) -> Self {
        Self { values: values.as_mut_ptr().wrapping_sub(row * BLOCK + column), stride: BLOCK, n }
    }

    fn columns(self, panel: usize) -> Range<usize> {
        panel * WIDE..self.n.min((panel + 1) * WIDE)
    }

    /// Applies the epilogue to the sums of `R` rows of one panel, from `row` on, and writes them.
    ///
    /// # Safety
    /// The rows and `panel` must lie inside the output, and no other task may write these rows of the panel.
    #[inline(always)]
    unsafe fn write<S: Simd, const R: usize, const V: usize>(
        self,
        simd: S,
        row: usize,
        panel: usize,
        sums: [[S::V; V]; R],
        epilogue: &Epilogue,
    ) {
        let columns = self.columns(panel);
        let width = columns.len();
        let bias = epilogue.bias.map(|bias| &bias[columns.clone()]);
        let residual =
            |row: usize| epilogue.residual.map(|residual| &residual[row * self.n + columns.start..][..width]);
        let values = self.values.wrapping_add(row * self.stride + panel * WIDE);
        if width == WIDE {
            for (r, sums) in sums.into_iter().enumerate() {
                let (values, residual) = (values.wrapping_add(r * self.stride), residual(row + r));
                for (v, sums) in sums.into_iter().enumerate() {
                    let at = v * S::LANES;
                    let value = finish(simd, sums, epilogue.activation, from(bias, at), from(residual, at));
                    // SAFETY: as the caller promises.
                    unsafe { values.add(at).cast::<S::V>().write_unaligned(value) };
                }
            }
            return;
        }
        // The last panel may have fewer than 16 outputs.
        let bias = bias.map(padded);
        for (r, sums) in sums.into_iter().enumerate() {
            let (values, residual) = (values.wrapping_add(r * self.stride), residual(row + r).map(padded));
            let mut out = [0f32; WIDE];
            for (v, sums) in sums.into_iter().enumerate() {
                let at = v * S::LANES;
                let (bias, residual) = (from(bias.as_ref(), at), from(residual.as_ref(), at));
                simd.store(&mut out[at..], finish(simd, sums, epilogue.activation, bias, residual));
            }
            // SAFETY: as the caller promises.
            unsafe { std::ptr::copy_nonoverlapping(out.as_ptr(), values, width) };
        }
    }
}

/// The values from index `at` on, if there are values.
#[inline(always)]
fn from(values: Option<&(impl AsRef<[f32]> + ?Sized)>, at: usize) -> Option<&[f32]> {
    Some(&values?.as_ref()[at..])
}

/// The values of a panel, with zeros in place of missing ones.
fn padded(values: &[f32]) -> [f32; WIDE] {
    std::array::from_fn(|i| values.get(i).copied().unwrap_or(0.0))
}

/// Applies an [`Epilogue`] to a vector of sums. Functions on vectors use no closures: the compiler does not always inline
/// closures, and then calls a function for every instruction.
#[inline(always)]
fn finish<S: Simd>(
    simd: S,
    sums: S::V,
    activation: Option<Activation>,
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> S::V {
    let mut value = sums;
    if let Some(bias) = bias {
        value = simd.add(value, simd.load(bias));
    }
    if let Some(activation) = activation {
        value = activation.apply(simd, value);
    }
    if let Some(residual) = residual {
        value = simd.add(value, simd.load(residual));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::noise;
    use super::super::pages::Pages;
    use super::*;

    #[test]
    fn tasks_are_all_rows_times_all_panels_in_whole_tiles() {
        for (m, panels) in [(1, 1), (4, 48), (7, 627), (96, 5), (97, 16), (300, 3)] {
            for parallel in [false, true] {
                let tasks = tasks(m, 96, (panels, TILE), parallel);
                let area: usize = tasks.iter().map(|(rows, panels)| rows.len() * panels.len()).sum();
                assert_eq!(area, m * panels);
                assert!(tasks.iter().all(|(_, range)| range.start % TILE == 0 && !range.is_empty()), "{tasks:?}");
                let first: Vec<_> = tasks.iter().filter(|(rows, _)| rows.start == 0).collect();
                assert!(first.is_sorted_by(|a, b| a.1.end == b.1.start), "{tasks:?}");
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_any_batch() {
        let (n, k) = (300, 96);
        let (x, w) = (noise(150 * k, 5), noise(n * k, 6));
        let fill = |row: usize, out: &mut [f32]| out.copy_from_slice(&w[row * k..][..k]);
        let pages = Pages::default();
        let forms: [(&str, &dyn WeightMatrix); 2] = [
            ("f32", &Packed::pack(&pages, n, k, fill).unwrap()),
            ("int8", &Quantised::pack(&pages, n, k, fill).unwrap()),
        ];
        for (form, weights) in forms {
            let all = weights.multiply(&x, Epilogue::default());
            for m in 1..=13 {
                for first in [0, 3, 5, 137] {
                    let some = weights.multiply(&x[first * k..(first + m) * k], Epilogue::default());
                    let equal = some.iter().zip(&all[first * n..]).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(equal, "{form}: {m} rows from {first} on");
                }
            }
        }
    }
}
