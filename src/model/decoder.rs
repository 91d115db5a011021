//! One token per row in, the states that predict the next token out.
//!
//! The prefill of admitted rows is computed in one pass; tokens that several rows of a sentence begin with, once.

use std::collections::HashMap;

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
    rows: Rows,
    store: Store,
}

/// Rows, and where each finds what it looks at.
#[derive(Default)]
struct Rows {
    past: Past,
    /// Where each finds its sentence.
    places: Vec<Place>,
}

/// What rows look at.
struct Store {
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
        self.rows.places.len()
    }

    /// Whether keys stay where they were written when rows are reordered.
    fn keys_stay(&self) -> bool {
        self.store.keys.iter().all(PastKeys::stay)
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        (self.rows, self.store.groups) = Default::default();
        self.store.keys.iter_mut().for_each(PastKeys::clear);
    }

    /// Row `i` becomes what row `rows[i]` was; a row may repeat or be left out.
    ///
    /// # Errors
    /// When the device fails.
    pub fn select(&mut self, rows: &[usize], device: &Device) -> Result<()> {
        self.rows.past.select(rows);
        self.rows.places = rows.iter().map(|&row| self.rows.places[row]).collect();
        self.close_groups();
        if !self.keys_stay() {
            let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
            let rows = Tensor::new(rows, device)?;
            for keys in &mut self.store.keys {
                keys.select(&rows)?;
            }
            self.close_sentences()?;
        }
        Ok(())
    }

    /// Drops groups that have no rows left.
    fn close_groups(&mut self) {
        let mut open = vec![false; self.store.groups.len()];
        self.rows.places.iter().for_each(|place| open[place.group] = true);
        let mut kept = open.iter();
        self.store.groups.retain(|_| kept.next() == Some(&true));
        for place in &mut self.rows.places {
            place.group = open[..place.group].iter().filter(|&&open| open).count();
        }
    }

    /// Drops the memory of sentences without rows, so that no step has to gather that of the others.
    fn close_sentences(&mut self) -> Result<()> {
        let places = &mut self.rows.places;
        for (number, group) in self.store.groups.iter_mut().enumerate() {
            let own = |place: &&Place| place.group == number;
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
    /// A state without rows.
    pub fn empty_state(&self, dtype: DType, device: &Device) -> DecoderState {
        let keys = self.layers.iter().map(|_| PastKeys::new(dtype, device)).collect();
        DecoderState { rows: Rows::default(), store: Store { groups: Vec::new(), keys, biases: Vec::new() } }
    }

    /// Adds rows for each sentence of encoder states `[b, s, d]`, after the other rows: one for each list of tokens in `prefill`,
    /// which it has been fed.
    pub fn admit(
        &self,
        state: &mut DecoderState,
        states: &Tensor,
        lengths: &[usize],
        prefill: &[Vec<&[u32]>],
    ) -> Result<()> {
        anyhow::ensure!(lengths.len() == prefill.len(), "rows of {} sentences for {}", prefill.len(), lengths.len());
        anyhow::ensure!(state.rows() == 0 || state.keys_stay(), "sentences cannot join others on this device");
        let memory = |layer: &DecoderLayer| layer.cross_attention.0.memory(states, lengths);
        let (first, group) = (state.rows(), state.store.groups.len());
        state.store.groups.push(self.layers.iter().map(memory).collect::<Result<_>>()?);
        let place = |(sentence, rows): (usize, &Vec<_>)| std::iter::repeat_n(Place { group, sentence }, rows.len());
        state.rows.places.extend(prefill.iter().enumerate().flat_map(place));
        state.rows.past.add_rows(state.rows() - first);
        let tree = Tree::new(prefill);
        if tree.tokens.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(state.keys_stay(), "rows cannot go on in the middle of a sentence on this device");
        let DecoderState { rows, store } = state;
        let places = tree.sentences.iter().map(|&sentence| Place { group, sentence }).collect();
        let nodes = Rows { past: rows.past.tree(&tree.parents), places };
        self.forward(store, &nodes, &tree.tokens)?;
        for (row, node) in (first..).zip(&tree.ends).filter_map(|(row, end)| Some((row, (*end)?))) {
            rows.past.adopt(row, &nodes.past, node);
        }
        Ok(())
    }

    /// Adds rows after the others that continue rows of another state.
    pub fn import_rows(&self, state: &mut DecoderState, other: &DecoderState, rows: &[usize]) -> Result<()> {
        let DecoderState { rows: mine, store } = state;
        let cells = mine.past.import_rows(&other.rows.past, rows);
        for ((layer, keys), theirs) in self.layers.iter().zip(&mut store.keys).zip(&other.store.keys) {
            keys.copy(theirs, &cells, layer.self_attention.0.shape.inner())?;
        }
        let mut groups = HashMap::new();
        for &row in rows {
            let Place { group, sentence } = other.rows.places[row];
            let group = *groups.entry(group).or_insert_with(|| {
                store.groups.push(other.store.groups[group].clone());
                store.groups.len() - 1
            });
            mine.places.push(Place { group, sentence });
        }
        Ok(())
    }

    /// `[r, d]` for the last token of each row.
    pub fn step(&self, state: &mut DecoderState, tokens: &[u32]) -> Result<Tensor> {
        anyhow::ensure!(tokens.len() == state.rows(), "{} tokens for {} rows", tokens.len(), state.rows());
        state.rows.past.advance();
        self.forward(&mut state.store, &state.rows, tokens)
    }

    /// `[r, d]` for the last token of each row, whose cell its past has already.
    fn forward(&self, store: &mut Store, rows: &Rows, tokens: &[u32]) -> Result<Tensor> {
        let past = &rows.past;
        let positions: Vec<usize> = past.cells().iter().map(|cells| cells.len() - 1).collect();
        let mut x = self.embedding.at(tokens, &positions)?;
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x)?;
        }
        self.reach(store, past.time(), x.dtype(), x.device())?;
        for (index, (layer, keys)) in self.layers.iter().zip(&mut store.keys).enumerate() {
            let bias = of_layer(&store.biases, index);
            let (attention, norm) = &layer.self_attention;
            x = placed(self.placement, norm, &x, |x, residual| attention.step(x, residual, keys, past, bias))?;
            let (attention, norm) = &layer.cross_attention;
            let memories: Vec<&Memory> = store.groups.iter().map(|group| &group[index]).collect();
            x = placed(self.placement, norm, &x, |x, residual| attention.step(x, residual, &memories, &rows.places))?;
            let (feed_forward, norm) = &layer.feed_forward;
            x = placed(self.placement, norm, &x, |x, residual| feed_forward.forward(x, residual))?;
        }
        match &self.final_norm {
            Some(norm) => norm.forward(&x),
            None => Ok(x),
        }
    }

    /// Has biases for a past of `time` tokens.
    fn reach(&self, store: &mut Store, time: usize, dtype: DType, device: &Device) -> Result<()> {
        let reached = |biases: &[Bias]| biases.first().is_none_or(|bias| bias.reach() > time);
        if store.biases.len() < self.relative.len() || !reached(&store.biases) {
            let bias = |relative: &RelativeBias| Bias::over_past(relative.distances(2 * time + 32), dtype, device);
            store.biases = self.relative.iter().map(bias).collect::<Result<_>>()?;
        }
        Ok(())
    }
}

/// Tokens that rows have been fed, those that rows of a sentence have in common once.
#[derive(Debug, Default, PartialEq)]
struct Tree {
    tokens: Vec<u32>,
    /// Of each, the one before it, if any.
    parents: Vec<Option<usize>>,
    sentences: Vec<usize>,
    /// Of each row, its last, if it has been fed any.
    ends: Vec<Option<usize>>,
}

impl Tree {
    /// Of the rows of each sentence.
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
        let tree = Tree::new(&[vec![&[7, 8, 9], &[7, 8, 5, 9]], vec![&[]], vec![&[7, 8]]]);
        assert_eq!(tree.tokens, [7, 8, 9, 5, 9, 7, 8]);
        assert_eq!(tree.parents, [None, Some(0), Some(1), Some(1), Some(3), None, Some(5)]);
        assert_eq!(tree.sentences, [0, 0, 0, 0, 0, 2, 2]);
        assert_eq!(tree.ends, [Some(2), Some(4), None, Some(6)]);
    }
}
