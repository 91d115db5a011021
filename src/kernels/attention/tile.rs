//! The arithmetic of a few queries that are computed together: their scores, and the mix of values.
//!
//! Invariant: each query's sums are taken in the order of its keys, whatever the other queries are.

use super::pattern::RUNS;
use crate::kernels::simd::{Simd, WIDE};

/// Queries that are computed together.
pub const TILE: usize = 4;
/// Vectors of values that are mixed at a time, at most.
pub const MOST_VECTORS: usize = 4;

/// Values from `at` on, weighed for a tile of queries in the order of their places.
pub struct Mix<'a> {
    /// Of each run the values of its first place, and how many places it has.
    pub values: [(&'a [f32], usize); RUNS],
    /// From one place's values to the next's.
    pub row: usize,
    /// `[TILE, stride]`.
    pub weights: &'a [f32],
    /// From one query's weights to the next's.
    pub stride: usize,
    /// The first number that is mixed.
    pub at: usize,
}

impl Mix<'_> {
    /// `C` vectors of every query; gives how many numbers these are.
    #[inline(always)]
    pub fn vectors<S: Simd, const C: usize>(&self, simd: S, out: &mut [[f32; WIDE * MOST_VECTORS]; TILE]) -> usize {
        let mut sums = [[simd.splat(0.0); C]; TILE];
        let mut t = 0;
        for (values, places) in self.values {
            for place in 0..places {
                let value = &values[place * self.row + self.at..][..C * S::LANES];
                for q in 0..TILE {
                    let weight = simd.splat(self.weights[q * self.stride + t]);
                    for c in 0..C {
                        sums[q][c] = simd.mul_add(weight, simd.load(&value[c * S::LANES..]), sums[q][c]);
                    }
                }
                t += 1;
            }
        }
        for q in 0..TILE {
            for c in 0..C {
                simd.store(&mut out[q][c * S::LANES..], sums[q][c]);
            }
        }
        C * S::LANES
    }

    /// One number of every query.
    #[inline(always)]
    pub fn number(&self, out: &mut [[f32; WIDE * MOST_VECTORS]; TILE]) -> usize {
        for (q, out) in out.iter_mut().enumerate() {
            let (mut sum, mut t) = (0f32, 0);
            for (values, places) in self.values {
                for place in 0..places {
                    sum += self.weights[q * self.stride + t] * values[place * self.row + self.at];
                    t += 1;
                }
            }
            out[0] = sum;
        }
        1
    }
}

/// Scores of a tile of queries `[width, TILE]` with `count` keys, to rows `stride` apart. Whole vectors are written: up to
/// [`WIDE`] numbers more.
#[inline(always)]
pub fn score_tile<S: Simd>(
    simd: S,
    queries: &[f32],
    (keys, pad): (&[f32], usize),
    count: usize,
    scores: &mut [f32],
    stride: usize,
) {
    let mut t = 0;
    while t < count {
        let (keys, scores) = (&keys[t..], &mut scores[t..]);
        let vectors = match (count - t).div_ceil(S::LANES) {
            4.. if S::LANES == WIDE => score_vectors::<S, 4>(simd, queries, keys, pad, scores, stride),
            2.. => score_vectors::<S, 2>(simd, queries, keys, pad, scores, stride),
            _ => score_vectors::<S, 1>(simd, queries, keys, pad, scores, stride),
        };
        t += vectors * S::LANES;
    }
}

/// The first `C` vectors of scores of every query; gives `C`.
#[inline(always)]
fn score_vectors<S: Simd, const C: usize>(
    simd: S,
    queries: &[f32],
    keys: &[f32],
    pad: usize,
    scores: &mut [f32],
    stride: usize,
) -> usize {
    let mut sums = [[simd.splat(0.0); C]; TILE];
    for (j, queries) in queries.chunks_exact(TILE).enumerate() {
        let keys = &keys[j * pad..][..C * S::LANES];
        let keys: [S::V; C] = std::array::from_fn(|c| simd.load(&keys[c * S::LANES..]));
        for q in 0..TILE {
            let query = simd.splat(queries[q]);
            for c in 0..C {
                sums[q][c] = simd.mul_add(query, keys[c], sums[q][c]);
            }
        }
    }
    for q in 0..TILE {
        for c in 0..C {
            simd.store(&mut scores[q * stride + c * S::LANES..], sums[q][c]);
        }
    }
    C
}
