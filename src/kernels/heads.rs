//! Preparation of the heads of queries and keys before they meet: normalisation of each head, and rotation by its
//! position.
//!
//! Invariant (row invariance): each head of each row is computed alone and in a fixed order.

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, bail};
use rayon::prelude::*;

use super::threads::divides;

/// Number of values below which one thread prepares all.
const PARALLEL_WORK: usize = 1 << 15;

/// Cosines and sines of the angles by which heads are rotated, for some positions (Su et al. 2021).
#[derive(Clone, Debug)]
pub struct Angles {
    /// For each position, `width / 2` cosines and then `width / 2` sines.
    pub values: Vec<f32>,
    /// Width of a head.
    pub width: usize,
}

/// Prepares heads in place, at the start of each row of `[…, columns]`: first those of queries, then those of keys.
pub struct PrepareHeads<'a> {
    /// Number of heads of queries and of keys.
    pub counts: [usize; 2],
    /// Width of a head.
    pub width: usize,
    /// Weights `[width]` of the root-mean-square normalisation of queries and of keys, if heads are normalised.
    pub norms: Option<[&'a [f32]; 2]>,
    /// Added to the mean square under the root.
    pub eps: f32,
    /// Angles of each position, if heads are rotated. Row `i` has position `i` modulo the number of positions.
    pub angles: Option<&'a Angles>,
}

impl InplaceOp1 for PrepareHeads<'_> {
    fn name(&self) -> &'static str {
        "prepare-heads"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let columns = layout.dims().last().copied().unwrap_or(0);
        let heads = self.counts[0] + self.counts[1];
        let positions = self.angles.map_or(1, |angles| angles.values.len() / self.width);
        if heads * self.width > columns
            || positions == 0
            || self.angles.is_some_and(|angles| angles.width != self.width)
        {
            bail!("{heads} heads of {} in rows of {columns}", self.width);
        }
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            bail!("heads are prepared in contiguous f32 tensors only");
        };
        let values = &mut values[start..end];
        let row = |(row, values): (usize, &mut [f32])| self.row(row % positions, values);
        if divides(values.len(), PARALLEL_WORK) {
            values.par_chunks_exact_mut(columns).enumerate().for_each(row);
        } else {
            values.chunks_exact_mut(columns).enumerate().for_each(row);
        }
        Ok(())
    }
}

impl PrepareHeads<'_> {
    fn row(&self, position: usize, values: &mut [f32]) {
        let [queries, keys] = self.counts;
        for (number, head) in values.chunks_exact_mut(self.width).take(queries + keys).enumerate() {
            if let Some(norms) = self.norms {
                normalise(head, norms[usize::from(number >= queries)], self.eps);
            }
            if let Some(angles) = self.angles {
                rotate(head, &angles.values[position * self.width..][..self.width]);
            }
        }
    }
}

/// Root-mean-square normalisation of one head: `x / sqrt(mean(x²) + eps) · weight`.
fn normalise(head: &mut [f32], weight: &[f32], eps: f32) {
    let square: f32 = head.iter().map(|x| x * x).sum();
    let factor = 1.0 / (square / head.len() as f32 + eps).sqrt();
    head.iter_mut().zip(weight).for_each(|(x, weight)| *x = *x * factor * weight);
}

/// Rotates pairs of one head: number `i` of the first half with number `i` of the second half.
fn rotate(head: &mut [f32], angles: &[f32]) {
    let ((first, second), (cosines, sines)) = (head.split_at_mut(angles.len() / 2), angles.split_at(angles.len() / 2));
    for (((a, b), cosine), sine) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
        (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn queries_and_keys_are_normalised_and_rotated_and_values_are_left() -> Result<()> {
        let x = Tensor::new(&[[3f32, 4.0, 6.0, 8.0, 1.0, 2.0], [3.0, 4.0, 6.0, 8.0, 1.0, 2.0]], &Device::Cpu)?;
        let angles = Angles { values: vec![1.0, 0.0, 0.0, 1.0], width: 2 };
        let (query, key) = ([1f32, 1.0], [2f32, 1.0]);
        let norms = Some([&query[..], &key[..]]);
        x.inplace_op1(&PrepareHeads { counts: [1, 1], width: 2, norms, eps: 0.0, angles: Some(&angles) })?;
        let root = 12.5f32.sqrt();
        let expected = [
            [3.0 / root, 4.0 / root, 6.0 / root, 4.0 / root, 1.0, 2.0],
            [-4.0 / root, 3.0 / root, -4.0 / root, 6.0 / root, 1.0, 2.0],
        ];
        for (found, expected) in x.to_vec2::<f32>()?.into_iter().flatten().zip(expected.into_iter().flatten()) {
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
        let wide = PrepareHeads { counts: [4, 0], width: 2, norms: None, eps: 0.0, angles: None };
        assert!(x.inplace_op1(&wide).is_err());
        Ok(())
    }
}
