//! The layers that all families are made of. Each computes in one of two ways: on the fused path, by the project's own
//! kernels, for f32 on the CPU; on the composed path, by candle's operations, for everything else (GPUs, and f64 in the
//! tests that compare the two).
//!
//! Layers are immutable. What changes while decoding is in [`attention::Past`] and [`attention::PastKeys`] and belongs to
//! the caller.

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

/// Whether this tensor takes the fused path.
fn fused(x: &Tensor) -> bool {
    fuses(x.dtype(), x.device())
}

/// Whether tensors of this type on this device take the fused path.
#[must_use]
pub fn fuses(dtype: DType, device: &Device) -> bool {
    device.is_cpu() && dtype == DType::F32
}
