//! Products in eight bits: weights quantised once per output, activations per row as they come.
//!
//! `w ≈ scale_w · q_w` with `|q_w| ≤ 64`, and `x ≈ scale_x · (q_x - zero)` with `0 ≤ q_x ≤ 255` over the
//! row's own range (as in Jacob et al., "Quantization and Training of Neural Networks for Efficient
//! Integer-Arithmetic-Only Inference", 2018). The bounds are such that the sum of two products fits 16 bits,
//! which is what AVX2 adds them in: no instruction set saturates, so all of them give the same bits.
//!
//! Invariant: the sums are whole numbers and exact; what becomes of them depends on the row and the output
//! alone.
//!
//! The weights lie in panels of 16 outputs: their scales, then `[ceil(k / 4)][16][4]` bytes.

mod rows;

use std::sync::Arc;

use anyhow::Result;
use memmap2::Mmap;
use rayon::prelude::*;

use super::super::simd::{self, Kernel, Simd, WIDE};
use super::super::threads::divides;
use super::super::topk::{self, RowTop};
use super::{Ahead, Epilogue, Output, Weights, best, tasks};

use rows::Rows;

/// The greatest quantised weight, by magnitude: 2 · 255 · 64 < 2^15.
const WEIGHT: f32 = 64.0;
/// Inputs that one instruction multiplies and adds for each output.
const DEPTH: usize = 4;
/// Rows of one register tile.
const GROUP: usize = 4;
/// Rows whose quantised inputs stay in the second-level cache.
const BLOCK: usize = 24 * GROUP;
/// Products with fewer multiply-adds than this are not worth waking a second thread for.
const PARALLEL_WORK: usize = 1 << 18;

/// [`DEPTH`] inputs of each output of a panel.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Cell([[i8; DEPTH]; WIDE]);

/// What a panel's sums are finished with.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Scales {
    /// What one step of each output's weights is worth.
    steps: [f32; WIDE],
    /// The sum of each output's quantised weights: what a row's zero point adds.
    sums: [i32; WIDE],
}

/// A weight matrix `[n, k]` in eight bits: a panel's scales, and its cells after them.
pub struct Quantised {
    lines: Lines,
    n: usize,
    k: usize,
}

/// 64 bytes, the unit of both [`Cell`] and half of [`Scales`].
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

/// Where the panels lie.
enum Lines {
    Owned(Vec<Line>),
    /// From this byte of a file on.
    Mapped(Arc<Mmap>, usize),
}

/// Lines that hold a panel's scales.
const SCALES: usize = size_of::<Scales>() / size_of::<Line>();

impl Quantised {
    /// Quantises rows of `k` values; `fill(row, values)` writes one.
    pub fn pack(n: usize, k: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        let stride = SCALES + k.div_ceil(DEPTH);
        let mut lines = vec![Line([0; 64]); n.div_ceil(WIDE) * stride];
        lines.par_chunks_mut(stride).enumerate().for_each_init(
            || vec![0f32; k],
            |row, (panel, lines)| {
                let (scales, cells) = lines.split_at_mut(SCALES);
                // SAFETY: as many lines as a `Scales` has, of its alignment; and a cell is a line. Both are plain numbers.
                let (scales, cells) = unsafe {
                    let cells = std::slice::from_raw_parts_mut(cells.as_mut_ptr().cast::<Cell>(), cells.len());
                    (&mut *scales.as_mut_ptr().cast::<Scales>(), cells)
                };
                for column in 0..WIDE.min(n - panel * WIDE) {
                    fill(panel * WIDE + column, row);
                    (scales.steps[column], scales.sums[column]) = quantise_output(row, column, cells);
                }
            },
        );
        Self { lines: Lines::Owned(lines), n, k }
    }

    /// What [`Self::bytes`] gave for a matrix of this size, now at `start` in a file; `None` when the file ends
    /// before it does, or `start` is not a multiple of 64.
    #[must_use]
    pub fn mapped(n: usize, k: usize, file: Arc<Mmap>, start: usize) -> Option<Self> {
        let size = n.div_ceil(WIDE) * (SCALES + k.div_ceil(DEPTH)) * size_of::<Line>();
        let fits = start.checked_add(size)? <= file.len() && start.is_multiple_of(size_of::<Line>());
        fits.then_some(Self { lines: Lines::Mapped(file, start), n, k })
    }

    /// Whether it lies in a file.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(self.lines, Lines::Mapped(..))
    }

    /// All of it, to be stored. In the order of this machine's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let lines = self.lines();
        // SAFETY: a line is 64 bytes.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(lines)) }
    }

    fn lines(&self) -> &[Line] {
        match &self.lines {
            Lines::Owned(lines) => lines,
            Lines::Mapped(file, start) => {
                let count = self.panels() * self.stride();
                // SAFETY: `mapped` has seen that they lie in the file, which begins at a page.
                unsafe { std::slice::from_raw_parts(file[*start..].as_ptr().cast(), count) }
            }
        }
    }

    fn panels(&self) -> usize {
        self.n.div_ceil(WIDE)
    }

    fn depth(&self) -> usize {
        self.k.div_ceil(DEPTH)
    }

    /// Lines of a panel.
    fn stride(&self) -> usize {
        SCALES + self.depth()
    }
}

/// Scales and cells of panel `panel` of `lines`.
fn panel_at(lines: &[Line], stride: usize, panel: usize) -> (&Scales, &[Cell]) {
    let (scales, cells) = lines[panel * stride..][..stride].split_at(SCALES);
    // SAFETY: as many lines as a `Scales` has, of its alignment; and a cell is a line. Both are plain numbers.
    unsafe { (&*scales.as_ptr().cast(), std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len())) }
}

/// Writes one output's weights; the worth of a step, and their sum.
fn quantise_output(row: &[f32], column: usize, cells: &mut [Cell]) -> (f32, i32) {
    let greatest = row.iter().fold(0f32, |greatest, x| greatest.max(x.abs()));
    if greatest == 0.0 {
        return (0.0, 0);
    }
    let step = greatest / WEIGHT;
    let mut sum = 0;
    for (cell, values) in cells.iter_mut().zip(row.chunks(DEPTH)) {
        for (slot, value) in cell.0[column].iter_mut().zip(values) {
            *slot = (value / step).round() as i8;
            sum += i32::from(*slot);
        }
    }
    (step, sum)
}

impl Weights for Quantised {
    fn n(&self) -> usize {
        self.n
    }

    fn k(&self) -> usize {
        self.k
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        let (scales, cells) = panel_at(self.lines(), self.stride(), row / WIDE);
        let step = scales.steps[row % WIDE];
        for (out, cell) in out.chunks_mut(DEPTH).zip(cells) {
            for (out, &weight) in out.iter_mut().zip(&cell.0[row % WIDE]) {
                *out = f32::from(weight) * step;
            }
        }
    }

    fn multiply(&self, x: &[f32], epilogue: Epilogue) -> Vec<f32> {
        let m = x.len() / self.k;
        let input = Rows::quantise(x, m, self.k);
        let tasks = tasks(m, BLOCK, self.panels(), divides(m * self.n * self.k, PARALLEL_WORK));
        let (lines, stride) = (self.lines(), self.stride());
        let write = |output| {
            tasks.into_par_iter().for_each(|(rows, panels)| {
                simd::run(Block { input: &input, rows, panels, lines, stride, epilogue, output });
            });
        };
        // SAFETY: the tasks are all rows times all panels.
        unsafe { Output::collect(m, self.n, write) }
    }

    fn top_k(&self, x: &[f32], bias: Option<&[f32]>, k: usize, edited: &[Vec<u32>]) -> Result<Vec<RowTop>> {
        let m = x.len() / self.k;
        let input = Rows::quantise(x, m, self.k);
        let tasks = tasks(m, BLOCK, self.n.div_ceil(topk::BLOCK), divides(m * self.n * self.k, PARALLEL_WORK));
        let (lines, stride) = (self.lines(), self.stride());
        let epilogue = Epilogue { bias, ..Epilogue::default() };
        best([m, self.n], &tasks, (k, edited), |rows, panels, output| {
            simd::run(Block { input: &input, rows, panels, lines, stride, epilogue, output });
        })
    }
}

/// Some rows times some panels, on one thread.
struct Block<'a> {
    input: &'a Rows,
    rows: std::ops::Range<usize>,
    panels: std::ops::Range<usize>,
    lines: &'a [Line],
    /// Lines of a panel.
    stride: usize,
    epilogue: Epilogue<'a>,
    output: Output,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut panel = self.panels.start;
        while panel < self.panels.end {
            // One row alone takes four panels at once, to have as many loads under way.
            let width = if self.rows.len() == 1 && panel + 4 <= self.panels.end { 4 } else { 1 };
            let next = self.lines.as_ptr().wrapping_add((panel + width) * self.stride).cast();
            let groups = self.rows.len().div_ceil(GROUP);
            for (number, row) in self.rows.clone().step_by(GROUP).enumerate() {
                let bytes = width * self.stride * size_of::<Line>();
                let ahead = Ahead::new(next, bytes, number, groups, self.stride - SCALES);
                match (S::LANES == WIDE, self.rows.end - row, width) {
                    (true, 1, 4) => self.tile::<S, 1, 4, 1>(simd, row, panel, ahead),
                    (true, 1, _) => self.tile::<S, 1, 1, 1>(simd, row, panel, ahead),
                    (true, 2, _) => self.tile::<S, 2, 1, 1>(simd, row, panel, ahead),
                    (true, 3, _) => self.tile::<S, 3, 1, 1>(simd, row, panel, ahead),
                    (true, ..) => self.tile::<S, 4, 1, 1>(simd, row, panel, ahead),
                    (false, 1, 4) => self.tile::<S, 1, 4, 2>(simd, row, panel, ahead),
                    (false, 1, _) => self.tile::<S, 1, 1, 2>(simd, row, panel, ahead),
                    (false, 2, _) => self.tile::<S, 2, 1, 2>(simd, row, panel, ahead),
                    (false, 3, _) => self.tile::<S, 3, 1, 2>(simd, row, panel, ahead),
                    (false, ..) => self.tile::<S, 4, 1, 2>(simd, row, panel, ahead),
                }
            }
            panel += width;
        }
    }
}

impl Block<'_> {
    /// `R` rows times `P` panels of `V` vectors each.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const P: usize, const V: usize>(
        &self,
        simd: S,
        row: usize,
        panel: usize,
        mut ahead: Ahead,
    ) {
        let (depth, stride) = (self.stride - SCALES, self.input.stride);
        let parts: [(&Scales, &[Cell]); P] = std::array::from_fn(|p| panel_at(self.lines, self.stride, panel + p));
        let panels: [*const i8; P] = parts.map(|(_, cells)| cells.as_ptr().cast());
        let rows: [*const u8; R] = std::array::from_fn(|r| self.input.bytes[(row + r) * stride..][..stride].as_ptr());
        let mut sums = [[[simd.zero(); V]; P]; R];
        for i in 0..depth {
            ahead.step(simd);
            // SAFETY: each panel has `depth` cells of 64 bytes, and each row `depth` times 4 bytes. Slices here
            // would cost a spill for every bounds check.
            unsafe {
                let w: [[S::Bytes; V]; P] = std::array::from_fn(|p| {
                    std::array::from_fn(|v| simd.load_bytes(panels[p].add(DEPTH * (i * WIDE + v * S::LANES))))
                });
                for r in 0..R {
                    let x = simd.splat_bytes(rows[r].add(i * DEPTH));
                    for p in 0..P {
                        for v in 0..V {
                            sums[r][p][v] = simd.dot(x, w[p][v], sums[r][p][v]);
                        }
                    }
                }
            }
        }
        for r in 0..R {
            let (step, zero) = self.input.scales[row + r];
            for p in 0..P {
                let scales = parts[p].0;
                let mut out = [simd.splat(0.0); V];
                for v in 0..V {
                    let at = v * S::LANES;
                    let sum = simd.sub_product(sums[r][p][v], zero, &scales.sums[at..]);
                    let scale = simd.mul(simd.splat(step), simd.load(&scales.steps[at..]));
                    out[v] = simd.mul(simd.to_float(sum), scale);
                }
                // SAFETY: the row and the panel are this task's.
                unsafe { self.output.write(simd, row + r, panel + p, out, &self.epilogue) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::noise;
    use super::super::super::simd::{Level, run_at};
    use super::rows::ACTIVATION;
    use super::*;

    fn pack(w: &[f32], n: usize, k: usize) -> Quantised {
        Quantised::pack(n, k, |row, out| out.copy_from_slice(&w[row * k..][..k]))
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

    #[test]
    fn all_instruction_sets_give_the_same_bits_at_the_extremes() {
        let (m, n, k) = (6, 40, 259);
        // Only the ends of both ranges, where an instruction that saturates would show.
        let x: Vec<f32> = (0..m * k).map(|i| if i % k == 0 { -1e-6 } else { 1.0 }).collect();
        let w: Vec<f32> = (0..n * k).map(|i| if (i / k) % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let packed = pack(&w, n, k);
        let input = Rows::quantise(&x, m, k);
        let at = |level| {
            let (lines, stride, panels) = (packed.lines(), packed.stride(), 0..packed.panels());
            let epilogue = Epilogue::default();
            let write = |output| {
                run_at(level, Block { input: &input, rows: 0..m, panels, lines, stride, epilogue, output });
            };
            // SAFETY: the block is all rows times all panels.
            let y = unsafe { Output::collect(m, n, write) };
            y.iter().map(|y| y.to_bits()).collect::<Vec<_>>()
        };
        let generic = at(Level::Generic);
        assert!((f32::from_bits(generic[0]) - (k - 1) as f32).abs() < 1.0, "{}", f32::from_bits(generic[0]));
        for level in [Level::Avx2, Level::Avx512, Level::Avx512Vnni] {
            assert_eq!(at(level), generic, "{level:?}");
        }
    }

    #[test]
    fn rows_come_back_out_of_the_panels() {
        let w = noise(37 * 9, 7);
        let packed = pack(&w, 37, 9);
        for (row, exact) in w.chunks_exact(9).enumerate() {
            let mut out = [0f32; 9];
            packed.row(row, &mut out);
            let greatest = exact.iter().fold(0f32, |greatest, x| greatest.max(x.abs()));
            assert!(out.iter().zip(exact).all(|(a, b)| (a - b).abs() <= greatest * 0.5001 / WEIGHT));
        }
    }
}
