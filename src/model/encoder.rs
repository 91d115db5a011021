//! Source tokens to the memory that the decoder reads.

use anyhow::Result;
use candle_core::Tensor;

use crate::batch::Batch;
use crate::nn::{Bias, Embedding, FeedForward, Norm, SelfAttention, Sequences};

use super::positions::{RelativeBias, of_layer};
use super::spec::{NormPlacement, Pattern};

/// The encoder stack.
pub(super) struct Encoder {
    pub embedding: Embedding,
    pub embedding_norm: Option<Norm>,
    /// One for each layer, one for all of them, or none.
    pub relative: Vec<RelativeBias>,
    pub layers: Vec<EncoderLayer>,
    pub final_norm: Option<Norm>,
    pub placement: NormPlacement,
    /// What fills a batch up to its longest sentence; never looked at by a sentence.
    pub pad: u32,
}

/// One layer of the encoder.
pub(super) struct EncoderLayer {
    pub attention: (SelfAttention, Norm),
    /// What a token sees of its sentence.
    pub pattern: Pattern,
    pub feed_forward: (FeedForward, Norm),
}

impl Encoder {
    /// `[b, s, d]`; what stands past a sentence's length has no meaning.
    pub fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let s = batch.longest();
        let lengths: Vec<usize> = batch.ids.iter().map(Vec::len).collect();
        let mut ids = Vec::with_capacity(s * lengths.len());
        for sentence in &batch.ids {
            ids.extend_from_slice(sentence);
            ids.resize(ids.len() + s - sentence.len(), self.pad);
        }
        let mut x = self.embedding.sequences(&ids, s)?;
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x)?;
        }
        let sequences = Sequences::new(&lengths, s, x.dtype(), x.device())?;
        let bias = |relative: &RelativeBias| Bias::over_sequences(relative.distances(s), s, x.dtype(), x.device());
        let biases = self.relative.iter().map(bias).collect::<Result<Vec<_>>>()?;
        for (index, layer) in self.layers.iter().enumerate() {
            let (attention, norm) = &layer.attention;
            let bias = of_layer(&biases, index);
            x = placed(self.placement, norm, &x, |x, residual| match layer.pattern {
                Pattern::Full => attention.encode(x, residual, &sequences, bias),
            })?;
            let (feed_forward, norm) = &layer.feed_forward;
            x = placed(self.placement, norm, &x, |x, residual| feed_forward.forward(x, residual))?;
        }
        match &self.final_norm {
            Some(norm) => norm.forward(&x),
            None => Ok(x),
        }
    }
}

/// One sub-layer with its residual, normalised before or after.
pub(super) fn placed(
    placement: NormPlacement,
    norm: &Norm,
    x: &Tensor,
    sub_layer: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    match placement {
        NormPlacement::Pre => sub_layer(&norm.forward(x)?, x),
        NormPlacement::Post => norm.forward(&sub_layer(x, x)?),
    }
}
