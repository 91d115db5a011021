//! Soft caps, which keep numbers below a bound in size: `cap · tanh(x / cap)` (Gemma 2).
//!
//! Invariant (row invariance): each number is computed alone, by the same vector instructions wherever it stands.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape};
use rayon::prelude::*;

use super::attention::slice;
use super::simd::{self, Kernel, Simd, WIDE};
use super::threads::divides;

/// Number of values in one task.
const CHUNK: usize = 1 << 14;

/// Caps scores in place, if there is a cap. Only whole vectors are capped.
#[inline(always)]
pub fn cap_scores<S: Simd>(simd: S, scores: &mut [f32], cap: Option<f32>) {
    let Some(cap) = cap else { return };
    let (cap, share) = (simd.splat(cap), simd.splat(1.0 / cap));
    for chunk in scores.chunks_exact_mut(S::LANES) {
        let capped = simd.mul(cap, tanh(simd, simd.mul(simd.load(chunk), share)));
        simd.store(chunk, capped);
    }
}

/// The soft cap of all numbers of a tensor of any shape.
pub struct SoftCap {
    /// The bound, `cap`.
    pub cap: f32,
}

impl CustomOp1 for SoftCap {
    fn name(&self) -> &'static str {
        "soft-cap"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut y = slice(x, layout)?.to_vec();
        let task = |y: &mut [f32]| simd::run(Capped { y, cap: self.cap });
        if divides(y.len(), CHUNK) {
            y.par_chunks_mut(CHUNK).for_each(task);
        } else {
            y.chunks_mut(CHUNK).for_each(task);
        }
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }
}

struct Capped<'a> {
    y: &'a mut [f32],
    cap: f32,
}

impl Kernel for Capped<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (whole, rest) = self.y.split_at_mut(self.y.len() / S::LANES * S::LANES);
        cap_scores(simd, whole, Some(self.cap));
        let mut last = [0f32; WIDE];
        last[..rest.len()].copy_from_slice(rest);
        cap_scores(simd, &mut last, Some(self.cap));
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// The hyperbolic tangent, relative error below 6e-7: a rational approximation on [-7.9, 7.9], beyond which tanh is 1 in
/// f32 (coefficients as in the Eigen library's `tanh` for floats).
#[inline(always)]
fn tanh<S: Simd>(simd: S, x: S::V) -> S::V {
    let x = simd.min(simd.max(x, simd.splat(-7.905_311)), simd.splat(7.905_311));
    let square = simd.mul(x, x);
    let mut p = simd.splat(-2.760_768_5e-16);
    for c in [2.000_188e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_4e-5, 6.372_619_4e-4, 4.893_524_6e-3] {
        p = simd.mul_add(p, square, simd.splat(c));
    }
    let mut q = simd.splat(1.198_258_4e-6);
    for c in [1.185_347_1e-4, 2.268_434_6e-3, 4.893_525_3e-3] {
        q = simd.mul_add(q, square, simd.splat(c));
    }
    simd.div(simd.mul(x, p), q)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn a_cap_is_close_to_its_definition() -> Result<()> {
        let x: Vec<f32> = (0..20_005).map(|i| -300.0 + i as f32 * 0.03).collect();
        let y = Tensor::from_slice(&x, x.len(), &Device::Cpu)?.apply_op1_no_bwd(&SoftCap { cap: 30.0 })?;
        for (&x, y) in x.iter().zip(y.to_vec1::<f32>()?) {
            let expected = 30.0 * (f64::from(x) / 30.0).tanh();
            assert!((f64::from(y) - expected).abs() < 1e-6 * expected.abs() + 1e-8, "{x}: {y}, not {expected}");
        }
        Ok(())
    }
}
