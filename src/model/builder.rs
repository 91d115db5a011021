//! Layers out of weights: the names of a [`Spec`] looked up, shapes checked, matrices packed for the device.

use std::sync::Arc;

use anyhow::{Result, bail};
use candle_core::{DType, Device, Tensor};

use crate::kernels::attention::Pattern;
use crate::kernels::gemm::Packed;
use crate::kernels::pages::Pages;
use crate::nn::{CrossAttention, FeedForward, FirstToken, Linear, Matrix, Norm, SelfAttention, Shape};

use super::packed::Quantiser;
use super::spec::{Spec, Stack, StackNames};
use super::view::View;
use super::weights::Weights;

/// Makes the layers of one model.
pub(super) struct Builder<'a> {
    pub spec: &'a Spec,
    pub weights: &'a Weights,
    pub device: &'a Device,
    pub dtype: DType,
    /// Where matrices lie that are packed.
    pub pages: &'a Pages,
    /// For matrices in eight bits.
    pub quantiser: Option<&'a Quantiser>,
}

impl Builder<'_> {
    /// A tensor under its name, or under the same name without the family's prefix.
    pub fn find(&self, name: &str) -> Option<View<'_>> {
        let bare = name.strip_prefix(self.spec.names.prefix).unwrap_or(name);
        self.weights.find(name).or_else(|| self.weights.find(bare))
    }

    /// As [`Self::find`], with the shape it must have.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<View<'_>> {
        match self.find(name) {
            Some(view) => {
                view.expect(name, shape)?;
                Ok(view)
            }
            None => self.weights.get(name, shape),
        }
    }

    fn vector(&self, name: &str, size: usize) -> Result<Tensor> {
        self.get(name, &[size])?.tensor(self.dtype, self.device)
    }

    /// One matrix of several, stacked: `[Σ n, k]`.
    pub fn matrix(&self, views: &[View]) -> Result<Matrix> {
        let Some(&[_, k]) = views.first().map(View::shape) else { bail!("a weight matrix must have two axes") };
        if !(self.device.is_cpu() && self.dtype == DType::F32) {
            let parts = views.iter().map(|view| view.tensor(self.dtype, self.device)).collect::<Result<Vec<_>>>()?;
            return Ok(Matrix::Dense(Tensor::cat(&parts, 0)?.contiguous()?));
        }
        let ends: Vec<usize> = views
            .iter()
            .scan(0, |end, view| {
                *end += view.shape()[0];
                Some(*end)
            })
            .collect();
        let n = ends.last().copied().unwrap_or(0);
        let fill = |row: usize, out: &mut [f32]| {
            let part = ends.partition_point(|&end| end <= row);
            let first = if part == 0 { 0 } else { ends[part - 1] };
            views[part].row(row - first, out);
        };
        let matrix = match self.quantiser {
            Some(quantiser) => Matrix::Packed(quantiser.matrix(self.pages, n, k, fill)?),
            None => Matrix::Packed(Arc::new(Packed::pack(self.pages, n, k, fill)?)),
        };
        views.iter().for_each(View::release);
        Ok(matrix)
    }

    /// Projections `names` under `prefix`, all `[n, k]`, side by side.
    fn linear(&self, prefix: &str, names: &[&str], [n, k]: [usize; 2], biased: bool) -> Result<Linear> {
        let name = |part: &str, end: &str| format!("{prefix}{part}.{end}");
        let views = names.iter().map(|part| self.get(&name(part, "weight"), &[n, k])).collect::<Result<Vec<_>>>()?;
        let bias = if biased {
            let parts = names.iter().map(|part| self.vector(&name(part, "bias"), n)).collect::<Result<Vec<_>>>()?;
            Some(Tensor::cat(&parts, 0)?)
        } else {
            None
        };
        Linear::new(self.matrix(&views)?, bias)
    }

    /// A normalisation of the stack's width.
    pub fn norm(&self, name: &str, stack: &Stack) -> Result<Norm> {
        let weight = self.vector(&format!("{name}.weight"), stack.width)?;
        let bias = stack.norm_bias.then(|| self.vector(&format!("{name}.bias"), stack.width)).transpose()?;
        Ok(Norm::new(weight, bias, stack.norm_eps))
    }

    /// Self-attention of layer `prefix` and its normalisation.
    pub fn self_attention(&self, prefix: &str, names: &StackNames, stack: &Stack) -> Result<(SelfAttention, Norm)> {
        let (shape, d, biased) = (stack.shape(), stack.width, stack.attention_bias);
        let [q, k, v, out] = names.projections;
        let inside = format!("{prefix}{}.", names.self_attention.0);
        let attention = SelfAttention {
            qkv: self.linear(&inside, &[q, k, v], [shape.inner(), d], biased)?,
            out: self.linear(&inside, &[out], [d, shape.inner()], biased)?,
            shape,
            sums: None,
            first: None,
        };
        Ok((attention, self.norm(&format!("{prefix}{}", names.self_attention.1), stack)?))
    }

    /// As [`Self::self_attention`], with what a pattern needs besides.
    pub fn encoder_attention(
        &self,
        prefix: &str,
        names: &StackNames,
        stack: &Stack,
        pattern: Pattern,
    ) -> Result<(SelfAttention, Norm)> {
        let (mut attention, norm) = self.self_attention(prefix, names, stack)?;
        if let Pattern::WindowAndSums { .. } = pattern {
            attention.sums = Some(self.norm(&format!("{prefix}{}", names.globals.norm), stack)?);
        }
        if self.spec.has_global_first() {
            let ([q, k, v], inside) = (names.globals.projections, format!("{prefix}{}.", names.self_attention.0));
            let (shape, biased) = ([attention.shape.inner(), stack.width], stack.attention_bias);
            let q = self.linear(&inside, &[q], shape, biased)?;
            attention.first = Some(FirstToken { q, kv: self.linear(&inside, &[k, v], shape, biased)? });
        }
        Ok((attention, norm))
    }

    /// The normalisation of global tokens in layer `prefix`, where there are any.
    pub fn global_norm(
        &self,
        prefix: &str,
        names: &StackNames,
        stack: &Stack,
        pattern: Pattern,
    ) -> Result<Option<Norm>> {
        match pattern {
            Pattern::Blocks { .. } => self.norm(&format!("{prefix}{}", names.globals.norm), stack).map(Some),
            _ => Ok(None),
        }
    }

    /// Cross-attention of layer `prefix` and its normalisation.
    pub fn cross_attention(&self, prefix: &str, names: &StackNames, stack: &Stack) -> Result<(CrossAttention, Norm)> {
        let (shape, d, biased) = (stack.shape(), stack.width, stack.attention_bias);
        let [q, k, v, out] = names.cross_projections;
        let inside = format!("{prefix}{}.", names.cross_attention.0);
        let attention = CrossAttention {
            q: self.linear(&inside, &[q], [shape.inner(), d], biased)?,
            kv: self.linear(&inside, &[k, v], [shape.inner(), self.spec.encoder.width], biased)?,
            out: self.linear(&inside, &[out], [d, shape.inner()], biased)?,
            shape,
        };
        Ok((attention, self.norm(&format!("{prefix}{}", names.cross_attention.1), stack)?))
    }

    /// The feed-forward part of layer `prefix` and its normalisation.
    pub fn feed_forward(&self, prefix: &str, names: &StackNames, stack: &Stack) -> Result<(FeedForward, Norm)> {
        let (d, inner, biased) = (stack.width, stack.inner, stack.feed_forward_bias);
        let [up, gate, down, norm] = names.feed_forward;
        let gate = stack.gated.then(|| self.linear(prefix, &[gate], [inner, d], biased)).transpose()?;
        let up = self.linear(prefix, &[up], [inner, d], biased)?;
        let down = self.linear(prefix, &[down], [d, inner], biased)?;
        let part = FeedForward { up, gate, down, activation: stack.activation };
        Ok((part, self.norm(&format!("{prefix}{norm}"), stack)?))
    }
}

impl Stack {
    fn shape(&self) -> Shape {
        Shape { heads: self.heads, width: self.head_width, scale: self.attention_scale }
    }
}
