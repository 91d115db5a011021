//! Attention of decoder rows to the keys of sentences that they share.
//!
//! Invariant: nothing is copied for rows that share a sentence, nor for sentences that were encoded in different batches.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::scores::{mix_heads, score_transposed, softmax};
use super::{Heads, for_each_row, host_slice, slice};
use crate::kernels::simd::{self, Kernel, Simd, WIDE};
use crate::kernels::soft_cap::cap_scores;

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
        read(self.groups, |groups| {
            let longest = groups.iter().map(|group| group.s).max().unwrap_or(0);
            for_each_row(&mut out, inner, rows * longest * inner * 2, |row, out| {
                let RowSource { group, sentence } = self.places[row];
                let sentence = groups[group].sentence(sentence, self.heads.kv_inner());
                simd::run(SharedRow { heads: self.heads, query: &queries[row * inner..][..inner], sentence, out });
            });
        })?;
        Ok((CpuStorage::F32(out), (rows, inner).into()))
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
    out: &'a mut [f32],
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
        mix_heads(simd, &self.heads, &scores, [reach, length], |t| &values[t * inner..][..inner], self.out);
    }
}
