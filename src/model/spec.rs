//! The specification of a model: everything that distinguishes families and checkpoints, as plain data. Module `family`
//! fills it in; code after that never asks for the family.

mod alignment_head;
mod extras;

use serde::Serialize;

use crate::batch::TokenId;
use crate::kernels::activation::Activation;

pub use crate::kernels::attention::Pattern;
pub use crate::nn::Routing;
pub use alignment_head::AlignmentHead;
pub use extras::{ExpertSpec, PredictingStream, Prompts};

/// The specification of a sequence-to-sequence transformer.
// Each flag is one way in which checkpoints differ, and all combinations occur.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The `model_type` of config.json, for messages.
    pub family: String,
    /// Number of rows of the decoder's embedding and of the output matrix, `v`.
    pub vocabulary: usize,
    /// Number of rows of the encoder's embedding.
    pub source_vocabulary: usize,
    /// The encoder's stack.
    pub encoder: Stack,
    /// The decoder's stack.
    pub decoder: Stack,
    /// Whether encoder and decoder share one embedding.
    pub shared_embedding: bool,
    /// Whether the output matrix is the decoder's embedding, unless the weights contain another one.
    pub tied_output: bool,
    /// Factor that the decoder's states are multiplied by before the output matrix.
    pub output_scale: f64,
    /// Names of the bias of the logits, of which the first that the weights have is used; they may have none.
    pub output_bias: &'static [&'static str],
    /// Soft cap of the logits: `cap · tanh(logit / cap)`.
    pub logit_cap: Option<f32>,
    /// Whether the encoder's states are projected to the decoder's width.
    pub source_projection: bool,
    /// Activation function of a layer that projects, activates and normalises the decoder's states once more before the
    /// output matrix; `None` in families without that layer.
    pub output_transform: Option<Activation>,
    /// Whether a decoder's token attends to its past and to the source at once, with one set of projections, instead of
    /// one after the other.
    pub merged_attention: bool,
    /// A token whose embedding is outside the table and not scaled.
    pub own_embedding: Option<TokenId>,
    /// Whether activations exceed the range of f16, so that f16 must not be used.
    pub wide_range: bool,
    /// Whether int8 was measured to give equally good texts, so that it is the default where no type is requested.
    pub int8: bool,
    /// Trained keys and values that stand before all others, in families that have them.
    pub prompts: Option<Prompts>,
    /// The stream that predicts the next token, in families where the tokens' own states do not.
    pub predicting_stream: Option<PredictingStream>,
    /// Names of the tensors.
    pub names: Names,
}

impl Spec {
    /// The most tokens that a source can have, special ones included; `None` if positions are unlimited.
    #[must_use]
    pub fn source_capacity(&self) -> Option<usize> {
        self.encoder.capacity()
    }

    /// The most tokens that a target can have, the start token included; `None` if positions are unlimited.
    #[must_use]
    pub fn target_capacity(&self) -> Option<usize> {
        // The predicting stream is one position ahead of its token.
        let ahead = usize::from(self.predicting_stream.is_some());
        self.decoder.capacity().map(|capacity| capacity.saturating_sub(ahead))
    }

    /// Whether the first token of a source can be made global: it sees all tokens, and all see it.
    #[must_use]
    pub fn has_global_first(&self) -> bool {
        !self.names.encoder.globals.projections[0].is_empty()
    }

    /// Width of the encoder states that the decoder reads.
    #[must_use]
    pub fn source_width(&self) -> usize {
        if self.source_projection { self.decoder.width } else { self.encoder.width }
    }

    /// Both stacks, to set what they have in common.
    pub fn stacks(&mut self) -> [&mut Stack; 2] {
        [&mut self.encoder, &mut self.decoder]
    }
}

/// The specification of one of the two stacks.
// Each flag is one way in which stacks differ, and all combinations occur.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Width, `d`.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of attention heads of queries.
    pub heads: usize,
    /// Number of attention heads of keys and of values; divides `heads`. Each is shared by `heads / kv_heads` heads of
    /// queries.
    pub kv_heads: usize,
    /// Width of one attention head; need not be the model's width divided by `heads`.
    pub head_width: usize,
    /// Factor that queries are multiplied by.
    pub attention_scale: f32,
    /// Soft cap of the attention scores: `cap · tanh(score / cap)`.
    pub attention_cap: Option<f32>,
    /// Whether each head of queries and keys is normalised.
    pub head_norms: bool,
    /// Inner width of the feed-forward layer.
    pub inner: usize,
    /// The most tokens that the stack was made for, special ones included; with absolute positions, the number of
    /// positions.
    pub window: usize,
    /// Whether the projections of attention have biases.
    pub attention_bias: bool,
    /// Whether the feed-forward layers have biases.
    pub feed_forward_bias: bool,
    /// The attention patterns of the layers, repeated from the first if there are more layers than patterns. Never empty.
    pub attention: Vec<Pattern>,
    /// Activation function of the feed-forward layer.
    pub activation: Activation,
    /// Whether the feed-forward layer is gated by a second projection.
    pub gated: bool,
    /// Placement of normalisation.
    pub norm_placement: NormPlacement,
    /// Kind of normalisation.
    pub norm: NormKind,
    /// Number that is added under normalisation's root.
    pub norm_eps: f64,
    /// Whether the output of the last layer is normalised.
    pub final_norm: bool,
    /// Whether embeddings are normalised, with positions included.
    pub embedding_norm: bool,
    /// Whether token embeddings are normalised before positions are added (Blenderbot-small); the tensor has the name of
    /// `embedding_norm`.
    pub word_norm: bool,
    /// Kind of positions.
    pub positions: Positions,
    /// Factor that token embeddings are multiplied by.
    pub embedding_scale: f64,
    /// Experts that some layers have instead of one feed-forward layer.
    pub experts: Option<ExpertSpec>,
}

impl Stack {
    /// A stack like the original transformer's (Vaswani et al. 2017), but with norms before each part and learned
    /// positions from row 0. Families set their differences on top of it. `width` must be a multiple of `heads`.
    #[must_use]
    pub fn plain(width: usize, heads: usize) -> Self {
        // A model with 0 heads is refused later, when the whole is checked.
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

    /// The most tokens that a sequence can have; `None` if positions are unlimited.
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

    /// The attention pattern of a layer.
    #[must_use]
    pub fn pattern(&self, layer: usize) -> Pattern {
        self.attention[layer % self.attention.len()]
    }
}

/// Which source tokens see all others and are seen by all, in families that leave this to the caller (LED).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum GlobalAttention {
    /// No token.
    #[default]
    None,
    /// The first token.
    First,
}

/// Placement of normalisation around the parts of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormPlacement {
    /// Before each sub-layer, inside the residual connection.
    Pre,
    /// After each sub-layer and its residual connection (Vaswani et al. 2017).
    Post,
    /// Before each sub-layer and again after it, both inside the residual connection.
    Both,
}

/// Kind of normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// Layer normalisation: mean and variance, with a weight and a bias (Ba et al. 2016).
    Layer,
    /// Root-mean-square normalisation, with a weight (Zhang and Sennrich 2019).
    Rms,
    /// Root-mean-square normalisation, multiplied by one plus the stored weight (Gemma).
    RmsOneMore,
}

/// How positions of tokens are encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Positions {
    /// A sinusoidal table: sines in the first half, cosines in the second, frequencies `10000^(-2i/d)`. A stored table is
    /// preferred.
    Sinusoidal,
    /// A sinusoidal table as fairseq makes it: the same halves, frequencies `10000^(-i/(d/2 - 1))`. The row of padding is
    /// zeros, and position 0 is the row after it. A stored table is preferred (FSMT).
    SinusoidalFairseq {
        /// The padding token, which takes up no position even inside a text. Without one, position 0 is the first row
        /// (PEGASUS-X).
        padding: Option<TokenId>,
    },
    /// A trained table.
    Learned {
        /// Row of position 0.
        offset: usize,
    },
    /// A trained table with fairseq's rows: position 0 is the row after that of padding.
    LearnedFairseq {
        /// The padding token, which takes up no position even inside a text.
        padding: TokenId,
    },
    /// Trained biases of attention scores by bucketed distance (Raffel et al. 2020).
    Relative {
        /// Number of buckets, half of them for small distances.
        buckets: usize,
        /// Distance from which on all distances share the last bucket.
        max_distance: usize,
        /// Whether every layer has a table of its own; otherwise all layers use the first one's.
        every_layer: bool,
    },
    /// Rotary positions: queries and keys are rotated by their positions (Su et al. 2021).
    Rotary {
        /// Frequencies in layers with full attention.
        full: Frequencies,
        /// Frequencies in layers with a window.
        window: Frequencies,
    },
}

/// Frequencies of rotary positions: pair `i` of a head's numbers turns by `base^(-2i / width) / factor` radians per
/// position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frequencies {
    /// The base of the frequencies.
    pub base: f64,
    /// Factor by which positions are compressed.
    pub factor: f64,
}

/// Names of a family's tensors. Names within layers follow `stack + index + "." + part + …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    /// Prefix that some checkpoints omit.
    pub prefix: &'static str,
    /// The shared embedding of both stacks; empty if the family has none.
    pub shared: &'static str,
    /// The output matrix.
    pub head: &'static str,
    /// The embedding of [`Spec::own_embedding`].
    pub own_embedding: &'static str,
    /// The projection of the encoder's states, see [`Spec::source_projection`].
    pub source_projection: &'static str,
    /// The projection and the normalisation of [`Spec::output_transform`].
    pub output_transform: [&'static str; 2],
    /// Two prefixes that stand for each other: a tensor that is absent under one name may be present under the other.
    pub twins: Option<[&'static str; 2]>,
    /// The encoder's names.
    pub encoder: StackNames,
    /// The decoder's names.
    pub decoder: StackNames,
}

impl Names {
    /// The name that may stand for `name`, see [`Self::twins`].
    #[must_use]
    pub fn twin(&self, name: &str) -> Option<String> {
        let [one, other] = self.twins?;
        // The other first, since one may be a part of it.
        let renamed = name.strip_prefix(other).map(|rest| format!("{one}{rest}"));
        renamed.or_else(|| Some(format!("{other}{}", name.strip_prefix(one)?)))
    }
}

/// Names of the tensors of one stack.
#[derive(Clone, Debug, PartialEq)]
pub struct StackNames {
    /// The stack's own embedding.
    pub embedding: &'static str,
    /// The table of positions; for relative biases, their name within a layer.
    pub positions: &'static str,
    /// A table whose first row is added to every embedding; empty if the family has none.
    pub types: &'static str,
    /// Whether matrices within layers are stored as `[in, out]` instead of `[out, in]`.
    pub transposed: bool,
    /// Normalisation of the embeddings.
    pub embedding_norm: &'static str,
    /// What precedes a layer's index.
    pub layers: &'static str,
    /// Self-attention and its normalisation.
    pub self_attention: (&'static str, &'static str),
    /// Query, key, value and output projections of self-attention. Projections with equal names lie one after another in
    /// one matrix.
    pub projections: [&'static str; 4],
    /// Cross-attention and its normalisation.
    pub cross_attention: (&'static str, &'static str),
    /// Query, key, value and output projections of cross-attention.
    pub cross_projections: [&'static str; 4],
    /// Up, gate and down projections, and their normalisation.
    pub feed_forward: [&'static str; 4],
    /// Second normalisations, after self-attention, cross-attention and the feed-forward layer; see
    /// [`NormPlacement::Both`].
    pub after: [&'static str; 3],
    /// Normalisation of heads of queries and of keys, within self-attention.
    pub head_norms: [&'static str; 2],
    /// Normalisation after the last layer.
    pub final_norm: &'static str,
    /// What attention patterns need besides.
    pub globals: GlobalNames,
}

/// Names of tensors for global tokens and block sums; empty if the family has none.
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
    /// The names of a stack that has none of these.
    pub const NONE: Self = Self { projections: [""; 3], tokens: "", norm: "", bias: "" };
}
