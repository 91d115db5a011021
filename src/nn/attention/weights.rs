//! What one head of attention to a source looks at, for those who ask.

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::{CrossAttention, CrossCache, Prompt, RowSource};
use crate::kernels::attention::KEY_BLOCK;

impl CrossCache {
    /// The keys of one head for a sentence, `[s, width]`, as `dtype`.
    fn keys(&self, sentence: usize, head: usize, dtype: DType) -> Result<Tensor> {
        let keys = self.keys.get(sentence)?.get(head)?;
        let keys = if keys.rank() == 1 { self.joined(&keys)? } else { keys };
        Ok(keys.narrow(0, 0, self.lengths[sentence])?.contiguous()?.to_dtype(dtype)?)
    }

    /// Fused path: the keys of a head `[width · s']`, which stand in blocks, as `[s', width]`.
    fn joined(&self, keys: &Tensor) -> Result<Tensor> {
        let (all, width) = (keys.elem_count(), self.values.dim(3)?);
        let block = |start: usize| {
            let numbers = (KEY_BLOCK * width).min(all - start);
            keys.narrow(0, start, numbers)?.reshape((width, numbers / width))?.t()
        };
        let blocks = (0..all).step_by(KEY_BLOCK * width).map(block);
        Ok(Tensor::cat(&blocks.collect::<candle_core::Result<Vec<_>>>()?, 0)?)
    }
}

impl CrossAttention {
    /// How much of its attention one head gives each token of its sentence, for each row of `[r, d]`, after what is put before
    /// a memory is left out. Rows of a sentence stand together. What a row gets depends on its own sentence alone.
    ///
    /// # Errors
    /// When there are several memories, or shapes, types or devices do not fit.
    pub fn weights(
        &self,
        x: &Tensor,
        memories: &[&CrossCache],
        places: &[RowSource],
        head: usize,
    ) -> Result<Vec<Vec<f32>>> {
        ensure!(memories.len() == 1, "{} memories where one is expected", memories.len());
        let (memory, shape) = (memories[0], self.shape);
        let q = (self.q.forward(x)?.narrow(1, head * shape.width, shape.width)? * f64::from(shape.scale))?;
        let prompts = self.prompt.as_ref().map_or(0, Prompt::len);
        let mut weights = Vec::with_capacity(places.len());
        let mut first = 0;
        for rows in places.chunk_by(|one, next| one.sentence == next.sentence) {
            let keys = memory.keys(rows[0].sentence, head * shape.kv_heads / shape.heads, q.dtype())?;
            let mut scores = q.narrow(0, first, rows.len())?.contiguous()?.matmul(&keys.t()?)?;
            if let Some(cap) = shape.cap {
                scores = ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?;
            }
            let shares = softmax_last_dim(&scores.to_dtype(DType::F32)?)?.to_device(&Device::Cpu)?;
            weights.extend(shares.to_vec2::<f32>()?.into_iter().map(|row| row[prompts..].to_vec()));
            first += rows.len();
        }
        Ok(weights)
    }
}
