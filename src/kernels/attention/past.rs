//! Attention of a decoder's rows to their own past.
//!
//! Keys and values lie in *cells* `[cells, inner]`, one for each token of each row, and a row names its cells in the order
//! of time: so rows may have pasts of different lengths, hypotheses share the cells of what they have in common, and
//! nothing moves when rows are reordered.

use candle_core::{CpuStorage, CustomOp3, InplaceOp2, Layout, Result, Shape, bail};

use super::scores::{dot, mix, softmax};
use super::{Heads, for_each_row, slice};
use crate::kernels::simd::{self, Kernel, Simd, WIDE};

/// Writes columns `from..from + inner` of each row of `[r, …]` into its newest cell.
pub struct Append<'a> {
    /// The cells of each row; the last is the newest.
    pub cells: &'a [Vec<u32>],
    /// First column to take.
    pub from: usize,
}

impl InplaceOp2 for Append<'_> {
    fn name(&self) -> &'static str {
        "append"
    }

    fn cpu_fwd(
        &self,
        cells: &mut CpuStorage,
        cells_layout: &Layout,
        new: &CpuStorage,
        new_layout: &Layout,
    ) -> Result<()> {
        let (_, inner) = cells_layout.shape().dims2()?;
        let (_, width) = new_layout.shape().dims2()?;
        let new = slice(new, new_layout)?;
        let CpuStorage::F32(cells) = cells else { bail!("the past is not f32") };
        for (new, cell) in new.chunks_exact(width).zip(self.cells.iter().filter_map(|cells| cells.last())) {
            cells[*cell as usize * inner..][..inner].copy_from_slice(&new[self.from..][..inner]);
        }
        Ok(())
    }
}

/// Queries (the first `inner` columns of `[r, 3 · inner]`) over the keys and values, `[cells, inner]`, of their
/// rows' cells, to `[r, inner]`.
pub struct Past<'a> {
    /// The heads.
    pub heads: Heads<'a>,
    /// The cells of each row, in the order of time.
    pub cells: &'a [Vec<u32>],
}

impl CustomOp3 for Past<'_> {
    fn name(&self) -> &'static str {
        "past-attention"
    }

    fn cpu_fwd(
        &self,
        qkv: &CpuStorage,
        qkv_layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
        values: &CpuStorage,
        values_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (qkv, keys, values) = (slice(qkv, qkv_layout)?, slice(keys, keys_layout)?, slice(values, values_layout)?);
        let (rows, width) = qkv_layout.shape().dims2()?;
        let (_, inner) = keys_layout.shape().dims2()?;
        if inner != self.heads.inner() || self.cells.len() != rows {
            bail!("attention of {rows} rows over a past of another shape");
        }
        let mut out = vec![0f32; rows * inner];
        let task = |row: usize, out: &mut [f32]| {
            let query = &qkv[row * width..][..inner];
            simd::run(PastRow { heads: self.heads, cells: &self.cells[row], query, keys, values, out });
        };
        let tokens: usize = self.cells.iter().map(Vec::len).sum();
        for_each_row(&mut out, inner, tokens * inner * 2, task);
        Ok((CpuStorage::F32(out), (rows, inner).into()))
    }
}

struct PastRow<'a> {
    heads: Heads<'a>,
    cells: &'a [u32],
    query: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for PastRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (inner, width, length) = (self.heads.inner(), self.heads.width, self.cells.len());
        let pad = length.next_multiple_of(WIDE);
        let query: Vec<f32> = self.query.iter().map(|q| q * self.heads.scale).collect();
        let mut scores = vec![0f32; self.heads.count * pad];
        // All heads of a cell at once: cells lie anywhere, and are read fastest from end to end.
        for (t, &cell) in self.cells.iter().enumerate() {
            let key = &self.keys[cell as usize * inner..][..inner];
            for (head, (query, key)) in query.chunks_exact(width).zip(key.chunks_exact(width)).enumerate() {
                scores[head * pad + t] = dot(simd, query, key);
            }
        }
        for (head, scores) in scores.chunks_exact_mut(pad).enumerate() {
            let bias = self.heads.bias.map(|bias| bias.row(head, length - 1, length));
            softmax(simd, scores, length, bias);
        }
        let value = |t: usize| &self.values[self.cells[t] as usize * inner..][..inner];
        mix(simd, &scores, [pad, length, width], value, self.out);
    }
}
