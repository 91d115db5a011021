//! Attention of decoder rows to their own past and to their sentence under one softmax (`T5Gemma` 2).

use anyhow::{Result, ensure};
use candle_core::{DType, Tensor};

use super::composed::{join, shares};
use super::{Aligned, Along, CrossCache, HeadNorms, OwnPast, PastKeys, Prepare, RowSource, Shape, aligned};
use crate::kernels::attention as kernel;
use crate::nn::Linear;

/// Attention whose keys are a row's own past and its sentence, from one set of projections, under one softmax. The
/// sentence's keys are not rotated.
pub struct MergedAttention {
    /// Projection of `d` to queries, `inner`.
    pub q: Linear,
    /// Projection of `d` to keys and values side by side, `2 · kv_inner`.
    pub kv: Linear,
    /// Projection of `inner` to `d`.
    pub out: Linear,
    /// The heads.
    pub shape: Shape,
    /// Normalisation of each head of queries and of keys.
    pub norms: Option<HeadNorms>,
}

impl MergedAttention {
    /// The cache of keys and values of encoder states `[b, s, d]`, for sentences of these `lengths`.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn memory(&self, states: &Tensor, lengths: &[usize]) -> Result<CrossCache> {
        let prepare = Prepare { norms: self.norms.as_ref(), ..Prepare::nothing(self.shape) };
        CrossCache::new(&self.kv.forward(states)?, &prepare, lengths, DType::F32)
    }

    /// One step of a decoder: `[r, d]` to `[r, d]`, with `residual` added. `places` gives, for each row, the memory that
    /// it attends to and the sentence there. On the composed path there must be exactly one memory.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn step(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        own: OwnPast,
        memories: &[&CrossCache],
        places: &[RowSource],
    ) -> Result<Tensor> {
        let OwnPast { keys, past, relative } = own;
        let qkv = Tensor::cat(&[self.q.forward(x)?, self.kv.forward(x)?], 1)?;
        let prepare = Prepare { shape: self.shape, norms: self.norms.as_ref(), rotation: relative.rotation };
        let mixed = match keys {
            PastKeys::InPlace(cache) => {
                prepare.in_place(&qkv)?;
                cache.append(&qkv, self.shape.kv_inner(), past.slots())?;
                let groups: Vec<_> = memories.iter().map(|memory| memory.group()).collect();
                let heads = self.shape.kernel(None);
                qkv.apply_op1_no_bwd(&kernel::FusedMergedAttention {
                    heads,
                    cache,
                    slots: past.slots(),
                    groups: &groups,
                    places,
                })?
            }
            PastKeys::Contiguous(gathered) => {
                ensure!(memories.len() == 1, "{} memories where one is expected", memories.len());
                let [q, keys, values] = prepare.parts(&qkv.unsqueeze(1)?, Along::Rows)?;
                let (keys, values) = gathered.with(&keys, &values, past)?;
                self.composed(&q, [&keys, &values], memories[0], places)?
            }
        };
        self.out.forward_added(&mixed, residual)
    }

    /// Composed path: attention of scaled queries `[r, h, 1, width]` to their own keys and values and to those of their
    /// sentences, to `[r, inner]`.
    fn composed(
        &self,
        q: &Tensor,
        [keys, values]: [&Tensor; 2],
        memory: &CrossCache,
        places: &[RowSource],
    ) -> Result<Tensor> {
        let (rows, shape) = (places.len(), self.shape);
        let own = shape.scores(q, keys)?;
        let theirs = aligned(&join(q)?.squeeze(1)?, shape, memory, places)?;
        let Aligned { q, keys: their_keys, values: their_values, mask } = theirs;
        let mut scores = shape.scores(&q, &their_keys)?;
        if let Some(mask) = &mask {
            scores = scores.broadcast_add(mask)?;
        }
        // [`aligned`] may have made the rows of a sentence its time axis: `[n, h, g, s]` to `[r, h, 1, s]` here, and back
        // below.
        let (n, heads, group, s) = scores.dims4()?;
        let scores = scores.transpose(1, 2)?.reshape((rows, heads, 1, s))?;
        let shares = shares(&Tensor::cat(&[&own, &scores], 3)?)?;
        let time = own.dim(3)?;
        let mixed = shape.mixed(&shares.narrow(3, 0, time)?.contiguous()?, values)?;
        let theirs = shares.narrow(3, time, s)?.contiguous()?.reshape((n, group, heads, s))?;
        let theirs = shape.mixed(&theirs.transpose(1, 2)?.contiguous()?, &their_values)?;
        Ok((join(&mixed)?.squeeze(1)? + join(&theirs)?.reshape((rows, shape.inner()))?)?)
    }
}
