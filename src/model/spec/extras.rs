//! What only some families have: experts, prompts, and streams that predict.

use super::Routing;

/// A mixture of experts: feed-forward layers of which each token uses one or two.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpertSpec {
    /// Number of experts.
    pub count: usize,
    /// Indices of the layers that have experts.
    pub layers: Vec<usize>,
    /// Whether the router has a bias.
    pub router_bias: bool,
    /// How tokens are assigned to experts.
    pub routing: Routing,
    /// Names of the router, and of an expert without its number; other layers' feed-forward part has names of its own.
    pub names: [&'static str; 2],
}

/// Trained keys and values for every attention: a table, and two layers that compute all of them from it (MVP).
#[derive(Clone, Debug, PartialEq)]
pub struct Prompts {
    /// Number of prompts before every sequence.
    pub count: usize,
    /// Width between the two layers.
    pub inner: usize,
    /// Names of the prompts of the encoder, of the decoder's past, and of cross-attention.
    pub names: [&'static str; 3],
}

/// Streams of a decoder beside that of its tokens, each of which predicts one of the tokens to come (`ProphetNet`, Qi et
/// al. 2020). Decoding needs only the first of them. In these families biases by distance are computed from each token's
/// state.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictingStream {
    /// Number of streams in the weights.
    pub streams: usize,
    /// Number of buckets of distances.
    pub buckets: usize,
    /// Distance from which on all distances share the last bucket.
    pub max_distance: usize,
    /// Names of the table that streams begin with, and, within a layer's self-attention, of the projection to biases.
    pub names: [&'static str; 2],
}
