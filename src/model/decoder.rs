//! One token per row in, the states that predict the next token out.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

use crate::nn::{Bias, CrossAttention, Embedding, FeedForward, Memory, Norm, Past, PastKeys, SelfAttention};

use super::encoder::placed;
use super::positions::{RelativeBias, of_layer};
use super::spec::NormPlacement;

/// The decoder stack.
pub(super) struct Decoder {
    pub embedding: Embedding,
    pub embedding_norm: Option<Norm>,
    /// One for each layer, one for all of them, or none.
    pub relative: Vec<RelativeBias>,
    pub layers: Vec<DecoderLayer>,
    pub final_norm: Option<Norm>,
    pub placement: NormPlacement,
}

/// One layer of the decoder.
pub(super) struct DecoderLayer {
    pub self_attention: (SelfAttention, Norm),
    pub cross_attention: (CrossAttention, Norm),
    pub feed_forward: (FeedForward, Norm),
}

/// All that changes while a batch is decoded.
pub struct DecoderState {
    past: Past,
    /// The sentence of each row.
    sentences: Vec<usize>,
    /// Source length of each sentence in the memory.
    lengths: Vec<usize>,
    layers: Vec<(PastKeys, Memory)>,
    /// Biases of the past, for families that have them; made for some reach and remade when it is passed.
    biases: Vec<Bias>,
}

impl DecoderState {
    /// Rows now.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.sentences.len()
    }

    /// Row `i` becomes what row `rows[i]` was; a row may repeat or be left out.
    ///
    /// # Errors
    /// When the device fails.
    pub fn select(&mut self, rows: &[usize], device: &Device) -> Result<()> {
        self.past.select(rows);
        self.sentences = rows.iter().map(|&row| self.sentences[row]).collect();
        if self.layers.iter().any(|(keys, _)| !keys.stay()) {
            let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
            let rows = Tensor::new(rows, device)?;
            for (keys, _) in &mut self.layers {
                keys.select(&rows)?;
            }
            self.close_sentences(device)?;
        }
        Ok(())
    }

    /// Drops the memory of sentences without rows, so that no step has to gather that of the others.
    fn close_sentences(&mut self, device: &Device) -> Result<()> {
        let mut open = self.sentences.clone();
        open.sort_unstable();
        open.dedup();
        if open.len() == self.lengths.len() || open.is_empty() {
            return Ok(());
        }
        let index: Vec<u32> = open.iter().map(|&sentence| sentence as u32).collect();
        let index = Tensor::new(index, device)?;
        for (_, memory) in &mut self.layers {
            memory.select(&index)?;
        }
        self.lengths = open.iter().map(|&sentence| self.lengths[sentence]).collect();
        for sentence in &mut self.sentences {
            *sentence = open.partition_point(|&other| other < *sentence);
        }
        Ok(())
    }
}

impl Decoder {
    /// One row per sentence of a memory `[b, s, d]`, before the first token.
    pub fn start(&self, states: &Tensor, lengths: &[usize], dtype: DType) -> Result<DecoderState> {
        let layers = self
            .layers
            .iter()
            .map(|layer| {
                let memory = layer.cross_attention.0.memory(states, lengths)?;
                Ok((PastKeys::new(dtype, states.device()), memory))
            })
            .collect::<Result<_>>()?;
        Ok(DecoderState {
            past: Past::new(lengths.len()),
            sentences: (0..lengths.len()).collect(),
            lengths: lengths.to_vec(),
            layers,
            biases: Vec::new(),
        })
    }

    /// `[r, d]` for the last token of each row.
    pub fn step(&self, state: &mut DecoderState, tokens: &[u32]) -> Result<Tensor> {
        anyhow::ensure!(tokens.len() == state.rows(), "{} tokens for {} rows", tokens.len(), state.rows());
        let mut x = self.embedding.at(tokens, state.past.time())?;
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x)?;
        }
        state.past.advance();
        self.reach(state, x.dtype(), x.device())?;
        let past = &state.past;
        for (index, (layer, (keys, memory))) in self.layers.iter().zip(&mut state.layers).enumerate() {
            let bias = of_layer(&state.biases, index);
            let (attention, norm) = &layer.self_attention;
            x = placed(self.placement, norm, &x, |x, residual| attention.step(x, residual, keys, past, bias))?;
            let (attention, norm) = &layer.cross_attention;
            let (sentences, lengths) = (&state.sentences, &state.lengths);
            x = placed(self.placement, norm, &x, |x, residual| {
                attention.step(x, residual, memory, sentences, lengths)
            })?;
            let (feed_forward, norm) = &layer.feed_forward;
            x = placed(self.placement, norm, &x, |x, residual| feed_forward.forward(x, residual))?;
        }
        match &self.final_norm {
            Some(norm) => norm.forward(&x),
            None => Ok(x),
        }
    }

    fn reach(&self, state: &mut DecoderState, dtype: DType, device: &Device) -> Result<()> {
        let time = state.past.time();
        let reached = |biases: &[Bias]| biases.first().is_none_or(|bias| bias.reach() > time);
        if state.biases.len() < self.relative.len() || !reached(&state.biases) {
            let bias = |relative: &RelativeBias| Bias::over_past(relative.distances(2 * time + 32), dtype, device);
            state.biases = self.relative.iter().map(bias).collect::<Result<_>>()?;
        }
        Ok(())
    }
}
