//! One token per row in, the states that predict the next token out.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

use crate::nn::{Bias, CrossAttention, Embedding, FeedForward, Memory, Norm, Past, PastKeys, Place, SelfAttention};

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

/// All that changes while sentences are decoded.
pub struct DecoderState {
    past: Past,
    /// Where each row finds its sentence.
    places: Vec<Place>,
    /// Sentences that were encoded together: their memory in every layer.
    groups: Vec<Vec<Memory>>,
    keys: Vec<PastKeys>,
    /// Biases of the past, for families that have them; made for some reach and remade when it is passed.
    biases: Vec<Bias>,
}

impl DecoderState {
    /// Rows now.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.places.len()
    }

    /// Whether keys stay where they were written when rows are reordered.
    fn keys_stay(&self) -> bool {
        self.keys.iter().all(PastKeys::stay)
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        (self.past, self.places, self.groups) = Default::default();
        self.keys.iter_mut().for_each(PastKeys::clear);
    }

    /// Row `i` becomes what row `rows[i]` was; a row may repeat or be left out.
    ///
    /// # Errors
    /// When the device fails.
    pub fn select(&mut self, rows: &[usize], device: &Device) -> Result<()> {
        self.past.select(rows);
        self.places = rows.iter().map(|&row| self.places[row]).collect();
        self.close_groups();
        if !self.keys_stay() {
            let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
            let rows = Tensor::new(rows, device)?;
            for keys in &mut self.keys {
                keys.select(&rows)?;
            }
            self.close_sentences()?;
        }
        Ok(())
    }

    /// Drops groups that have no rows left.
    fn close_groups(&mut self) {
        let mut open = vec![false; self.groups.len()];
        self.places.iter().for_each(|place| open[place.group] = true);
        let mut kept = open.iter();
        self.groups.retain(|_| kept.next() == Some(&true));
        for place in &mut self.places {
            place.group = open[..place.group].iter().filter(|&&open| open).count();
        }
    }

    /// Drops the memory of sentences without rows, so that no step has to gather that of the others.
    fn close_sentences(&mut self) -> Result<()> {
        for (number, group) in self.groups.iter_mut().enumerate() {
            let own = |place: &&Place| place.group == number;
            let mut open: Vec<usize> = self.places.iter().filter(own).map(|place| place.sentence).collect();
            open.sort_unstable();
            open.dedup();
            if group.first().is_none_or(|memory| memory.sentences() == open.len()) {
                continue;
            }
            for memory in group {
                memory.select(&open)?;
            }
            for place in self.places.iter_mut().filter(|place| place.group == number) {
                place.sentence = open.partition_point(|other| *other < place.sentence);
            }
        }
        Ok(())
    }
}

impl Decoder {
    /// A state without rows.
    pub fn idle(&self, dtype: DType, device: &Device) -> DecoderState {
        DecoderState {
            past: Past::default(),
            places: Vec::new(),
            groups: Vec::new(),
            keys: self.layers.iter().map(|_| PastKeys::new(dtype, device)).collect(),
            biases: Vec::new(),
        }
    }

    /// One row more for each sentence of a memory `[b, s, d]`, before its first token.
    pub fn join(&self, state: &mut DecoderState, states: &Tensor, lengths: &[usize]) -> Result<()> {
        anyhow::ensure!(state.rows() == 0 || state.keys_stay(), "sentences cannot join others on this device");
        let memory = |layer: &DecoderLayer| layer.cross_attention.0.memory(states, lengths);
        let group = state.groups.len();
        state.groups.push(self.layers.iter().map(memory).collect::<Result<_>>()?);
        state.places.extend((0..lengths.len()).map(|sentence| Place { group, sentence }));
        state.past.join(lengths.len());
        Ok(())
    }

    /// `[r, d]` for the last token of each row.
    pub fn step(&self, state: &mut DecoderState, tokens: &[u32]) -> Result<Tensor> {
        anyhow::ensure!(tokens.len() == state.rows(), "{} tokens for {} rows", tokens.len(), state.rows());
        let positions: Vec<usize> = state.past.cells().iter().map(Vec::len).collect();
        let mut x = self.embedding.at(tokens, &positions)?;
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x)?;
        }
        state.past.advance();
        self.reach(state, x.dtype(), x.device())?;
        let past = &state.past;
        for (index, (layer, keys)) in self.layers.iter().zip(&mut state.keys).enumerate() {
            let bias = of_layer(&state.biases, index);
            let (attention, norm) = &layer.self_attention;
            x = placed(self.placement, norm, &x, |x, residual| attention.step(x, residual, keys, past, bias))?;
            let (attention, norm) = &layer.cross_attention;
            let memories: Vec<&Memory> = state.groups.iter().map(|group| &group[index]).collect();
            x = placed(self.placement, norm, &x, |x, residual| attention.step(x, residual, &memories, &state.places))?;
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
