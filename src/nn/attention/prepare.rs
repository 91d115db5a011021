//! Preparation of queries and keys, head by head: normalisation and rotation before they meet.

use anyhow::Result;
use candle_core::Tensor;

use super::Shape;
use crate::kernels::heads::PrepareHeads;
use crate::nn::{Norm, Rotation, fused};

/// Root-mean-square normalisation of each head of queries and of keys.
pub struct HeadNorms {
    /// Norms of queries and of keys.
    norms: [Norm; 2],
    /// Fused path: the weights of both norms as plain values.
    weights: [Vec<f32>; 2],
    eps: f32,
}

impl HeadNorms {
    /// Norms with these weights, `[width]` each, for queries and for keys.
    ///
    /// # Errors
    /// When the weights cannot be read.
    pub fn new(weights: [Tensor; 2], eps: f64) -> Result<Self> {
        let plain = |weight: &Tensor| if fused(weight) { weight.to_vec1() } else { Ok(Vec::new()) };
        let [queries, keys] = weights.each_ref().map(plain);
        Ok(Self {
            norms: weights.map(|weight| Norm::new(weight, None, eps)),
            weights: [queries?, keys?],
            eps: eps as f32,
        })
    }
}

/// The axis that the positions of a rotation are counted along.
#[derive(Clone, Copy)]
pub(super) enum Along {
    /// Positions are the tokens of each sequence.
    Time,
    /// Positions are the rows, of one token each.
    Rows,
}

/// The preparation of the heads of queries and keys.
pub(super) struct Prepare<'a> {
    pub shape: Shape,
    pub norms: Option<&'a HeadNorms>,
    pub rotation: Option<&'a Rotation>,
}

impl Prepare<'_> {
    /// A preparation that changes nothing.
    pub fn nothing(shape: Shape) -> Self {
        Self { shape, norms: None, rotation: None }
    }

    /// Fused path: prepares queries and keys of `[…, columns]` in place. The caller must hold the only reference.
    pub fn in_place(&self, qkv: &Tensor) -> Result<()> {
        self.heads_in_place(qkv, [self.shape.heads, self.shape.kv_heads])
    }

    /// Fused path: prepares the keys of `[…, 2 · kv_inner]` in place. The caller must hold the only reference.
    pub fn keys_in_place(&self, kv: &Tensor) -> Result<()> {
        self.heads_in_place(kv, [0, self.shape.kv_heads])
    }

    fn heads_in_place(&self, x: &Tensor, counts: [usize; 2]) -> Result<()> {
        if self.norms.is_none() && self.rotation.is_none() {
            return Ok(());
        }
        let norms = self.norms.map(|norms| norms.weights.each_ref().map(Vec::as_slice));
        let eps = self.norms.map_or(0.0, |norms| norms.eps);
        let angles = self.rotation.map(Rotation::angles);
        Ok(x.inplace_op1(&PrepareHeads { counts, width: self.shape.width, norms, eps, angles })?)
    }

    /// Composed path: prepared and scaled queries, prepared keys, and values of `[b, t, columns]`, `[b, heads, t, width]`
    /// each.
    pub fn parts(&self, qkv: &Tensor, along: Along) -> Result<[Tensor; 3]> {
        let shape = self.shape;
        let (keys, values) = (shape.inner(), shape.inner() + shape.kv_inner());
        let q = self.prepared(&shape.heads_at(qkv, 0, shape.heads)?, 0, along)?;
        let k = self.prepared(&shape.heads_at(qkv, keys, shape.kv_heads)?, 1, along)?;
        Ok([(q * f64::from(shape.scale))?, k, shape.heads_at(qkv, values, shape.kv_heads)?])
    }

    /// Composed path: prepared keys, and values of `[b, t, 2 · kv_inner]`, `[b, kv_heads, t, width]` each.
    pub fn keys_and_values(&self, kv: &Tensor) -> Result<[Tensor; 2]> {
        let heads_at = |column: usize| self.shape.heads_at(kv, column, self.shape.kv_heads);
        Ok([self.prepared(&heads_at(0)?, 1, Along::Time)?, heads_at(self.shape.kv_inner())?])
    }

    /// Queries (`which` 0) or keys (1), `[b, heads, t, width]`, normalised and rotated.
    fn prepared(&self, x: &Tensor, which: usize, along: Along) -> Result<Tensor> {
        let x = match self.norms {
            Some(norms) => norms.norms[which].forward(x)?,
            None => x.clone(),
        };
        match (self.rotation, along) {
            (None, _) => Ok(x),
            (Some(rotation), Along::Time) => rotation.along_time(&x),
            (Some(rotation), Along::Rows) => rotation.along_rows(&x),
        }
    }
}
