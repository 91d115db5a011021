//! Scaled dot-product attention as three fused CPU operations: over a padded batch (`Full`), over the
//! keys of a sentence that many rows share (`Shared`), and over a decoder's own past (`Past`).
//!
//! Invariant (row invariance): a query reads its own sentence's keys only, up to that sentence's length,
//! in order; padding and neighbours are never touched. Softmax is over f32 with the maximum taken off.
//!
//! Scores of `Full` and `Shared` are computed for a vector of keys at a time, from keys transposed to
//! `[d_head, s]`; those of `Past` one key at a time, since its keys lie wherever their beam wrote them.

use candle_core::{CpuStorage, CustomOp1, CustomOp3, InplaceOp2, Layout, Result, Shape, bail};
use rayon::prelude::*;

use super::simd::{self, Kernel, Simd, WIDE};

/// Multiply-adds below which one thread does all.
const PARALLEL_WORK: usize = 1 << 16;

/// Additive scores by distance, the same for every sentence (relative positions): for head `h`, query
/// `q` and key `k` the value is `table[h][k - q + zero]`.
#[derive(Clone, Debug)]
pub struct DistanceBias {
    /// `[heads, width]`.
    pub table: Vec<f32>,
    /// Distances per head.
    pub width: usize,
    /// Where distance 0 stands.
    pub zero: usize,
}

impl DistanceBias {
    /// The values of keys `0..keys` for one head and query.
    #[inline(always)]
    #[must_use]
    pub fn row(&self, head: usize, query: usize, keys: usize) -> &[f32] {
        &self.table[head * self.width + self.zero - query..][..keys]
    }
}

/// What the heads of one attention have in common.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// Number of heads.
    pub count: usize,
    /// Width of one head.
    pub width: usize,
    /// Factor on the query.
    pub scale: f32,
    /// Added to the scores.
    pub bias: Option<&'a DistanceBias>,
}

impl Heads<'_> {
    /// Width of all heads together.
    #[must_use]
    pub fn inner(&self) -> usize {
        self.count * self.width
    }
}

/// `[b, s, 3 · inner]` (queries, keys, values side by side) to `[b, s, inner]`; rows past a sentence's
/// length come out as zeros.
pub struct Full<'a> {
    /// The heads.
    pub heads: Heads<'a>,
    /// Length of each sentence, `b` of them.
    pub lengths: &'a [usize],
}

impl CustomOp1 for Full<'_> {
    fn name(&self) -> &'static str {
        "full-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let qkv = slice(storage, layout)?;
        let (b, s, width) = layout.shape().dims3()?;
        let inner = self.heads.inner();
        if width != 3 * inner || b != self.lengths.len() || self.lengths.iter().any(|&length| length > s) {
            bail!("attention over {b} x {s} x {width} with {} heads of {}", self.heads.count, self.heads.width);
        }
        let mut out = vec![0f32; b * s * inner];
        let cells = Cells(out.as_mut_ptr());
        let task = |task: usize| {
            let (sentence, head) = (task / self.heads.count, task % self.heads.count);
            simd::run(FullHead {
                op: self,
                qkv: &qkv[sentence * s * width..][..s * width],
                head,
                length: self.lengths[sentence],
                out: Cells(cells.at(sentence * s * inner)),
            });
        };
        for_each(b * self.heads.count, b * s * s * inner, task);
        Ok((CpuStorage::F32(out), (b, s, inner).into()))
    }
}

struct FullHead<'a> {
    op: &'a Full<'a>,
    /// `[s, 3 · inner]` of one sentence.
    qkv: &'a [f32],
    head: usize,
    length: usize,
    /// `[s, inner]` of the same sentence.
    out: Cells,
}

impl Kernel for FullHead<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let heads = &self.op.heads;
        let (inner, width) = (heads.inner(), heads.width);
        let (at, row) = (self.head * width, 3 * inner);
        let pad = self.length.next_multiple_of(WIDE);
        let mut keys = vec![0f32; width * pad];
        for t in 0..self.length {
            let key = &self.qkv[t * row + inner + at..][..width];
            for (j, &value) in key.iter().enumerate() {
                keys[j * pad + t] = value;
            }
        }
        let values = Rows { data: &self.qkv[2 * inner + at..], stride: row };
        let mut scores = vec![0f32; pad];
        let mut query = vec![0f32; width];
        for t in 0..self.length {
            for (scaled, &q) in query.iter_mut().zip(&self.qkv[t * row + at..][..width]) {
                *scaled = q * heads.scale;
            }
            let bias = heads.bias.map(|bias| bias.row(self.head, t, self.length));
            score_transposed(simd, &query, &keys, pad, &mut scores);
            softmax(simd, &mut scores, self.length, bias);
            // SAFETY: this task alone has this sentence and head.
            let out = unsafe { self.out.slice(t * inner + at, width) };
            mix(simd, &scores[..self.length], |t| values.row(t, width), out);
        }
    }
}

/// `[b, s, 2 · inner]` (keys, values side by side) to keys transposed for [`Shared`],
/// `[b, heads, d_head, s']` with `s'` the next multiple of 16.
pub struct TransposeKeys {
    /// Number of heads.
    pub heads: usize,
}

impl CustomOp1 for TransposeKeys {
    fn name(&self) -> &'static str {
        "transpose-keys"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let kv = slice(storage, layout)?;
        let (b, s, width) = layout.shape().dims3()?;
        let inner = width / 2;
        let pad = s.next_multiple_of(WIDE);
        let mut out = vec![0f32; b * inner * pad];
        out.par_chunks_mut(inner * pad).zip(kv.par_chunks(s * width)).for_each(|(out, kv)| {
            for (t, row) in kv.chunks_exact(width).enumerate() {
                for (j, &value) in row[..inner].iter().enumerate() {
                    out[j * pad + t] = value;
                }
            }
        });
        Ok((CpuStorage::F32(out), (b, self.heads, inner / self.heads, pad).into()))
    }
}

/// Queries `[r, inner]` over the keys (of [`TransposeKeys`]) and values (`[b, s, 2 · inner]`, the second
/// halves) of their sentences, to `[r, inner]`. Nothing is copied for rows that share a sentence.
pub struct Shared<'a> {
    /// The heads; without bias.
    pub heads: Heads<'a>,
    /// The sentence of each row, `r` of them.
    pub sentences: &'a [usize],
    /// Length of each sentence, `b` of them.
    pub lengths: &'a [usize],
}

impl CustomOp3 for Shared<'_> {
    fn name(&self) -> &'static str {
        "shared-attention"
    }

    fn cpu_fwd(
        &self,
        queries: &CpuStorage,
        queries_layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
        kv: &CpuStorage,
        kv_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (queries, keys, kv) = (slice(queries, queries_layout)?, slice(keys, keys_layout)?, slice(kv, kv_layout)?);
        let (rows, inner) = queries_layout.shape().dims2()?;
        let (b, _, _, pad) = keys_layout.shape().dims4()?;
        let (_, s, _) = kv_layout.shape().dims3()?;
        if rows != self.sentences.len() || b != self.lengths.len() || inner != self.heads.inner() {
            bail!("shared attention of {rows} rows over {b} sentences");
        }
        let mut out = vec![0f32; rows * inner];
        let task = |row: usize, out: &mut [f32]| {
            let sentence = self.sentences[row];
            simd::run(SharedRow {
                heads: self.heads,
                query: &queries[row * inner..][..inner],
                keys: &keys[sentence * inner * pad..][..inner * pad],
                pad,
                kv: &kv[sentence * s * 2 * inner..][..s * 2 * inner],
                length: self.lengths[sentence],
                out,
            });
        };
        for_each_row(&mut out, inner, rows * s * inner * 2, task);
        Ok((CpuStorage::F32(out), (rows, inner).into()))
    }
}

struct SharedRow<'a> {
    heads: Heads<'a>,
    query: &'a [f32],
    keys: &'a [f32],
    pad: usize,
    kv: &'a [f32],
    length: usize,
    out: &'a mut [f32],
}

impl Kernel for SharedRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (inner, width, pad) = (self.heads.inner(), self.heads.width, self.pad);
        let reach = self.length.next_multiple_of(WIDE);
        let mut scores = vec![0f32; reach];
        let mut query = vec![0f32; width];
        for head in 0..self.heads.count {
            let at = head * width;
            for (scaled, &q) in query.iter_mut().zip(&self.query[at..]) {
                *scaled = q * self.heads.scale;
            }
            score_transposed(simd, &query, &self.keys[at * pad..], pad, &mut scores);
            softmax(simd, &mut scores, self.length, None);
            let values = Rows { data: &self.kv[inner + at..], stride: 2 * inner };
            mix(simd, &scores[..self.length], |t| values.row(t, width), &mut self.out[at..at + width]);
        }
    }
}

/// Writes columns `from..from + inner` of `[r, …]` into row `r`, time `time` of a cache `[rows, capacity, inner]`.
pub struct Append {
    /// Where the row lies in time.
    pub time: usize,
    /// First column to take.
    pub from: usize,
}

impl InplaceOp2 for Append {
    fn name(&self) -> &'static str {
        "append"
    }

    fn cpu_fwd(
        &self,
        cache: &mut CpuStorage,
        cache_layout: &Layout,
        new: &CpuStorage,
        new_layout: &Layout,
    ) -> Result<()> {
        let (_, capacity, inner) = cache_layout.shape().dims3()?;
        let (_, width) = new_layout.shape().dims2()?;
        let new = slice(new, new_layout)?;
        let CpuStorage::F32(cache) = cache else { bail!("the cache is not f32") };
        for (row, new) in cache.chunks_exact_mut(capacity * inner).zip(new.chunks_exact(width)) {
            row[self.time * inner..][..inner].copy_from_slice(&new[self.from..][..inner]);
        }
        Ok(())
    }
}

/// Queries (the first `inner` columns of `[r, 3 · inner]`) over a decoder's past, to `[r, inner]`. Keys and
/// values are `[rows, capacity, inner]`; row `r` finds its key of time `t` in physical row `origins[t][r]`.
pub struct Past<'a> {
    /// The heads.
    pub heads: Heads<'a>,
    /// For each time, this one included, the physical row of each row.
    pub origins: &'a [Vec<u32>],
}

impl CustomOp3 for Past<'_> {
    fn name(&self) -> &'static str {
        "past-attention"
    }

    fn cpu_fwd(
        &self,
        qkv: &CpuStorage,
        qkv_layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
        values: &CpuStorage,
        values_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (qkv, keys, values) = (slice(qkv, qkv_layout)?, slice(keys, keys_layout)?, slice(values, values_layout)?);
        let (rows, width) = qkv_layout.shape().dims2()?;
        let (_, capacity, inner) = keys_layout.shape().dims3()?;
        if inner != self.heads.inner() || self.origins.iter().any(|origins| origins.len() != rows) {
            bail!("attention of {rows} rows over a past of another shape");
        }
        let mut out = vec![0f32; rows * inner];
        let task = |row: usize, out: &mut [f32]| {
            let query = &qkv[row * width..][..inner];
            simd::run(PastRow { op: self, row, query, keys, values, capacity, out });
        };
        for_each_row(&mut out, inner, rows * self.origins.len() * inner * 2, task);
        Ok((CpuStorage::F32(out), (rows, inner).into()))
    }
}

struct PastRow<'a> {
    op: &'a Past<'a>,
    row: usize,
    query: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    capacity: usize,
    out: &'a mut [f32],
}

impl Kernel for PastRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let heads = &self.op.heads;
        let (inner, width, length) = (heads.inner(), heads.width, self.op.origins.len());
        let places: Vec<usize> =
            (0..length).map(|t| (self.op.origins[t][self.row] as usize * self.capacity + t) * inner).collect();
        let mut scores = vec![0f32; length.next_multiple_of(WIDE)];
        let mut query = vec![0f32; width];
        for head in 0..heads.count {
            let at = head * width;
            for (scaled, &q) in query.iter_mut().zip(&self.query[at..]) {
                *scaled = q * heads.scale;
            }
            for (score, &place) in scores.iter_mut().zip(&places) {
                *score = dot(simd, &query, &self.keys[place + at..][..width]);
            }
            let bias = heads.bias.map(|bias| bias.row(head, length - 1, length));
            softmax(simd, &mut scores, length, bias);
            let value = |t: usize| &self.values[places[t] + at..][..width];
            mix(simd, &scores[..length], value, &mut self.out[at..at + width]);
        }
    }
}

/// Rows of equal distance in memory.
struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn row(&self, t: usize, width: usize) -> &'a [f32] {
        &self.data[t * self.stride..][..width]
    }
}

/// `scores[t] = Σ_j query[j] · keys[j][t]`, for the whole of `scores` (a multiple of 16).
#[inline(always)]
fn score_transposed<S: Simd>(simd: S, query: &[f32], keys: &[f32], pad: usize, scores: &mut [f32]) {
    let mut t = 0;
    while t < scores.len() {
        // 64 keys at a time hide the latency of the chain over j.
        if scores.len() - t >= 4 * WIDE {
            score_chunk::<S, 8>(simd, query, &keys[t..], pad, &mut scores[t..]);
            t += 8 * S::LANES;
        } else {
            score_chunk::<S, 1>(simd, query, &keys[t..], pad, &mut scores[t..]);
            t += S::LANES;
        }
    }
}

#[inline(always)]
fn score_chunk<S: Simd, const C: usize>(simd: S, query: &[f32], keys: &[f32], pad: usize, scores: &mut [f32]) {
    let mut sums = [simd.splat(0.0); C];
    for (j, &q) in query.iter().enumerate() {
        let q = simd.splat(q);
        let keys = &keys[j * pad..][..C * S::LANES];
        for c in 0..C {
            sums[c] = simd.mul_add(q, simd.load(&keys[c * S::LANES..]), sums[c]);
        }
    }
    for c in 0..C {
        simd.store(&mut scores[c * S::LANES..], sums[c]);
    }
}

/// In place over the first `length` scores; what lies beyond becomes 0.
#[inline(always)]
fn softmax<S: Simd>(simd: S, scores: &mut [f32], length: usize, bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        for (score, &bias) in scores.iter_mut().zip(bias) {
            *score += bias;
        }
    }
    scores[length..].fill(f32::NEG_INFINITY);
    let mut largest = simd.splat(f32::NEG_INFINITY);
    for chunk in scores.chunks_exact(S::LANES) {
        largest = simd.max(largest, simd.load(chunk));
    }
    let largest = simd.splat(simd.largest(largest));
    let mut sum = simd.splat(0.0);
    for chunk in scores.chunks_exact_mut(S::LANES) {
        let p = simd.exp(simd.sub(simd.load(chunk), largest));
        sum = simd.add(sum, p);
        simd.store(chunk, p);
    }
    let share = simd.splat(1.0 / simd.sum(sum));
    for chunk in scores.chunks_exact_mut(S::LANES) {
        let p = simd.mul(simd.load(chunk), share);
        simd.store(chunk, p);
    }
}

/// `out = Σ_t weights[t] · value(t)`, in the order of time.
#[inline(always)]
fn mix<'v, S: Simd>(simd: S, weights: &[f32], value: impl Fn(usize) -> &'v [f32], out: &mut [f32]) {
    let width = out.len();
    let mut at = 0;
    while at < width {
        if width - at >= 8 * S::LANES {
            mix_chunk::<S, 8>(simd, weights, &value, at, out);
            at += 8 * S::LANES;
        } else if width - at >= S::LANES {
            mix_chunk::<S, 1>(simd, weights, &value, at, out);
            at += S::LANES;
        } else {
            let sum = weights.iter().enumerate().fold(0f32, |sum, (t, &weight)| sum + weight * value(t)[at]);
            out[at] = sum;
            at += 1;
        }
    }
}

#[inline(always)]
fn mix_chunk<'v, S: Simd, const C: usize>(
    simd: S,
    weights: &[f32],
    value: &impl Fn(usize) -> &'v [f32],
    at: usize,
    out: &mut [f32],
) {
    let mut sums = [simd.splat(0.0); C];
    for (t, &weight) in weights.iter().enumerate() {
        let weight = simd.splat(weight);
        let value = &value(t)[at..at + C * S::LANES];
        for c in 0..C {
            sums[c] = simd.mul_add(weight, simd.load(&value[c * S::LANES..]), sums[c]);
        }
    }
    for c in 0..C {
        simd.store(&mut out[at + c * S::LANES..], sums[c]);
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = simd.splat(0.0);
    let (a_chunks, b_chunks) = (a.chunks_exact(S::LANES), b.chunks_exact(S::LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest = rest.fold(0f32, |sum, (&a, &b)| sum + a * b);
    for (a, b) in a_chunks.zip(b_chunks) {
        sum = simd.mul_add(simd.load(a), simd.load(b), sum);
    }
    simd.sum(sum) + rest
}

/// Output that tasks write to in disjoint pieces.
#[derive(Clone, Copy)]
struct Cells(*mut f32);
// SAFETY: each task writes its own head and sentence only, and the operation owns the vector.
unsafe impl Send for Cells {}
// SAFETY: as above.
unsafe impl Sync for Cells {}

impl Cells {
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
    if work < PARALLEL_WORK {
        (0..tasks).for_each(task);
    } else {
        (0..tasks).into_par_iter().for_each(task);
    }
}

fn for_each_row(out: &mut [f32], inner: usize, work: usize, task: impl Fn(usize, &mut [f32]) + Send + Sync) {
    if work < PARALLEL_WORK {
        out.chunks_exact_mut(inner).enumerate().for_each(|(row, out)| task(row, out));
    } else {
        out.par_chunks_exact_mut(inner).enumerate().for_each(|(row, out)| task(row, out));
    }
}

/// The values of a contiguous f32 tensor.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("a kernel takes contiguous f32 tensors"),
    }
}
