//! One step of a decoder that predicts the next token in a stream of its own (`ProphetNet`, Qi et al. 2020).

use anyhow::Result;
use candle_core::Tensor;

use super::{Decoder, DecoderRows, DecoderState};
use crate::nn::Past;

impl DecoderRows {
    /// A copy with one more row for each row, after all others, for the predicted token that follows the row's last one.
    fn with_predicting(&self) -> Self {
        let pasts = self.pasts.iter().map(Past::with_predicting).collect();
        Self { pasts, places: [&self.places[..], &self.places].concat() }
    }
}

impl Decoder {
    /// One step: the states `[r, d]` that predict the token after each row's `tokens`. The predicted token of a row
    /// begins with `stream`, `[d]`, plus its position. The rows' own tokens are computed in the same pass, but do not
    /// depend on predicted ones.
    pub(super) fn predict(&self, stream: &Tensor, state: &mut DecoderState, tokens: &[u32]) -> Result<Tensor> {
        let DecoderState { rows, store } = state;
        let positions = rows.positions();
        let next: Vec<usize> = positions.iter().map(|position| position + 1).collect();
        let now = self.embedding.at(tokens, &positions)?;
        let next = self.embedding.positions_at(&next)?.broadcast_add(stream)?;
        let x = self.run(store, &rows.with_predicting(), Tensor::cat(&[&now, &next], 0)?, None)?;
        Ok(x.narrow(0, tokens.len(), tokens.len())?.contiguous()?)
    }
}
