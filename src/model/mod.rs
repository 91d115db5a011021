//! A sequence-to-sequence transformer: config.json to a [`Spec`], weights to layers, token ids to logits.
//!
//! Invariant: a loaded model never changes and is `Send + Sync`. What changes while decoding is a [`DecoderState`], which
//! the caller owns. This module knows tensors only: no text, and no search.

mod adapter;
mod builder;
mod decoder;
mod delta;
mod embeddings;
mod encoder;
pub mod family;
mod output;
mod packed;
mod positions;
mod residual;
pub mod spec;
mod storage;
mod torch;
mod view;
pub mod weights;

use std::path::Path;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

pub use adapter::open_weights;
pub use decoder::DecoderState;
pub use spec::Spec;
pub use view::View;
pub use weights::Weights;

use builder::Builder;
use decoder::{Decoder, DecoderAttention, DecoderLayer};
use embeddings::embeddings;
use encoder::{Encoder, EncoderLayer};
use output::Output;
use packed::Quantiser;
use positions::{Places, RelativeBias, Sinusoids};
use spec::{AlignmentHead, GlobalAttention, Positions, Prompts, Stack, StackNames};

use crate::batch::{Batch, TokenId};
use crate::error::WithHint;
use crate::kernels::attention::Pattern;
use crate::kernels::gemm::Quantised;
use crate::kernels::pages::Pages;
use crate::kernels::simd::Level;
use crate::nn::{Embedding, Linear, Logits, Matrix, Norm, Prompt, fuses};

/// An encoder-decoder with its output layer.
pub struct Seq2Seq {
    spec: Spec,
    encoder: Encoder,
    decoder: Decoder,
    output: Output,
    device: Device,
    dtype: DType,
}

/// The encoder's output for a batch.
pub struct EncoderOutput {
    /// The encoder's states, `[b, s, d]`.
    pub states: Tensor,
    /// Source length of each sentence, `b` of them.
    pub lengths: Vec<usize>,
}

/// Whether int8 is faster than f32 on this processor. Without instructions that multiply bytes it is three times slower,
/// measured on x86-64 without extensions (benches/results/2026-11-23-zen5.md).
#[must_use]
pub fn int8_is_faster() -> bool {
    Level::current() != Level::Generic
}

impl Seq2Seq {
    /// Builds the layers that `spec` describes out of `weights`, to compute in `dtype` on `device`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(spec: Spec, weights: &Weights, device: &Device, dtype: DType) -> Result<Self> {
        Self::build(spec, weights, device, dtype, None)
    }

    /// Builds the layers with all weight matrices in int8, to compute on the CPU in f32. Matrices are mapped from the
    /// file `cache` if it has them; otherwise they are quantised and stored there for the next time. A cache that cannot
    /// be written is no error.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load_int8(spec: Spec, weights: &Weights, cache: Option<&Path>) -> Result<Self> {
        // Without a file nobody asks which checkpoint it is.
        let checkpoint = cache.map(|_| weights.fingerprint()).unwrap_or_default();
        // A folder that several machines share gets a file for each memory layout.
        let cache = cache.map(|cache| cache.with_added_extension(Quantised::form()));
        let cache = cache.as_deref();
        let quantiser = Quantiser::new(cache, &checkpoint);
        let model = Self::build(spec, weights, &Device::Cpu, DType::F32, Some(&quantiser))?;
        if let Some(cache) = cache {
            quantiser.store(cache, &checkpoint).ok();
        }
        Ok(model)
    }

    fn build(
        spec: Spec,
        weights: &Weights,
        device: &Device,
        dtype: DType,
        quantiser: Option<&Quantiser>,
    ) -> Result<Self> {
        check_stacks(&spec, weights)?;
        let (pages, sinusoids) = (&Pages::default(), &Sinusoids::default());
        let builder = Builder { spec: &spec, weights, device, dtype, pages, quantiser, sinusoids };
        let [source, target, output] = embeddings(&builder)?;
        let encoder = encoder(&builder, source)?;
        let decoder = decoder(&builder, target)?;
        let output = Output::new(&builder, output)?;
        Ok(Self { encoder, decoder, output, device: device.clone(), dtype, spec })
    }

    /// The specification.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The device that the model computes on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Encodes a batch of source sequences.
    ///
    /// # Errors
    /// When an id is outside the vocabulary, the family does not have the requested global attention, or the device
    /// fails.
    pub fn encode(&self, batch: &Batch, global: GlobalAttention) -> Result<EncoderOutput> {
        let lengths = batch.ids.iter().map(Vec::len).collect();
        Ok(EncoderOutput { states: self.encoder.forward(batch, global)?, lengths })
    }

    /// A decoder state without rows.
    #[must_use]
    pub fn empty_state(&self) -> DecoderState {
        self.decoder.empty_state(self.dtype, &self.device)
    }

    /// A decoder state with one row per encoded sentence, before its first token.
    ///
    /// # Errors
    /// When the device fails.
    pub fn start(&self, encoded: &EncoderOutput) -> Result<DecoderState> {
        let mut state = self.empty_state();
        self.admit(&mut state, encoded, &vec![vec![&[][..]]; encoded.lengths.len()])?;
        Ok(state)
    }

    /// Adds rows for encoded sentences after the rows of `state`. For each sentence, `prefill` has one list of tokens per
    /// row, which that row has been fed. If [`Self::can_admit`] is false, only a state without rows can admit sentences,
    /// and only without prefill.
    ///
    /// # Errors
    /// When an id is outside the vocabulary, a row is too long for the model's positions, or the device fails.
    pub fn admit(&self, state: &mut DecoderState, encoded: &EncoderOutput, prefill: &[Vec<&[TokenId]>]) -> Result<()> {
        self.decoder.admit(state, &encoded.states, &encoded.lengths, prefill)
    }

    /// Whether sentences can be admitted while others are being decoded: only on the fused path.
    #[must_use]
    pub fn can_admit(&self) -> bool {
        fuses(self.dtype, &self.device)
    }

    /// Feeds one token to every row; returns the logits of the next, `[r, v]` in the model's type.
    ///
    /// # Errors
    /// When an id is outside the vocabulary, a row is too long for the model's positions, or the device fails.
    pub fn step(&self, state: &mut DecoderState, tokens: &[TokenId]) -> Result<Tensor> {
        self.output.dense(self.decoder.step(state, tokens)?)
    }

    /// Feeds one token to every row; returns the logits of the next, `[r, v]`. Where possible they are lazy: computed
    /// when they are read, and never stored.
    ///
    /// # Errors
    /// When an id is outside the vocabulary, a row is too long for the model's positions, or the device fails.
    pub fn predict(&self, state: &mut DecoderState, tokens: &[TokenId]) -> Result<Logits> {
        self.output.logits(self.decoder.step(state, tokens)?)
    }

    /// What one head of cross-attention looks at while targets are fed: for each sentence, and each token of its target, the
    /// weights of the sentence's tokens, which sum to 1. A target begins with what decoding starts from.
    ///
    /// # Errors
    /// When the model has no such head, an id is outside the vocabulary, or the device fails.
    pub fn align(
        &self,
        encoded: &EncoderOutput,
        targets: &[Vec<TokenId>],
        head: AlignmentHead,
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        let head = head.of(&self.spec)?;
        self.decoder.align(self.empty_state(), &encoded.states, &encoded.lengths, targets, head)
    }

    /// Reorders the rows of a decoder: row `i` becomes what row `rows[i]` was.
    ///
    /// # Errors
    /// When the device fails.
    pub fn select(&self, state: &mut DecoderState, rows: &[usize]) -> Result<()> {
        state.select(rows, &self.device)
    }
}

/// Refuses weights that have the layers of one stack only, judged by names.
///
/// # Errors
/// When no tensor belongs to a layer of the other stack.
pub fn check_stacks(spec: &Spec, weights: &Weights) -> Result<()> {
    let bare = |name: &'_ str| name.strip_prefix(spec.names.prefix).unwrap_or(name).to_owned();
    let begins = |layers: &str| weights.names().any(|name| bare(name).starts_with(&bare(layers)));
    let has = |stack: &StackNames| {
        begins(stack.layers) || spec.names.twin(stack.layers).is_some_and(|layers| begins(&layers))
    };
    let what = match (has(&spec.names.encoder), has(&spec.names.decoder)) {
        (true, false) => "an encoder without a decoder",
        (false, true) => "a decoder without an encoder",
        _ => return Ok(()),
    };
    anyhow::bail!(format!("the weights are {what}: no tensor is of a layer of the other").with_hint(family::WHOLE))
}

fn encoder(builder: &Builder, tokens: Matrix) -> Result<Encoder> {
    let (spec, names) = (builder.spec, &builder.spec.names.encoder);
    // transformers 5 builds an encoder of MVP without prompts, so checkpoints that it saved have none there.
    let prompted =
        |prompts: &&Prompts| builder.find(&format!("{}.prompt_embedding.weight", prompts.names[0])).is_some();
    let prompts = spec.prompts.as_ref().filter(prompted);
    let prompts = prompts.map(|prompts| builder.prompts(prompts, prompts.names[0], &spec.encoder));
    let prompts = prompts.transpose()?.unwrap_or_default();
    let layers = (0..spec.encoder.layers)
        .map(|layer| {
            let prefix = format!("{}{layer}.", names.layers);
            let pattern = match spec.encoder.pattern(layer) {
                Pattern::Prompted { .. } if prompts.is_empty() => Pattern::Full,
                pattern => pattern,
            };
            let mut attention = builder.encoder_attention(&prefix, names, &spec.encoder, pattern)?;
            attention.0.prompt = prompts.get(layer).cloned();
            Ok(EncoderLayer {
                attention,
                global_norm: builder.global_norm(&prefix, names, &spec.encoder, pattern)?,
                pattern,
                feed_forward: builder.position_wise(layer, names, &spec.encoder)?,
            })
        })
        .collect::<Result<_>>()?;
    let Around { embedding, embedding_norm, places, final_norm } = around(builder, tokens, names, &spec.encoder, true)?;
    let (globals, by_block) = globals(builder, names, &spec.encoder)?;
    Ok(Encoder { embedding, embedding_norm, globals, places, by_block, layers, final_norm, pad: 0 })
}

/// The global tokens of an encoder, and its biases by distance in blocks.
fn globals(builder: &Builder, names: &StackNames, stack: &Stack) -> Result<(Option<Tensor>, Option<RelativeBias>)> {
    let tokens = match stack.pattern(0) {
        Pattern::Blocks { globals, .. } => {
            let view = builder.get(names.globals.tokens, &[globals, stack.width])?;
            Some(view.tensor(builder.dtype, builder.device)?)
        }
        _ => None,
    };
    let by_block = match (stack.pattern(0), stack.positions) {
        (Pattern::WindowAndSums { .. }, Positions::Relative { buckets, max_distance, .. }) => {
            let view = builder.get(&format!("{}0.{}", names.layers, names.globals.bias), &[buckets, stack.heads])?;
            Some(RelativeBias::new(&view, stack.heads, max_distance, true))
        }
        _ => None,
    };
    Ok((tokens, by_block))
}

fn decoder(builder: &Builder, tokens: Matrix) -> Result<Decoder> {
    let (spec, names) = (builder.spec, &builder.spec.names.decoder);
    let prompts = |which: usize| -> Result<Vec<Prompt>> {
        let prompts = spec.prompts.as_ref();
        let prompts = prompts.map(|prompts| builder.prompts(prompts, prompts.names[which], &spec.decoder));
        Ok(prompts.transpose()?.unwrap_or_default())
    };
    // A decoder with prompts has some before its own past and others before the source.
    let (of_past, of_memory) = (prompts(1)?, prompts(2)?);
    let layers = (0..spec.decoder.layers)
        .map(|layer| {
            let prefix = format!("{}{layer}.", names.layers);
            let stack = &spec.decoder;
            let attention = if spec.merged_attention {
                DecoderAttention::Merged(Box::new(builder.merged_attention(&prefix, names, stack)?))
            } else {
                let mut own = builder.self_attention(&prefix, names, stack)?;
                own.0.prompt = of_past.get(layer).cloned();
                let content = spec.predicting_stream.as_ref();
                let content = content.map(|stream| builder.content_bias(stream, &prefix, names, stack));
                own.0.content = content.transpose()?;
                let mut source = builder.cross_attention(&prefix, names, stack)?;
                source.0.prompt = of_memory.get(layer).cloned();
                DecoderAttention::Apart { own: Box::new(own), source: Box::new(source) }
            };
            let feed_forward = builder.position_wise(layer, names, stack)?;
            Ok(DecoderLayer { attention, pattern: stack.pattern(layer), feed_forward })
        })
        .collect::<Result<_>>()?;
    let Around { embedding, embedding_norm, places, final_norm } =
        around(builder, tokens, names, &spec.decoder, false)?;
    let mut decoder = Decoder::new(embedding, embedding_norm, places, layers, final_norm, source_projection(builder)?);
    let stream = spec.predicting_stream.as_ref();
    decoder.predicting = stream.map(|stream| builder.predicting_stream(stream, &spec.decoder)).transpose()?;
    Ok(decoder)
}

/// The projection of the encoder's width to the decoder's, in families that have one.
fn source_projection(builder: &Builder) -> Result<Option<Linear>> {
    let (spec, name) = (builder.spec, builder.spec.names.source_projection);
    if !spec.source_projection {
        return Ok(None);
    }
    let [source, target] = [spec.encoder.width, spec.decoder.width];
    anyhow::ensure!(
        builder.find(&format!("{name}.weight")).is_some(),
        format!(
            "the encoder is {source} wide and the decoder {target}, and the weights have no `{name}` between the two"
        )
        .with_hint("config.json and the weights must be of the same checkpoint")
    );
    builder.projection(name, [target, source]).map(Some)
}

/// The parts of a stack that come before and after its layers.
struct Around {
    embedding: Embedding,
    embedding_norm: Option<Norm>,
    places: Places,
    final_norm: Option<Norm>,
}

fn around(builder: &Builder, tokens: Matrix, names: &StackNames, stack: &Stack, both_ways: bool) -> Result<Around> {
    let mut places = Places::new(builder, names, stack, both_ways)?;
    let mut embedding = Embedding::new(tokens, stack.embedding_scale, places.table.take());
    if let Some(token) = builder.spec.own_embedding {
        let row = builder.get(builder.spec.names.own_embedding, &[stack.width])?;
        embedding = embedding.with_own(token, row.tensor(builder.dtype, builder.device)?);
    }
    if stack.word_norm {
        embedding = embedding.with_norm(builder.norm(names.embedding_norm, stack)?);
    }
    let embedding_norm = stack.embedding_norm.then(|| builder.norm(names.embedding_norm, stack)).transpose()?;
    let final_norm = stack.final_norm.then(|| builder.norm(names.final_norm, stack)).transpose()?;
    Ok(Around { embedding, embedding_norm, places, final_norm })
}
