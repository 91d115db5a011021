//! The arithmetic that all attention kernels share: scores, softmax, and the weighted sum of values.
//!
//! Invariant: the order of every sum is fixed by the lengths alone.

use super::Heads;
use crate::kernels::simd::{Simd, WIDE};

/// Softmax in place over the first `length` scores, after adding `bias`; scores beyond become 0.
#[inline(always)]
pub fn softmax<S: Simd>(simd: S, scores: &mut [f32], length: usize, bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        for (score, &bias) in scores.iter_mut().zip(bias) {
            *score += bias;
        }
    }
    scores[length..].fill(f32::NEG_INFINITY);
    let mut largest = simd.splat(f32::NEG_INFINITY);
    for chunk in scores.chunks_exact(S::LANES) {
        largest = simd.max(largest, simd.load(chunk));
    }
    let largest = simd.splat(simd.largest(largest));
    let mut sum = simd.splat(0.0);
    for chunk in scores.chunks_exact_mut(S::LANES) {
        let p = simd.exp(simd.sub(simd.load(chunk), largest));
        sum = simd.add(sum, p);
        simd.store(chunk, p);
    }
    let share = simd.splat(1.0 / simd.sum(sum));
    for chunk in scores.chunks_exact_mut(S::LANES) {
        let p = simd.mul(simd.load(chunk), share);
        simd.store(chunk, p);
    }
}

/// The weighted sum of values, see [`mix`], where several heads of queries may share a head of values. `value` returns
/// all values of one time, `[kv_heads · width]`.
#[inline(always)]
pub fn mix_heads<'v, S: Simd>(
    simd: S,
    heads: &Heads,
    weights: &[f32],
    [pad, length]: [usize; 2],
    value: impl Fn(usize) -> &'v [f32],
    out: &mut [f32],
) {
    let width = heads.width;
    if heads.kv_count == heads.count {
        return mix(simd, weights, [pad, length, width], value, out);
    }
    for (head, (weights, out)) in weights.chunks_exact(pad).zip(out.chunks_exact_mut(width)).enumerate() {
        let at = heads.kv_at(head);
        mix(simd, weights, [pad, length, width], |t| &value(t)[at..at + width], out);
    }
}

/// The weighted sum of values, `out = Σ_t weights[t] · value(t)` for every head, in order of time. `weights` are `[heads,
/// pad]`; `value` returns the values of all heads, `[heads · width]`, for one of `length` times. Several heads are
/// computed at once, since a row of values is read fastest from end to end.
#[inline(always)]
pub fn mix<'v, S: Simd>(
    simd: S,
    weights: &[f32],
    [pad, length, width]: [usize; 3],
    value: impl Fn(usize) -> &'v [f32],
    out: &mut [f32],
) {
    let of = |at: usize| &weights[at / width * pad..][..length];
    let mut at = 0;
    while at < out.len() {
        // A vector must lie within one head; if `width` does not allow that, numbers are computed one at a time.
        let vectors = if width.is_multiple_of(S::LANES) { (out.len() - at) / S::LANES } else { 0 };
        at += match vectors {
            16.. if S::LANES == WIDE => mix_chunk::<S, 16>(simd, of, length, &value, at, out),
            8.. => mix_chunk::<S, 8>(simd, of, length, &value, at, out),
            4.. => mix_chunk::<S, 4>(simd, of, length, &value, at, out),
            2.. => mix_chunk::<S, 2>(simd, of, length, &value, at, out),
            1 => mix_chunk::<S, 1>(simd, of, length, &value, at, out),
            _ => {
                out[at] = of(at).iter().enumerate().fold(0f32, |sum, (t, &weight)| sum + weight * value(t)[at]);
                1
            }
        };
    }
}

/// Computes `C` vectors of the weighted sum from index `at` on; returns the number of values.
#[inline(always)]
fn mix_chunk<'v, 'w, S: Simd, const C: usize>(
    simd: S,
    weights: impl Fn(usize) -> &'w [f32],
    length: usize,
    value: &impl Fn(usize) -> &'v [f32],
    at: usize,
    out: &mut [f32],
) -> usize {
    let mut sums = [simd.splat(0.0); C];
    let weights: [&[f32]; C] = std::array::from_fn(|c| weights(at + c * S::LANES));
    for t in 0..length {
        let value = &value(t)[at..at + C * S::LANES];
        for c in 0..C {
            // SAFETY: `t < length`, and each of `weights` has `length` values.
            let weight = simd.splat(unsafe { *weights[c].get_unchecked(t) });
            sums[c] = simd.mul_add(weight, simd.load(&value[c * S::LANES..]), sums[c]);
        }
    }
    for c in 0..C {
        simd.store(&mut out[at + c * S::LANES..], sums[c]);
    }
    C * S::LANES
}

#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = simd.splat(0.0);
    let (a_chunks, b_chunks) = (a.chunks_exact(S::LANES), b.chunks_exact(S::LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest = rest.fold(0f32, |sum, (&a, &b)| sum + a * b);
    for (a, b) in a_chunks.zip(b_chunks) {
        sum = simd.mul_add(simd.load(a), simd.load(b), sum);
    }
    simd.sum(sum) + rest
}
