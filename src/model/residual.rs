//! The residual connection of a part of a layer, with the normalisation around it.

use anyhow::Result;
use candle_core::Tensor;

use crate::nn::Norm;

/// The placement of normalisation in a residual connection, with its weights.
pub(super) enum Residual {
    /// Before the part, inside the residual connection.
    Pre(Norm),
    /// After the part and its residual.
    Post(Norm),
    /// Before the part, and again after it, both inside the residual connection.
    Both {
        /// Normalisation of what the part reads.
        before: Norm,
        /// Normalisation of what the part writes.
        after: Norm,
    },
}

impl Residual {
    /// Applies a part of a layer to `x`, `[…, d]`, with residual connection and normalisation. `part` computes its output
    /// from its first argument, and adds its second if there is one.
    pub fn around(&self, x: &Tensor, part: impl FnOnce(&Tensor, Option<&Tensor>) -> Result<Tensor>) -> Result<Tensor> {
        match self {
            Self::Pre(norm) => part(&norm.forward(x)?, Some(x)),
            Self::Post(norm) => norm.forward(&part(x, Some(x))?),
            Self::Both { before, after } => Ok((after.forward(&part(&before.forward(x)?, None)?)? + x)?),
        }
    }
}
