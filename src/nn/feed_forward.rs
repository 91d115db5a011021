//! The feed-forward layer: plain, or gated as in T5 v1.1.

use anyhow::Result;
use candle_core::{D, Tensor};

use crate::kernels::activation::Activation;

use super::{Linear, fused};

/// Most rows that are computed at a time on the fused path. The inner width is several times `d`: that of thousands of rows
/// would go out to memory and come back, and for the longest sources be the most memory that an encoder needs.
const ROWS_AT_ONCE: usize = 384;

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
        let rows = x.elem_count() / x.dim(D::Minus1)?;
        if fused(x) && rows > ROWS_AT_ONCE {
            return self.forward_in_parts(x, residual);
        }
        self.down.forward_added(&self.inner(x)?, residual)
    }

    /// Fused path: [`Self::forward`] for some rows at a time, which changes no bit.
    fn forward_in_parts(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let flat = |x: &Tensor| x.flatten_to(D::Minus2);
        let (rows, residual) = (flat(x)?, residual.map(flat).transpose()?);
        let out = rows.zeros_like()?;
        for start in (0..rows.dim(0)?).step_by(ROWS_AT_ONCE) {
            let part = |x: &Tensor| x.narrow(0, start, ROWS_AT_ONCE.min(x.dim(0)? - start));
            let residual = residual.as_ref().map(part).transpose()?;
            let y = self.down.forward_added(&self.inner(&part(&rows)?)?, residual.as_ref())?;
            out.slice_set(&y, 0, start)?;
        }
        Ok(out.reshape(x.shape())?)
    }

    fn inner(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match &self.gate {
            None => self.up.forward_activated(x, self.activation)?,
            Some(gate) => (gate.forward_activated(x, self.activation)? * self.up.forward(x)?)?,
        })
    }
}
