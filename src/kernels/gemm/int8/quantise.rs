//! Quantisation of the weights of one output, with vectors.
//!
//! Invariant: a weight becomes the nearest whole number of steps, halves away from zero, whatever the instructions.

use super::super::super::simd::{Kernel, Simd, WIDE};
use super::panel::WEIGHT;

/// Added to a whole number of less than 2^22 in size, it makes the sum's low bits that number's.
const LOW_BITS: f32 = 12_582_912.0;

/// Quantises the weights of one output; writes them, the quantisation step, and their sum.
pub(super) struct QuantiseOutput<'a> {
    /// The weights, which are overwritten.
    pub values: &'a mut [f32],
    /// The quantised weights, as the bytes of `i8`; zeros after the last.
    pub quantised: &'a mut [u8],
    pub step: &'a mut f32,
    pub sum: &'a mut i32,
}

impl Kernel for QuantiseOutput<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { values, quantised, step, sum } = self;
        // A maximum of each lane, so that the loop is done with vectors.
        let mut lanes = [0f32; WIDE];
        for values in values.chunks(WIDE) {
            for (greatest, x) in lanes.iter_mut().zip(values) {
                *greatest = greatest.max(x.abs());
            }
        }
        let greatest = lanes.into_iter().fold(0f32, f32::max);
        quantised.fill(0);
        (*step, *sum) = (greatest / WEIGHT, 0);
        if greatest == 0.0 {
            return;
        }
        for x in values.iter_mut() {
            *x = (*x / *step).round();
        }
        let low_bits = simd.splat(LOW_BITS);
        for (values, bytes) in values.chunks(WIDE).zip(quantised.as_chunks_mut::<WIDE>().0) {
            let mut padded = [0f32; WIDE];
            padded[..values.len()].copy_from_slice(values);
            for (values, bytes) in padded.chunks_exact(S::LANES).zip(bytes.chunks_exact_mut(S::LANES)) {
                simd.store_low_bytes(bytes, simd.add(simd.load(values), low_bits));
            }
        }
        *sum = quantised.iter().map(|&byte| i32::from(byte.cast_signed())).sum();
    }
}
