//! The arithmetic of a tile of queries that are computed together: their scores, and the weighted sum of values.
//!
//! Invariant: each query's sums are taken in the order of its keys, whatever the other queries are.

use super::pattern::RUNS;
use crate::kernels::simd::{Simd, Stored, WIDE};

/// Number of queries in a tile.
pub const TILE: usize = 4;
/// Most vectors of values that are summed at a time.
const MOST_VECTORS: usize = 4;

/// The weighted sum of values for a tile of `Q` queries, for the columns from `at` on, in the order of positions.
pub struct Mix<'a, T, const Q: usize> {
    /// For each run, the values from its first position on, and its number of positions.
    pub values: [(&'a [T], usize); RUNS],
    /// Distance from one position's values to the next.
    pub row: usize,
    /// The attention weights, `[Q, stride]`.
    pub weights: &'a [f32],
    /// Distance from one query's weights to the next.
    pub stride: usize,
    /// The first column that is computed.
    pub at: usize,
}

impl<T: Stored, const Q: usize> Mix<'_, T, Q> {
    /// Computes all columns of a head of this width; calls `write` with a query, a column, and the numbers from there on.
    #[inline(always)]
    pub fn columns<S: Simd>(mut self, simd: S, width: usize, write: impl Fn(usize, usize, &[f32])) {
        let mut mixed = [[0f32; WIDE * MOST_VECTORS]; Q];
        while self.at < width {
            // A head whose width is not a whole number of vectors is computed one number at a time.
            let vectors = if width.is_multiple_of(S::LANES) { (width - self.at) / S::LANES } else { 0 };
            let done = match vectors {
                4.. if S::LANES == WIDE => self.vectors::<S, 4>(simd, &mut mixed),
                2.. => self.vectors::<S, 2>(simd, &mut mixed),
                1 => self.vectors::<S, 1>(simd, &mut mixed),
                _ => self.number(&mut mixed),
            };
            for (query, mixed) in mixed.iter().enumerate() {
                write(query, self.at, &mixed[..done]);
            }
            self.at += done;
        }
    }

    /// Computes `C` vectors for every query; returns the number of columns.
    #[inline(always)]
    fn vectors<S: Simd, const C: usize>(&self, simd: S, out: &mut [[f32; WIDE * MOST_VECTORS]; Q]) -> usize {
        let mut sums = [[simd.splat(0.0); C]; Q];
        let mut t = 0;
        for (values, places) in self.values {
            for place in 0..places {
                let value = &values[place * self.row + self.at..][..C * S::LANES];
                for q in 0..Q {
                    let weight = simd.splat(self.weights[q * self.stride + t]);
                    for c in 0..C {
                        sums[q][c] = simd.mul_add(weight, T::load(simd, &value[c * S::LANES..]), sums[q][c]);
                    }
                }
                t += 1;
            }
        }
        for q in 0..Q {
            for c in 0..C {
                simd.store(&mut out[q][c * S::LANES..], sums[q][c]);
            }
        }
        C * S::LANES
    }

    /// Computes one column for every query; returns 1.
    #[inline(always)]
    fn number(&self, out: &mut [[f32; WIDE * MOST_VECTORS]; Q]) -> usize {
        for (q, out) in out.iter_mut().enumerate() {
            let (mut sum, mut t) = (0f32, 0);
            for (values, places) in self.values {
                for place in 0..places {
                    sum += self.weights[q * self.stride + t] * values[place * self.row + self.at].number();
                    t += 1;
                }
            }
            out[0] = sum;
        }
        1
    }
}

/// Computes the scores of a tile of queries `[width, Q]` with `count` keys, into rows `stride` apart. Whole vectors
/// are written: up to [`WIDE`] numbers past `count`.
#[inline(always)]
pub fn score_tile<S: Simd, T: Stored, const Q: usize>(
    simd: S,
    queries: &[f32],
    (keys, pad): (&[T], usize),
    count: usize,
    scores: &mut [f32],
    stride: usize,
) {
    let mut t = 0;
    while t < count {
        let (keys, scores) = (&keys[t..], &mut scores[t..]);
        let vectors = match (count - t).div_ceil(S::LANES) {
            4.. if S::LANES == WIDE => score_vectors::<S, T, Q, 4>(simd, queries, keys, pad, scores, stride),
            2.. => score_vectors::<S, T, Q, 2>(simd, queries, keys, pad, scores, stride),
            _ => score_vectors::<S, T, Q, 1>(simd, queries, keys, pad, scores, stride),
        };
        t += vectors * S::LANES;
    }
}

/// Computes the first `C` vectors of scores for every query; returns `C`.
#[inline(always)]
fn score_vectors<S: Simd, T: Stored, const Q: usize, const C: usize>(
    simd: S,
    queries: &[f32],
    keys: &[T],
    pad: usize,
    scores: &mut [f32],
    stride: usize,
) -> usize {
    let mut sums = [[simd.splat(0.0); C]; Q];
    for (j, queries) in queries.chunks_exact(Q).enumerate() {
        let keys = &keys[j * pad..][..C * S::LANES];
        let keys: [S::V; C] = std::array::from_fn(|c| T::load(simd, &keys[c * S::LANES..]));
        for q in 0..Q {
            let query = simd.splat(queries[q]);
            for c in 0..C {
                sums[q][c] = simd.mul_add(query, keys[c], sums[q][c]);
            }
        }
    }
    for q in 0..Q {
        for c in 0..C {
            simd.store(&mut scores[q * stride + c * S::LANES..], sums[q][c]);
        }
    }
    C
}
