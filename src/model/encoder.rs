//! The encoder: source tokens to the states that the decoder attends to.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

use crate::batch::Batch;
use crate::kernels::attention::Pattern;
use crate::nn::{Bias, Embedding, Norm, PositionWise, Relative, Rotation, SelfAttention, Sequences};

use super::positions::{Places, RelativeBias, by_pattern, of_layer};
use super::residual::Residual;
use super::spec::GlobalAttention;

/// The encoder stack.
pub(super) struct Encoder {
    pub embedding: Embedding,
    pub embedding_norm: Option<Norm>,
    /// Global tokens, which stand before every sentence in all layers, `[globals, d]`.
    pub globals: Option<Tensor>,
    pub places: Places,
    /// Biases by distance in blocks, shared by all layers.
    pub by_block: Option<RelativeBias>,
    pub layers: Vec<EncoderLayer>,
    pub final_norm: Option<Norm>,
    /// The token that pads a batch to its longest sentence; no sentence ever attends to it.
    pub pad: u32,
}

/// One layer of the encoder.
pub(super) struct EncoderLayer {
    pub attention: (SelfAttention, Residual),
    /// Normalisation of global tokens, if they have one of their own.
    pub global_norm: Option<Norm>,
    /// What a token sees of its sentence.
    pub pattern: Pattern,
    pub feed_forward: (PositionWise, Residual),
}

impl EncoderLayer {
    /// The layer's attention pattern, with the global tokens that the caller requests.
    fn pattern(&self, global: GlobalAttention) -> Pattern {
        match (self.pattern, global) {
            (Pattern::Window { before, after, .. }, GlobalAttention::First) => {
                Pattern::Window { before, after, first: true }
            }
            (pattern, _) => pattern,
        }
    }

    /// Attention with its residual connection. If the first `globals` rows have a normalisation of their own, it is
    /// applied to them instead.
    fn attended(
        &self,
        x: &Tensor,
        globals: usize,
        attend: impl Fn(&Tensor, Option<&Tensor>) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (Some(global_norm), Residual::Pre(norm)) = (&self.global_norm, &self.attention.1) else {
            return self.attention.1.around(x, attend);
        };
        let tokens = x.narrow(1, globals, x.dim(1)? - globals)?.contiguous()?;
        let globals = x.narrow(1, 0, globals)?.contiguous()?;
        attend(&Tensor::cat(&[global_norm.forward(&globals)?, norm.forward(&tokens)?], 1)?, Some(x))
    }
}

impl Encoder {
    /// The encoder's states, `[b, s, d]`; values past a sentence's length are meaningless.
    pub fn forward(&self, batch: &Batch, global: GlobalAttention) -> Result<Tensor> {
        let (lengths, s) = (batch.ids.iter().map(Vec::len).collect::<Vec<_>>(), batch.longest());
        let mut x = self.embedded(batch)?;
        let sequences = Sequences::new(&lengths, s, x.dtype(), x.device())?;
        let biases = self.biases(s, x.dtype(), x.device())?;
        let by_block = self
            .by_block
            .as_ref()
            .zip(self.layers.first())
            .map(|(relative, layer)| Bias::over_runs(relative.distances(layer.pattern.extra(s) + 1)));
        let rotations = self.rotations(s, x.dtype(), x.device())?;
        for (index, layer) in self.layers.iter().enumerate() {
            let relative = Relative {
                by_distance: of_layer(&biases, index),
                by_block: by_block.as_ref(),
                rotation: by_pattern(&rotations, layer.pattern),
            };
            let attention = &layer.attention.0;
            x = layer.attended(&x, self.globals(), |x, residual| match layer.pattern(global) {
                Pattern::Full => attention.encode(x, residual, &sequences, relative),
                pattern => attention.encode_sparse(x, residual, &sequences, pattern, relative),
            })?;
            let (feed_forward, residual) = &layer.feed_forward;
            x = residual.around(&x, |x, residual| feed_forward.forward(x, residual, Some(&lengths)))?;
        }
        // The decoder does not attend to global tokens.
        if self.globals() > 0 {
            x = x.narrow(1, self.globals(), s)?.contiguous()?;
        }
        match &self.final_norm {
            Some(norm) => norm.forward(&x),
            None => Ok(x),
        }
    }

    /// Number of global tokens.
    fn globals(&self) -> usize {
        self.globals.as_ref().map_or(0, |globals| globals.dims()[0])
    }

    /// The embeddings that the first layer reads, `[b, globals + s, d]`.
    fn embedded(&self, batch: &Batch) -> Result<Tensor> {
        let s = batch.longest();
        let mut ids = Vec::with_capacity(s * batch.ids.len());
        for sentence in &batch.ids {
            ids.extend_from_slice(sentence);
            ids.resize(ids.len() + s - sentence.len(), self.pad);
        }
        let mut x = self.embedding.sequences(&ids, s)?;
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x)?;
        }
        Ok(match &self.globals {
            Some(globals) => {
                let globals = globals.unsqueeze(0)?.repeat((batch.ids.len(), 1, 1))?;
                Tensor::cat(&[globals, x], 1)?
            }
            None => x,
        })
    }

    /// The biases for sentences of up to `s` tokens, as far as each layer's pattern reaches.
    fn biases(&self, s: usize, dtype: DType, device: &Device) -> Result<Vec<Bias>> {
        let bias = |(index, relative): (usize, &RelativeBias)| match self.layers[index].pattern {
            Pattern::Full => Bias::over_sequences(relative.distances(s), s, dtype, device),
            pattern => Ok(Bias::over_runs(relative.distances(pattern.reach(s)))),
        };
        self.places.relative.iter().enumerate().map(bias).collect()
    }

    /// The rotations for sentences of up to `s` tokens.
    fn rotations(&self, s: usize, dtype: DType, device: &Device) -> Result<Vec<Rotation>> {
        let positions: Vec<usize> = (0..s).collect();
        self.places.rotary.iter().map(|rotary| rotary.at(&positions, dtype, device)).collect()
    }
}
