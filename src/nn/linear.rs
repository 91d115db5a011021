//! `y = x · Wᵀ + b`: the only module that knows how weights are stored.

use std::sync::Arc;

use anyhow::Result;
use candle_core::{D, Tensor};

use crate::kernels::activation::Activation;
use crate::kernels::gemm::{Product, WeightMatrix};
use crate::kernels::topk::Logits;

use super::fused;

/// A weight matrix `[n, k]`; clones share the numbers.
#[derive(Clone)]
pub enum Matrix {
    /// Packed for the fused kernels, as f32 or int8.
    Packed(Arc<dyn WeightMatrix>),
    /// As a candle tensor, on any device and of any type.
    Dense(Tensor),
}

impl Matrix {
    /// The rows with these indices, `[rows, k]`, times `scale`.
    ///
    /// # Errors
    /// When a row is outside the matrix.
    pub fn rows(&self, rows: &[u32], scale: f64) -> Result<Tensor> {
        match self {
            Self::Packed(packed) => {
                let k = packed.k();
                let mut out = vec![0f32; rows.len() * k];
                for (&row, out) in rows.iter().zip(out.chunks_exact_mut(k)) {
                    anyhow::ensure!((row as usize) < packed.n(), "row {row} of a matrix of {} rows", packed.n());
                    packed.row(row as usize, out);
                    for x in out {
                        *x *= scale as f32;
                    }
                }
                Ok(Tensor::from_vec(out, (rows.len(), k), &candle_core::Device::Cpu)?)
            }
            Self::Dense(tensor) => {
                // A GPU would read past the end of the matrix.
                let n = tensor.dim(0)?;
                if let Some(row) = rows.iter().find(|row| **row as usize >= n) {
                    anyhow::bail!("row {row} of a matrix of {n} rows");
                }
                let rows = Tensor::new(rows, tensor.device())?;
                let rows = tensor.index_select(&rows, 0)?;
                Ok(if (scale - 1.0).abs() < f64::EPSILON { rows } else { (rows * scale)? })
            }
        }
    }
}

/// A linear layer: weights `[n, k]` and a bias.
pub struct Linear {
    matrix: Matrix,
    /// Bias `[n]`, as a tensor and, on the fused path, as plain values for the kernel.
    bias: Option<(Tensor, Arc<[f32]>)>,
}

impl Linear {
    /// A linear layer of these weights; `bias` is `[n]`.
    ///
    /// # Errors
    /// When the bias cannot be read.
    pub fn new(matrix: Matrix, bias: Option<Tensor>) -> Result<Self> {
        let bias = match bias {
            Some(bias) => {
                let values = if fused(&bias) { bias.to_vec1()? } else { Vec::new() };
                Some((bias, values.into()))
            }
            None => None,
        };
        Ok(Self { matrix, bias })
    }

    /// `x · Wᵀ + b`, `[…, k]` to `[…, n]`.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None, None)
    }

    /// `act(x · Wᵀ + b)`, `[…, k]` to `[…, n]`.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.run(x, Some(activation), None)
    }

    /// `x · Wᵀ + b`, `[…, k]` to `[…, n]`, with `residual` `[…, n]` added if there is one.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn forward_added(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        self.run(x, None, residual)
    }

    /// Whether the weights are rounded to eight bits.
    #[must_use]
    pub fn is_quantised(&self) -> bool {
        matches!(&self.matrix, Matrix::Packed(weight) if weight.is_quantised())
    }

    /// `x · Wᵀ + b` as logits, `[rows, k]` to `[rows, n]`. With packed weights the product is lazy: it is computed when
    /// the logits are read.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn logits(&self, x: &Tensor) -> Result<Logits> {
        Ok(match &self.matrix {
            Matrix::Packed(weight) => {
                let bias = self.bias.as_ref().map(|(_, values)| values.clone());
                Logits::Product { states: x.contiguous()?, weight: weight.clone(), bias }
            }
            Matrix::Dense(_) => self.forward(x)?.into(),
        })
    }

    fn run(&self, x: &Tensor, activation: Option<Activation>, residual: Option<&Tensor>) -> Result<Tensor> {
        match &self.matrix {
            Matrix::Packed(weight) => {
                let bias = self.bias.as_ref().map(|(_, values)| &**values);
                let product = Product { weight: weight.as_ref(), bias, activation };
                Ok(match residual {
                    None => x.apply_op1_no_bwd(&product)?,
                    Some(residual) => x.apply_op2_no_bwd(residual, &product)?,
                })
            }
            Matrix::Dense(weight) => {
                let rows = x.elem_count() / x.dim(D::Minus1)?;
                let mut dims = x.dims().to_vec();
                if let Some(last) = dims.last_mut() {
                    *last = weight.dim(0)?;
                }
                let mut y = x.reshape((rows, x.dim(D::Minus1)?))?.matmul(&weight.t()?)?.reshape(dims)?;
                if let Some((bias, _)) = &self.bias {
                    y = y.broadcast_add(bias)?;
                }
                if let Some(activation) = activation {
                    y = activate(&y, activation)?;
                }
                if let Some(residual) = residual {
                    y = (y + residual)?;
                }
                Ok(y)
            }
        }
    }
}

fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    Ok(match activation {
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
        Activation::Gelu => x.gelu_erf()?,
        Activation::GeluTanh => x.gelu()?,
    })
}
