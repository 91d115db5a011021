//! The output layer: from the decoder's states to logits.

use anyhow::{Result, ensure};
use candle_core::Tensor;

use crate::error::WithHint;
use crate::kernels::activation::Activation;
use crate::kernels::soft_cap::SoftCap;
use crate::nn::{Linear, Logits, Matrix, Norm, fuses};

use super::builder::Builder;

/// The output layer.
pub(super) struct Output {
    transform: Option<Transform>,
    /// Factor that states are multiplied by.
    scale: f64,
    matrix: Linear,
    /// Soft cap of the logits: `cap · tanh(logit / cap)`.
    cap: Option<f32>,
}

/// Projection, activation and normalisation of states before the output matrix.
struct Transform {
    dense: Linear,
    activation: Activation,
    norm: Norm,
}

impl Output {
    /// An output layer with this output matrix, `[v, d]`.
    pub fn new(builder: &Builder, matrix: Matrix) -> Result<Self> {
        let spec = builder.spec;
        let bias = spec.output_bias.iter().find_map(|name| builder.find(name));
        let bias = match bias {
            // The bias is stored as `[1, v]`.
            Some(bias) => Some(bias.tensor(builder.dtype, builder.device)?.flatten_all()?),
            None => None,
        };
        if let Some(bias) = &bias {
            ensure!(
                bias.elem_count() == spec.vocabulary,
                format!(
                    "the bias on the logits has {} entries for a vocabulary of {}",
                    bias.elem_count(),
                    spec.vocabulary
                )
                .with_hint("config.json and the weights must be of the same checkpoint")
            );
        }
        let transform = spec.output_transform.map(|activation| Transform::new(builder, activation)).transpose()?;
        Ok(Self { transform, scale: spec.output_scale, matrix: Linear::new(matrix, bias)?, cap: spec.logit_cap })
    }

    /// The logits `[r, v]` of states `[r, d]`.
    pub fn dense(&self, states: Tensor) -> Result<Tensor> {
        let logits = self.matrix.forward(&self.prepared(states)?)?;
        Ok(match self.cap {
            None => logits,
            Some(cap) if fuses(logits.dtype(), logits.device()) => logits.apply_op1_no_bwd(&SoftCap { cap })?,
            Some(cap) => ((logits / f64::from(cap))?.tanh()? * f64::from(cap))?,
        })
    }

    /// The logits `[r, v]` of states `[r, d]`; lazy, so that they are computed when they are read, unless the family caps
    /// logits.
    pub fn logits(&self, states: Tensor) -> Result<Logits> {
        if self.cap.is_some() {
            return Ok(self.dense(states)?.into());
        }
        self.matrix.logits(&self.prepared(states)?)
    }

    /// The states as the output matrix multiplies them, `[r, d]`.
    fn prepared(&self, mut states: Tensor) -> Result<Tensor> {
        if let Some(Transform { dense, activation, norm }) = &self.transform {
            states = norm.forward(&dense.forward_activated(&states, *activation)?)?;
        }
        let scaled = (self.scale - 1.0).abs() > f64::EPSILON;
        Ok(if scaled { (states * self.scale)? } else { states })
    }
}

impl Transform {
    fn new(builder: &Builder, activation: Activation) -> Result<Self> {
        let (stack, [dense, norm]) = (&builder.spec.decoder, builder.spec.names.output_transform);
        Ok(Self { dense: builder.projection(dense, [stack.width; 2])?, activation, norm: builder.norm(norm, stack)? })
    }
}
