//! Attention with candle's operations: for cards, and for types that no kernel of ours takes.
//!
//! Invariant: nothing here depends on the step but through shapes, which is all that a step uploads.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::ops::softmax_last_dim;

use crate::kernels::attention::DistanceBias;

use super::Shape;

/// No score outweighs it, and f16 holds it.
pub(super) const HIDDEN: f32 = -30_000.0;

impl Shape {
    /// `count` heads of `[b, t, …]` from a column on: `[b, count, t, width]`.
    pub(super) fn heads_at(&self, x: &Tensor, column: usize, count: usize) -> Result<Tensor> {
        let (b, t, _) = x.dims3()?;
        let heads = x.narrow(2, column, count * self.width)?.reshape((b, t, count, self.width))?;
        Ok(heads.transpose(1, 2)?.contiguous()?)
    }

    /// `softmax(q · kᵀ + added) · v`: `[b, h, t, width]`, of keys and values `[b, kv_heads, s, width]`.
    pub(super) fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, added: [Option<&Tensor>; 2]) -> Result<Tensor> {
        let mut scores = self.scores(q, k)?;
        for added in added.into_iter().flatten() {
            scores = scores.broadcast_add(added)?;
        }
        self.mixed(&shares(&scores)?, v)
    }

    /// `q · kᵀ`, capped: `[b, h, t, s]`.
    pub(super) fn scores(&self, q: &Tensor, k: &Tensor) -> Result<Tensor> {
        let (b, _, t, _) = q.dims4()?;
        let scores = self.grouped(q)?.matmul(&k.t()?)?.reshape((b, self.heads, t, k.dim(2)?))?;
        Ok(match self.cap {
            Some(cap) => ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?,
            None => scores,
        })
    }

    /// `shares · v`: `[b, h, t, width]`.
    pub(super) fn mixed(&self, shares: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (b, _, t, _) = shares.dims4()?;
        Ok(self.grouped(shares)?.matmul(v)?.reshape((b, self.heads, t, self.width))?)
    }

    /// The heads of queries that share keys and values, one after the other on the axis of time: `[b, kv_heads, …, n]`.
    fn grouped(&self, x: &Tensor) -> Result<Tensor> {
        let (b, heads, t, n) = x.dims4()?;
        Ok(if self.kv_heads == heads {
            x.clone()
        } else {
            x.reshape((b, self.kv_heads, heads / self.kv_heads * t, n))?
        })
    }
}

/// The shares of scores, in f32 at least, as the reference computes them.
pub(super) fn shares(scores: &Tensor) -> Result<Tensor> {
    let wide = if scores.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    Ok(softmax_last_dim(&scores.to_dtype(wide)?)?.to_dtype(scores.dtype())?)
}

/// `[b, h, t, width]` to `[b, t, h · width]`.
pub(super) fn join(x: &Tensor) -> Result<Tensor> {
    Ok(x.transpose(1, 2)?.flatten_from(2)?)
}

/// 0 on a sentence's own positions, [`HIDDEN`] beyond them, `[b, 1, 1, s]`; nothing where there is no padding.
pub(super) fn mask(lengths: &[usize], s: usize, dtype: DType, device: &Device) -> Result<Option<Tensor>> {
    if lengths.iter().all(|&length| length == s) {
        return Ok(None);
    }
    let values: Vec<f32> =
        lengths.iter().flat_map(|&length| (0..s).map(move |t| if t < length { 0.0 } else { HIDDEN })).collect();
    let mask = Tensor::from_vec(values, (lengths.len(), 1, 1, s), &Device::Cpu)?;
    Ok(Some(mask.to_dtype(dtype)?.to_device(device)?))
}

/// The biases of all pairs of `s` positions, `[1, h, s, s]`.
pub(super) fn spread(bias: &DistanceBias, s: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let heads = bias.table.len() / bias.width;
    let mut values = Vec::with_capacity(heads * s * s);
    for head in 0..heads {
        for query in 0..s {
            values.extend_from_slice(bias.row(head, query, s));
        }
    }
    Ok(Tensor::from_vec(values, (1, heads, s, s), &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)
}

/// The biases of all distances, `[1, h, 1, distances]`.
pub(super) fn table(bias: &DistanceBias, dtype: DType, device: &Device) -> Result<Tensor> {
    let shape = (1, bias.table.len() / bias.width, 1, bias.width);
    Ok(Tensor::from_slice(&bias.table, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)
}
