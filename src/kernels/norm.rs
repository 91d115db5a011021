//! Layer normalisation and root-mean-square normalisation over the last axis.
//!
//! Invariant (row invariance): each row is reduced alone and in a fixed order.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape};
use rayon::prelude::*;

use super::attention::slice;
use super::simd::{self, Kernel, Simd};
use super::threads::divides;

/// Number of values below which one thread normalises all.
const PARALLEL_WORK: usize = 1 << 15;

/// Layer normalisation: `(x - mean) / sqrt(variance + eps) · weight + bias`, `[…, d]` to `[…, d]` (Ba et al. 2016).
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (weight, bias) = (slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let y = normalise(slice(x, x_layout)?, weight, Some(bias), self.eps);
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }
}

/// Root-mean-square normalisation: `x / sqrt(mean(x²) + eps) · weight`, `[…, d]` to `[…, d]` (Zhang and Sennrich 2019).
pub struct RmsNorm {
    /// Added to the mean square.
    pub eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = normalise(slice(x, x_layout)?, slice(weight, weight_layout)?, None, self.eps);
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }
}

fn normalise(x: &[f32], weight: &[f32], bias: Option<&[f32]>, eps: f32) -> Vec<f32> {
    let mut y = vec![0f32; x.len()];
    let row = |(x, y): (&[f32], &mut [f32])| simd::run(NormRow { x, weight, bias, eps, y });
    if divides(x.len(), PARALLEL_WORK) {
        x.par_chunks_exact(weight.len()).zip(y.par_chunks_exact_mut(weight.len())).for_each(row);
    } else {
        x.chunks_exact(weight.len()).zip(y.chunks_exact_mut(weight.len())).for_each(row);
    }
    y
}

struct NormRow<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    eps: f32,
    y: &'a mut [f32],
}

impl Kernel for NormRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let d = self.x.len() as f32;
        let mean = if self.bias.is_some() { reduce(simd, self.x, |_, v| v, |x| x, simd.splat(0.0)) / d } else { 0.0 };
        let centre = simd.splat(mean);
        let square = reduce(
            simd,
            self.x,
            |simd, v| {
                let v = simd.sub(v, centre);
                simd.mul(v, v)
            },
            |x| (x - mean) * (x - mean),
            simd.splat(0.0),
        );
        let factor = 1.0 / (square / d + self.eps).sqrt();
        for (i, y) in self.y.iter_mut().enumerate() {
            let normal = (self.x[i] - mean) * factor * self.weight[i];
            *y = self.bias.map_or(normal, |bias| normal + bias[i]);
        }
    }
}

/// Sum of a function over all values: `vector` computes it for whole vectors, `single` for the values left at the end,
/// which are added last.
#[inline(always)]
fn reduce<S: Simd>(
    simd: S,
    x: &[f32],
    vector: impl Fn(S, S::V) -> S::V,
    single: impl Fn(f32) -> f32,
    zero: S::V,
) -> f32 {
    let chunks = x.chunks_exact(S::LANES);
    let rest = chunks.remainder().iter().fold(0f32, |sum, &x| sum + single(x));
    let sum = chunks.fold(zero, |sum, x| simd.add(sum, vector(simd, simd.load(x))));
    simd.sum(sum) + rest
}
