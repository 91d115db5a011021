//! Activations quantised to int8, row by row.
//!
//! Invariant: a row's bytes depend on that row alone.

use rayon::prelude::*;

use super::PARALLEL_WORK;
use crate::kernels::simd::{self, Kernel, Simd, WIDE};
use crate::kernels::threads::divides;

/// The greatest quantised activation.
pub const ACTIVATION: f32 = 255.0;
/// Adding 1.5 · 2^23 rounds to the nearest whole number and leaves it in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Quantised activations, unsigned, with a scale and zero point for each row.
pub struct QuantisedRows {
    /// The quantised values, `[m, stride]`; bytes after a row's end are multiplied by weights that are 0.
    pub bytes: Vec<u8>,
    /// Distance from one row to the next, in bytes.
    pub stride: usize,
    /// The quantisation step and the zero point of each row.
    pub scales: Vec<(f32, i32)>,
}

impl QuantisedRows {
    /// Quantises the rows of `x`, `[m, k]`.
    pub fn quantise(x: &[f32], m: usize, k: usize) -> Self {
        let stride = k.div_ceil(WIDE) * WIDE;
        let mut rows = Self { bytes: vec![0; m * stride], stride, scales: vec![(0.0, 0); m] };
        let quantise = |x, bytes, scale| simd::run(QuantiseRow { x, bytes, scale });
        let work = rows.bytes.chunks_exact_mut(stride).zip(&mut rows.scales);
        if divides(m * k, PARALLEL_WORK) {
            let work = work.collect::<Vec<_>>();
            x.par_chunks_exact(k).zip(work).for_each(|(x, (bytes, scale))| quantise(x, bytes, scale));
        } else {
            x.chunks_exact(k).zip(work).for_each(|(x, (bytes, scale))| quantise(x, bytes, scale));
        }
        rows
    }
}

struct QuantiseRow<'a> {
    x: &'a [f32],
    bytes: &'a mut [u8],
    scale: &'a mut (f32, i32),
}

impl Kernel for QuantiseRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // The range always contains 0, so that 0 is represented exactly, as the zero point.
        let (mut least, mut greatest) = (simd.splat(0.0), simd.splat(0.0));
        let whole = self.x.chunks_exact(S::LANES);
        let rest = whole.remainder();
        for x in whole {
            (least, greatest) = (simd.min(simd.load(x), least), simd.max(simd.load(x), greatest));
        }
        let zero = simd.splat(0.0);
        let mut least = -simd.largest(simd.sub(zero, least));
        let mut greatest = simd.largest(greatest);
        for &x in rest {
            (least, greatest) = (least.min(x), greatest.max(x));
        }
        let range = greatest - least;
        if range <= 0.0 {
            return;
        }
        let scale = ACTIVATION / range;
        let zero = (-least * scale).round_ties_even();
        *self.scale = (range / ACTIVATION, zero as i32);
        let (scale, offset) = (simd.splat(scale), simd.splat(ROUND + zero));
        let (whole, rest) = self.x.as_chunks::<WIDE>();
        let (bytes, last) = self.bytes.split_at_mut(whole.len() * WIDE);
        for (x, bytes) in whole.iter().zip(bytes.as_chunks_mut().0) {
            quantise(simd, x, scale, offset, bytes);
        }
        if let Some(last) = last.first_chunk_mut() {
            let mut padded = [0f32; WIDE];
            padded[..rest.len()].copy_from_slice(rest);
            quantise(simd, &padded, scale, offset, last);
        }
    }
}

/// Quantises one vector: `bytes = x · scale + zero`, where `offset` is the zero point plus [`ROUND`].
#[inline(always)]
fn quantise<S: Simd>(simd: S, x: &[f32; WIDE], scale: S::V, offset: S::V, bytes: &mut [u8; WIDE]) {
    let (bottom, top) = (simd.splat(ROUND), simd.splat(ROUND + ACTIVATION));
    for (x, bytes) in x.chunks_exact(S::LANES).zip(bytes.chunks_exact_mut(S::LANES)) {
        let value = simd.add(simd.mul(simd.load(x), scale), offset);
        simd.store_low_bytes(bytes, simd.min(simd.max(value, bottom), top));
    }
}
