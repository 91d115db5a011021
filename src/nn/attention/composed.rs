//! Attention composed of candle's operations: for GPUs, and for types that the fused kernels do not take.
//!
//! Invariant: what is uploaded to the device depends on the shapes of a step only, never on its values.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::ops::softmax_last_dim;

use crate::kernels::attention::DistanceBias;

use super::Shape;

/// Added to the scores of hidden keys: far below all others, and within the range of f16.
pub(super) const HIDDEN: f32 = -30_000.0;

impl Shape {
    /// `count` heads of `x`, `[b, t, …]`, from `column` on: `[b, count, t, width]`.
    pub(super) fn heads_at(&self, x: &Tensor, column: usize, count: usize) -> Result<Tensor> {
        let (b, t, _) = x.dims3()?;
        let heads = x.narrow(2, column, count * self.width)?.reshape((b, t, count, self.width))?;
        Ok(heads.transpose(1, 2)?.contiguous()?)
    }

    /// `softmax(q · kᵀ + added) · v`, `[b, h, t, width]`. `q` is scaled, `[b, h, t, width]`; `k` and `v` are `[b,
    /// kv_heads, s, width]`.
    pub(super) fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, added: [Option<&Tensor>; 2]) -> Result<Tensor> {
        let mut scores = self.scores(q, k)?;
        for added in added.into_iter().flatten() {
            scores = scores.broadcast_add(added)?;
        }
        self.mixed(&shares(&scores)?, v)
    }

    /// The scores `q · kᵀ`, soft-capped if the model caps them: `[b, h, t, s]`.
    pub(super) fn scores(&self, q: &Tensor, k: &Tensor) -> Result<Tensor> {
        let (b, _, t, _) = q.dims4()?;
        let scores = self.grouped(q)?.matmul(&k.t()?)?.reshape((b, self.heads, t, k.dim(2)?))?;
        Ok(match self.cap {
            Some(cap) => ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?,
            None => scores,
        })
    }

    /// The values weighted by attention weights, `shares · v`: `[b, h, t, width]`.
    pub(super) fn mixed(&self, shares: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (b, _, t, _) = shares.dims4()?;
        Ok(self.grouped(shares)?.matmul(v)?.reshape((b, self.heads, t, self.width))?)
    }

    /// Heads of queries that share keys and values are put one after another on the time axis: `[b, h, t, n]` to `[b,
    /// kv_heads, h / kv_heads · t, n]`.
    fn grouped(&self, x: &Tensor) -> Result<Tensor> {
        let (b, heads, t, n) = x.dims4()?;
        Ok(if self.kv_heads == heads {
            x.clone()
        } else {
            x.reshape((b, self.kv_heads, heads / self.kv_heads * t, n))?
        })
    }
}

/// The attention weights: softmax of the scores over the last axis, in f32 at least, as the reference computes it.
pub(super) fn shares(scores: &Tensor) -> Result<Tensor> {
    let wide = if scores.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    Ok(softmax_last_dim(&scores.to_dtype(wide)?)?.to_dtype(scores.dtype())?)
}

/// Heads side by side: `[b, h, t, width]` to `[b, t, h · width]`.
pub(super) fn join(x: &Tensor) -> Result<Tensor> {
    Ok(x.transpose(1, 2)?.flatten_from(2)?)
}

/// The padding mask: 0 on a sentence's own positions, [`HIDDEN`] beyond them, `[b, 1, 1, s]`. `None` if there is no
/// padding.
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
