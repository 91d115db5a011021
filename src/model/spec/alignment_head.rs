//! Which head of a decoder says which words belong together.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Spec, Stack};
use crate::error::WithHint;

/// A head of the decoder's cross-attention that says which words belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AlignmentHead {
    /// The layer, from 0 on; below 0 it counts from the last, which is -1.
    pub layer: i64,
    /// The head, from 0 on.
    pub head: usize,
}

impl AlignmentHead {
    /// Layer and head, both from 0 on, in a model of this specification.
    ///
    /// # Errors
    /// When the model has no such layer or head, or no cross-attention of its own.
    pub fn of(self, spec: &Spec) -> Result<[usize; 2]> {
        let Stack { layers, heads, .. } = spec.decoder;
        ensure!(
            !spec.merged_attention && spec.predicting_stream.is_none(),
            format!("models of the family `{}` have no heads that align words", spec.family)
                .with_hint("leave out `--alignment` and `--alignment-head`")
        );
        let layer = if self.layer < 0 { self.layer + layers as i64 } else { self.layer };
        ensure!(
            (0..layers as i64).contains(&layer) && self.head < heads,
            format!(
                "there is no layer {} with a head {}: the decoder has {layers} layers of {heads} heads",
                self.layer, self.head
            )
            .with_hint("`--alignment-head LAYER,HEAD` counts both from 0; layer -1 is the last")
        );
        Ok([layer as usize, self.head])
    }
}
