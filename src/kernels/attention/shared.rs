//! Attention of decoder rows to the keys of sentences that they share.
//!
//! Invariant: nothing is copied for rows that share a sentence, nor for sentences that were encoded in different batches.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};

use super::encoded::{EncodedGroup, Memory, RowSource, SentenceKeys, read};
use super::scores::softmax;
use super::tile::{Mix, TILE};
use super::{Heads, OutputPtr, for_each, slice};
use crate::kernels::simd::{self, Kernel, Simd, Stored, WIDE};
use crate::kernels::soft_cap::cap_scores;

/// Number of heads in one task.
const HEADS_AT_ONCE: usize = 4;

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
            let longest = groups.iter().map(Memory::s).max().unwrap_or(0);
            for_each(tasks.len(), rows * longest * inner * 2, |number| {
                let task = &tasks[number];
                let RowSource { group, sentence } = self.places[task.rows.start];
                let queries = &queries[task.rows.start * inner..task.rows.end * inner];
                let out = OutputPtr(output.at(task.rows.start * inner));
                match groups[group] {
                    Memory::F32(group) => self.attend(task, queries, group.sentence(sentence, &self.heads), out),
                    Memory::F16(group) => self.attend(task, queries, group.sentence(sentence, &self.heads), out),
                }
            });
            Ok(())
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
    /// The tasks of all rows: rows of one sentence are computed together, so that its keys and values are read once.
    fn tasks(&self) -> Vec<SharedTask> {
        let (mut tasks, mut first, count) = (Vec::new(), 0, self.heads.count);
        for rows in self.places.chunk_by(PartialEq::eq).flat_map(|rows| rows.chunks(TILE)) {
            let rows = first..first + rows.len();
            first = rows.end;
            let heads = (0..count).step_by(HEADS_AT_ONCE).map(|head| head..count.min(head + HEADS_AT_ONCE));
            tasks.extend(heads.map(|heads| SharedTask { rows: rows.clone(), heads }));
        }
        tasks
    }

    /// Computes a task: its queries `[rows, inner]` with the keys of their sentence.
    fn attend<T: Stored>(&self, task: &SharedTask, queries: &[f32], sentence: SentenceKeys<T>, out: OutputPtr) {
        let (heads, columns) = (self.heads, task.heads.clone());
        match task.rows.len() {
            1 => simd::run(SharedTile::<T, 1> { heads, columns, queries, sentence, out }),
            2 => simd::run(SharedTile::<T, 2> { heads, columns, queries, sentence, out }),
            3 => simd::run(SharedTile::<T, 3> { heads, columns, queries, sentence, out }),
            _ => simd::run(SharedTile::<T, TILE> { heads, columns, queries, sentence, out }),
        }
    }
}

/// `Q` rows of one sentence, and some heads of them.
struct SharedTile<'a, T, const Q: usize> {
    heads: Heads<'a>,
    /// The heads that are computed.
    columns: Range<usize>,
    /// `[Q, inner]`.
    queries: &'a [f32],
    sentence: SentenceKeys<'a, T>,
    /// `[Q, inner]`.
    out: OutputPtr,
}

impl<T: Stored, const Q: usize> Kernel for SharedTile<'_, T, Q> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (inner, width, length) = (self.heads.inner(), self.heads.width, self.sentence.length);
        let reach = length.next_multiple_of(WIDE);
        let (mut queries, mut weights) = (vec![0f32; width * Q], vec![0f32; Q * reach]);
        for head in self.columns.clone() {
            for (q, query) in self.queries.chunks_exact(inner).enumerate() {
                for (j, x) in query[head * width..][..width].iter().enumerate() {
                    queries[j * Q + q] = x * self.heads.scale;
                }
            }
            for block in self.sentence.blocks(&self.heads, head) {
                block.score::<S, Q>(simd, &queries, &mut weights[block.first..], reach);
            }
            for weights in weights.chunks_exact_mut(reach) {
                cap_scores(simd, weights, self.heads.cap);
                softmax(simd, weights, length, None);
            }
            let values = [(self.sentence.values(&self.heads, head), length), (&[], 0), (&[], 0)];
            let mix = Mix::<T, Q> { values, row: width, weights: &weights, stride: reach, at: 0 };
            mix.columns(simd, width, |q, column, mixed| {
                // SAFETY: this task alone has these rows and heads.
                unsafe { self.out.slice(q * inner + head * width + column, mixed.len()) }.copy_from_slice(mixed);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};
    use half::f16;

    use super::*;
    use crate::kernels::attention::{SplitKeys, SplitValues};
    use crate::kernels::noise;

    #[test]
    fn rows_of_a_sentence_get_the_bits_that_they_get_alone() -> Result<()> {
        // Heads of whole vectors and of others, that share keys and do not, and lengths beside those of blocks and vectors.
        let shapes = [(6, 3, 32), (5, 5, 12), (2, 1, 80)];
        for ((count, kv_count, width), dtype) in
            shapes.into_iter().flat_map(|shape| [(shape, DType::F32), (shape, DType::F16)])
        {
            let (lengths, s) = ([150, 1, 64, 5], 150);
            let heads = Heads { count, kv_count, width, scale: 0.3, cap: None, bias: None };
            let kv =
                Tensor::from_vec(noise(4 * s * 2 * heads.kv_inner(), 3), (4, s, 2 * heads.kv_inner()), &Device::Cpu)?;
            let keys = kv.apply_op1_no_bwd(&SplitKeys { heads: kv_count, dtype })?;
            let values = kv.apply_op1_no_bwd(&SplitValues { heads: kv_count, dtype })?;
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
    fn keys_in_f16_are_as_good_as_their_rounding() -> Result<()> {
        let (heads, s) = (Heads { count: 4, kv_count: 2, width: 32, scale: 0.2, cap: None, bias: None }, 70);
        let rounded: Vec<f32> =
            noise(s * 2 * heads.kv_inner(), 3).into_iter().map(|x| f16::from_f32(x).to_f32()).collect();
        let kv = Tensor::from_vec(rounded, (1, s, 2 * heads.kv_inner()), &Device::Cpu)?;
        let queries = Tensor::from_vec(noise(3 * heads.inner(), 5), (3, heads.inner()), &Device::Cpu)?;
        let places = vec![RowSource { group: 0, sentence: 0 }; 3];
        let attend = |dtype| {
            let keys = kv.apply_op1_no_bwd(&SplitKeys { heads: 2, dtype })?;
            let values = kv.apply_op1_no_bwd(&SplitValues { heads: 2, dtype })?;
            let groups = [EncodedGroup { keys: &keys, values: &values, lengths: &[s] }];
            let op = SharedAttention { heads, groups: &groups, places: &places };
            queries.apply_op1_no_bwd(&op)?.flatten_all()?.to_vec1::<f32>()
        };
        // What f16 holds exactly is widened exactly, so the sums are the same.
        assert_eq!(attend(DType::F16)?, attend(DType::F32)?);
        Ok(())
    }

    #[test]
    fn every_row_and_head_is_in_one_task() {
        let heads = Heads { count: 6, kv_count: 6, width: 8, scale: 1.0, cap: None, bias: None };
        let places: Vec<RowSource> = [0, 0, 0, 0, 0, 1, 2, 2].map(|sentence| RowSource { group: 0, sentence }).to_vec();
        let tasks = SharedAttention { heads, groups: &[], places: &places }.tasks();
        let found: Vec<_> = tasks.into_iter().map(|task| (task.rows, task.heads)).collect();
        let rows = [0..4, 4..5, 5..6, 6..8];
        let whole: Vec<_> = rows.into_iter().flat_map(|rows| [(rows.clone(), 0..4), (rows, 4..6)]).collect();
        assert_eq!(found, whole);
    }
}
