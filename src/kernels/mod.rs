//! Fused CPU operations: each implements one candle operation for f32 tensors on the CPU.
//!
//! This is the only home of SIMD, and the home of `unsafe`, which otherwise stands only where files are mapped and the
//! GPU is queried. Every kernel keeps row invariance: a row's result has the same bits whatever other rows, padding or
//! threads there are. Which kernel is called, and what other devices do instead, is decided in `nn`.

// A kernel keeps its instruction set only if all of it is inlined into the function that enters that set.
#![allow(clippy::inline_always)]
// Loops over the registers of a tile read best by row and column.
#![allow(clippy::needless_range_loop)]

pub mod activation;
pub mod attention;
pub mod embedding;
pub mod gemm;
pub mod heads;
pub mod norm;
pub mod pages;
pub mod simd;
pub mod soft_cap;
pub mod threads;
pub mod topk;

/// Reproducible values in -1..1 for the kernels' tests.
#[cfg(test)]
pub(crate) fn noise(length: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..length).map(|_| next()).collect()
}
