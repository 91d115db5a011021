//! Layers built from weights: the names in a [`Spec`] are looked up, shapes are checked, matrices are packed for the
//! device.

mod position_wise;
mod predicting;

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use candle_core::{DType, Device, Tensor};

use crate::error::WithHint;
use crate::kernels::attention::Pattern;
use crate::kernels::gemm::Packed;
use crate::kernels::pages::Pages;
use crate::nn::{CrossAttention, FirstToken, HeadNorms, Linear, Matrix, MergedAttention, Norm, SelfAttention, Shape};

use super::packed::Quantiser;
use super::positions::Sinusoids;
use super::residual::Residual;
use super::spec::{NormKind, NormPlacement, Spec, Stack, StackNames};
use super::view::View;
use super::weights::Weights;

/// Builds the layers of one model.
#[derive(Clone, Copy)]
pub(super) struct Builder<'a> {
    pub spec: &'a Spec,
    pub weights: &'a Weights,
    pub device: &'a Device,
    pub dtype: DType,
    /// The memory that packed matrices are put into.
    pub pages: &'a Pages,
    /// Quantises matrices to int8; `None`: matrices are not quantised.
    pub quantiser: Option<&'a Quantiser>,
    pub sinusoids: &'a Sinusoids,
}

impl Builder<'_> {
    /// A tensor by its name, or by that name without the family's prefix, or by the name's twin (see
    /// [`super::spec::Names::twins`]).
    pub fn find(&self, name: &str) -> Option<View<'_>> {
        let bare = name.strip_prefix(self.spec.names.prefix).unwrap_or(name);
        let twin = || self.weights.find(&self.spec.names.twin(name)?);
        self.weights.find(name).or_else(|| self.weights.find(bare)).or_else(twin)
    }

    /// A tensor by its name as [`Self::find`] looks it up; an error if it is missing or has another shape.
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

    /// One matrix of several stacked ones, `[Σ n, k]`.
    pub fn matrix(&self, views: &[View]) -> Result<Matrix> {
        self.of_blocks(&views.iter().map(|view| MatrixPart::whole(*view)).collect::<Vec<_>>())
    }

    /// One matrix of several stacked blocks of rows, `[Σ n, k]`.
    fn of_blocks(&self, blocks: &[MatrixPart]) -> Result<Matrix> {
        let Some(k) = blocks.first().and_then(MatrixPart::columns) else { bail!("a weight matrix must have two axes") };
        if !(self.device.is_cpu() && self.dtype == DType::F32) {
            let parts = blocks.iter().map(|block| block.tensor(self.dtype, self.device)).collect::<Result<Vec<_>>>()?;
            return Ok(Matrix::Dense(Tensor::cat(&parts, 0)?.contiguous()?));
        }
        // Rows are packed straight from the file, so that the stacked matrix never exists in f32.
        let ends: Vec<usize> = blocks
            .iter()
            .scan(0, |end, block| {
                *end += block.rows;
                Some(*end)
            })
            .collect();
        let n = ends.last().copied().unwrap_or(0);
        let fill = |row: usize, out: &mut [f32]| {
            let part = ends.partition_point(|&end| end <= row);
            let first = if part == 0 { 0 } else { ends[part - 1] };
            blocks[part].row(row - first, out);
        };
        let matrix = match self.quantiser {
            Some(quantiser) => Matrix::Packed(quantiser.matrix(self.pages, n, k, fill)?),
            None => Matrix::Packed(Arc::new(Packed::pack(self.pages, n, k, fill)?)),
        };
        for block in blocks {
            block.view.release();
        }
        Ok(matrix)
    }

    /// Projections `names` under `prefix`, each of `shape` `[n, k]`, side by side.
    fn linear(&self, prefix: &str, names: &[&str], shape: [usize; 2], form: LinearLayout) -> Result<Linear> {
        let parts: Vec<_> = names.iter().map(|name| (*name, shape[0])).collect();
        self.stacked(prefix, &parts, shape[1], form)
    }

    /// Projections `parts` under `prefix`, side by side: each has a name and its `n`, and is `[n, k]`. Parts with equal
    /// names lie one after another in one stored matrix.
    fn stacked(&self, prefix: &str, parts: &[(&str, usize)], k: usize, form: LinearLayout) -> Result<Linear> {
        let name = |part: &str, end: &str| format!("{prefix}{part}.{end}");
        let place = |index: usize| {
            let (part, n) = parts[index];
            // In a matrix that several parts share, each part follows those of its name before it.
            let same = |parts: &[(&str, usize)]| parts.iter().filter(|(other, _)| *other == part).count();
            (part, n, same(&parts[..index]) * n, same(parts) * n)
        };
        let block = |index: usize| {
            let (part, rows, first, all) = place(index);
            let shape = if form.transposed { [k, all] } else { [all, k] };
            let view = self.get(&name(part, "weight"), &shape)?;
            ensure!(
                !(form.transposed && view.is_adapted()),
                format!("the adapter changes `{}`, a matrix that is stored the other way round", name(part, "weight"))
                    .with_hint("merge the adapter with PEFT, and use the merged model")
            );
            Ok(MatrixPart { view, first, rows, transposed: form.transposed })
        };
        let blocks = (0..parts.len()).map(block).collect::<Result<Vec<_>>>()?;
        let bias = if form.biased {
            let vector = |index: usize| {
                let (part, rows, first, all) = place(index);
                Ok(self.vector(&name(part, "bias"), all)?.narrow(0, first, rows)?)
            };
            Some(Tensor::cat(&(0..parts.len()).map(vector).collect::<Result<Vec<_>>>()?, 0)?)
        } else {
            None
        };
        Linear::new(self.of_blocks(&blocks)?, bias)
    }

    /// A projection `[n, k]` with a bias, outside of layers.
    pub fn projection(&self, name: &str, shape: [usize; 2]) -> Result<Linear> {
        self.linear("", &[name], shape, LinearLayout { biased: true, transposed: false })
    }

    /// A normalisation of `stack.width` numbers.
    pub fn norm(&self, name: &str, stack: &Stack) -> Result<Norm> {
        let weight = self.norm_weight(name, stack.width, stack)?;
        let biased = stack.norm == NormKind::Layer;
        let bias = biased.then(|| self.vector(&format!("{name}.bias"), stack.width)).transpose()?;
        Ok(Norm::new(weight, bias, stack.norm_eps))
    }

    /// The weight of a normalisation, `[width]`.
    fn norm_weight(&self, name: &str, width: usize, stack: &Stack) -> Result<Tensor> {
        let view = self.get(&format!("{name}.weight"), &[width])?;
        Ok(match stack.norm {
            NormKind::Layer | NormKind::Rms => view.tensor(self.dtype, self.device)?,
            NormKind::RmsOneMore => {
                let weight = (view.tensor(DType::F32, &Device::Cpu)? + 1.0)?;
                weight.to_dtype(self.dtype)?.to_device(self.device)?
            }
        })
    }

    /// The normalisation around a part of layer `prefix`. The names are those of the norm before or after the part, and
    /// of the second norm if there are two.
    fn residual(&self, prefix: &str, [before, after]: [&str; 2], stack: &Stack) -> Result<Residual> {
        let norm = self.norm(&format!("{prefix}{before}"), stack)?;
        Ok(match stack.norm_placement {
            NormPlacement::Pre => Residual::Pre(norm),
            NormPlacement::Post => Residual::Post(norm),
            NormPlacement::Both => {
                Residual::Both { before: norm, after: self.norm(&format!("{prefix}{after}"), stack)? }
            }
        })
    }

    /// The normalisation of heads within the self-attention `inside`, if the family has one.
    fn head_norms(&self, inside: &str, names: &StackNames, stack: &Stack) -> Result<Option<HeadNorms>> {
        if !stack.head_norms {
            return Ok(None);
        }
        let weight = |name: &str| self.norm_weight(&format!("{inside}{name}"), stack.head_width, stack);
        let [queries, keys] = names.head_norms.map(weight);
        HeadNorms::new([queries?, keys?], stack.norm_eps).map(Some)
    }

    /// The self-attention of layer `prefix` and its normalisation.
    pub fn self_attention(&self, prefix: &str, names: &StackNames, stack: &Stack) -> Result<(SelfAttention, Residual)> {
        let (shape, d, form) = (stack.shape(), stack.width, names.form(stack.attention_bias));
        let [q, k, v, out] = names.projections;
        let inside = format!("{prefix}{}.", names.self_attention.0);
        let (inner, kv_inner) = (shape.inner(), shape.kv_inner());
        let attention = SelfAttention {
            qkv: self.stacked(&inside, &[(q, inner), (k, kv_inner), (v, kv_inner)], d, form)?,
            out: self.linear(&inside, &[out], [d, inner], form)?,
            shape,
            norms: self.head_norms(&inside, names, stack)?,
            sums: None,
            first: None,
            prompt: None,
            content: None,
        };
        Ok((attention, self.residual(prefix, [names.self_attention.1, names.after[0]], stack)?))
    }

    /// The attention of layer `prefix` to past and source at once, and its normalisation.
    pub fn merged_attention(
        &self,
        prefix: &str,
        names: &StackNames,
        stack: &Stack,
    ) -> Result<(MergedAttention, Residual)> {
        let (shape, d, form) = (stack.shape(), stack.width, names.form(stack.attention_bias));
        let [q, k, v, out] = names.projections;
        let inside = format!("{prefix}{}.", names.self_attention.0);
        let attention = MergedAttention {
            q: self.linear(&inside, &[q], [shape.inner(), d], form)?,
            kv: self.linear(&inside, &[k, v], [shape.kv_inner(), d], form)?,
            out: self.linear(&inside, &[out], [d, shape.inner()], form)?,
            shape,
            norms: self.head_norms(&inside, names, stack)?,
        };
        Ok((attention, self.residual(prefix, [names.self_attention.1, names.after[0]], stack)?))
    }

    /// The self-attention of an encoder's layer `prefix` with what its pattern needs besides, and its normalisation.
    pub fn encoder_attention(
        &self,
        prefix: &str,
        names: &StackNames,
        stack: &Stack,
        pattern: Pattern,
    ) -> Result<(SelfAttention, Residual)> {
        let (mut attention, norm) = self.self_attention(prefix, names, stack)?;
        if let Pattern::WindowAndSums { .. } = pattern {
            attention.sums = Some(self.norm(&format!("{prefix}{}", names.globals.norm), stack)?);
        }
        if self.spec.has_global_first() {
            let ([q, k, v], inside) = (names.globals.projections, format!("{prefix}{}.", names.self_attention.0));
            let (shape, form) = ([attention.shape.inner(), stack.width], names.form(stack.attention_bias));
            let q = self.linear(&inside, &[q], shape, form)?;
            attention.first = Some(FirstToken { q, kv: self.linear(&inside, &[k, v], shape, form)? });
        }
        Ok((attention, norm))
    }

    /// The normalisation of global tokens in layer `prefix`, if the pattern has global tokens.
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

    /// The cross-attention of layer `prefix` and its normalisation.
    pub fn cross_attention(
        &self,
        prefix: &str,
        names: &StackNames,
        stack: &Stack,
    ) -> Result<(CrossAttention, Residual)> {
        let (shape, d, form) = (stack.shape(), stack.width, names.form(stack.attention_bias));
        let [q, k, v, out] = names.cross_projections;
        let inside = format!("{prefix}{}.", names.cross_attention.0);
        let attention = CrossAttention {
            q: self.linear(&inside, &[q], [shape.inner(), d], form)?,
            kv: self.linear(&inside, &[k, v], [shape.kv_inner(), self.spec.source_width()], form)?,
            out: self.linear(&inside, &[out], [d, shape.inner()], form)?,
            shape,
            prompt: None,
        };
        Ok((attention, self.residual(prefix, [names.cross_attention.1, names.after[1]], stack)?))
    }
}

/// How a projection is stored: with or without a bias, and in which orientation.
#[derive(Clone, Copy)]
struct LinearLayout {
    biased: bool,
    /// Whether the matrix is stored as `[in, out]` instead of `[out, in]`.
    transposed: bool,
}

impl StackNames {
    fn form(&self, biased: bool) -> LinearLayout {
        LinearLayout { biased, transposed: self.transposed }
    }
}

/// Some rows of a stored matrix, or of its transpose.
struct MatrixPart<'a> {
    view: View<'a>,
    first: usize,
    rows: usize,
    /// Whether rows are the columns of the stored matrix.
    transposed: bool,
}

impl<'a> MatrixPart<'a> {
    fn whole(view: View<'a>) -> Self {
        Self { view, first: 0, rows: view.shape().first().copied().unwrap_or(0), transposed: false }
    }

    /// Number of values in a row; `None` if the tensor is not a matrix.
    fn columns(&self) -> Option<usize> {
        let &[n, k] = self.view.shape() else { return None };
        Some(if self.transposed { n } else { k })
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        if self.transposed { self.view.column(self.first + row, out) } else { self.view.row(self.first + row, out) }
    }

    fn tensor(&self, dtype: DType, device: &Device) -> Result<Tensor> {
        let tensor = self.view.tensor(dtype, device)?;
        let tensor = if self.transposed { tensor.t()? } else { tensor };
        Ok(tensor.narrow(0, self.first, self.rows)?.contiguous()?)
    }
}

impl Stack {
    fn shape(&self) -> Shape {
        Shape {
            heads: self.heads,
            kv_heads: self.kv_heads,
            width: self.head_width,
            scale: self.attention_scale,
            cap: self.attention_cap,
        }
    }
}
