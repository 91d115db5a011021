//! Multi-head attention: over a padded batch, over a decoder's own past, and over source sentences that several rows
//! share.
//!
//! Invariant: a decoder's row never sees another row's past, however rows are reordered. On the fused path, reordering
//! moves no keys: each key stays in the slot where it was written, and [`Past`] lists the slots of every row. So rows may
//! have pasts of different lengths and memories of different batches. The composed path (candle's operations, for GPUs)
//! gathers keys instead: it keeps the keys of running sentences only, and takes all rows from one batch.

mod bias;
mod composed;
mod content;
mod merged;
mod past;
mod prepare;
mod prompt;
mod sparse;
mod weights;

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};

use crate::kernels::attention::{self as kernel, DistanceBias, Heads};

use super::{Linear, Norm, Rotation, fused, fuses};

pub use crate::kernels::attention::RowSource;
pub use bias::Bias;
pub use content::ContentBias;
pub use merged::MergedAttention;
pub use past::{Past, PastKeys};
pub use prepare::HeadNorms;
pub use prompt::Prompt;
pub use sparse::FirstToken;

use composed::{join, mask};
use prepare::{Along, Prepare};

/// Number, width and scaling of the heads of one attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Number of heads of queries, `h`.
    pub heads: usize,
    /// Number of heads of keys and of values; divides `heads`. Each is shared by `heads / kv_heads` heads of queries.
    pub kv_heads: usize,
    /// Width of one head.
    pub width: usize,
    /// Factor that queries are multiplied by, after their bias.
    pub scale: f32,
    /// Soft cap of the scores: `cap · tanh(score / cap)`, applied before any bias.
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

/// What all layers of an encoder need to know of a batch: the lengths of its sequences and the padding mask.
pub struct Sequences<'a> {
    lengths: &'a [usize],
    /// Composed path: the padding mask `[b, 1, 1, s]`, if there is padding.
    mask: Option<Tensor>,
}

impl<'a> Sequences<'a> {
    /// A batch of sequences of these `lengths`, padded to `s` tokens.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(lengths: &'a [usize], s: usize, dtype: DType, device: &Device) -> Result<Self> {
        let mask = if fuses(dtype, device) { None } else { mask(lengths, s, dtype, device)? };
        Ok(Self { lengths, mask })
    }
}

/// Relative positions, for families whose embeddings do not say where a token stands.
#[derive(Clone, Copy, Default)]
pub struct Relative<'a> {
    /// Biases of scores by the distance of two tokens.
    pub by_distance: Option<&'a Bias>,
    /// Biases of scores of block sums, by their distance in blocks.
    pub by_block: Option<&'a Bias>,
    /// Rotation of queries and keys by their positions.
    pub rotation: Option<&'a Rotation>,
}

/// The past of a decoder's rows in one layer.
pub struct OwnPast<'a> {
    /// Keys and values of the past tokens.
    pub keys: &'a mut PastKeys,
    /// The slots of each row's tokens in `keys`.
    pub past: &'a Past,
    /// Relative positions of the current token and those of the past.
    pub relative: Relative<'a>,
}

/// Self-attention: of an encoder's sequences, or of a decoder's rows to their own past.
pub struct SelfAttention {
    /// Projection of `d` to queries, keys and values side by side, `inner + 2 · kv_inner`.
    pub qkv: Linear,
    /// Projection of `inner` to `d`.
    pub out: Linear,
    /// The heads.
    pub shape: Shape,
    /// Normalisation of each head of queries and of keys.
    pub norms: Option<HeadNorms>,
    /// Normalisation of block sums, in layers whose tokens attend to them.
    pub sums: Option<Norm>,
    /// Projections of a first token that attends to the whole sequence, in layers that have one.
    pub first: Option<FirstToken>,
    /// Keys and values that every token sees before all others (prefix tuning).
    pub prompt: Option<Prompt>,
    /// Biases by distance that are computed from each token's state.
    pub content: Option<ContentBias>,
}

impl SelfAttention {
    /// Full attention of an encoder: every position sees its whole sentence. `[b, s, d]` to `[b, s, d]`, with `residual`
    /// added.
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

    /// One step of a decoder: the new token of each row sees its row's past and itself. `[r, d]` to `[r, d]`, with
    /// `residual` added. On the composed path, all rows but those of predicted tokens must have pasts of one length.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
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

/// Cross-attention: of decoder rows to the encoder's output for their sentences.
pub struct CrossAttention {
    /// Projection of `d` to queries, `inner`.
    pub q: Linear,
    /// Projection of the encoder's `d` to keys and values side by side, `2 · kv_inner`.
    pub kv: Linear,
    /// Projection of `inner` to `d`.
    pub out: Linear,
    /// The heads.
    pub shape: Shape,
    /// Keys and values that every row sees before its sentence (prefix tuning).
    pub prompt: Option<Prompt>,
}

/// The cross-attention cache: keys and values of the `b` sentences of one encoded batch, computed once for all their
/// rows.
#[derive(Clone)]
pub struct CrossCache {
    /// Fused path: those of [`kernel::SplitKeys`], in f32 or f16; composed path: `[b, h, s, width]`.
    keys: Tensor,
    /// `[b, h, s, width]`.
    values: Tensor,
    /// Composed path: the padding mask `[b, 1, 1, s]`, if there is padding.
    mask: Option<Tensor>,
    /// Length of each sentence, `b` of them.
    lengths: Vec<usize>,
}

impl CrossCache {
    /// Number of sentences, `b`.
    #[must_use]
    pub fn sentences(&self) -> usize {
        self.lengths.len()
    }

    /// Keeps only the sentences with these indices, in this order.
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

    /// A cache of keys and values side by side, `[b, s, 2 · kv_inner]`, for sentences of these `lengths`. `kv` may be
    /// changed in place: the caller must hold its only reference. On the fused path they are kept as `dtype`.
    fn new(kv: &Tensor, prepare: &Prepare, lengths: &[usize], dtype: DType) -> Result<Self> {
        let (lengths, heads) = (lengths.to_vec(), prepare.shape.kv_heads);
        if fused(kv) {
            prepare.keys_in_place(kv)?;
            let keys = kv.apply_op1_no_bwd(&kernel::SplitKeys { heads, dtype })?;
            let values = kv.apply_op1_no_bwd(&kernel::SplitValues { heads, dtype })?;
            return Ok(Self { keys, values, mask: None, lengths });
        }
        let mask = mask(&lengths, kv.dim(1)?, kv.dtype(), kv.device())?;
        let [keys, values] = prepare.keys_and_values(kv)?;
        Ok(Self { keys, values, mask, lengths })
    }

    /// Attention of unscaled queries `[r, inner]` to the sentences of this cache, the only one: `[r, inner]`. `places`
    /// gives the sentence of each row.
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
    /// The cross-attention cache of encoder states `[b, s, d]`, for sentences of these `lengths`.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn memory(&self, states: &Tensor, lengths: &[usize]) -> Result<CrossCache> {
        let (kv, prepare) = (self.kv.forward(states)?, Prepare::nothing(self.shape));
        // A step takes as long as reading them; beside weights of eight bits, those of f16 are not what rounds.
        let dtype = if self.kv.is_quantised() { DType::F16 } else { DType::F32 };
        match &self.prompt {
            Some(prompt) => CrossCache::new(&prompt.before_memory(&kv)?, &prepare, &prompt.lengthened(lengths), dtype),
            None => CrossCache::new(&kv, &prepare, lengths, dtype),
        }
    }

    /// One step of a decoder: `[r, d]` to `[r, d]`, with `residual` added. `places` gives, for each row, the memory that
    /// it attends to and the sentence there. On the composed path there must be exactly one memory.
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

/// Composed path: attention of scaled queries `[r, inner]` to the sentences of a memory, `[r, inner]`.
fn recalled(q: &Tensor, shape: Shape, memory: &CrossCache, places: &[RowSource]) -> Result<Tensor> {
    let Aligned { q, keys, values, mask } = aligned(q, shape, memory, places)?;
    let mixed = shape.attend(&q, &keys, &values, [mask.as_ref(), None])?;
    Ok(join(&mixed)?.reshape((places.len(), shape.inner()))?)
}

/// Queries, and the keys and values that they attend to, with equal batch axes.
struct Aligned {
    /// `[n, h, g, width]`, for `n · g` rows.
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Option<Tensor>,
}

/// Brings queries `[r, inner]` and the memory of their sentences to one batch axis. If the rows are grouped by sentence
/// and each sentence has equally many, the rows of a sentence become the time axis of one query. Otherwise each row gets
/// a copy of its sentence's keys and values.
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
