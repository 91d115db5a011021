//! Scaled dot-product attention as fused CPU operations. The three for full attention are: over a padded batch
//! ([`FullAttention`]), over the keys of a sentence that several rows share ([`SharedAttention`]), and over a decoder's
//! own past ([`PastAttention`]).
//!
//! Invariant (row invariance): a query reads its own sentence's keys only, up to that sentence's length, in order;
//! padding and neighbours are never touched. Softmax is in f32, with the maximum subtracted first.
//!
//! [`FullAttention`] and [`SharedAttention`] compute scores for a vector of keys at a time, from blocks of transposed keys,
//! and for several queries at a time, which share what is read. [`PastAttention`] takes one key at a time,
//! since its keys lie in whatever slots they were written to.

mod blocks;
mod encoded;
mod merged;
mod past;
pub mod pattern;
mod scores;
mod shared;
mod sparse;
mod sums;
mod tile;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, bail};
use rayon::prelude::*;

use super::simd::{self, Kernel, Simd, WIDE};
use super::soft_cap::cap_scores;
use super::threads::divides;

pub use blocks::KEY_BLOCK;
pub use encoded::{EncodedGroup, RowSource, SplitKeys, SplitValues};
pub use merged::FusedMergedAttention;
pub use past::{FIRST_CAPACITY, KvCache, PastAttention};
pub use pattern::Pattern;
pub use shared::SharedAttention;
pub use sparse::SparseAttention;
pub use sums::BlockSums;

use blocks::{blocks, place_of};
use scores::softmax;
use tile::{Mix, TILE};

/// Number of multiply-adds below which an attention runs on one thread.
const PARALLEL_WORK: usize = 1 << 16;

/// Additive scores by distance (relative positions), equal for every sentence: for head `h`, query `q` and key `k` the
/// value is `table[h][k - q + zero]`.
#[derive(Clone, Debug)]
pub struct DistanceBias {
    /// The values, `[heads, width]`.
    pub table: Vec<f32>,
    /// Number of distances per head.
    pub width: usize,
    /// Column of distance 0.
    pub zero: usize,
}

impl DistanceBias {
    /// The values of keys `0..keys` for one head and one query.
    #[inline(always)]
    #[must_use]
    pub fn row(&self, head: usize, query: usize, keys: usize) -> &[f32] {
        &self.table[head * self.width + self.zero - query..][..keys]
    }

    /// The values of `keys` consecutive keys for one head; the first key is `first` tokens after the query.
    #[inline(always)]
    #[must_use]
    pub fn values(&self, head: usize, first: isize, keys: usize) -> &[f32] {
        &self.table[(head * self.width + self.zero).saturating_add_signed(first)..][..keys]
    }
}

/// Number, width and scaling of the heads of one attention, with their bias.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// Number of heads of queries.
    pub count: usize,
    /// Number of heads of keys and of values; divides `count`. Each is shared by `count / kv_count` consecutive heads of
    /// queries (Ainslie et al. 2023).
    pub kv_count: usize,
    /// Width of one head.
    pub width: usize,
    /// Factor that queries are multiplied by.
    pub scale: f32,
    /// Soft cap of the scores: `cap · tanh(score / cap)`, applied before any bias.
    pub cap: Option<f32>,
    /// Bias that is added to the scores.
    pub bias: Option<&'a DistanceBias>,
}

impl Heads<'_> {
    /// Width of all heads of queries together.
    #[must_use]
    pub fn inner(&self) -> usize {
        self.count * self.width
    }

    /// Width of all heads of keys, or of values, together.
    #[must_use]
    pub fn kv_inner(&self) -> usize {
        self.kv_count * self.width
    }

    /// Width of queries, keys and values side by side.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.inner() + 2 * self.kv_inner()
    }

    /// The first column of the keys, or values, that a head of queries uses, among all heads of keys.
    #[inline(always)]
    #[must_use]
    pub fn kv_at(&self, head: usize) -> usize {
        head / (self.count / self.kv_count) * self.width
    }
}

/// Full attention over a padded batch: `[b, s, columns]` (queries, keys, values side by side) to `[b, s, inner]`. Rows
/// past a sentence's length come out as zeros.
pub struct FullAttention<'a> {
    /// The heads.
    pub heads: Heads<'a>,
    /// Length of each sentence, `b` of them.
    pub lengths: &'a [usize],
}

impl CustomOp1 for FullAttention<'_> {
    fn name(&self) -> &'static str {
        "full-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let qkv = slice(storage, layout)?;
        let (b, s, width) = layout.shape().dims3()?;
        let inner = self.heads.inner();
        if width != self.heads.columns() || b != self.lengths.len() || self.lengths.iter().any(|&length| length > s) {
            bail!("attention over {b} x {s} x {width} with {} heads of {}", self.heads.count, self.heads.width);
        }
        let mut out = vec![0f32; b * s * inner];
        let output = OutputPtr(out.as_mut_ptr());
        let task = |task: usize| {
            let (sentence, head) = (task / self.heads.count, task % self.heads.count);
            simd::run(FullHead {
                op: self,
                qkv: &qkv[sentence * s * width..][..s * width],
                head,
                length: self.lengths[sentence],
                out: OutputPtr(output.at(sentence * s * inner)),
            });
        };
        for_each(b * self.heads.count, b * s * s * inner, task);
        Ok((CpuStorage::F32(out), (b, s, inner).into()))
    }
}

struct FullHead<'a> {
    op: &'a FullAttention<'a>,
    /// `[s, columns]` of one sentence.
    qkv: &'a [f32],
    head: usize,
    length: usize,
    /// `[s, inner]` of the same sentence.
    out: OutputPtr,
}

impl Kernel for FullHead<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let heads = &self.op.heads;
        let (inner, width) = (heads.inner(), heads.width);
        let (at, row) = (self.head * width, heads.columns());
        let (keys_at, values_at) = (inner + heads.kv_at(self.head), inner + heads.kv_inner() + heads.kv_at(self.head));
        let (length, pad) = (self.length, self.length.next_multiple_of(WIDE));
        // Transposed keys in blocks, so that one vector holds the same component of several keys. Values are copied because
        // rows that are a multiple of 4 KiB apart drive each other out of the caches.
        let (mut keys, mut values) = (vec![0f32; width * pad], vec![0f32; length * width]);
        for (t, copy) in values.chunks_exact_mut(width).enumerate() {
            let row = &self.qkv[t * row..][..row];
            copy.copy_from_slice(&row[values_at..][..width]);
            let (first, positions) = place_of(t, pad);
            for (j, &value) in row[keys_at..][..width].iter().enumerate() {
                keys[first * width + j * positions + t - first] = value;
            }
        }
        let (mut scores, mut queries) = (vec![0f32; TILE * pad], vec![0f32; width * TILE]);
        for first in (0..length).step_by(TILE) {
            let tile = first..length.min(first + TILE);
            for (query, t) in tile.clone().enumerate() {
                for (j, q) in self.qkv[t * row + at..][..width].iter().enumerate() {
                    queries[j * TILE + query] = q * heads.scale;
                }
            }
            for block in blocks(&keys, width, length) {
                block.score::<S, TILE>(simd, &queries, &mut scores[block.first..], pad);
            }
            for (scores, t) in scores.chunks_exact_mut(pad).zip(tile.clone()) {
                let bias = heads.bias.map(|bias| bias.row(self.head, t, length));
                cap_scores(simd, scores, heads.cap);
                softmax(simd, scores, length, bias);
            }
            let values = [(&values[..], length), (&[], 0), (&[], 0)];
            let mix = Mix::<f32, TILE> { values, row: width, weights: &scores, stride: pad, at: 0 };
            mix.columns(simd, width, |query, column, mixed| {
                if let Some(t) = tile.clone().nth(query) {
                    // SAFETY: this task alone has this sentence and head.
                    unsafe { self.out.slice(t * inner + at + column, mixed.len()) }.copy_from_slice(mixed);
                }
            });
        }
    }
}

/// Output that several tasks write to, each to its own pieces.
#[derive(Clone, Copy)]
struct OutputPtr(*mut f32);
// SAFETY: each task writes its own head and sentence only, and the operation owns the vector.
unsafe impl Send for OutputPtr {}
// SAFETY: as above.
unsafe impl Sync for OutputPtr {}

impl OutputPtr {
    fn at(self, offset: usize) -> *mut f32 {
        // Wrapping: the offset is inside the vector whenever it is used.
        self.0.wrapping_add(offset)
    }

    /// # Safety
    /// The piece must lie inside the output, and no other task may have it.
    unsafe fn slice<'a>(self, start: usize, length: usize) -> &'a mut [f32] {
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), length) }
    }
}

fn for_each(tasks: usize, work: usize, task: impl Fn(usize) + Send + Sync) {
    if divides(work, PARALLEL_WORK) {
        (0..tasks).into_par_iter().for_each(task);
    } else {
        (0..tasks).for_each(task);
    }
}

fn for_each_row(out: &mut [f32], inner: usize, work: usize, task: impl Fn(usize, &mut [f32]) + Send + Sync) {
    if divides(work, PARALLEL_WORK) {
        out.par_chunks_exact_mut(inner).enumerate().for_each(|(row, out)| task(row, out));
    } else {
        out.chunks_exact_mut(inner).enumerate().for_each(|(row, out)| task(row, out));
    }
}

/// The values of a contiguous f32 tensor.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("a kernel takes contiguous f32 tensors"),
    }
}

/// The values of a contiguous f32 tensor, which must be on the CPU.
pub(super) fn host_slice<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    slice(on_host(storage)?, layout)
}

/// What a tensor on the CPU has.
fn on_host(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => bail!("a kernel takes tensors on the CPU"),
    }
}
