//! Normalisation over the last axis, of either kind.

use anyhow::Result;
use candle_core::{D, DType, Tensor};

use crate::kernels::norm::{LayerNorm, RmsNorm};

use super::fused;

/// A normalisation with its weights, `[d]` each.
pub struct Norm {
    weight: Tensor,
    /// Layer normalisation has one, root-mean-square normalisation has none.
    bias: Option<Tensor>,
    eps: f64,
}

impl Norm {
    /// Layer normalisation if there is a bias, else root-mean-square normalisation.
    #[must_use]
    pub fn new(weight: Tensor, bias: Option<Tensor>, eps: f64) -> Self {
        Self { weight, bias, eps }
    }

    /// `[…, d]` to `[…, d]`.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let eps = self.eps as f32;
        Ok(match &self.bias {
            Some(bias) if fused(x) => x.apply_op3_no_bwd(&self.weight, bias, &LayerNorm { eps })?,
            None if fused(x) => x.apply_op2_no_bwd(&self.weight, &RmsNorm { eps })?,
            bias => self.composed(x, bias.as_ref())?,
        })
    }

    /// In f32 at least, as the reference does for half types.
    fn composed(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let wide = if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let mut y = x.to_dtype(wide)?;
        if bias.is_some() {
            y = y.broadcast_sub(&y.mean_keepdim(D::Minus1)?)?;
        }
        let square = y.sqr()?.mean_keepdim(D::Minus1)?;
        y = y.broadcast_div(&(square + self.eps)?.sqrt()?)?.to_dtype(x.dtype())?;
        y = y.broadcast_mul(&self.weight)?;
        Ok(match bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        })
    }
}
