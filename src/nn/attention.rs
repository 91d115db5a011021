//! Multi-head attention: over a batch, over a decoder's past, over a memory that rows share.
//!
//! Invariant: a decoder's row never sees another row's past, however rows are reordered. On the fused path
//! reordering moves no keys: each key stays where it was written, and [`Past`] knows for every row and time
//! where that is. Other devices gather their keys instead.

use anyhow::Result;
use candle_core::{D, DType, Device, Tensor};

use crate::kernels::attention::{self as kernel, DistanceBias, Heads};

use super::{Linear, fused};

/// The heads of one attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Number of heads, `h`.
    pub heads: usize,
    /// Width of one head.
    pub width: usize,
    /// Factor on the query after its bias.
    pub scale: f32,
}

impl Shape {
    /// Width of all heads together.
    #[must_use]
    pub fn inner(&self) -> usize {
        self.heads * self.width
    }

    fn kernel<'a>(&self, bias: Option<&'a DistanceBias>) -> Heads<'a> {
        Heads { count: self.heads, width: self.width, scale: self.scale, bias }
    }

    /// `[b, t, h · width]` to `[b, h, t, width]`.
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let (b, t, _) = x.dims3()?;
        Ok(x.reshape((b, t, self.heads, self.width))?.transpose(1, 2)?.contiguous()?)
    }
}

/// Attention of a sequence to itself.
pub struct SelfAttention {
    /// `d` to queries, keys and values side by side, `3 · inner`.
    pub qkv: Linear,
    /// `inner` to `d`.
    pub out: Linear,
    /// The heads.
    pub shape: Shape,
}

impl SelfAttention {
    /// Every position of a sentence sees the whole sentence: `[b, s, d]` to `[b, s, d]`, `residual` added.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn encode(
        &self,
        x: &Tensor,
        residual: &Tensor,
        lengths: &[usize],
        bias: Option<&DistanceBias>,
    ) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?;
        let mixed = if fused(x) {
            qkv.apply_op1_no_bwd(&kernel::Full { heads: self.shape.kernel(bias), lengths })?
        } else {
            let s = x.dim(1)?;
            let [q, k, v] = self.divided(&qkv)?;
            let mut mask = mask(lengths, s, &q)?;
            if let Some(bias) = bias {
                mask = mask.broadcast_add(&spread(bias, 0..s, s, &q)?)?;
            }
            join(&composed(&q, &k, &v, self.shape.scale, Some(&mask))?)?
        };
        self.out.forward_added(&mixed, residual)
    }

    /// One new token per row, which sees its row's past and itself: `[r, d]` to `[r, d]`, `residual` added.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn step(
        &self,
        x: &Tensor,
        residual: &Tensor,
        keys: &mut PastKeys,
        past: &Past,
        bias: Option<&DistanceBias>,
    ) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?;
        let (time, inner) = (past.time() - 1, self.shape.inner());
        keys.reserve(past.rows(), past.time(), inner, &qkv)?;
        let mixed = if fused(x) {
            keys.keys.inplace_op2(&qkv, &kernel::Append { time, from: inner })?;
            keys.values.inplace_op2(&qkv, &kernel::Append { time, from: 2 * inner })?;
            let op = kernel::Past { heads: self.shape.kernel(bias), origins: &past.origins };
            qkv.apply_op3_no_bwd(&keys.keys, &keys.values, &op)?
        } else {
            let qkv = qkv.unsqueeze(1)?;
            keys.keys.slice_set(&qkv.narrow(2, inner, inner)?.contiguous()?, 1, time)?;
            keys.values.slice_set(&qkv.narrow(2, 2 * inner, inner)?.contiguous()?, 1, time)?;
            let q = self.shape.split(&qkv.narrow(2, 0, inner)?)?;
            let k = self.shape.split(&keys.keys.narrow(1, 0, time + 1)?)?;
            let v = self.shape.split(&keys.values.narrow(1, 0, time + 1)?)?;
            let bias = bias.map(|bias| spread(bias, time..time + 1, time + 1, &q)).transpose()?;
            join(&composed(&q, &k, &v, self.shape.scale, bias.as_ref())?)?.squeeze(1)?
        };
        self.out.forward_added(&mixed, residual)
    }

    fn divided(&self, qkv: &Tensor) -> Result<[Tensor; 3]> {
        let inner = self.shape.inner();
        let part = |i: usize| self.shape.split(&qkv.narrow(D::Minus1, i * inner, inner)?);
        Ok([part(0)?, part(1)?, part(2)?])
    }
}

/// Attention of decoder rows to the memory of their sentences.
pub struct CrossAttention {
    /// `d` to `inner`.
    pub q: Linear,
    /// `d` to keys and values side by side, `2 · inner`.
    pub kv: Linear,
    /// `inner` to `d`.
    pub out: Linear,
    /// The heads.
    pub shape: Shape,
}

/// Keys and values of a batch of sentences, computed once, whatever the number of rows that read them.
pub struct Memory {
    /// Fused: `[b, h, width, s']`; else `[b, h, s, width]`.
    keys: Tensor,
    /// Fused: `[b, s, 2 · inner]`, of which the second half; else `[b, h, s, width]`.
    values: Tensor,
}

impl CrossAttention {
    /// The keys and values of encoder states `[b, s, d]`.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn memory(&self, states: &Tensor) -> Result<Memory> {
        let kv = self.kv.forward(states)?;
        if fused(states) {
            let keys = kv.apply_op1_no_bwd(&kernel::TransposeKeys { heads: self.shape.heads })?;
            return Ok(Memory { keys, values: kv });
        }
        let inner = self.shape.inner();
        let part = |i: usize| self.shape.split(&kv.narrow(2, i * inner, inner)?);
        Ok(Memory { keys: part(0)?, values: part(1)? })
    }

    /// `[r, d]` to `[r, d]`, `residual` added. `sentences` names each row's sentence, `lengths` has one
    /// entry per sentence.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn step(
        &self,
        x: &Tensor,
        residual: &Tensor,
        memory: &Memory,
        sentences: &[usize],
        lengths: &[usize],
    ) -> Result<Tensor> {
        let q = self.q.forward(x)?;
        let mixed = if fused(x) {
            let op = kernel::Shared { heads: self.shape.kernel(None), sentences, lengths };
            q.apply_op3_no_bwd(&memory.keys, &memory.values, &op)?
        } else {
            self.composed_step(&q, memory, sentences, lengths)?
        };
        self.out.forward_added(&mixed, residual)
    }

    /// Rows of one sentence that stand together become the time axis of one query.
    fn composed_step(&self, q: &Tensor, memory: &Memory, sentences: &[usize], lengths: &[usize]) -> Result<Tensor> {
        let rows = sentences.len();
        let group = sentences.iter().take_while(|&&sentence| sentence == sentences[0]).count();
        let uniform = rows.is_multiple_of(group)
            && sentences.chunks(group).all(|rows| rows.iter().all(|&sentence| sentence == rows[0]));
        let group = if uniform { group } else { 1 };
        let groups: Vec<usize> = sentences.iter().step_by(group).copied().collect();
        let q = self.shape.split(&q.reshape((groups.len(), group, self.shape.inner()))?)?;
        let mask = mask(lengths, memory.keys.dim(2)?, &q)?;
        let all = groups.iter().copied().eq(0..lengths.len());
        let mixed = if all {
            composed(&q, &memory.keys, &memory.values, self.shape.scale, Some(&mask))?
        } else {
            let groups: Vec<u32> = groups.iter().map(|&sentence| sentence as u32).collect();
            let groups = Tensor::new(groups, q.device())?;
            let pick = |x: &Tensor| x.index_select(&groups, 0);
            composed(&q, &pick(&memory.keys)?, &pick(&memory.values)?, self.shape.scale, Some(&pick(&mask)?))?
        };
        Ok(join(&mixed)?.reshape((rows, self.shape.inner()))?)
    }
}

/// Which rows a decoder has, and where each finds its past. Shared by all layers.
#[derive(Clone, Debug, Default)]
pub struct Past {
    rows: usize,
    /// For each time, the physical row that each row's token was written to.
    origins: Vec<Vec<u32>>,
}

impl Past {
    /// No past yet.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self { rows, origins: Vec::new() }
    }

    /// Rows now.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Tokens so far, the one being computed included.
    #[must_use]
    pub fn time(&self) -> usize {
        self.origins.len()
    }

    /// A new token in every row.
    pub fn advance(&mut self) {
        self.origins.push((0..self.rows as u32).collect());
    }

    /// Row `i` becomes what row `rows[i]` was.
    pub fn select(&mut self, rows: &[usize]) {
        for origins in &mut self.origins {
            *origins = rows.iter().map(|&row| origins[row]).collect();
        }
        self.rows = rows.len();
    }
}

/// Keys and values of one decoder layer's past, `[rows, capacity, inner]` each; grows by doubling.
pub struct PastKeys {
    keys: Tensor,
    values: Tensor,
}

/// Capacity in tokens at the first step.
const FIRST_CAPACITY: usize = 32;

impl PastKeys {
    /// Nothing yet.
    ///
    /// # Errors
    /// Never on the CPU; when the device has no memory at all.
    pub fn new(dtype: DType, device: &Device) -> Result<Self> {
        let empty = Tensor::zeros((0, 0, 0), dtype, device)?;
        Ok(Self { keys: empty.clone(), values: empty })
    }

    /// Whether keys stay where they were written when rows are reordered: on the fused path.
    #[must_use]
    pub fn stay(&self) -> bool {
        fused(&self.keys)
    }

    /// Gathers rows where keys do not stay in place.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn select(&mut self, rows: &Tensor) -> Result<()> {
        if !self.stay() && self.keys.elem_count() > 0 {
            self.keys = self.keys.index_select(rows, 0)?;
            self.values = self.values.index_select(rows, 0)?;
        }
        Ok(())
    }

    fn reserve(&mut self, rows: usize, time: usize, inner: usize, like: &Tensor) -> Result<()> {
        let (have_rows, capacity, _) = self.keys.dims3()?;
        if have_rows >= rows && capacity >= time {
            return Ok(());
        }
        let new_rows = rows.max(have_rows);
        let new_capacity = if capacity >= time { capacity } else { (2 * capacity).max(FIRST_CAPACITY).max(time) };
        let grow = |old: &Tensor| -> Result<Tensor> {
            if old.elem_count() == 0 {
                return Ok(Tensor::zeros((new_rows, new_capacity, inner), like.dtype(), like.device())?);
            }
            let old = old.pad_with_zeros(0, 0, new_rows - have_rows)?;
            Ok(old.pad_with_zeros(1, 0, new_capacity - capacity)?.contiguous()?)
        };
        self.keys = grow(&self.keys)?;
        self.values = grow(&self.values)?;
        Ok(())
    }
}

/// `softmax(scale · q · kᵀ + added) · v` with candle's operations: `[b, h, t, width]`.
fn composed(q: &Tensor, k: &Tensor, v: &Tensor, scale: f32, added: Option<&Tensor>) -> Result<Tensor> {
    let mut scores = (q * f64::from(scale))?.matmul(&k.t()?)?;
    if let Some(added) = added {
        scores = scores.broadcast_add(added)?;
    }
    let wide = if q.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    let shares = candle_nn::ops::softmax(&scores.to_dtype(wide)?, D::Minus1)?.to_dtype(q.dtype())?;
    Ok(shares.matmul(v)?)
}

/// `[b, h, t, width]` to `[b, t, h · width]`.
fn join(x: &Tensor) -> Result<Tensor> {
    Ok(x.transpose(1, 2)?.flatten_from(2)?)
}

/// 0 on a sentence's own positions, a number no score outweighs beyond them: `[b, 1, 1, s]`.
fn mask(lengths: &[usize], s: usize, like: &Tensor) -> Result<Tensor> {
    let values: Vec<f32> =
        lengths.iter().flat_map(|&length| (0..s).map(move |t| if t < length { 0.0 } else { -30_000.0 })).collect();
    Ok(Tensor::from_vec(values, (lengths.len(), 1, 1, s), &Device::Cpu)?
        .to_dtype(like.dtype())?
        .to_device(like.device())?)
}

/// The bias of some queries on keys `0..keys` as a tensor, `[1, h, queries, keys]`.
fn spread(bias: &DistanceBias, queries: std::ops::Range<usize>, keys: usize, like: &Tensor) -> Result<Tensor> {
    let (heads, count) = (bias.table.len() / bias.width, queries.len());
    let mut values = Vec::with_capacity(heads * count * keys);
    for head in 0..heads {
        for query in queries.clone() {
            values.extend_from_slice(bias.row(head, query, keys));
        }
    }
    Ok(Tensor::from_vec(values, (1, heads, count, keys), &Device::Cpu)?
        .to_dtype(like.dtype())?
        .to_device(like.device())?)
}
