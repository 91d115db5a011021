//! The best tokens of each row of logits, and the log-sum-exp of the row, without writing, copying or sorting the matrix.
//!
//! Responsible for reading every logit once, in blocks (`scan`), and for setting aside the few *edited* tokens of a row.
//! These are the tokens whose logits a rule of the search will change. Any rule can then be applied to a handful of
//! numbers, and the sums stay free of cancellation. Logits that are a product with packed weights are scanned as they are
//! computed, and never stored.
//!
//! Invariant: a row's result depends on that row and its edited tokens alone, bit for bit; other rows, threads and the
//! instruction set change nothing.
//!
//! What the edits are is decided in `search`.

mod device;
mod scan;

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use rayon::prelude::*;

use super::attention::host_slice;
use super::gemm::WeightMatrix;
use crate::error::WithHint;

pub(super) use scan::{BLOCK, Scan};

/// A sum of exponentials, stored as `sum * exp(max)` so that it cannot overflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpSum {
    /// The greatest exponent; minus infinity if there is none.
    pub max: f32,
    /// The sum of `exp(x - max)`.
    pub sum: f64,
}

impl ExpSum {
    /// The logarithm of this sum with the exponentials of `more` added.
    #[must_use]
    pub fn log_with(&self, more: &[f32]) -> f64 {
        let max = more.iter().fold(self.max, |max, &x| max.max(x));
        if max == f32::NEG_INFINITY {
            return f64::NEG_INFINITY;
        }
        let max = f64::from(max);
        let mine = if self.sum > 0.0 { self.sum * (f64::from(self.max) - max).exp() } else { 0.0 };
        let total = more.iter().fold(mine, |sum, &x| sum + (f64::from(x) - max).exp());
        max + total.ln()
    }
}

/// The best tokens of one row of logits, and its sum of exponentials.
#[derive(Clone, Debug, PartialEq)]
pub struct RowTop {
    /// The best `k` tokens that are not edited, with their logits, best first; among equals the lower id comes first.
    pub top: Vec<(u32, f32)>,
    /// The sum of exponentials over all tokens that are not edited.
    pub rest: ExpSum,
    /// The logits of the edited tokens, in the order in which these were given.
    pub edited: Vec<f32>,
}

/// Logits `[rows, v]`: computed, or a product that is computed when it is read.
pub enum Logits {
    /// A tensor of the model's type on its device.
    Computed(Tensor),
    /// A lazy product: `states · weightᵀ + bias`.
    Product {
        /// The decoder's states, `[rows, k]` in f32 on the CPU.
        states: Tensor,
        /// The output matrix, `[v, k]`.
        weight: Arc<dyn WeightMatrix>,
        /// The bias of the logits, `[v]`.
        bias: Option<Arc<[f32]>>,
    },
}

impl From<Tensor> for Logits {
    fn from(logits: Tensor) -> Self {
        Self::Computed(logits)
    }
}

impl Logits {
    /// The numbers of rows and of tokens, `(rows, v)`.
    ///
    /// # Errors
    /// When the tensor does not have two axes.
    pub fn dims(&self) -> Result<(usize, usize)> {
        Ok(match self {
            Self::Computed(logits) => logits.dims2()?,
            Self::Product { states, weight, .. } => (states.dims2()?.0, weight.n()),
        })
    }

    /// The best `k` tokens and the sum of exponentials of each row. `edited[i]` lists the tokens of row `i` to set aside,
    /// ascending, each once, all below `v`.
    ///
    /// On the CPU and on a CUDA GPU the logits are read where they lie. On the CPU, types other than f32 take the GPU's
    /// code, so that tests can compare the two. From another device, and for more than [`device::MOST`] tokens on a GPU,
    /// the logits are copied to the CPU first: the same result, at the cost of the transfer.
    ///
    /// # Errors
    /// When a logit is not a number, when a row's greatest logit is infinite, or when the shapes do not agree.
    pub fn top_k(&self, k: usize, edited: &[Vec<u32>]) -> Result<Vec<RowTop>> {
        let (rows, _) = self.dims()?;
        ensure!(rows == edited.len(), "{rows} rows of logits, but edits for {}", edited.len());
        match self {
            Self::Computed(logits) if as_on_gpu(logits) && k <= device::MOST => device::top_k(logits, k, edited),
            Self::Computed(logits) => top_k(logits, k, edited),
            Self::Product { states, weight, bias } => {
                let (storage, layout) = states.storage_and_layout();
                weight.top_k(host_slice(&storage, layout)?, bias.as_deref(), k, edited)
            }
        }
    }
}

fn as_on_gpu(logits: &Tensor) -> bool {
    if logits.device().is_cpu() { logits.dtype() != DType::F32 } else { logits.device().is_cuda() }
}

fn top_k(logits: &Tensor, k: usize, edited: &[Vec<u32>]) -> Result<Vec<RowTop>> {
    let (rows, v) = logits.dims2()?;
    let host = logits.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous()?;
    let (storage, layout) = host.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(values)) = &*storage else { bail!("logits did not arrive on the CPU as f32") };
    let values = &values[layout.start_offset()..layout.start_offset() + rows * v];
    values.par_chunks_exact(v.max(1)).zip(edited).map(|(row, edited)| row_top(row, k, edited)).collect()
}

/// The best `k` tokens and the sum of exponentials of one row, see [`Logits::top_k`].
///
/// # Errors
/// When a logit is not a number or the greatest is infinite.
pub fn row_top(row: &[f32], k: usize, edited: &[u32]) -> Result<RowTop> {
    let mut scan = Scan::new(k, row.len().div_ceil(BLOCK));
    for (number, block) in row.chunks(BLOCK).enumerate() {
        scan.take(block, number * BLOCK, edited);
    }
    scan.finish()
}

/// Fails if a logit of the row is not a number or is plus infinity.
fn check(rest: &ExpSum, edited: &[f32]) -> Result<()> {
    let wrong = |x: &f32| x.is_nan() || *x == f32::INFINITY;
    if !rest.sum.is_finite() || wrong(&rest.max) || edited.iter().any(wrong) {
        bail!(
            "the model's logits are not finite numbers"
                .with_hint("the weights may be damaged, or half precision may overflow; try `--compute-type f32`")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::gemm::{Epilogue, Packed, Quantised};
    use super::super::noise;
    use super::super::pages::Pages;
    use super::*;

    /// Numbers between -8 and 8 that repeat for a seed; every fifth is equal to its neighbour.
    fn row(seed: u64, v: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut row: Vec<f32> = Vec::with_capacity(v);
        for index in 0..v {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let fresh = (state >> 40) as f32 / 1_048_576.0 - 8.0;
            row.push(if index % 5 == 4 { row[index - 1] } else { fresh });
        }
        row
    }

    /// The best tokens and the sum by sorting everything and summing in f64.
    fn plain(row: &[f32], k: usize, edited: &[u32]) -> (Vec<(u32, f32)>, f64) {
        let mut rest: Vec<(u32, f32)> = (0..).zip(row.iter().copied()).filter(|(t, _)| !edited.contains(t)).collect();
        let log_sum = rest.iter().map(|&(_, x)| f64::from(x).exp()).sum::<f64>().ln();
        rest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        rest.truncate(k);
        (rest, log_sum)
    }

    #[test]
    fn agrees_with_sorting_and_summing_in_f64() {
        for (seed, v) in [(1, 1), (2, 15), (3, 256), (4, 257), (5, 1000), (6, 67_028)] {
            let row = row(seed, v);
            for k in [0, 1, 3, 12, 40, 200] {
                for step in [usize::MAX, 7, 100] {
                    let edited: Vec<u32> = (0..v as u32).skip(1).step_by(step).collect();
                    let found = row_top(&row, k, &edited).unwrap();
                    let (top, log_sum) = plain(&row, k, &edited);
                    assert_eq!(found.top, top, "seed {seed}, k {k}");
                    assert!((found.rest.log_with(&[]) - log_sum).abs() < 2e-7, "seed {seed}, step {step}");
                    let raw: Vec<f32> = edited.iter().map(|&token| row[token as usize]).collect();
                    assert_eq!(found.edited, raw);
                    let whole = plain(&row, 0, &[]).1;
                    assert!((found.rest.log_with(&found.edited) - whole).abs() < 2e-7);
                }
            }
        }
    }

    #[test]
    fn a_row_is_the_same_alone_and_among_others() {
        let rows: Vec<Vec<f32>> = (0..9).map(|seed| row(seed, 5003)).collect();
        let edits: Vec<Vec<u32>> = (0..9).map(|row| (0..row).map(|token| token * 500).collect()).collect();
        let all = Tensor::from_vec(rows.concat(), (9, 5003), &Device::Cpu).unwrap();
        let together = top_k(&all, 8, &edits).unwrap();
        for (index, row) in rows.iter().enumerate() {
            assert_eq!(together[index], row_top(row, 8, &edits[index]).unwrap());
        }
        let some = top_k(&all.narrow(0, 3, 2).unwrap(), 8, &edits[3..5]).unwrap();
        assert_eq!(some, together[3..5]);
    }

    #[test]
    fn a_product_that_is_not_kept_has_the_same_best_as_one_that_is() {
        let (k, pages) = (32, Pages::default());
        for n in [1, 15, 256, 300, 5003] {
            let (x, w, bias) = (noise(70 * k, 5), noise(n * k, n as u64), noise(n, 7));
            let fill = |row: usize, out: &mut [f32]| out.copy_from_slice(&w[row * k..][..k]);
            let forms: [Arc<dyn WeightMatrix>; 2] = [
                Arc::new(Packed::pack(&pages, n, k, fill).unwrap()),
                Arc::new(Quantised::pack(&pages, n, k, fill).unwrap()),
            ];
            for weight in forms {
                let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
                let kept = Tensor::from_vec(weight.multiply(&x, epilogue), (70, n), &Device::Cpu).unwrap();
                let states = Tensor::from_slice(&x, (70, k), &Device::Cpu).unwrap();
                let logits = Logits::Product { states, weight, bias: Some(bias.clone().into()) };
                assert_eq!(logits.dims().unwrap(), (70, n));
                let edits: Vec<Vec<u32>> = (0..70).map(|row| (row % 9..n as u32).step_by(97).collect()).collect();
                for best in [1, 8, 200] {
                    let expected = Logits::Computed(kept.clone()).top_k(best, &edits).unwrap();
                    assert_eq!(logits.top_k(best, &edits).unwrap(), expected, "{best} of {n}");
                }
            }
        }
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        for bad in [f32::NAN, f32::INFINITY] {
            for edited in [vec![], vec![1, 2], vec![1, 500]] {
                let mut row = row(3, 600);
                row[500] = bad;
                let error = row_top(&row, 4, &edited).unwrap_err().to_string();
                assert!(error.contains("not finite") && error.contains("hint:"));
            }
        }
        assert!(row_top(&[f32::NAN; 3], 1, &[]).is_err());
    }

    #[test]
    fn a_row_without_any_rest_has_an_empty_sum() {
        let found = row_top(&[1.0, 2.0], 2, &[0, 1]).unwrap();
        assert_eq!((found.top.len(), found.rest.sum), (0, 0.0));
        assert!((found.rest.log_with(&[0.0, 0.0]) - 2f64.ln()).abs() < 1e-12);
        assert!(found.rest.log_with(&[]) < f64::MIN);
        assert!(row_top(&[f32::NEG_INFINITY; 40], 2, &[]).unwrap().top.is_empty());
    }
}
