//! Fused operations on the CPU: what stands behind one tensor operation where candle's own is too slow.
//!
//! Invariant: a row's result has the same bits whatever rows, batch size or threads accompany it.

pub mod topk;
