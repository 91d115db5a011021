//! Layer normalisation and root-mean-square normalisation over the last axis.

use anyhow::Result;
use candle_core::{D, DType, Tensor};
use candle_nn::ops::{layer_norm, rms_norm};

use crate::kernels::norm::{LayerNorm, RmsNorm};

use super::fused;

/// A normalisation with its weights.
pub struct Norm {
    weight: Tensor,
    /// Bias `[d]` of a layer normalisation; `None` in a root-mean-square normalisation.
    bias: Option<Tensor>,
    eps: f64,
}

impl Norm {
    /// A layer normalisation if there is a bias, else a root-mean-square normalisation; `weight` and `bias` are `[d]`.
    #[must_use]
    pub fn new(weight: Tensor, bias: Option<Tensor>, eps: f64) -> Self {
        Self { weight, bias, eps }
    }

    /// The normalised states, `[…, d]` to `[…, d]`.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let eps = self.eps as f32;
        Ok(match &self.bias {
            Some(bias) if fused(x) => x.apply_op3_no_bwd(&self.weight, bias, &LayerNorm { eps })?,
            None if fused(x) => x.apply_op2_no_bwd(&self.weight, &RmsNorm { eps })?,
            bias if x.dtype() == DType::F64 => self.wide(x, bias.as_ref())?,
            // candle's own kernels compute in f32, whatever the type.
            Some(bias) => layer_norm(x, &self.weight, bias, eps)?,
            None => rms_norm(x, &self.weight, eps)?,
        })
    }

    /// Normalisation in f64, which candle's kernels do not take.
    fn wide(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let centred = match bias {
            Some(_) => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
            None => x.clone(),
        };
        let square = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let y = centred.broadcast_div(&(square + self.eps)?.sqrt()?)?.broadcast_mul(&self.weight)?;
        Ok(match bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        })
    }
}
