//! The decoder: one token per row in, the states that predict the next token out.
//!
//! The prefill of admitted rows is computed in one pass. Tokens that several rows of a sentence begin with are computed
//! once.

mod alignment;
mod predicting;

use std::collections::HashMap;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

use crate::kernels::attention::Pattern;
use crate::nn::{
    Bias, CrossAttention, CrossCache, Embedding, Linear, MergedAttention, Norm, OwnPast, Past, PastKeys, PositionWise,
    Relative, Rotary, RowSource, SelfAttention,
};

use super::positions::{Places, RelativeBias, by_pattern, of_layer};
use super::residual::Residual;
use alignment::Watched;

/// The decoder stack.
pub(super) struct Decoder {
    pub embedding: Embedding,
    pub embedding_norm: Option<Norm>,
    pub places: Places,
    pub layers: Vec<DecoderLayer>,
    pub final_norm: Option<Norm>,
    /// Projection of the encoder's width to the decoder's, if they differ.
    pub projection: Option<Linear>,
    /// What the predicting stream of each step begins with, `[d]`, in families that predict the next token in a stream of
    /// its own.
    pub predicting: Option<Tensor>,
    /// The windows of the layers' pasts, each once; the first is `None`, the whole past.
    windows: Vec<Option<usize>>,
}

/// One layer of the decoder.
pub(super) struct DecoderLayer {
    pub attention: DecoderAttention,
    /// What a token sees of its past.
    pub pattern: Pattern,
    pub feed_forward: (PositionWise, Residual),
}

/// How a decoder layer attends to a token's past and to its source.
pub(super) enum DecoderAttention {
    /// Self-attention to the past, then cross-attention to the source.
    Apart { own: Box<(SelfAttention, Residual)>, source: Box<(CrossAttention, Residual)> },
    /// One attention to past and source together.
    Merged(Box<(MergedAttention, Residual)>),
}

impl DecoderAttention {
    /// The cache of keys and values of encoder states `[b, s, d]`, for sentences of these `lengths`.
    fn memory(&self, states: &Tensor, lengths: &[usize]) -> Result<CrossCache> {
        match self {
            Self::Apart { source, .. } => source.0.memory(states, lengths),
            Self::Merged(both) => both.0.memory(states, lengths),
        }
    }

    /// One step of all rows, `[r, d]` to `[r, d]`, with the residual connections. Records the weights of a watched head.
    fn step(
        &self,
        x: &Tensor,
        past: OwnPast,
        memories: &[&CrossCache],
        places: &[RowSource],
        watched: Option<&mut Watched>,
    ) -> Result<Tensor> {
        match self {
            Self::Apart { own, source } => {
                let x = own.1.around(x, |x, residual| own.0.step(x, residual, past))?;
                source.1.around(&x, |x, residual| {
                    if let Some(watched) = watched {
                        watched.weights = source.0.weights(x, memories, places, watched.head)?;
                    }
                    source.0.step(x, residual, memories, places)
                })
            }
            Self::Merged(both) => both.1.around(x, |x, residual| both.0.step(x, residual, past, memories, places)),
        }
    }
}

/// All state that changes while sentences are decoded.
pub struct DecoderState {
    rows: DecoderRows,
    store: Store,
}

/// The rows of a decoder, and the locations of each row's keys and values.
struct DecoderRows {
    /// One past for each of the decoder's windows; the first contains all tokens.
    pasts: Vec<Past>,
    /// The group and sentence that each row attends to.
    places: Vec<RowSource>,
}

impl DecoderRows {
    /// A state without rows, with one past for each of these windows.
    fn new(windows: impl Iterator<Item = Option<usize>>) -> Self {
        Self { pasts: windows.map(Past::within).collect(), places: Vec::new() }
    }

    /// The position of the last token of each row.
    fn positions(&self) -> Vec<usize> {
        self.pasts[0].slots().iter().map(|slots| slots.len() - 1).collect()
    }
}

/// The keys, values and biases that rows attend with.
struct Store {
    /// For each group of sentences that were encoded together, their keys and values in every layer.
    groups: Vec<Vec<CrossCache>>,
    /// Keys and values of past tokens, one cache for each layer.
    keys: Vec<PastKeys>,
    /// Biases of past tokens by their distance, in families that have them; computed again when a distance exceeds them.
    biases: Vec<Bias>,
}

impl DecoderState {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.places.len()
    }

    /// Whether keys stay in their slots when rows are reordered.
    fn keys_are_in_place(&self) -> bool {
        self.store.keys.iter().all(PastKeys::are_in_place)
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.rows = DecoderRows::new(self.rows.pasts.iter().map(Past::window));
        self.store.groups.clear();
        self.store.keys.iter_mut().for_each(PastKeys::clear);
    }

    /// Reorders rows: row `i` becomes what row `rows[i]` was. A row may be repeated or left out.
    ///
    /// # Errors
    /// When the device fails.
    pub fn select(&mut self, rows: &[usize], device: &Device) -> Result<()> {
        self.rows.pasts.iter_mut().for_each(|past| past.select(rows));
        self.rows.places = rows.iter().map(|&row| self.rows.places[row]).collect();
        self.close_groups();
        if !self.keys_are_in_place() {
            let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
            let rows = Tensor::new(rows, device)?;
            for keys in &mut self.store.keys {
                keys.select(&rows)?;
            }
            self.close_sentences()?;
        }
        Ok(())
    }

    /// Drops groups without rows, and renumbers the others.
    fn close_groups(&mut self) {
        let mut open = vec![false; self.store.groups.len()];
        self.rows.places.iter().for_each(|place| open[place.group] = true);
        let mut kept = open.iter();
        self.store.groups.retain(|_| kept.next() == Some(&true));
        for place in &mut self.rows.places {
            place.group = open[..place.group].iter().filter(|&&open| open).count();
        }
    }

    /// Drops the memory of sentences without rows, so that no step has to gather it, and renumbers the others.
    fn close_sentences(&mut self) -> Result<()> {
        let places = &mut self.rows.places;
        for (number, group) in self.store.groups.iter_mut().enumerate() {
            let own = |place: &&RowSource| place.group == number;
            let mut open: Vec<usize> = places.iter().filter(own).map(|place| place.sentence).collect();
            open.sort_unstable();
            open.dedup();
            if group.first().is_none_or(|memory| memory.sentences() == open.len()) {
                continue;
            }
            for memory in group {
                memory.select(&open)?;
            }
            for place in places.iter_mut().filter(|place| place.group == number) {
                place.sentence = open.partition_point(|other| *other < place.sentence);
            }
        }
        Ok(())
    }
}

impl Decoder {
    pub fn new(
        embedding: Embedding,
        embedding_norm: Option<Norm>,
        places: Places,
        layers: Vec<DecoderLayer>,
        final_norm: Option<Norm>,
        projection: Option<Linear>,
    ) -> Self {
        let mut windows = vec![None];
        for window in layers.iter().map(|layer| layer.pattern.remembered()) {
            if !windows.contains(&window) {
                windows.push(window);
            }
        }
        Self { embedding, embedding_norm, places, layers, final_norm, projection, predicting: None, windows }
    }

    /// The index, among the rows' pasts, of the one that a layer sees.
    fn past(&self, layer: &DecoderLayer) -> usize {
        let window = layer.pattern.remembered();
        self.windows.iter().position(|other| *other == window).unwrap_or(0)
    }

    /// A state without rows.
    pub fn empty_state(&self, dtype: DType, device: &Device) -> DecoderState {
        let keys = self.layers.iter().map(|_| PastKeys::new(dtype, device)).collect();
        let rows = DecoderRows::new(self.windows.iter().copied());
        DecoderState { rows, store: Store { groups: Vec::new(), keys, biases: Vec::new() } }
    }

    /// Adds rows after the others for the sentences of encoder states `[b, s, d]`. `prefill` has one list per sentence,
    /// with one list of tokens for each of its rows; these tokens are computed and become the row's past.
    pub fn admit(
        &self,
        state: &mut DecoderState,
        states: &Tensor,
        lengths: &[usize],
        prefill: &[Vec<&[u32]>],
    ) -> Result<()> {
        anyhow::ensure!(lengths.len() == prefill.len(), "rows of {} sentences for {}", prefill.len(), lengths.len());
        anyhow::ensure!(state.rows() == 0 || state.keys_are_in_place(), "sentences cannot join others on this device");
        let projected = self.projection.as_ref().map(|projection| projection.forward(states)).transpose()?;
        let states = projected.as_ref().unwrap_or(states);
        let memory = |layer: &DecoderLayer| layer.attention.memory(states, lengths);
        let (first, group) = (state.rows(), state.store.groups.len());
        state.store.groups.push(self.layers.iter().map(memory).collect::<Result<_>>()?);
        let place = |(sentence, rows): (usize, &Vec<_>)| std::iter::repeat_n(RowSource { group, sentence }, rows.len());
        state.rows.places.extend(prefill.iter().enumerate().flat_map(place));
        let joining = state.rows() - first;
        state.rows.pasts.iter_mut().for_each(|past| past.add_rows(joining));
        // The prefill of all rows is computed as rows of one step, a row for each token of the tree.
        let tree = PrefillTree::new(prefill);
        if tree.tokens.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(state.keys_are_in_place(), "rows cannot go on in the middle of a sentence on this device");
        let DecoderState { rows, store } = state;
        let places = tree.sentences.iter().map(|&sentence| RowSource { group, sentence }).collect();
        let nodes = DecoderRows { pasts: rows.pasts.iter().map(|past| past.tree(&tree.parents)).collect(), places };
        self.forward(store, &nodes, &tree.tokens)?;
        for (row, node) in (first..).zip(&tree.ends).filter_map(|(row, end)| Some((row, (*end)?))) {
            rows.pasts.iter_mut().zip(&nodes.pasts).for_each(|(past, nodes)| past.adopt(row, nodes, node));
        }
        Ok(())
    }

    /// One step: the state `[r, d]` that predicts the token after each row's `tokens`.
    pub fn step(&self, state: &mut DecoderState, tokens: &[u32]) -> Result<Tensor> {
        anyhow::ensure!(tokens.len() == state.rows(), "{} tokens for {} rows", tokens.len(), state.rows());
        state.rows.pasts.iter_mut().for_each(Past::advance);
        match &self.predicting {
            Some(stream) => self.predict(stream, state, tokens),
            None => self.forward(&mut state.store, &state.rows, tokens),
        }
    }

    /// The states `[r, d]` of one token per row, whose slots `rows` contains already.
    fn forward(&self, store: &mut Store, rows: &DecoderRows, tokens: &[u32]) -> Result<Tensor> {
        self.run(store, rows, self.embedding.at(tokens, &rows.positions())?, None)
    }

    /// Runs the layers on the rows' embeddings `x`, `[r, d]`, to `[r, d]`: all of them, or up to that of a watched head.
    fn run(
        &self,
        store: &mut Store,
        rows: &DecoderRows,
        mut x: Tensor,
        mut watched: Option<&mut Watched>,
    ) -> Result<Tensor> {
        let positions = rows.positions();
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x)?;
        }
        self.reach(store, rows.pasts[0].time(), x.dtype(), x.device())?;
        let rotation = |rotary: &Rotary| rotary.at(&positions, x.dtype(), x.device());
        let rotations = self.places.rotary.iter().map(rotation).collect::<Result<Vec<_>>>()?;
        for (index, (layer, keys)) in self.layers.iter().zip(&mut store.keys).enumerate() {
            let relative = Relative {
                by_distance: of_layer(&store.biases, index),
                by_block: None,
                rotation: by_pattern(&rotations, layer.pattern),
            };
            let past = OwnPast { keys, past: &rows.pasts[self.past(layer)], relative };
            let memories: Vec<&CrossCache> = store.groups.iter().map(|group| &group[index]).collect();
            let here = watched.as_deref_mut().filter(|watched| watched.layer == index);
            let is_last = here.is_some();
            x = layer.attention.step(&x, past, &memories, &rows.places, here)?;
            if is_last {
                return Ok(x);
            }
            let (feed_forward, residual) = &layer.feed_forward;
            x = residual.around(&x, |x, residual| feed_forward.forward(x, residual, None))?;
        }
        match &self.final_norm {
            Some(norm) => norm.forward(&x),
            None => Ok(x),
        }
    }

    /// Makes sure that there are biases for a past of `time` tokens.
    fn reach(&self, store: &mut Store, time: usize, dtype: DType, device: &Device) -> Result<()> {
        let reached = |biases: &[Bias]| biases.first().is_none_or(|bias| bias.reach() > time);
        if store.biases.len() < self.places.relative.len() || !reached(&store.biases) {
            let bias = |relative: &RelativeBias| Bias::over_past(relative.distances(2 * time + 32), dtype, device);
            store.biases = self.places.relative.iter().map(bias).collect::<Result<_>>()?;
        }
        Ok(())
    }
}

/// The prefill of rows as a tree, in which tokens that several rows of one sentence begin with occur once.
#[derive(Debug, Default, PartialEq)]
struct PrefillTree {
    tokens: Vec<u32>,
    /// For each token, the index of the one before it; `None` for a first token.
    parents: Vec<Option<usize>>,
    sentences: Vec<usize>,
    /// For each row, the index of its last token; `None` if its prefill is empty.
    ends: Vec<Option<usize>>,
}

impl PrefillTree {
    /// The tree of the rows of each sentence.
    fn new(prefill: &[Vec<&[u32]>]) -> Self {
        let (mut tree, mut known) = (Self::default(), HashMap::new());
        for (sentence, row) in
            prefill.iter().enumerate().flat_map(|(sentence, rows)| rows.iter().map(move |row| (sentence, row)))
        {
            let mut end = None;
            for &token in *row {
                end = Some(*known.entry((sentence, end, token)).or_insert_with(|| {
                    tree.tokens.push(token);
                    tree.parents.push(end);
                    tree.sentences.push(sentence);
                    tree.tokens.len() - 1
                }));
            }
            tree.ends.push(end);
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rows_have_in_common_is_fed_once() {
        let tree = PrefillTree::new(&[vec![&[7, 8, 9], &[7, 8, 5, 9]], vec![&[]], vec![&[7, 8]]]);
        assert_eq!(tree.tokens, [7, 8, 9, 5, 9, 7, 8]);
        assert_eq!(tree.parents, [None, Some(0), Some(1), Some(1), Some(3), None, Some(5)]);
        assert_eq!(tree.sentences, [0, 0, 0, 0, 0, 2, 2]);
        assert_eq!(tree.ends, [Some(2), Some(4), None, Some(6)]);
    }
}
