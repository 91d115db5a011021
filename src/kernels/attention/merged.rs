//! Attention of a decoder's rows to their own past and to their sentence under one softmax (`T5Gemma` 2).
//!
//! Invariant: scores, weights and values stand in the order of the reference: own past, then sentence.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};

use super::encoded::{EncodedGroup, Memory, RowSource, SentenceKeys, read};
use super::scores::{dot, mix, softmax};
use super::{Heads, KvCache, for_each_row, slice};
use crate::kernels::simd::{self, Kernel, Simd, WIDE};
use crate::kernels::soft_cap::cap_scores;

/// Attention of queries (the first `inner` columns of `[r, columns]`) to the keys and values in their rows' slots and of
/// their sentences, to `[r, inner]`.
pub struct FusedMergedAttention<'a> {
    /// The heads, without bias.
    pub heads: Heads<'a>,
    /// Keys and values of past tokens.
    pub cache: &'a KvCache,
    /// The slots of each row, in order of time.
    pub slots: &'a [Vec<u32>],
    /// The encoded sentences.
    pub groups: &'a [EncodedGroup<'a>],
    /// The sentence of each row, `r` of them.
    pub places: &'a [RowSource],
}

impl CustomOp1 for FusedMergedAttention<'_> {
    fn name(&self) -> &'static str {
        "merged-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        if width != self.heads.columns() || self.slots.len() != rows || self.places.len() != rows {
            bail!("merged attention of {rows} rows of {width} over a past of another shape");
        }
        let (inner, qkv) = (self.heads.inner(), slice(qkv, layout)?);
        let mut out = vec![0f32; rows * inner];
        read(self.groups, |groups| {
            let groups: Vec<_> = groups.iter().map(Memory::in_f32).collect::<Result<_>>()?;
            let longest = groups.iter().map(|group| group.s).max().unwrap_or(0);
            let tokens: usize = self.slots.iter().map(|slots| slots.len() + longest).sum();
            for_each_row(&mut out, inner, tokens * inner * 2, |row, out| {
                let RowSource { group, sentence } = self.places[row];
                simd::run(MergedRow {
                    heads: self.heads,
                    query: &qkv[row * width..][..inner],
                    slots: &self.slots[row],
                    cache: self.cache,
                    sentence: groups[group].sentence(sentence, &self.heads),
                    out,
                });
            });
            Ok(())
        })?;
        Ok((CpuStorage::F32(out), (rows, inner).into()))
    }
}

struct MergedRow<'a> {
    heads: Heads<'a>,
    query: &'a [f32],
    slots: &'a [u32],
    cache: &'a KvCache,
    sentence: SentenceKeys<'a, f32>,
    out: &'a mut [f32],
}

impl Kernel for MergedRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (inner, width, own) = (self.heads.kv_inner(), self.heads.width, self.slots.len());
        let length = self.sentence.length;
        let query: Vec<f32> = self.query.iter().map(|q| q * self.heads.scale).collect();
        let all = own + length;
        // Scores are written in whole vectors from index `own` on, which need not be aligned, so there is room for one
        // more vector.
        let stride = (all + WIDE).next_multiple_of(WIDE);
        let mut scores = vec![0f32; self.heads.count * stride];
        for (t, &slot) in self.slots.iter().enumerate() {
            let key = self.cache.key(slot, inner);
            for (head, query) in query.chunks_exact(width).enumerate() {
                scores[head * stride + t] = dot(simd, query, &key[self.heads.kv_at(head)..][..width]);
            }
        }
        for (head, (scores, out)) in scores.chunks_exact_mut(stride).zip(self.out.chunks_exact_mut(width)).enumerate() {
            let (query, at) = (&query[head * width..][..width], self.heads.kv_at(head));
            for block in self.sentence.blocks(&self.heads, head) {
                block.score::<S, 1>(simd, query, &mut scores[own + block.first..], stride);
            }
            let weights = &mut scores[..all.next_multiple_of(WIDE)];
            cap_scores(simd, weights, self.heads.cap);
            softmax(simd, weights, all, None);
            let values = self.sentence.values(&self.heads, head);
            let value = |t: usize| match t.checked_sub(own) {
                None => &self.cache.value(self.slots[t], inner)[at..][..width],
                Some(t) => &values[t * width..][..width],
            };
            mix(simd, scores, [stride, all, width], value, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;
    use crate::kernels::attention::{SplitKeys, SplitValues};
    use crate::kernels::noise;

    /// Attention by the definition, in f64, of one head.
    fn plain(query: &[f32], keys: &[&[f32]], values: &[&[f32]], scale: f64) -> Vec<f64> {
        let dot = |key: &&[f32]| query.iter().zip(*key).map(|(q, k)| f64::from(q * k)).sum::<f64>();
        let weights: Vec<f64> = keys.iter().map(|key| (dot(key) * scale).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let number = |at: usize| weights.iter().zip(values).map(|(w, value)| w * f64::from(value[at])).sum::<f64>();
        (0..query.len()).map(|at| number(at) / sum).collect()
    }

    #[test]
    fn own_past_and_sentence_share_one_softmax() -> Result<()> {
        let (width, lengths) = (16, [83, 3]);
        let heads = Heads { count: 4, kv_count: 2, width, scale: 0.5, cap: None, bias: None };
        let (inner, columns) = (heads.kv_inner(), heads.columns());
        let fed: Vec<Tensor> = (0..3)
            .map(|step| Tensor::from_vec(noise(2 * columns, step), (2, columns), &Device::Cpu))
            .collect::<Result<_>>()?;
        let kv = noise(2 * 83 * 2 * inner, 9);
        let states = Tensor::from_slice(&kv, (2, 83, 2 * inner), &Device::Cpu)?;
        let keys = states.apply_op1_no_bwd(&SplitKeys { heads: 2, dtype: DType::F32 })?;
        let values = states.apply_op1_no_bwd(&SplitValues { heads: 2, dtype: DType::F32 })?;
        let groups = [EncodedGroup { keys: &keys, values: &values, lengths: &lengths }];
        let places = [1, 0].map(|sentence| RowSource { group: 0, sentence });
        let (mut cache, mut slots) = (KvCache::default(), vec![Vec::new(), Vec::new()]);
        for (step, qkv) in fed.iter().enumerate() {
            slots.iter_mut().enumerate().for_each(|(row, slots)| slots.push((2 * step + row) as u32));
            cache.append(qkv, inner, &slots)?;
        }
        let op = FusedMergedAttention { heads, cache: &cache, slots: &slots, groups: &groups, places: &places };
        let found = fed[2].apply_op1_no_bwd(&op)?.to_vec2::<f32>()?;
        let fed: Vec<Vec<Vec<f32>>> = fed.iter().map(Tensor::to_vec2).collect::<Result<_>>()?;
        for (row, head) in (0..2).flat_map(|row| (0..4).map(move |head| (row, head))) {
            let at = head / 2 * width;
            let sentence = places[row].sentence;
            let part = |i: usize| {
                let own = fed.iter().map(|qkv| &qkv[row][heads.inner() + i * inner + at..][..width]);
                let theirs = (0..lengths[sentence]).map(|t| &kv[((sentence * 83 + t) * 2 + i) * inner + at..][..width]);
                own.chain(theirs).collect::<Vec<_>>()
            };
            let expected = plain(&fed[2][row][head * width..][..width], &part(0), &part(1), 0.5);
            for (found, expected) in found[row][head * width..].iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{found}, not {expected}");
            }
        }
        Ok(())
    }
}
