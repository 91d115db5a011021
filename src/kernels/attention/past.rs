//! Attention of a decoder's rows to their own past.
//!
//! Keys and values lie in *slots*, `[slots, inner]`, one for each token of each row. A row lists its slots in order of
//! time. So rows may have pasts of different lengths, hypotheses share the slots of their common prefix, and nothing
//! moves when rows are reordered.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::scores::{dot, mix_heads, softmax};
use super::{Heads, for_each_row, host_slice, slice};
use crate::kernels::simd::{self, Kernel, Simd, WIDE};
use crate::kernels::soft_cap::cap_scores;

/// Number of tokens per row that memory is reserved for at the first step.
pub const FIRST_CAPACITY: usize = 32;

/// Keys and values of one layer, `[slots, inner]` each. Memory grows with what is written; none is filled beforehand.
#[derive(Default)]
pub struct KvCache {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl KvCache {
    /// The key in a slot, `inner` wide.
    #[inline(always)]
    pub(super) fn key(&self, slot: u32, inner: usize) -> &[f32] {
        &self.keys[slot as usize * inner..][..inner]
    }

    /// The value in a slot, `inner` wide.
    #[inline(always)]
    pub(super) fn value(&self, slot: u32, inner: usize) -> &[f32] {
        &self.values[slot as usize * inner..][..inner]
    }

    /// Forgets all slots. Memory of at most `kept` values each for keys and for values stays allocated; more is freed.
    pub fn clear(&mut self, kept: usize) {
        for all in [&mut self.keys, &mut self.values] {
            all.clear();
            if all.capacity() > kept {
                all.shrink_to_fit();
            }
        }
    }

    /// Writes each row's key and value into the newest of its slots, the last of its list. They are the last `2 · inner`
    /// columns of `[r, columns]` (queries, keys, values side by side). The slot must be the first unwritten one, or one
    /// that was written before.
    ///
    /// # Errors
    /// When a slot would leave a gap before it, or when shapes, types or devices do not fit.
    pub fn append(&mut self, qkv: &Tensor, inner: usize, slots: &[Vec<u32>]) -> Result<()> {
        let (rows, width) = qkv.dims2()?;
        let (storage, layout) = qkv.storage_and_layout();
        if width < 2 * inner || rows != slots.len() {
            bail!("{} rows of a past for {rows} of {width}", slots.len());
        }
        let room = rows * inner * FIRST_CAPACITY;
        for (new, slot) in
            host_slice(&storage, layout)?.chunks_exact(width).zip(slots.iter().filter_map(|row| row.last()))
        {
            write(&mut self.keys, *slot, &new[width - 2 * inner..width - inner], room)?;
            write(&mut self.values, *slot, &new[width - inner..], room)?;
        }
        Ok(())
    }
}

/// Writes a slot: the first unwritten one, or one that was written before. When memory is used up, it grows to twice its
/// size, and by `room` values at least.
fn write(all: &mut Vec<f32>, slot: u32, new: &[f32], room: usize) -> Result<()> {
    let start = slot as usize * new.len();
    if start == all.len() {
        if all.len() == all.capacity() {
            all.reserve_exact(all.len().max(room));
        }
        all.extend_from_slice(new);
    } else if let Some(old) = all.get_mut(start..start + new.len()) {
        old.copy_from_slice(new);
    } else {
        bail!("slot {slot} comes before those that are not written yet");
    }
    Ok(())
}

/// Attention of queries (the first `inner` columns of `[r, columns]`) to the keys and values in their rows' slots, to
/// `[r, inner]`.
pub struct PastAttention<'a> {
    /// The heads.
    pub heads: Heads<'a>,
    /// Keys and values of past tokens.
    pub cache: &'a KvCache,
    /// The slots of each row, in order of time.
    pub slots: &'a [Vec<u32>],
    /// Keys and values that every row sees before its own, `[prompts, kv_inner]` each; empty if there are none.
    pub prompt: [&'a [f32]; 2],
    /// Biases of each row, `[heads, slots]`, if rows have biases of their own; otherwise empty.
    pub biases: &'a [Vec<f32>],
}

impl CustomOp1 for PastAttention<'_> {
    fn name(&self) -> &'static str {
        "past-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        let inner = self.heads.inner();
        if width != self.heads.columns() || self.slots.len() != rows || self.prompt[0].len() != self.prompt[1].len() {
            bail!("attention of {rows} rows of {width} over a past of another shape");
        }
        let (qkv, cache) = (slice(qkv, layout)?, self.cache);
        let mut out = vec![0f32; rows * inner];
        let task = |row: usize, out: &mut [f32]| {
            let query = &qkv[row * width..][..inner];
            let PastAttention { heads, prompt, .. } = *self;
            let biases = self.biases.get(row).map(Vec::as_slice);
            simd::run(PastRow { heads, slots: &self.slots[row], prompt, biases, query, cache, out });
        };
        let prompts = self.prompt[0].len() / self.heads.kv_inner().max(1);
        let tokens: usize = self.slots.iter().map(|slots| slots.len() + prompts).sum();
        for_each_row(&mut out, inner, tokens * inner * 2, task);
        Ok((CpuStorage::F32(out), (rows, inner).into()))
    }
}

struct PastRow<'a> {
    heads: Heads<'a>,
    slots: &'a [u32],
    prompt: [&'a [f32]; 2],
    biases: Option<&'a [f32]>,
    query: &'a [f32],
    cache: &'a KvCache,
    out: &'a mut [f32],
}

impl Kernel for PastRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { heads, slots, prompt, cache, .. } = self;
        let (inner, width) = (heads.kv_inner(), heads.width);
        let prompts = prompt[0].len() / inner;
        let length = prompts + slots.len();
        let key = |t: usize| match t.checked_sub(prompts) {
            Some(t) => cache.key(slots[t], inner),
            None => &prompt[0][t * inner..][..inner],
        };
        let value = |t: usize| match t.checked_sub(prompts) {
            Some(t) => cache.value(slots[t], inner),
            None => &prompt[1][t * inner..][..inner],
        };
        let pad = length.next_multiple_of(WIDE);
        let query: Vec<f32> = self.query.iter().map(|q| q * self.heads.scale).collect();
        let mut scores = vec![0f32; self.heads.count * pad];
        // All heads of a slot are scored at once: slots lie anywhere, and memory is read fastest from end to end.
        for t in 0..length {
            let key = key(t);
            for (head, query) in query.chunks_exact(width).enumerate() {
                scores[head * pad + t] = dot(simd, query, &key[self.heads.kv_at(head)..][..width]);
            }
        }
        for (head, scores) in scores.chunks_exact_mut(pad).enumerate() {
            let own = self.biases.map(|biases| &biases[head * length..][..length]);
            let bias = own.or_else(|| self.heads.bias.map(|bias| bias.row(head, length - 1, length)));
            cap_scores(simd, scores, self.heads.cap);
            softmax(simd, scores, length, bias);
        }
        mix_heads(simd, &self.heads, &scores, [pad, length], value, self.out);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn cells_are_written_in_order_and_again_and_none_is_left_out() -> Result<()> {
        let qkv = |first: f32| Tensor::arange(first, first + 12.0, &Device::Cpu)?.reshape((2, 6));
        let mut cache = KvCache::default();
        cache.append(&qkv(0.0)?, 2, &[vec![0], vec![1]])?;
        cache.append(&qkv(100.0)?, 2, &[vec![0, 2], vec![1, 0]])?;
        assert_eq!(cache.keys, [108.0, 109.0, 8.0, 9.0, 102.0, 103.0]);
        assert_eq!(cache.values, [110.0, 111.0, 10.0, 11.0, 104.0, 105.0]);
        assert!(cache.append(&qkv(0.0)?, 2, &[vec![0], vec![4]]).is_err());
        assert!(cache.append(&qkv(0.0)?, 2, &[vec![0]]).is_err());
        cache.clear(usize::MAX);
        assert!(cache.keys.is_empty() && cache.keys.capacity() > 0);
        cache.clear(0);
        assert_eq!(cache.values.capacity(), 0);
        Ok(())
    }
}
