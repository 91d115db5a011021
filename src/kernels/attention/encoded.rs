//! Keys and values of encoded sentences, in the order in which a decoder reads them at every step.
//!
//! For many sentences, or long ones, they are more than the caches hold, so a step takes as long as reading them. Memory is
//! read fastest from end to end, so the keys of a head lie together (see `blocks`), and so do its values.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Storage, Tensor, WithDType, bail};
use half::f16;
use rayon::prelude::*;

use super::blocks::{KeyBlock, blocks, place_of};
use super::{Heads, on_host, slice};
use crate::kernels::simd::{Stored, WIDE};

/// Takes the keys out of `[b, s, 2 · inner]` (keys and values side by side): `[b, heads, d_head · s']`, with `s'` the next
/// multiple of 16. The keys of a head stand in blocks, see [`super::KEY_BLOCK`].
pub struct SplitKeys {
    /// Number of heads of keys.
    pub heads: usize,
    /// The type to keep them in: `F32` or `F16`, see [`Stored::narrow`].
    pub dtype: DType,
}

/// The storage of numbers that a function computes as one of the two types.
macro_rules! stored_as {
    ($dtype:expr, $split:ident($($arg:expr),*)) => {
        match $dtype {
            DType::F32 => CpuStorage::F32($split($($arg),*)),
            DType::F16 => CpuStorage::F16($split($($arg),*)),
            other => bail!("keys and values in {}", other.as_str()),
        }
    };
}

impl CustomOp1 for SplitKeys {
    fn name(&self) -> &'static str {
        "split-keys"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (b, s, width) = split(layout, self.heads)?;
        let out = stored_as!(self.dtype, split_keys(slice(storage, layout)?, [b, s, self.heads, width]));
        Ok((out, (b, self.heads, width * s.next_multiple_of(WIDE)).into()))
    }
}

/// The keys of `[b, s, 2 · heads · width]` as [`SplitKeys`] has them.
fn split_keys<T: Stored + Default>(kv: &[f32], [b, s, heads, width]: [usize; 4]) -> Vec<T> {
    let pad = s.next_multiple_of(WIDE);
    let mut out = vec![T::default(); b * heads * width * pad];
    out.par_chunks_mut((width * pad).max(1)).enumerate().for_each(|(number, out)| {
        let (sentence, head) = (number / heads, number % heads);
        let mut key = vec![T::default(); width];
        for t in 0..s {
            T::narrow(&kv[((sentence * s + t) * 2 * heads + head) * width..][..width], &mut key);
            let (first, positions) = place_of(t, pad);
            for (j, &value) in key.iter().enumerate() {
                out[first * width + j * positions + t - first] = value;
            }
        }
    });
    out
}

/// Takes the values out of `[b, s, 2 · inner]` (keys and values side by side): `[b, heads, s, d_head]`.
pub struct SplitValues {
    /// Number of heads of values.
    pub heads: usize,
    /// The type to keep them in: `F32` or `F16`, see [`Stored::narrow`].
    pub dtype: DType,
}

impl CustomOp1 for SplitValues {
    fn name(&self) -> &'static str {
        "split-values"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (b, s, width) = split(layout, self.heads)?;
        let out = stored_as!(self.dtype, split_values(slice(storage, layout)?, [b, s, self.heads, width]));
        Ok((out, (b, self.heads, s, width).into()))
    }
}

/// The values of `[b, s, 2 · heads · width]` as [`SplitValues`] has them.
fn split_values<T: Stored + Default>(kv: &[f32], [b, s, heads, width]: [usize; 4]) -> Vec<T> {
    let mut out = vec![T::default(); b * heads * s * width];
    out.par_chunks_mut((s * width).max(1)).enumerate().for_each(|(number, out)| {
        let (sentence, head) = (number / heads, number % heads);
        for (t, out) in out.chunks_exact_mut(width).enumerate() {
            T::narrow(&kv[((sentence * s + t) * 2 * heads + heads + head) * width..][..width], out);
        }
    });
    out
}

/// The numbers `b` and `s` of `[b, s, 2 · inner]`, and the width of one of `heads` heads.
fn split(layout: &Layout, heads: usize) -> Result<(usize, usize, usize)> {
    let (b, s, columns) = layout.shape().dims3()?;
    if heads == 0 || !columns.is_multiple_of(2 * heads) {
        bail!("{columns} columns of keys and values for {heads} heads");
    }
    Ok((b, s, columns / 2 / heads))
}

/// Keys and values of sentences that were encoded together.
#[derive(Clone, Copy)]
pub struct EncodedGroup<'a> {
    /// Keys from [`SplitKeys`], `[b, kv_heads, d_head · s']`.
    pub keys: &'a Tensor,
    /// Values from [`SplitValues`], `[b, kv_heads, s, d_head]`.
    pub values: &'a Tensor,
    /// Length of each sentence, `b` of them.
    pub lengths: &'a [usize],
}

/// The sentence that a decoder row attends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSource {
    /// Index of the group of sentences.
    pub group: usize,
    /// Index of the sentence in its group.
    pub sentence: usize,
}

/// Runs `then` on the memory of the groups; nothing writes to it meanwhile.
pub(super) fn read<T>(groups: &[EncodedGroup], then: impl FnOnce(&[Memory]) -> Result<T>) -> Result<T> {
    let stored: Vec<_> =
        groups.iter().map(|group| (group.keys.storage_and_layout(), group.values.storage_and_layout())).collect();
    let memories = groups.iter().zip(&stored).map(|(group, ((keys, keys_layout), (values, values_layout)))| {
        let (keys, values) = ((&**keys, *keys_layout), (&**values, *values_layout));
        Ok(match group.keys.dtype() {
            DType::F16 => Memory::F16(Slices::new(keys, values, group.lengths)?),
            _ => Memory::F32(Slices::new(keys, values, group.lengths)?),
        })
    });
    then(&memories.collect::<Result<Vec<_>>>()?)
}

/// The memory of an [`EncodedGroup`], by the type of its numbers.
#[derive(Clone, Copy)]
pub(super) enum Memory<'a> {
    F32(Slices<'a, f32>),
    F16(Slices<'a, f16>),
}

impl<'a> Memory<'a> {
    /// The length of the longest sentence.
    pub fn s(&self) -> usize {
        match self {
            Self::F32(slices) => slices.s,
            Self::F16(slices) => slices.s,
        }
    }

    /// The memory, which must be in f32.
    pub fn in_f32(&self) -> Result<Slices<'a, f32>> {
        match self {
            Self::F32(slices) => Ok(*slices),
            Self::F16(_) => bail!("this attention takes keys and values in f32"),
        }
    }
}

/// The keys and values of an [`EncodedGroup`].
#[derive(Clone, Copy)]
pub(super) struct Slices<'a, T> {
    keys: &'a [T],
    values: &'a [T],
    pub s: usize,
    lengths: &'a [usize],
}

/// The numbers of a contiguous tensor on the CPU.
fn numbers<'a, T: WithDType>(storage: &'a Storage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&on_host(storage)?.as_slice()?[start..end]),
        None => bail!("a kernel takes contiguous tensors"),
    }
}

impl<'a, T: WithDType> Slices<'a, T> {
    fn new(keys: (&'a Storage, &Layout), values: (&'a Storage, &Layout), lengths: &'a [usize]) -> Result<Self> {
        let (_, _, s, _) = values.1.shape().dims4()?;
        Ok(Self { keys: numbers(keys.0, keys.1)?, values: numbers(values.0, values.1)?, s, lengths })
    }
}

impl<'a, T> Slices<'a, T> {
    /// Keys and values of one sentence.
    pub fn sentence(&self, sentence: usize, heads: &Heads) -> SentenceKeys<'a, T> {
        let (inner, pad) = (heads.kv_inner(), self.s.next_multiple_of(WIDE));
        SentenceKeys {
            keys: &self.keys[sentence * inner * pad..][..inner * pad],
            values: &self.values[sentence * inner * self.s..][..inner * self.s],
            s: self.s,
            length: self.lengths[sentence],
        }
    }
}

/// Keys and values of one sentence.
#[derive(Clone, Copy)]
pub(super) struct SentenceKeys<'a, T> {
    /// `[kv_heads, d_head · s']`.
    keys: &'a [T],
    /// `[kv_heads, s, d_head]`.
    values: &'a [T],
    s: usize,
    /// Number of tokens of the sentence, at most `s`.
    pub length: usize,
}

impl<'a, T> SentenceKeys<'a, T> {
    /// The blocks of the keys that a head of queries uses, as far as the sentence reaches.
    #[inline(always)]
    pub fn blocks(&self, heads: &Heads, head: usize) -> impl Iterator<Item = KeyBlock<'a, T>> {
        let pad = self.s.next_multiple_of(WIDE);
        blocks(&self.keys[heads.kv_at(head) * pad..][..heads.width * pad], heads.width, self.length)
    }

    /// The values that a head of queries uses, `[length, d_head]`.
    #[inline(always)]
    pub fn values(&self, heads: &Heads, head: usize) -> &'a [T] {
        &self.values[heads.kv_at(head) * self.s..][..self.length * heads.width]
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn heads_are_taken_apart_and_keys_stand_in_blocks() -> Result<()> {
        let (b, s, heads, width) = (2, 70, 3, 2);
        let at = |sentence: usize, t: usize, column: usize| (sentence * 1000 + t * 12 + column) as f32;
        let all =
            (0..b).flat_map(|sentence| (0..s).flat_map(move |t| (0..12).map(move |column| at(sentence, t, column))));
        let kv = Tensor::from_iter(all, &Device::Cpu)?.reshape((b, s, 12))?;
        let dtype = DType::F32;
        let keys = kv.apply_op1_no_bwd(&SplitKeys { heads, dtype })?;
        let values = kv.apply_op1_no_bwd(&SplitValues { heads, dtype })?;
        assert_eq!((keys.dims(), values.dims()), (&[2, 3, 160][..], &[2, 3, 70, 2][..]));
        let groups = [EncodedGroup { keys: &keys, values: &values, lengths: &[70, 5] }];
        let of = Heads { count: 6, kv_count: heads, width, scale: 1.0, cap: None, bias: None };
        read(&groups, |groups| {
            let group = groups[0].in_f32()?;
            for (sentence, head, component) in [(0, 0, 0), (0, 5, 1), (1, 3, 0)] {
                let found = group.sentence(sentence, &of);
                let of_block = |block: KeyBlock<f32>| block.keys[component * block.positions..][..block.count].to_vec();
                let keys: Vec<f32> = found.blocks(&of, head).flat_map(of_block).collect();
                let values: Vec<f32> = found.values(&of, head).iter().skip(component).step_by(width).copied().collect();
                let column = head / 2 * width + component;
                let expected =
                    |column: usize| -> Vec<f32> { (0..found.length).map(|t| at(sentence, t, column)).collect() };
                assert_eq!((keys, values), (expected(column), expected(column + 6)), "{sentence} {head}");
            }
            Ok(())
        })
    }
}
