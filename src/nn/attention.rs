//! Multi-head attention: over a batch, over a decoder's past, over a memory that rows share.
//!
//! Invariant: a decoder's row never sees another row's past, however rows are reordered. On the fused path
//! reordering moves no keys: each key stays where it was written, and [`Past`] knows for every row and time
//! where that is, so that rows may have pasts of different lengths and memories of different batches. Other devices
//! gather their keys instead, keep the memory of open sentences only, and take all rows from one batch.

mod composed;
mod past;
mod sparse;

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};

use crate::kernels::attention::{self as kernel, DistanceBias, Heads};

use super::{Linear, Norm, fused, fuses};

pub use crate::kernels::attention::Place;
pub use past::{Past, PastKeys};
pub use sparse::{FirstToken, RunBiases};

use composed::{attend, join, mask};

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
}

/// What all layers of an encoder are told about a batch.
pub struct Sequences<'a> {
    lengths: &'a [usize],
    /// Where nothing is fused: hides the padding, if there is any, `[b, 1, 1, s]`.
    mask: Option<Tensor>,
}

impl<'a> Sequences<'a> {
    /// Sentences of these lengths, padded to `s`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(lengths: &'a [usize], s: usize, dtype: DType, device: &Device) -> Result<Self> {
        let mask = if fuses(dtype, device) { None } else { mask(lengths, s, dtype, device)? };
        Ok(Self { lengths, mask })
    }
}

/// Biases by distance, up to some reach, where they are needed.
pub struct Bias {
    distances: DistanceBias,
    /// Where nothing is fused: the same on the device, `[1, h, s, s]` for sequences, `[1, h, 1, distances]` for a past.
    tensor: Option<Tensor>,
}

impl Bias {
    /// For sequences of length `s`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn over_sequences(distances: DistanceBias, s: usize, dtype: DType, device: &Device) -> Result<Self> {
        let spread = || composed::spread(&distances, s, dtype, device);
        let tensor = if fuses(dtype, device) { None } else { Some(spread()?) };
        Ok(Self { distances, tensor })
    }

    /// For attention that does not see everything.
    #[must_use]
    pub fn over_runs(distances: DistanceBias) -> Self {
        Self { distances, tensor: None }
    }

    /// For every step of a past within their reach.
    ///
    /// # Errors
    /// As [`Self::over_sequences`].
    pub fn over_past(distances: DistanceBias, dtype: DType, device: &Device) -> Result<Self> {
        let table = || composed::table(&distances, dtype, device);
        let tensor = if fuses(dtype, device) { None } else { Some(table()?) };
        Ok(Self { distances, tensor })
    }

    /// Most tokens of a past, the one being computed included.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.distances.zero + 1
    }

    /// What is added to the scores of a past of `time` tokens: `[1, h, 1, time]`.
    fn of_past(&self, time: usize) -> Result<Option<Tensor>> {
        let table = self.tensor.as_ref().map(|table| table.narrow(3, self.reach() - time, time));
        Ok(table.transpose()?)
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
    /// Normalises the sums of blocks, where tokens see these.
    pub sums: Option<Norm>,
    /// For a first token that sees everything, where there can be one.
    pub first: Option<FirstToken>,
}

impl SelfAttention {
    /// Every position of a sentence sees the whole sentence: `[b, s, d]` to `[b, s, d]`, `residual` added.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn encode(&self, x: &Tensor, residual: &Tensor, sequences: &Sequences, bias: Option<&Bias>) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?;
        let mixed = if fused(x) {
            let heads = self.shape.kernel(bias.map(|bias| &bias.distances));
            qkv.apply_op1_no_bwd(&kernel::Full { heads, lengths: sequences.lengths })?
        } else {
            let part = |i: usize| self.shape.part(&qkv, i);
            let q = (part(0)? * f64::from(self.shape.scale))?;
            let bias = bias.and_then(|bias| bias.tensor.as_ref());
            join(&attend(&q, &part(1)?, &part(2)?, [sequences.mask.as_ref(), bias])?)?
        };
        self.out.forward_added(&mixed, residual)
    }

    /// One new token per row, which sees its row's past and itself: `[r, d]` to `[r, d]`, `residual` added. Where nothing
    /// is fused, all rows have pasts of one length.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn step(
        &self,
        x: &Tensor,
        residual: &Tensor,
        keys: &mut PastKeys,
        past: &Past,
        bias: Option<&Bias>,
    ) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?;
        let mixed = match keys {
            PastKeys::Staying(cache) => {
                cache.append(&qkv, past.cells())?;
                let heads = self.shape.kernel(bias.map(|bias| &bias.distances));
                qkv.apply_op1_no_bwd(&kernel::Past { heads, cache, cells: past.cells() })?
            }
            PastKeys::Gathered(both) => {
                let time = past.time() - 1;
                let qkv = qkv.unsqueeze(1)?;
                let [q, new_keys, new_values] = [0, 1, 2].map(|i| self.shape.part(&qkv, i));
                let (keys, values) = past::reserve(both, past, self.shape, &qkv)?;
                keys.slice_set(&new_keys?, 2, time)?;
                values.slice_set(&new_values?, 2, time)?;
                let q = (q? * f64::from(self.shape.scale))?;
                let bias = bias.map(|bias| bias.of_past(time + 1)).transpose()?.flatten();
                let (keys, values) = (keys.narrow(2, 0, time + 1)?, values.narrow(2, 0, time + 1)?);
                join(&attend(&q, &keys, &values, [None, bias.as_ref()])?)?.squeeze(1)?
            }
        };
        self.out.forward_added(&mixed, residual)
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

/// Keys and values of sentences that were encoded together, computed once, whatever the number of rows that read them.
#[derive(Clone)]
pub struct Memory {
    /// Fused: `[b, h, width, s']`; else `[b, h, s, width]`.
    keys: Tensor,
    /// Fused: `[b, s, inner]`; else `[b, h, s, width]`.
    values: Tensor,
    /// Where nothing is fused: hides the padding, if there is any, `[b, 1, 1, s]`.
    mask: Option<Tensor>,
    /// Length of each sentence.
    lengths: Vec<usize>,
}

impl Memory {
    /// How many sentences it has.
    #[must_use]
    pub fn sentences(&self) -> usize {
        self.lengths.len()
    }

    /// Keeps these sentences only, in this order.
    ///
    /// # Errors
    /// When a sentence does not exist.
    pub fn select(&mut self, sentences: &[usize]) -> Result<()> {
        let index: Vec<u32> = sentences.iter().map(|&sentence| sentence as u32).collect();
        let index = Tensor::new(index, self.keys.device())?;
        self.keys = self.keys.index_select(&index, 0)?;
        self.values = self.values.index_select(&index, 0)?;
        self.mask = self.mask.as_ref().map(|mask| mask.index_select(&index, 0)).transpose()?;
        self.lengths = sentences.iter().map(|&sentence| self.lengths[sentence]).collect();
        Ok(())
    }

    fn group(&self) -> kernel::Group<'_> {
        kernel::Group { keys: &self.keys, values: &self.values, lengths: &self.lengths }
    }

    /// The keys and values that `kv` makes of states `[b, s, d]` of sentences of these lengths.
    fn new(kv: &Linear, shape: Shape, states: &Tensor, lengths: &[usize]) -> Result<Self> {
        let kv = kv.forward(states)?;
        let lengths = lengths.to_vec();
        if fused(states) {
            let keys = kv.apply_op1_no_bwd(&kernel::TransposeKeys { heads: shape.heads })?;
            // A copy, so that the keys beside them are not kept a second time.
            let values = kv.narrow(2, shape.inner(), shape.inner())?.contiguous()?;
            return Ok(Self { keys, values, mask: None, lengths });
        }
        let mask = mask(&lengths, states.dim(1)?, states.dtype(), states.device())?;
        Ok(Self { keys: shape.part(&kv, 0)?, values: shape.part(&kv, 1)?, mask, lengths })
    }

    /// What queries `[r, inner]` make of the sentences at their places, where this is the only memory: `[r, inner]`.
    fn recalled(&self, q: &Tensor, shape: Shape, places: &[Place]) -> Result<Tensor> {
        if fused(q) {
            let groups = [self.group()];
            return Ok(q.apply_op1_no_bwd(&kernel::Shared { heads: shape.kernel(None), groups: &groups, places })?);
        }
        composed_step(q, shape, self, places)
    }
}

impl CrossAttention {
    /// The keys and values of encoder states `[b, s, d]` of sentences of these lengths.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn memory(&self, states: &Tensor, lengths: &[usize]) -> Result<Memory> {
        Memory::new(&self.kv, self.shape, states, lengths)
    }

    /// `[r, d]` to `[r, d]`, `residual` added. `places` says for each row which memory is its, and which sentence
    /// there; where nothing is fused, there is one memory.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn step(&self, x: &Tensor, residual: &Tensor, memories: &[&Memory], places: &[Place]) -> Result<Tensor> {
        let q = self.q.forward(x)?;
        let mixed = if fused(x) {
            let groups: Vec<_> = memories.iter().map(|memory| memory.group()).collect();
            q.apply_op1_no_bwd(&kernel::Shared { heads: self.shape.kernel(None), groups: &groups, places })?
        } else {
            ensure!(memories.len() == 1, "{} memories where one is expected", memories.len());
            composed_step(&q, self.shape, memories[0], places)?
        };
        self.out.forward_added(&mixed, residual)
    }
}

/// The rows of a sentence, where all have equally many, become the time axis of one query.
fn composed_step(q: &Tensor, shape: Shape, memory: &Memory, places: &[Place]) -> Result<Tensor> {
    let (rows, open) = (places.len(), memory.sentences());
    let group = rows / open;
    let in_groups = places.iter().enumerate().all(|(row, place)| place.sentence == row / group.max(1));
    let q = (q * f64::from(shape.scale))?;
    let mixed = if in_groups && rows == group * open {
        let q = shape.part(&q.reshape((open, group, shape.inner()))?, 0)?;
        attend(&q, &memory.keys, &memory.values, [memory.mask.as_ref(), None])?
    } else {
        ensure!(places.iter().all(|place| place.sentence < open), "a row of a sentence that is not kept");
        let index: Vec<u32> = places.iter().map(|place| place.sentence as u32).collect();
        let index = Tensor::new(index, q.device())?;
        let pick = |x: &Tensor| x.index_select(&index, 0);
        let q = shape.part(&q.unsqueeze(1)?, 0)?;
        let mask = memory.mask.as_ref().map(pick).transpose()?;
        attend(&q, &pick(&memory.keys)?, &pick(&memory.values)?, [mask.as_ref(), None])?
    };
    Ok(join(&mixed)?.reshape((rows, shape.inner()))?)
}
