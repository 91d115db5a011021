//! Building what a decoder needs to predict the next token in a stream of its own (`ProphetNet`).

use anyhow::Result;
use candle_core::Tensor;

use super::Builder;
use crate::model::positions::buckets_of_past;
use crate::model::spec::{PredictingStream, Stack, StackNames};
use crate::nn::ContentBias;

impl Builder<'_> {
    /// The biases of layer `prefix` that are computed from each token's state.
    pub fn content_bias(
        &self,
        stream: &PredictingStream,
        prefix: &str,
        names: &StackNames,
        stack: &Stack,
    ) -> Result<ContentBias> {
        let inside = format!("{prefix}{}.", names.self_attention.0);
        let form = names.form(stack.attention_bias);
        let linear = self.linear(&inside, &[stream.names[1]], [stream.buckets * stack.heads, stack.width], form)?;
        Ok(ContentBias { linear, heads: stack.heads, buckets: buckets_of_past(stream.buckets, stream.max_distance) })
    }

    /// What the stream of the next token begins with, `[d]`: the last row of the table, since transformers counts streams
    /// from -1 on.
    pub fn predicting_stream(&self, stream: &PredictingStream, stack: &Stack) -> Result<Tensor> {
        let table = self.get(stream.names[0], &[stream.streams, stack.width])?;
        Ok(table.tensor(self.dtype, self.device)?.get(stream.streams - 1)?.contiguous()?)
    }
}
