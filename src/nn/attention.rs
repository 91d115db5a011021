//! Multi-head attention: over a batch, over a decoder's past, over the source sentences that rows share.
//!
//! Invariant: a decoder's row never sees another row's past, however rows are reordered. On the fused path
//! reordering moves no keys: each key stays where it was written, and [`Past`] knows for every row and time
//! where that is, so that rows may have pasts of different lengths and memories of different batches. Other devices
//! gather their keys instead, keep the keys of running sentences only, and take all rows from one batch.

mod composed;
mod content;
mod merged;
mod past;
mod prepare;
mod prompt;
mod sparse;

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};

use crate::kernels::attention::{self as kernel, DistanceBias, Heads};

use super::{Linear, Norm, Rotation, fused, fuses};

pub use crate::kernels::attention::RowSource;
pub use content::ContentBias;
pub use merged::MergedAttention;
pub use past::{Past, PastKeys};
pub use prepare::HeadNorms;
pub use prompt::Prompt;
pub use sparse::FirstToken;

use composed::{join, mask};
use prepare::{Along, Prepare};

/// The heads of one attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Number of heads of queries, `h`.
    pub heads: usize,
    /// Number of heads of keys and of values, each of which as many heads of queries share; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub width: usize,
    /// Factor on the query after its bias.
    pub scale: f32,
    /// What scores are kept below in size, smoothly.
    pub cap: Option<f32>,
}

impl Shape {
    /// Width of all heads of queries together.
    #[must_use]
    pub fn inner(&self) -> usize {
        self.heads * self.width
    }

    /// Width of all heads of keys, or of values, together.
    #[must_use]
    pub fn kv_inner(&self) -> usize {
        self.kv_heads * self.width
    }

    fn kernel<'a>(&self, bias: Option<&'a DistanceBias>) -> Heads<'a> {
        let Self { heads, kv_heads, width, scale, cap } = *self;
        Heads { count: heads, kv_count: kv_heads, width, scale, cap, bias }
    }
}

/// What all layers of an encoder are told about a batch.
pub struct Sequences<'a> {
    lengths: &'a [usize],
    /// On the path of candle's operations: hides the padding, if there is any, `[b, 1, 1, s]`.
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
    /// On the path of candle's operations: the biases on the device, `[1, h, s, s]` for sequences, `[1, h, 1, distances]` for a past.
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

/// How tokens know how far apart they are, in families whose embeddings do not say where a token stands.
#[derive(Clone, Copy, Default)]
pub struct Relative<'a> {
    /// Biases of tokens by their distance.
    pub by_distance: Option<&'a Bias>,
    /// Biases of sums of blocks by their distance in blocks.
    pub by_block: Option<&'a Bias>,
    /// Rotation of queries and keys by their positions.
    pub rotation: Option<&'a Rotation>,
}

/// What a decoder's rows have seen of their own tokens, in one layer.
pub struct OwnPast<'a> {
    /// Keys and values.
    pub keys: &'a mut PastKeys,
    /// Where each row finds its own.
    pub past: &'a Past,
    /// How far apart tokens are.
    pub relative: Relative<'a>,
}

/// Attention of a sequence to itself.
pub struct SelfAttention {
    /// `d` to queries, keys and values side by side, `inner + 2 · kv_inner`.
    pub qkv: Linear,
    /// `inner` to `d`.
    pub out: Linear,
    /// The heads.
    pub shape: Shape,
    /// Normalisation of each head of queries and keys.
    pub norms: Option<HeadNorms>,
    /// Normalises the sums of blocks, where tokens see these.
    pub sums: Option<Norm>,
    /// For a first token that sees everything, where there can be one.
    pub first: Option<FirstToken>,
    /// What every token sees before all others.
    pub prompt: Option<Prompt>,
    /// Biases that tokens make for themselves.
    pub content: Option<ContentBias>,
}

impl SelfAttention {
    /// Every position of a sentence sees the whole sentence: `[b, s, d]` to `[b, s, d]`, `residual` added.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn encode(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        sequences: &Sequences,
        relative: Relative,
    ) -> Result<Tensor> {
        let (qkv, bias) = (self.qkv.forward(x)?, relative.by_distance);
        let prepare = self.prepare(relative.rotation);
        let mixed = if fused(x) {
            prepare.in_place(&qkv)?;
            let heads = self.shape.kernel(bias.map(|bias| &bias.distances));
            qkv.apply_op1_no_bwd(&kernel::FullAttention { heads, lengths: sequences.lengths })?
        } else {
            let [q, keys, values] = prepare.parts(&qkv, Along::Time)?;
            let bias = bias.and_then(|bias| bias.tensor.as_ref());
            join(&self.shape.attend(&q, &keys, &values, [sequences.mask.as_ref(), bias])?)?
        };
        self.out.forward_added(&mixed, residual)
    }

    /// One new token per row, which sees its row's past and itself: `[r, d]` to `[r, d]`, `residual` added. Where nothing
    /// is fused, all rows have pasts of one length, but for tokens to come.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn step(&self, x: &Tensor, residual: Option<&Tensor>, own: OwnPast) -> Result<Tensor> {
        let OwnPast { keys, past, relative } = own;
        let (qkv, bias) = (self.qkv.forward(x)?, relative.by_distance);
        let prepare = self.prepare(relative.rotation);
        let mixed = match keys {
            PastKeys::InPlace(cache) => {
                prepare.in_place(&qkv)?;
                cache.append(&qkv, self.shape.kv_inner(), past.slots())?;
                let heads = self.shape.kernel(bias.map(|bias| &bias.distances));
                let prompt = self.prompt.as_ref().map(Prompt::values).unwrap_or_default();
                let biases = self.content.as_ref().map(|content| content.of_rows(x, past)).transpose()?;
                let (slots, biases) = (past.slots(), biases.as_deref().unwrap_or_default());
                qkv.apply_op1_no_bwd(&kernel::PastAttention { heads, cache, slots, prompt, biases })?
            }
            PastKeys::Contiguous(gathered) => {
                let [q, keys, values] = prepare.parts(&qkv.unsqueeze(1)?, Along::Rows)?;
                let mixed = if let Some(content) = &self.content {
                    content.attend(self.shape, x, [&q, &keys, &values], gathered, past)?
                } else {
                    let (mut keys, mut values) = gathered.with(&keys, &values, past)?;
                    if let Some(prompt) = &self.prompt {
                        (keys, values) = prompt.before(&keys, &values, self.shape)?;
                    }
                    let bias = bias.map(|bias| bias.of_past(past.time())).transpose()?.flatten();
                    self.shape.attend(&q, &keys, &values, [None, bias.as_ref()])?
                };
                join(&mixed)?.squeeze(1)?
            }
        };
        self.out.forward_added(&mixed, residual)
    }
}

impl SelfAttention {
    fn prepare<'a>(&'a self, rotation: Option<&'a Rotation>) -> Prepare<'a> {
        Prepare { shape: self.shape, norms: self.norms.as_ref(), rotation }
    }
}

/// Attention of decoder rows to the memory of their sentences.
pub struct CrossAttention {
    /// `d` to `inner`.
    pub q: Linear,
    /// The encoder's `d` to keys and values side by side, `2 · kv_inner`.
    pub kv: Linear,
    /// `inner` to `d`.
    pub out: Linear,
    /// The heads.
    pub shape: Shape,
    /// What every row sees before the memory.
    pub prompt: Option<Prompt>,
}

/// The cross-attention cache: keys and values of sentences that were encoded together, computed once for all rows.
#[derive(Clone)]
pub struct CrossCache {
    /// Fused: `[b, h, width, s']`; else `[b, h, s, width]`.
    keys: Tensor,
    /// Fused: `[b, s, inner]`; else `[b, h, s, width]`.
    values: Tensor,
    /// On the path of candle's operations: hides the padding, if there is any, `[b, 1, 1, s]`.
    mask: Option<Tensor>,
    /// Length of each sentence.
    lengths: Vec<usize>,
}

impl CrossCache {
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

    fn group(&self) -> kernel::EncodedGroup<'_> {
        kernel::EncodedGroup { keys: &self.keys, values: &self.values, lengths: &self.lengths }
    }

    /// Of keys and values side by side, `[b, s, 2 · kv_inner]`, of which this is the only user, of sentences of these lengths.
    fn new(kv: &Tensor, prepare: &Prepare, lengths: &[usize]) -> Result<Self> {
        let (lengths, shape) = (lengths.to_vec(), prepare.shape);
        if fused(kv) {
            prepare.keys_in_place(kv)?;
            let keys = kv.apply_op1_no_bwd(&kernel::TransposeKeys { heads: shape.kv_heads })?;
            // A copy, so that the keys beside them are not kept a second time.
            let values = kv.narrow(2, shape.kv_inner(), shape.kv_inner())?.contiguous()?;
            return Ok(Self { keys, values, mask: None, lengths });
        }
        let mask = mask(&lengths, kv.dim(1)?, kv.dtype(), kv.device())?;
        let [keys, values] = prepare.keys_and_values(kv)?;
        Ok(Self { keys, values, mask, lengths })
    }

    /// What queries `[r, inner]` make of the sentences at their places, where this is the only memory: `[r, inner]`.
    fn recalled(&self, q: &Tensor, shape: Shape, places: &[RowSource]) -> Result<Tensor> {
        if fused(q) {
            let groups = [self.group()];
            return Ok(q.apply_op1_no_bwd(&kernel::SharedAttention {
                heads: shape.kernel(None),
                groups: &groups,
                places,
            })?);
        }
        recalled(&(q * f64::from(shape.scale))?, shape, self, places)
    }
}

impl CrossAttention {
    /// The keys and values of encoder states `[b, s, d]` of sentences of these lengths.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn memory(&self, states: &Tensor, lengths: &[usize]) -> Result<CrossCache> {
        let (kv, prepare) = (self.kv.forward(states)?, Prepare::nothing(self.shape));
        match &self.prompt {
            Some(prompt) => CrossCache::new(&prompt.before_memory(&kv)?, &prepare, &prompt.lengthened(lengths)),
            None => CrossCache::new(&kv, &prepare, lengths),
        }
    }

    /// `[r, d]` to `[r, d]`, `residual` added. `places` says for each row which memory is its, and which sentence
    /// there; where nothing is fused, there is one memory.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn step(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        memories: &[&CrossCache],
        places: &[RowSource],
    ) -> Result<Tensor> {
        let q = self.q.forward(x)?;
        let mixed = if fused(x) {
            let groups: Vec<_> = memories.iter().map(|memory| memory.group()).collect();
            q.apply_op1_no_bwd(&kernel::SharedAttention { heads: self.shape.kernel(None), groups: &groups, places })?
        } else {
            ensure!(memories.len() == 1, "{} memories where one is expected", memories.len());
            recalled(&(q * f64::from(self.shape.scale))?, self.shape, memories[0], places)?
        };
        self.out.forward_added(&mixed, residual)
    }
}

/// What scaled queries `[r, inner]` make of a memory: `[r, inner]`.
fn recalled(q: &Tensor, shape: Shape, memory: &CrossCache, places: &[RowSource]) -> Result<Tensor> {
    let Aligned { q, keys, values, mask } = aligned(q, shape, memory, places)?;
    let mixed = shape.attend(&q, &keys, &values, [mask.as_ref(), None])?;
    Ok(join(&mixed)?.reshape((places.len(), shape.inner()))?)
}

/// Queries beside the keys and values that they see.
struct Aligned {
    /// `[n, h, g, width]`, `n · g` rows.
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Option<Tensor>,
}

/// The rows of a sentence, where all have equally many, become the time axis of one query; else each row gets its sentence's
/// keys and values.
fn aligned(q: &Tensor, shape: Shape, memory: &CrossCache, places: &[RowSource]) -> Result<Aligned> {
    let (rows, open) = (places.len(), memory.sentences());
    let group = rows / open;
    let in_groups = places.iter().enumerate().all(|(row, place)| place.sentence == row / group.max(1));
    if in_groups && rows == group * open {
        let q = shape.heads_at(&q.reshape((open, group, shape.inner()))?, 0, shape.heads)?;
        let CrossCache { keys, values, mask, .. } = memory.clone();
        return Ok(Aligned { q, keys, values, mask });
    }
    ensure!(places.iter().all(|place| place.sentence < open), "a row of a sentence that is not kept");
    let index: Vec<u32> = places.iter().map(|place| place.sentence as u32).collect();
    let index = Tensor::new(index, q.device())?;
    let pick = |x: &Tensor| x.index_select(&index, 0);
    let q = shape.heads_at(&q.unsqueeze(1)?, 0, shape.heads)?;
    let mask = memory.mask.as_ref().map(pick).transpose()?;
    Ok(Aligned { q, keys: pick(&memory.keys)?, values: pick(&memory.values)?, mask })
}
