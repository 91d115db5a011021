//! A part of a layer with its residual connection, and the normalisation around it.

use anyhow::Result;
use candle_core::Tensor;

use crate::nn::Norm;

/// Where normalisation stands, with its weights.
pub(super) enum Residual {
    /// Before the part, inside the residual connection.
    Pre(Norm),
    /// After the part and its residual.
    Post(Norm),
    /// Before the part, and again after it, both inside the residual connection.
    Both {
        /// Of what the part reads.
        before: Norm,
        /// Of what the part writes.
        after: Norm,
    },
}

impl Residual {
    /// What becomes of `x`, `[…, d]`. `part` computes the part of its first argument and adds its second, if there is one.
    pub fn around(&self, x: &Tensor, part: impl FnOnce(&Tensor, Option<&Tensor>) -> Result<Tensor>) -> Result<Tensor> {
        match self {
            Self::Pre(norm) => part(&norm.forward(x)?, Some(x)),
            Self::Post(norm) => norm.forward(&part(x, Some(x))?),
            Self::Both { before, after } => Ok((after.forward(&part(&before.forward(x)?, None)?)? + x)?),
        }
    }
}
