//! What one head of cross-attention looks at while given tokens are fed.
//!
//! Invariant: layers above the head's are not computed, and what a sentence gets does not depend on the others.

use anyhow::Result;
use candle_core::Tensor;

use super::{Decoder, DecoderRows, DecoderState, Past, PrefillTree, RowSource};

/// A head of cross-attention that is watched, and what it looked at: for each row the weights of its sentence's tokens.
pub(super) struct Watched {
    pub layer: usize,
    pub head: usize,
    pub weights: Vec<Vec<f32>>,
}

impl Decoder {
    /// For each sentence of encoder states `[b, s, d]`, and each token of its `targets`, which it is fed: the weights of the
    /// sentence's tokens in one head. `state` has no rows.
    pub fn align(
        &self,
        mut state: DecoderState,
        states: &Tensor,
        lengths: &[usize],
        targets: &[Vec<u32>],
        [layer, head]: [usize; 2],
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        let nothing: Vec<Vec<&[u32]>> = targets.iter().map(|_| vec![&[][..]]).collect();
        self.admit(&mut state, states, lengths, &nothing)?;
        let mut watched = Watched { layer, head, weights: Vec::new() };
        if state.keys_are_in_place() {
            self.watch_at_once(&mut state, targets, &mut watched)
        } else {
            self.watch_in_steps(&mut state, targets, &mut watched)
        }
    }

    /// All tokens of all targets as one prefill.
    fn watch_at_once(
        &self,
        state: &mut DecoderState,
        targets: &[Vec<u32>],
        watched: &mut Watched,
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        let rows: Vec<Vec<&[u32]>> = targets.iter().map(|target| vec![&target[..]]).collect();
        let tree = PrefillTree::new(&rows);
        let places = tree.sentences.iter().map(|&sentence| RowSource { group: 0, sentence }).collect();
        let pasts = state.rows.pasts.iter().map(|past| past.tree(&tree.parents)).collect();
        let nodes = DecoderRows { pasts, places };
        let x = self.embedding.at(&tree.tokens, &nodes.positions())?;
        self.run(&mut state.store, &nodes, x, Some(watched))?;
        let mut weights = std::mem::take(&mut watched.weights).into_iter();
        Ok(targets.iter().map(|target| weights.by_ref().take(target.len()).collect()).collect())
    }

    /// A token of every target at a time; targets that are done are fed their last token until the others are.
    fn watch_in_steps(
        &self,
        state: &mut DecoderState,
        targets: &[Vec<u32>],
        watched: &mut Watched,
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        let mut found = vec![Vec::new(); targets.len()];
        for step in 0..targets.iter().map(Vec::len).max().unwrap_or(0) {
            let token = |target: &Vec<u32>| target.get(step).or(target.last()).copied().unwrap_or_default();
            let tokens: Vec<u32> = targets.iter().map(token).collect();
            state.rows.pasts.iter_mut().for_each(Past::advance);
            let x = self.embedding.at(&tokens, &state.rows.positions())?;
            self.run(&mut state.store, &state.rows, x, Some(watched))?;
            let weights = std::mem::take(&mut watched.weights);
            let open = found.iter_mut().zip(weights).zip(targets).filter(|(_, target)| step < target.len());
            open.for_each(|((found, weights), _)| found.push(weights));
        }
        Ok(found)
    }
}
