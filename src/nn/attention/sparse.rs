//! Sparse self-attention: each token sees a part of its sequence, as a [`Pattern`] says.
//!
//! Invariant: on no device does time or memory grow with the square of a sequence's length.

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};

use super::composed::{HIDDEN, join};
use super::prepare::{Along, Prepare};
use super::{Bias, CrossCache, Relative, RowSource, SelfAttention, Sequences, Shape};
use crate::kernels::attention::pattern::{Added, RUNS, Run};
use crate::kernels::attention::{self as kernel, DistanceBias, Pattern};
use crate::nn::{Linear, fused};

/// Number of queries that the composed path takes at a time.
const CHUNK: usize = 256;

/// Projections for a first token that sees the whole sequence (Longformer's global attention): its query, and keys and
/// values of all tokens for it.
pub struct FirstToken {
    /// Projection of `d` to queries, `inner`.
    pub q: Linear,
    /// Projection of `d` to keys and values side by side, `2 · inner`.
    pub kv: Linear,
}

impl SelfAttention {
    /// Sparse attention of an encoder: every token sees what `pattern` lets it see. `[b, s, d]` to `[b, s, d]`, with
    /// `residual` added. Global tokens stand before the tokens of each sequence, and are not counted in its length.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit, or the layer lacks what the pattern needs.
    pub fn encode_sparse(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        sequences: &Sequences,
        pattern: Pattern,
        relative: Relative,
    ) -> Result<Tensor> {
        let lengths = sequences.lengths;
        let extra = lengths.iter().map(|&length| pattern.extra(length)).max().unwrap_or(0);
        let qkv = match (pattern, &self.prompt) {
            (Pattern::WindowAndSums { .. }, _) if extra > 0 => {
                self.qkv.forward(&self.with_sums(x, pattern, lengths)?)?
            }
            (Pattern::Prompted { .. }, Some(prompt)) => prompt.in_front(&self.qkv.forward(x)?)?,
            _ => self.qkv.forward(x)?,
        };
        let prepare = self.prepare(relative.rotation);
        let mut mixed = if fused(x) {
            prepare.in_place(&qkv)?;
            let heads = self.shape.kernel(relative.by_distance.map(|bias| &bias.distances));
            let by_block = relative.by_block.map(|bias| &bias.distances);
            qkv.apply_op1_no_bwd(&kernel::SparseAttention { heads, by_block, pattern, lengths, extra })?
        } else {
            let parts = prepare.parts(&qkv, Along::Time)?;
            Composed { shape: self.shape, pattern, relative, extra }.attend(&parts, lengths)?
        };
        if let Pattern::Window { first: true, .. } = pattern {
            mixed = self.with_first(x, mixed, lengths)?;
        }
        self.out.forward_added(&mixed, residual)
    }

    /// Puts the normalised sum of each block of tokens before the tokens: `[b, s, d]` to `[b, blocks + s, d]`.
    fn with_sums(&self, x: &Tensor, pattern: Pattern, lengths: &[usize]) -> Result<Tensor> {
        let (Some(norm), Pattern::WindowAndSums { block, .. }) = (&self.sums, pattern) else {
            anyhow::bail!("a layer without a norm for sums of blocks");
        };
        let sums = if fused(x) {
            x.apply_op1_no_bwd(&kernel::BlockSums { block, lengths })?
        } else {
            composed_sums(x, block, lengths)?
        };
        Ok(Tensor::cat(&[&norm.forward(&sums)?, x], 1)?)
    }

    /// Replaces, in `mixed`, the first token of each sequence by its attention to the whole sequence.
    fn with_first(&self, x: &Tensor, mixed: Tensor, lengths: &[usize]) -> Result<Tensor> {
        let Some(first) = &self.first else { anyhow::bail!("a layer without projections for a first token") };
        let q = first.q.forward(&x.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?)?;
        let memory = CrossCache::new(&first.kv.forward(x)?, &Prepare::nothing(self.shape), lengths, DType::F32)?;
        let places: Vec<RowSource> = (0..lengths.len()).map(|sentence| RowSource { group: 0, sentence }).collect();
        let seen = memory.recalled(&q, self.shape, &places)?;
        mixed.slice_set(&seen.unsqueeze(1)?, 1, 0)?;
        Ok(mixed)
    }
}

/// Composed path of [`kernel::BlockSums`]: sums of blocks of `block` tokens, `[b, s, d]` to `[b, blocks, d]`, zeros after
/// a sequence's last block.
fn composed_sums(x: &Tensor, block: usize, lengths: &[usize]) -> Result<Tensor> {
    let most = lengths.iter().map(|length| length / block).max().unwrap_or(0);
    let d = x.dim(2)?;
    let mut all = Vec::with_capacity(lengths.len());
    for (sequence, &length) in lengths.iter().enumerate() {
        let (x, blocks) = (x.get(sequence)?, length / block);
        let mut sums = Vec::new();
        if blocks > 0 {
            // The last block has all tokens that are left.
            let whole = (blocks - 1) * block;
            sums.push(x.narrow(0, 0, whole)?.reshape((blocks - 1, block, d))?.sum(1)?);
            sums.push(x.narrow(0, whole, length - whole)?.sum_keepdim(0)?);
        }
        sums.push(Tensor::zeros((most - blocks, d), x.dtype(), x.device())?);
        sums.retain(|sums| sums.elem_count() > 0);
        all.push(Tensor::cat(&sums, 0)?);
    }
    Ok(Tensor::stack(&all, 0)?)
}

/// A pattern as candle's operations. For [`CHUNK`] queries at a time: the keys that any of them sees, and a mask of what
/// each sees of these.
struct Composed<'a> {
    shape: Shape,
    pattern: Pattern,
    relative: Relative<'a>,
    /// Number of extra rows (sums or prompts) before the tokens of each sequence.
    extra: usize,
}

impl Composed<'_> {
    /// Composed path of [`kernel::SparseAttention`], for scaled queries, keys and values by heads, `[b, h, extra + s,
    /// width]` each.
    fn attend(&self, parts: &[Tensor; 3], lengths: &[usize]) -> Result<Tensor> {
        let rows = parts[0].dim(2)? - if self.pattern.extra_rows_attend() { 0 } else { self.extra };
        let mut all = Vec::with_capacity(lengths.len());
        for (sequence, &length) in lengths.iter().enumerate() {
            let own = self.pattern.extra(length);
            let of_sequence = |part: &Tensor| {
                let part = part.narrow(0, sequence, 1)?;
                let tokens = part.narrow(2, self.extra, length)?;
                if own > 0 { Tensor::cat(&[&part.narrow(2, 0, own)?, &tokens], 2) } else { tokens.contiguous() }
            };
            let [q, k, v] = parts.each_ref().map(of_sequence);
            let mixed = join(&self.sequence([&q?, &k?, &v?], length)?)?;
            all.push(mixed.pad_with_zeros(1, 0, rows - mixed.dim(1)?)?);
        }
        Ok(Tensor::cat(&all, 0)?)
    }

    /// Attention over one sequence: `[1, h, extra + length, width]` to `[1, h, querying positions, width]`.
    fn sequence(&self, [q, k, v]: [&Tensor; 3], length: usize) -> Result<Tensor> {
        let extra = self.pattern.extra(length);
        let looking = if self.pattern.extra_rows_attend() { 0..extra } else { 0..0 };
        let mut mixed = Vec::new();
        for places in [looking, extra..extra + length] {
            for first in places.clone().step_by(CHUNK) {
                let count = CHUNK.min(places.end - first);
                let runs: Vec<_> = (first..first + count).map(|place| self.pattern.runs(place, length)).collect();
                let seen: Vec<_> = kernel::pattern::union(&runs).into_iter().collect();
                let pick = |x: &Tensor| {
                    let seen = seen.iter().filter(|places| !places.is_empty());
                    let parts = seen.map(|places| x.narrow(2, places.start, places.len()));
                    Tensor::cat(&parts.collect::<candle_core::Result<Vec<_>>>()?, 2)
                };
                let added = self.added(&runs, &seen)?.to_dtype(q.dtype())?.to_device(q.device())?;
                let (k, v, q) = (pick(k)?, pick(v)?, q.narrow(2, first, count)?.contiguous()?);
                mixed.push(self.shape.attend(&q, &k, &v, [Some(&added), None])?);
            }
        }
        Ok(Tensor::cat(&mixed, 2)?)
    }

    /// What is added to the scores of some queries over all keys that any of them sees: biases, and [`HIDDEN`] for keys
    /// that a query does not see. `[1, h, queries, keys]`; one head if there are no biases.
    fn added(&self, runs: &[[Run; RUNS]], seen: &[std::ops::Range<usize>]) -> Result<Tensor> {
        let heads = if self.relative.by_distance.is_some() { self.shape.heads } else { 1 };
        let keys: usize = seen.iter().map(ExactSizeIterator::len).sum();
        ensure!(keys > 0, "queries that see nothing");
        let mut values = vec![HIDDEN; heads * runs.len() * keys];
        for (row, values) in values.chunks_exact_mut(keys).enumerate() {
            let (head, query) = (row / runs.len(), row % runs.len());
            let mut at = 0;
            for (run, seen) in runs[query].iter().zip(seen) {
                if !run.places.is_empty() {
                    let values = &mut values[at + run.places.start - seen.start..][..run.places.len()];
                    self.write(run.added, head, values);
                }
                at += seen.len();
            }
        }
        Ok(Tensor::from_vec(values, (1, heads, runs.len(), keys), &Device::Cpu)?)
    }

    fn write(&self, added: Added, head: usize, values: &mut [f32]) {
        let table = |bias: Option<&Bias>, first: isize, values: &mut [f32]| match bias {
            Some(Bias { distances, .. }) => {
                values.copy_from_slice(DistanceBias::values(distances, head, first, values.len()));
            }
            None => values.fill(0.0),
        };
        match added {
            Added::Constant(number) => values.fill(number),
            Added::ByDistance(first) => table(self.relative.by_distance, first, values),
            Added::ByBlock(first) => table(self.relative.by_block, first, values),
        }
    }
}
