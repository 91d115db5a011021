//! Attention of decoder rows to the keys of sentences that they share.
//!
//! Invariant: nothing is copied for rows that share a sentence, nor for sentences that were encoded in different batches.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::scores::{mix_heads, score_transposed, softmax};
use super::tile::{TILE, score_tile};
use super::{Heads, OutputPtr, for_each, host_slice, slice};
use crate::kernels::simd::{self, Kernel, Simd, WIDE};
use crate::kernels::soft_cap::cap_scores;

/// Number of heads in one task, if several rows share a sentence.
const HEADS_AT_ONCE: usize = 4;
/// Number of positions whose values are added at a time.
const POSITIONS_AT_ONCE: usize = 8;

/// Transposes keys for [`SharedAttention`]: `[b, s, 2 · inner]` (keys and values side by side) to `[b, heads, d_head,
/// s']`, with `s'` the next multiple of 16.
pub struct TransposeKeys {
    /// Number of heads of keys.
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

/// Keys and values of sentences that were encoded together.
#[derive(Clone, Copy)]
pub struct EncodedGroup<'a> {
    /// Keys from [`TransposeKeys`], `[b, kv_heads, d_head, s']`.
    pub keys: &'a Tensor,
    /// Values, `[b, s, kv_inner]`.
    pub values: &'a Tensor,
    /// Length of each sentence, `b` of them.
    pub lengths: &'a [usize],
}

/// The sentence that a decoder row attends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSource {
    /// Index of the group of sentences.
    pub group: usize,
    /// Index of the sentence in its group.
    pub sentence: usize,
}

/// Attention of queries `[r, inner]` to the keys and values of their sentences, to `[r, inner]`.
pub struct SharedAttention<'a> {
    /// The heads, without bias.
    pub heads: Heads<'a>,
    /// The encoded sentences.
    pub groups: &'a [EncodedGroup<'a>],
    /// The sentence of each row, `r` of them.
    pub places: &'a [RowSource],
}

impl CustomOp1 for SharedAttention<'_> {
    fn name(&self) -> &'static str {
        "shared-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let queries = slice(storage, layout)?;
        let (rows, inner) = layout.shape().dims2()?;
        if rows != self.places.len() || inner != self.heads.inner() {
            bail!("shared attention of {rows} rows of {inner} over {} sentences", self.places.len());
        }
        let mut out = vec![0f32; rows * inner];
        let output = OutputPtr(out.as_mut_ptr());
        let tasks = self.tasks();
        read(self.groups, |groups| {
            let longest = groups.iter().map(|group| group.s).max().unwrap_or(0);
            for_each(tasks.len(), rows * longest * inner * 2, |number| {
                let SharedTask { rows, heads: columns } = tasks[number].clone();
                let RowSource { group, sentence } = self.places[rows.start];
                let sentence = groups[group].sentence(sentence, self.heads.kv_inner());
                let queries = &queries[rows.start * inner..rows.end * inner];
                let out = OutputPtr(output.at(rows.start * inner));
                let (heads, rows) = (self.heads, rows.len());
                match rows {
                    1 => simd::run(SharedRow { heads, query: queries, sentence, out }),
                    2 => simd::run(SharedTile::<2> { heads, columns, queries, sentence, out }),
                    3 => simd::run(SharedTile::<3> { heads, columns, queries, sentence, out }),
                    _ => simd::run(SharedTile::<TILE> { heads, columns, queries, sentence, out }),
                }
            });
        })?;
        Ok((CpuStorage::F32(out), (rows, inner).into()))
    }
}

/// Some rows of one sentence, and some heads of them.
#[derive(Clone, Debug, PartialEq)]
struct SharedTask {
    rows: Range<usize>,
    heads: Range<usize>,
}

impl SharedAttention<'_> {
    /// The tasks of all rows: rows of one sentence are computed together, so that its keys and values are read once. A row
    /// that has nothing to share is one task, since a row of values is read fastest from end to end.
    fn tasks(&self) -> Vec<SharedTask> {
        let (mut tasks, mut first, count) = (Vec::new(), 0, self.heads.count);
        for rows in self.places.chunk_by(PartialEq::eq).flat_map(|rows| rows.chunks(TILE)) {
            let rows = first..first + rows.len();
            first = rows.end;
            let step = if rows.len() == 1 { count } else { HEADS_AT_ONCE };
            let heads = (0..count).step_by(step).map(|head| head..count.min(head + step));
            tasks.extend(heads.map(|heads| SharedTask { rows: rows.clone(), heads }));
        }
        tasks
    }
}

/// Runs `then` on the memory of the groups; nothing writes to it meanwhile.
pub(super) fn read<T>(groups: &[EncodedGroup], then: impl FnOnce(&[Slices]) -> T) -> Result<T> {
    let stored: Vec<_> =
        groups.iter().map(|group| (group.keys.storage_and_layout(), group.values.storage_and_layout())).collect();
    let slices = groups.iter().zip(&stored).map(|(group, ((keys, keys_layout), (values, values_layout)))| {
        let (_, _, _, pad) = keys_layout.shape().dims4()?;
        let (_, s, _) = values_layout.shape().dims3()?;
        let (keys, values) = (host_slice(keys, keys_layout)?, host_slice(values, values_layout)?);
        Ok(Slices { keys, values, pad, s, lengths: group.lengths })
    });
    Ok(then(&slices.collect::<Result<Vec<_>>>()?))
}

/// The memory of an [`EncodedGroup`].
#[derive(Clone, Copy)]
pub(super) struct Slices<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    pad: usize,
    pub s: usize,
    lengths: &'a [usize],
}

impl<'a> Slices<'a> {
    /// Keys and values of one sentence, `inner` wide.
    pub fn sentence(&self, sentence: usize, inner: usize) -> SentenceKeys<'a> {
        SentenceKeys {
            keys: &self.keys[sentence * inner * self.pad..][..inner * self.pad],
            pad: self.pad,
            values: &self.values[sentence * self.s * inner..][..self.s * inner],
            length: self.lengths[sentence],
        }
    }
}

/// Keys and values of one sentence.
#[derive(Clone, Copy)]
pub(super) struct SentenceKeys<'a> {
    /// Transposed keys, `[kv_inner, pad]`.
    pub keys: &'a [f32],
    pub pad: usize,
    /// Values, `[s, kv_inner]`.
    pub values: &'a [f32],
    pub length: usize,
}

struct SharedRow<'a> {
    heads: Heads<'a>,
    query: &'a [f32],
    sentence: SentenceKeys<'a>,
    out: OutputPtr,
}

impl Kernel for SharedRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (inner, width) = (self.heads.kv_inner(), self.heads.width);
        let SentenceKeys { keys, pad, values, length } = self.sentence;
        let reach = length.next_multiple_of(WIDE);
        let query: Vec<f32> = self.query.iter().map(|q| q * self.heads.scale).collect();
        let mut scores = vec![0f32; self.heads.count * reach];
        for (head, scores) in scores.chunks_exact_mut(reach).enumerate() {
            let at = head * width;
            score_transposed(simd, &query[at..at + width], &keys[self.heads.kv_at(head) * pad..], pad, scores);
            cap_scores(simd, scores, self.heads.cap);
            softmax(simd, scores, length, None);
        }
        // SAFETY: this task alone has this row.
        let out = unsafe { self.out.slice(0, self.heads.inner()) };
        mix_heads(simd, &self.heads, &scores, [reach, length], |t| &values[t * inner..][..inner], out);
    }
}

/// `Q` rows of one sentence, and some heads of them.
struct SharedTile<'a, const Q: usize> {
    heads: Heads<'a>,
    /// The heads that are computed.
    columns: Range<usize>,
    /// `[Q, inner]`.
    queries: &'a [f32],
    sentence: SentenceKeys<'a>,
    /// `[Q, inner]`.
    out: OutputPtr,
}

impl<const Q: usize> Kernel for SharedTile<'_, Q> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let width = self.heads.width;
        let (inner, first, columns) = (self.heads.inner(), self.columns.start * width, self.columns.len() * width);
        let weights = self.weights(simd);
        let mixed = self.mixed(simd, &weights);
        for (q, mixed) in mixed.chunks_exact(columns).enumerate() {
            // SAFETY: this task alone has these rows and heads.
            unsafe { self.out.slice(q * inner + first, columns) }.copy_from_slice(mixed);
        }
    }
}

impl<const Q: usize> SharedTile<'_, Q> {
    /// The attention weights, `[heads, Q, reach]`, where `reach` is the length in whole vectors.
    #[inline(always)]
    fn weights<S: Simd>(&self, simd: S) -> Vec<f32> {
        let SentenceKeys { keys, pad, length, .. } = self.sentence;
        let (inner, width, reach) = (self.heads.inner(), self.heads.width, length.next_multiple_of(WIDE));
        let mut weights = vec![0f32; self.columns.len() * Q * reach];
        let mut queries = vec![0f32; width * Q];
        for (head, weights) in self.columns.clone().zip(weights.chunks_exact_mut(Q * reach)) {
            for (q, query) in self.queries.chunks_exact(inner).enumerate() {
                for (j, x) in query[head * width..][..width].iter().enumerate() {
                    queries[j * Q + q] = x * self.heads.scale;
                }
            }
            let keys = &keys[self.heads.kv_at(head) * pad..][..width * pad];
            score_tile::<S, Q>(simd, &queries, (keys, pad), length, weights, reach);
            for weights in weights.chunks_exact_mut(reach) {
                cap_scores(simd, weights, self.heads.cap);
                softmax(simd, weights, length, None);
            }
        }
        weights
    }

    /// The weighted sums of values, `[Q, heads · width]`. Some positions at a time are added to the sums of all heads,
    /// since the values of a head alone lie far apart.
    #[inline(always)]
    fn mixed<S: Simd>(&self, simd: S, weights: &[f32]) -> Vec<f32> {
        let SentenceKeys { values, length, .. } = self.sentence;
        let (kv_inner, width, reach) = (self.heads.kv_inner(), self.heads.width, length.next_multiple_of(WIDE));
        let columns = self.columns.len() * width;
        let mut mixed = vec![0f32; Q * columns];
        for first in (0..length).step_by(POSITIONS_AT_ONCE) {
            let times = first..length.min(first + POSITIONS_AT_ONCE);
            for (number, head) in self.columns.clone().enumerate() {
                let weights = &weights[number * Q * reach..][..Q * reach];
                let values = &values[self.heads.kv_at(head)..];
                let mut at = 0;
                while at < width {
                    // A head whose width is not a whole number of vectors is computed one number at a time.
                    let vectors = if width.is_multiple_of(S::LANES) { (width - at) / S::LANES } else { 0 };
                    let sums = &mut mixed[number * width + at..];
                    let add = AddValues { values: &values[at..], row: kv_inner, times: times.clone(), weights, reach };
                    at += match vectors {
                        4.. if S::LANES == WIDE => add.vectors::<S, Q, 4>(simd, sums, columns),
                        2.. => add.vectors::<S, Q, 2>(simd, sums, columns),
                        1 => add.vectors::<S, Q, 1>(simd, sums, columns),
                        _ => add.number::<Q>(sums, columns),
                    };
                }
            }
        }
        mixed
    }
}

/// Adds the values of some positions to weighted sums.
struct AddValues<'a> {
    /// The values from the first column on, in rows `row` apart.
    values: &'a [f32],
    row: usize,
    times: Range<usize>,
    /// `[Q, reach]`.
    weights: &'a [f32],
    reach: usize,
}

impl AddValues<'_> {
    /// Adds to the first `C` vectors of every query's sums, which are `columns` apart; returns the number of values.
    #[inline(always)]
    fn vectors<S: Simd, const Q: usize, const C: usize>(&self, simd: S, sums: &mut [f32], columns: usize) -> usize {
        let mut added: [[S::V; C]; Q] =
            std::array::from_fn(|q| std::array::from_fn(|c| simd.load(&sums[q * columns + c * S::LANES..])));
        for t in self.times.clone() {
            let value = &self.values[t * self.row..][..C * S::LANES];
            for c in 0..C {
                // The same columns of the positions that come next.
                simd.prefetch(value.as_ptr().wrapping_add(POSITIONS_AT_ONCE * self.row + c * S::LANES).cast());
            }
            let value: [S::V; C] = std::array::from_fn(|c| simd.load(&value[c * S::LANES..]));
            for q in 0..Q {
                let weight = simd.splat(self.weights[q * self.reach + t]);
                for c in 0..C {
                    added[q][c] = simd.mul_add(weight, value[c], added[q][c]);
                }
            }
        }
        for q in 0..Q {
            for c in 0..C {
                simd.store(&mut sums[q * columns + c * S::LANES..], added[q][c]);
            }
        }
        C * S::LANES
    }

    /// Adds to the first of every query's sums; returns 1.
    #[inline(always)]
    fn number<const Q: usize>(&self, sums: &mut [f32], columns: usize) -> usize {
        for q in 0..Q {
            for t in self.times.clone() {
                sums[q * columns] += self.weights[q * self.reach + t] * self.values[t * self.row];
            }
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::kernels::noise;

    #[test]
    fn rows_of_a_sentence_get_the_bits_that_they_get_alone() -> Result<()> {
        // Heads of whole vectors and of others, that share keys and do not, and lengths beside those of blocks and vectors.
        for (count, kv_count, width) in [(6, 3, 32), (5, 5, 12), (2, 1, 80)] {
            let (lengths, s) = ([37, 1, 16, 5], 37);
            let heads = Heads { count, kv_count, width, scale: 0.3, cap: None, bias: None };
            let kv =
                Tensor::from_vec(noise(4 * s * 2 * heads.kv_inner(), 3), (4, s, 2 * heads.kv_inner()), &Device::Cpu)?;
            let keys = kv.apply_op1_no_bwd(&TransposeKeys { heads: kv_count })?;
            let values = kv.narrow(2, heads.kv_inner(), heads.kv_inner())?.contiguous()?;
            let groups = [EncodedGroup { keys: &keys, values: &values, lengths: &lengths }];
            // One row to six of each sentence.
            let places = |counts: [usize; 4]| -> Vec<RowSource> {
                let rows = |(sentence, count)| std::iter::repeat_n(RowSource { group: 0, sentence }, count);
                (0..4).zip(counts).flat_map(rows).collect()
            };
            for places in [places([3, 1, 2, 6]), places([2, 4, 5, 3])] {
                let queries = noise(places.len() * heads.inner(), 5);
                let attend = |queries: &[f32], places: &[RowSource]| {
                    let queries = Tensor::from_slice(queries, (places.len(), heads.inner()), &Device::Cpu)?;
                    let op = SharedAttention { heads, groups: &groups, places };
                    queries.apply_op1_no_bwd(&op)?.flatten_all()?.to_vec1::<f32>()
                };
                let together = attend(&queries, &places)?;
                for (row, query) in queries.chunks_exact(heads.inner()).enumerate() {
                    let alone = attend(query, &places[row..=row])?;
                    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&together[row * heads.inner()..][..heads.inner()]), bits(&alone), "{width} {row}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn every_row_and_head_is_in_one_task() {
        let heads = Heads { count: 6, kv_count: 6, width: 8, scale: 1.0, cap: None, bias: None };
        let places: Vec<RowSource> = [0, 0, 0, 0, 0, 1, 2, 2].map(|sentence| RowSource { group: 0, sentence }).to_vec();
        let tasks = SharedAttention { heads, groups: &[], places: &places }.tasks();
        let found: Vec<_> = tasks.into_iter().map(|task| (task.rows, task.heads)).collect();
        let whole = [(0..4, 0..4), (0..4, 4..6), (4..5, 0..6), (5..6, 0..6), (6..8, 0..4), (6..8, 4..6)];
        assert_eq!(found, whole);
    }
}
