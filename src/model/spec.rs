//! What distinguishes one family or checkpoint from another, as plain data. Filled in by `family`; nothing
//! after that asks which family it was.

use serde::Serialize;

use crate::batch::TokenId;
use crate::kernels::activation::Activation;

pub use crate::kernels::attention::Pattern;
pub use crate::nn::Routing;

/// A sequence-to-sequence transformer.
// Each flag is one way in which checkpoints differ, and all combinations occur.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// `model_type` of config.json, for people.
    pub family: String,
    /// Rows of the decoder's embedding and of the output, `v`.
    pub vocabulary: usize,
    /// Rows of the encoder's embedding.
    pub source_vocabulary: usize,
    /// The encoder's layers.
    pub encoder: Stack,
    /// The decoder's layers.
    pub decoder: Stack,
    /// Whether encoder and decoder use one embedding.
    pub shared_embedding: bool,
    /// Whether the output matrix is the decoder's embedding, unless the weights hold another one.
    pub tied_output: bool,
    /// Factor on the decoder's states before the output matrix.
    pub output_scale: f64,
    /// Name of the bias on the logits, which may be missing.
    pub output_bias: Option<&'static str>,
    /// What logits are kept below in size, smoothly.
    pub logit_cap: Option<f32>,
    /// Whether the encoder's states are projected to the decoder's width.
    pub source_projection: bool,
    /// Whether the decoder's states are projected, activated and normalised once more before the output matrix.
    pub output_transform: bool,
    /// Whether a decoder's token sees its past and the source at once, by the same projections, or the source after its past.
    pub merged_attention: bool,
    /// A token that has an embedding of its own, which is not scaled.
    pub own_embedding: Option<TokenId>,
    /// Whether activations leave the range of f16, so that it must not be computed in.
    pub wide_range: bool,
    /// Whether eight bits were measured to give as good texts, so that they are taken where nobody names a type.
    pub int8: bool,
    /// Keys and values that stand before all others, where there are any.
    pub prompts: Option<Prompts>,
    /// The stream that says what the next token is, where the tokens themselves do not.
    pub predicting_stream: Option<PredictingStream>,
    /// Names of the weights.
    pub names: Names,
}

impl Spec {
    /// Most tokens a source can have, specials included, where the encoder's positions end.
    #[must_use]
    pub fn source_capacity(&self) -> Option<usize> {
        self.encoder.capacity()
    }

    /// Most tokens a target can have, the start token included, where the decoder's positions end.
    #[must_use]
    pub fn target_capacity(&self) -> Option<usize> {
        // A predicting stream stands a position ahead of its token.
        let ahead = usize::from(self.predicting_stream.is_some());
        self.decoder.capacity().map(|capacity| capacity.saturating_sub(ahead))
    }

    /// Whether the first token of a source can see everything and be seen by all.
    #[must_use]
    pub fn has_global_first(&self) -> bool {
        !self.names.encoder.globals.projections[0].is_empty()
    }

    /// Width of what the decoder reads of a source.
    #[must_use]
    pub fn source_width(&self) -> usize {
        if self.source_projection { self.decoder.width } else { self.encoder.width }
    }

    /// Both stacks, for what they have in common.
    pub fn stacks(&mut self) -> [&mut Stack; 2] {
        [&mut self.encoder, &mut self.decoder]
    }
}

/// One of the two stacks.
// As above.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Width, `d`.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads of queries.
    pub heads: usize,
    /// Attention heads of keys and of values, each of which as many heads of queries share; divides `heads`.
    pub kv_heads: usize,
    /// Width of one attention head; need not be the model's width divided by `heads`.
    pub head_width: usize,
    /// Factor on attention queries.
    pub attention_scale: f32,
    /// What attention scores are kept below in size, smoothly.
    pub attention_cap: Option<f32>,
    /// Whether each head of queries and keys is normalised.
    pub head_norms: bool,
    /// Inner width of the feed-forward layer.
    pub inner: usize,
    /// Most tokens the stack was made for, specials included; with absolute positions, how many there are.
    pub window: usize,
    /// Whether the projections of attention have biases.
    pub attention_bias: bool,
    /// Whether the feed-forward layers have biases.
    pub feed_forward_bias: bool,
    /// What a token sees of its own sequence, layer by layer, and again from the first where layers are more. Never empty.
    pub attention: Vec<Pattern>,
    /// Between the feed-forward layers.
    pub activation: Activation,
    /// Whether a second projection gates the feed-forward layer.
    pub gated: bool,
    /// Where normalisation stands.
    pub norm_placement: NormPlacement,
    /// How normalisation is computed.
    pub norm: NormKind,
    /// Added under normalisation's root.
    pub norm_eps: f64,
    /// Normalisation after the last layer.
    pub final_norm: bool,
    /// Normalisation of the embeddings.
    pub embedding_norm: bool,
    /// Normalisation of words before positions are added (Blenderbot-small), under the name of the other.
    pub word_norm: bool,
    /// How a token knows its place.
    pub positions: Positions,
    /// Factor on embeddings.
    pub embedding_scale: f64,
    /// What some layers have in the place of one feed-forward part.
    pub experts: Option<ExpertSpec>,
}

impl Stack {
    /// A stack as in the first transformers (Vaswani et al. 2017), norms before each part and learned positions from zero: what families
    /// differ in is set on top of it. `width` must be a multiple of `heads`.
    #[must_use]
    pub fn plain(width: usize, heads: usize) -> Self {
        // No heads at all are refused when the whole is checked.
        let head_width = width / heads.max(1);
        Self {
            width,
            layers: 0,
            heads,
            kv_heads: heads,
            head_width,
            attention_scale: 1.0 / (head_width as f32).sqrt(),
            attention_cap: None,
            head_norms: false,
            inner: 0,
            window: 0,
            attention_bias: true,
            feed_forward_bias: true,
            attention: vec![Pattern::Full],
            activation: Activation::Gelu,
            gated: false,
            norm_placement: NormPlacement::Pre,
            norm: NormKind::Layer,
            norm_eps: 1e-5,
            final_norm: false,
            embedding_norm: false,
            word_norm: false,
            positions: Positions::Learned { offset: 0 },
            embedding_scale: 1.0,
            experts: None,
        }
    }

    /// Most tokens a sequence can have, where positions end.
    fn capacity(&self) -> Option<usize> {
        match self.positions {
            Positions::Relative { .. } => None,
            Positions::Sinusoidal
            | Positions::SinusoidalFairseq { .. }
            | Positions::Learned { .. }
            | Positions::LearnedFairseq { .. }
            | Positions::Rotary { .. } => Some(self.window),
        }
    }

    /// What a token sees of its own sequence in a layer.
    #[must_use]
    pub fn pattern(&self, layer: usize) -> Pattern {
        self.attention[layer % self.attention.len()]
    }
}

/// Feed-forward parts, of which a token goes to one or two.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpertSpec {
    /// How many there are.
    pub count: usize,
    /// The layers that have them.
    pub layers: Vec<usize>,
    /// Whether what chooses between them has a bias.
    pub router_bias: bool,
    /// Which of them a token goes to.
    pub routing: Routing,
    /// What chooses, and what stands before an expert's number, where the feed-forward part of other layers has its own names.
    pub names: [&'static str; 2],
}

/// Trained keys and values of every attention: a table, and two layers that make all of them of it (MVP).
#[derive(Clone, Debug, PartialEq)]
pub struct Prompts {
    /// How many stand before every sequence.
    pub count: usize,
    /// Width between the two layers.
    pub inner: usize,
    /// Names of the encoder's, of the decoder's for its own past, and of those for the memory.
    pub names: [&'static str; 3],
}

/// Streams of a decoder beside that of its tokens, each of which predicts one of the tokens to come (`ProphetNet`, Qi et al.
/// 2020). Decoding needs the first of them alone, and all tokens make their own biases by distance.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictingStream {
    /// How many streams the weights are for.
    pub streams: usize,
    /// Buckets of distances.
    pub buckets: usize,
    /// Distance from which all share the last bucket.
    pub max_distance: usize,
    /// Names of the table of what streams begin as, and, within a layer's self-attention, of the projection to biases.
    pub names: [&'static str; 2],
}

/// Which tokens of a source see all of it and are seen by all, where the family leaves that to the caller (LED).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum GlobalAttention {
    /// None.
    #[default]
    None,
    /// The first.
    First,
}

/// Where normalisation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormPlacement {
    /// Before each sub-layer, inside the residual.
    Pre,
    /// After each sub-layer and its residual (Vaswani et al. 2017).
    Post,
    /// Before each sub-layer and again after it, both inside the residual.
    Both,
}

/// How normalisation is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// Mean and variance, with a weight and a bias (Ba et al. 2016).
    Layer,
    /// Root mean square, with a weight (Zhang and Sennrich 2019).
    Rms,
    /// Root mean square, with one more than the stored weight.
    RmsOneMore,
}

/// How a token knows its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Positions {
    /// Sines in the first half, cosines in the second, frequencies `10000^(-2i/d)`; a stored table wins.
    Sinusoidal,
    /// The same halves with frequencies `10000^(-i/(d/2 - 1))`, counted by fairseq: the row of padding is
    /// nought, position 0 the row after it; a stored table wins (FSMT).
    SinusoidalFairseq {
        /// The padding token, which takes up no position even in the middle of a text. Without one, position 0 is the first
        /// row (PEGASUS-X).
        padding: Option<TokenId>,
    },
    /// A trained table, from row `offset` on.
    Learned {
        /// Row of position 0.
        offset: usize,
    },
    /// A trained table, counted by fairseq: the row of padding, position 0 the row after it.
    LearnedFairseq {
        /// The padding token, which takes up no position even in the middle of a text.
        padding: TokenId,
    },
    /// A trained bias on attention by bucketed distance (Raffel et al. 2020).
    Relative {
        /// Buckets, half of them for small distances.
        buckets: usize,
        /// Distance from which all share the last bucket.
        max_distance: usize,
        /// Whether every layer has a table of its own, or all use that of the first.
        every_layer: bool,
    },
    /// Queries and keys are rotated by their positions (Su et al. 2021).
    Rotary {
        /// In layers that see everything.
        full: Frequencies,
        /// In layers that see a window.
        window: Frequencies,
    },
}

/// How fast heads are rotated: pair `i` of a head's numbers by `base^(-2i / width) / factor` at each position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frequencies {
    /// The base.
    pub base: f64,
    /// By how much positions are drawn together.
    pub factor: f64,
}

/// Names of tensors. Layer names follow `stack + index + "." + part + …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    /// Prefix that some checkpoints leave out.
    pub prefix: &'static str,
    /// The embedding of both stacks; empty where a family has none.
    pub shared: &'static str,
    /// The output matrix.
    pub head: &'static str,
    /// The embedding of [`Spec::own_embedding`].
    pub own_embedding: &'static str,
    /// The projection of the encoder's states, see [`Spec::source_projection`].
    pub source_projection: &'static str,
    /// Projection and normalisation of [`Spec::output_transform`].
    pub output_transform: [&'static str; 2],
    /// Beginnings of names that stand for each other: a tensor that is not there under the one may be under the other.
    pub twins: Option<[&'static str; 2]>,
    /// The encoder's names.
    pub encoder: StackNames,
    /// The decoder's names.
    pub decoder: StackNames,
}

impl Names {
    /// The name that may stand for another, see [`Self::twins`].
    #[must_use]
    pub fn twin(&self, name: &str) -> Option<String> {
        let [one, other] = self.twins?;
        let renamed = name.strip_prefix(one).map(|rest| format!("{other}{rest}"));
        renamed.or_else(|| Some(format!("{one}{}", name.strip_prefix(other)?)))
    }
}

/// Names in one stack.
#[derive(Clone, Debug, PartialEq)]
pub struct StackNames {
    /// The stack's own embedding.
    pub embedding: &'static str,
    /// Table of positions; of relative biases, its name within a layer.
    pub positions: &'static str,
    /// Table whose first row is added to every embedding; empty where a family has none.
    pub types: &'static str,
    /// Whether matrices within layers are stored the other way round, `[in, out]`.
    pub transposed: bool,
    /// Normalisation of the embeddings.
    pub embedding_norm: &'static str,
    /// What comes before a layer's index.
    pub layers: &'static str,
    /// Self-attention and its normalisation.
    pub self_attention: (&'static str, &'static str),
    /// Query, key, value and output projections of self-attention. Those of one name lie in one matrix, one after the other.
    pub projections: [&'static str; 4],
    /// Cross-attention and its normalisation.
    pub cross_attention: (&'static str, &'static str),
    /// Query, key, value and output projections of cross-attention.
    pub cross_projections: [&'static str; 4],
    /// Up, gate and down projections, and their normalisation.
    pub feed_forward: [&'static str; 4],
    /// Normalisation after self-attention, cross-attention and the feed-forward layer, where it stands on both sides.
    pub after: [&'static str; 3],
    /// Normalisation of heads of queries and of keys, within self-attention.
    pub head_norms: [&'static str; 2],
    /// After the last layer.
    pub final_norm: &'static str,
    /// What else a pattern of attention needs.
    pub globals: GlobalNames,
}

/// Names of what tokens need that see everything, or are seen by all; empty where a family has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalNames {
    /// Query, key and value projections of a first token that sees everything, within a layer.
    pub projections: [&'static str; 3],
    /// The table of global tokens.
    pub tokens: &'static str,
    /// Normalisation of global tokens before attention, or of the sums of blocks, within a layer.
    pub norm: &'static str,
    /// Biases by distance in blocks, within the first layer.
    pub bias: &'static str,
}

impl GlobalNames {
    /// Of a stack that has nothing of this.
    pub const NONE: Self = Self { projections: [""; 3], tokens: "", norm: "", bias: "" };
}
