//! The feed-forward layer: plain, or gated as in T5 v1.1.

use anyhow::Result;
use candle_core::Tensor;

use crate::kernels::activation::Activation;

use super::Linear;

/// `down(act(up(x)))`, or `down(act(gate(x)) · up(x))`.
pub struct FeedForward {
    /// Projection of `d` to the inner width.
    pub up: Linear,
    /// Projection of `d` to the inner width; its activated output multiplies that of `up` (Shazeer 2020).
    pub gate: Option<Linear>,
    /// Projection of the inner width to `d`.
    pub down: Linear,
    /// Activation of the inner width: of `gate` if there is one, else of `up`.
    pub activation: Activation,
}

impl FeedForward {
    /// The output, `[…, d]` to `[…, d]`, with `residual` added if there is one.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn forward(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        self.down.forward_added(&self.inner(x)?, residual)
    }

    fn inner(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match &self.gate {
            None => self.up.forward_activated(x, self.activation)?,
            Some(gate) => (gate.forward_activated(x, self.activation)? * self.up.forward(x)?)?,
        })
    }
}
