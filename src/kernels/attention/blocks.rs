//! Transposed keys in blocks.
//!
//! The keys of a head are `[d_head, s']`, `s'` being their number rounded up to whole vectors, so that one vector holds the
//! same component of several keys. With a thousand keys, the components of one key would be 4 KiB apart, and memory is read
//! fastest from end to end. So keys stand in blocks of up to [`KEY_BLOCK`] positions, `[d_head, positions]` each, one after
//! another.

use super::tile::score_tile;
use crate::kernels::simd::{Simd, Stored, WIDE};

/// Number of positions in a block; the last block may have fewer.
pub const KEY_BLOCK: usize = 4 * WIDE;

/// The first position of the block that has position `t`, and its number of positions. There are `pad` positions in all.
#[inline(always)]
pub fn place_of(t: usize, pad: usize) -> (usize, usize) {
    let first = t / KEY_BLOCK * KEY_BLOCK;
    (first, KEY_BLOCK.min(pad - first))
}

/// Some keys of one head.
pub struct KeyBlock<'a, T> {
    /// The position of the first key.
    pub first: usize,
    /// `[d_head, positions]`.
    pub(super) keys: &'a [T],
    pub(super) positions: usize,
    /// Number of positions that count.
    pub(super) count: usize,
}

/// The blocks that have the first `length` of all `keys` of a head, `[d_head, s']`.
#[inline(always)]
pub fn blocks<T>(keys: &[T], width: usize, length: usize) -> impl Iterator<Item = KeyBlock<'_, T>> {
    (0..length).step_by(KEY_BLOCK).map(move |start| {
        let (first, positions) = place_of(start, keys.len() / width);
        let (keys, count) = (&keys[first * width..][..positions * width], positions.min(length - first));
        KeyBlock { first, keys, positions, count }
    })
}

impl<T: Stored> KeyBlock<'_, T> {
    /// The scores of queries `[d_head, Q]` with these keys, in rows `stride` apart. Whole vectors are written: up to
    /// [`WIDE`] numbers past the last position that counts.
    #[inline(always)]
    pub fn score<S: Simd, const Q: usize>(&self, simd: S, queries: &[f32], scores: &mut [f32], stride: usize) {
        score_tile::<S, T, Q>(simd, queries, (self.keys, self.positions), self.count, scores, stride);
    }
}
