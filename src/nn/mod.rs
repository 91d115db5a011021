//! The layers that all families are made of. Each knows two ways to compute: the fused kernel, for f32 on
//! the CPU, and candle's own operations, for everything else (CUDA, and f64 in the tests that compare the two).
//!
//! Layers are immutable; what changes while decoding is in [`attention::Past`] and belongs to the caller.

pub mod attention;
pub mod embedding;
pub mod experts;
pub mod feed_forward;
pub mod linear;
pub mod norm;
pub mod rotary;

pub use crate::kernels::topk::Logits;
pub use attention::{
    Bias, ContentBias, CrossAttention, CrossCache, FirstToken, HeadNorms, MergedAttention, OwnPast, Past, PastKeys,
    Prompt, Relative, RowSource, SelfAttention, Sequences, Shape,
};
pub use embedding::{Embedding, PositionTable};
pub use experts::{Experts, PositionWise, Routing};
pub use feed_forward::FeedForward;
pub use linear::{Linear, Matrix};
pub use norm::Norm;
pub use rotary::{Rotary, Rotation};

use candle_core::{DType, Device, Tensor};

/// Whether the fused kernels take this tensor.
fn fused(x: &Tensor) -> bool {
    fuses(x.dtype(), x.device())
}

/// Whether the fused kernels take tensors of this type on this device.
#[must_use]
pub fn fuses(dtype: DType, device: &Device) -> bool {
    device.is_cpu() && dtype == DType::F32
}
