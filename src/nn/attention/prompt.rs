//! Trained keys and values that stand before all others, equal for every sequence.

use std::sync::Arc;

use anyhow::{Result, ensure};
use candle_core::Tensor;

use super::Shape;
use crate::nn::fused;

/// The prompts of one attention (prefix tuning, Li and Liang 2021; MVP, Tang et al. 2022). They have no positions.
#[derive(Clone)]
pub struct Prompt {
    /// Queries (zeros), keys and values side by side, `[prompts, 3 · inner]`.
    rows: Tensor,
    /// Fused path: keys and values as plain numbers, `[prompts, inner]` each.
    plain: [Arc<[f32]>; 2],
}

impl Prompt {
    /// Prompts with these keys and values, `[prompts, inner]` each.
    ///
    /// # Errors
    /// When their shapes differ.
    pub fn new(keys: &Tensor, values: &Tensor) -> Result<Self> {
        ensure!(keys.dims() == values.dims(), "prompts of {:?} keys and {:?} values", keys.dims(), values.dims());
        let plain = |x: &Tensor| -> Result<Arc<[f32]>> {
            Ok(if fused(x) { x.flatten_all()?.to_vec1::<f32>()?.into() } else { Arc::default() })
        };
        let rows = Tensor::cat(&[&keys.zeros_like()?, keys, values], 1)?;
        Ok(Self { rows, plain: [plain(keys)?, plain(values)?] })
    }

    /// Number of prompts.
    pub(super) fn len(&self) -> usize {
        self.rows.dims()[0]
    }

    /// Fused path: keys and values as plain numbers, `[prompts, inner]` each; empty on the composed path.
    pub(super) fn values(&self) -> [&[f32]; 2] {
        self.plain.each_ref().map(AsRef::as_ref)
    }

    /// Puts the prompts before the tokens of each sequence: `[b, s, 3 · inner]` to `[b, prompts + s, 3 · inner]`.
    pub(super) fn in_front(&self, qkv: &Tensor) -> Result<Tensor> {
        let prompts = self.rows.unsqueeze(0)?.repeat((qkv.dim(0)?, 1, 1))?;
        Ok(Tensor::cat(&[&prompts, qkv], 1)?)
    }

    /// Puts the prompts before the keys and values of a memory: `[b, s, 2 · inner]` to `[b, prompts + s, 2 · inner]`.
    pub(super) fn before_memory(&self, kv: &Tensor) -> Result<Tensor> {
        let width = kv.dim(2)?;
        let prompts = self.rows.narrow(1, width / 2, width)?.unsqueeze(0)?.repeat((kv.dim(0)?, 1, 1))?;
        Ok(Tensor::cat(&[&prompts, kv], 1)?)
    }

    /// The lengths of sentences, each with the prompts counted in.
    pub(super) fn lengthened(&self, lengths: &[usize]) -> Vec<usize> {
        lengths.iter().map(|length| length + self.len()).collect()
    }

    /// Puts the prompts before keys and values of each row's past: `[r, h, t, width]` to `[r, h, prompts + t, width]`.
    pub(super) fn before(&self, keys: &Tensor, values: &Tensor, shape: Shape) -> Result<(Tensor, Tensor)> {
        let (rows, ..) = keys.dims4()?;
        let part = |i: usize, past: &Tensor| -> Result<Tensor> {
            let prompts =
                shape.heads_at(&self.rows.unsqueeze(0)?, i * shape.inner(), shape.heads)?.repeat((rows, 1, 1, 1))?;
            Ok(Tensor::cat(&[&prompts, past], 2)?)
        };
        Ok((part(1, keys)?, part(2, values)?))
    }
}
