//! Where a token stands: tables of sines, and biases by bucketed distance.

use anyhow::Result;
use candle_core::{Device, Tensor};

use crate::kernels::attention::DistanceBias;

use super::view::View;

/// Sines in the first half of each row and cosines in the second, `[rows, d]` (Vaswani et al. 2017, but not
/// interleaved). Computed in f64, as the reference does with NumPy.
///
/// # Errors
/// When the table does not fit into memory.
pub(super) fn sinusoidal(rows: usize, d: usize) -> Result<Tensor> {
    let half = d.div_ceil(2);
    let angle = |position: usize, j: usize| position as f64 / 10_000f64.powf((2 * (j / 2)) as f64 / d as f64);
    let mut values = vec![0f32; rows * d];
    for (position, row) in values.chunks_exact_mut(d).enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            *value =
                if j < half { angle(position, 2 * j).sin() } else { angle(position, 2 * (j - half) + 1).cos() } as f32;
        }
    }
    Ok(Tensor::from_vec(values, (rows, d), &Device::Cpu)?)
}

/// fairseq's table: the same halves, frequencies falling by `1 / (d/2 - 1)`, nothing in the row of padding, if any. In
/// f32 throughout, since the reference computes it so.
///
/// # Errors
/// When the table does not fit into memory.
pub(super) fn sinusoidal_fairseq(rows: usize, d: usize, padding: Option<usize>) -> Result<Tensor> {
    let half = d / 2;
    let fall = (10_000f64.ln() / (half as f64 - 1.0)) as f32;
    let frequencies: Vec<f32> = (0..half).map(|i| (i as f32 * -fall).exp()).collect();
    let mut values = vec![0f32; rows * d];
    for (position, row) in values.chunks_exact_mut(d).enumerate() {
        for (i, &frequency) in frequencies.iter().enumerate() {
            let angle = position as f32 * frequency;
            row[i] = angle.sin();
            row[half + i] = angle.cos();
        }
    }
    if let Some(padding) = padding {
        values[padding * d..(padding + 1) * d].fill(0.0);
    }
    Ok(Tensor::from_vec(values, (rows, d), &Device::Cpu)?)
}

/// A trained bias by distance (Raffel et al. 2020, section 2.1).
pub(super) struct RelativeBias {
    /// `[buckets, heads]`.
    weight: Vec<f32>,
    heads: usize,
    buckets: usize,
    max_distance: usize,
    /// Whether keys after the query have buckets of their own (the encoder) or cannot occur (the decoder).
    both_ways: bool,
}

impl RelativeBias {
    pub fn new(view: &View, heads: usize, max_distance: usize, both_ways: bool) -> Self {
        let buckets = view.shape()[0];
        let mut weight = vec![0f32; buckets * heads];
        for (row, out) in weight.chunks_exact_mut(heads).enumerate() {
            view.row(row, out);
        }
        Self { weight, heads, buckets, max_distance, both_ways }
    }

    /// The biases of all distances below `reach` in either direction.
    pub fn distances(&self, reach: usize) -> DistanceBias {
        let (zero, width) = (reach - 1, 2 * reach - 1);
        let mut table = vec![0f32; self.heads * width];
        for at in 0..width {
            let bucket = self.bucket(at as i64 - zero as i64);
            for head in 0..self.heads {
                table[head * width + at] = self.weight[bucket * self.heads + head];
            }
        }
        DistanceBias { table, width, zero }
    }

    /// The bucket of `key position - query position`; `_relative_position_bucket` of the reference.
    fn bucket(&self, distance: i64) -> usize {
        let (mut first, mut buckets) = (0, self.buckets);
        let back = if self.both_ways {
            buckets /= 2;
            if distance > 0 {
                first = buckets;
            }
            distance.unsigned_abs() as usize
        } else {
            (-distance).max(0) as usize
        };
        let exact = buckets / 2;
        if back < exact {
            return first + back;
        }
        // In f32, since the reference rounds so at the borders of the buckets.
        let share = (back as f32 / exact as f32).ln() / ((self.max_distance as f64 / exact as f64).ln() as f32);
        first + (exact + (share * (buckets - exact) as f32) as usize).min(buckets - 1)
    }
}

/// The bias of a layer, where all share the first's or each has its own.
pub(super) fn of_layer<T>(biases: &[T], layer: usize) -> Option<&T> {
    biases.get(layer).or(biases.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bias(both_ways: bool) -> RelativeBias {
        RelativeBias { weight: Vec::new(), heads: 1, buckets: 32, max_distance: 128, both_ways }
    }

    #[test]
    fn a_decoder_has_all_buckets_for_the_past() {
        // Published values of the reference for distances 9, 12, 16, 32, 64, 127.
        let buckets: Vec<usize> = [-9, -12, -16, -32, -64, -127, -5000].map(|d| bias(false).bucket(d)).to_vec();
        assert_eq!(buckets, [9, 12, 16, 21, 26, 31, 31]);
        assert_eq!(bias(false).bucket(3), 0);
    }

    #[test]
    fn an_encoder_divides_them_between_past_and_future() {
        assert_eq!([-7, 0, 7, 200].map(|d| bias(true).bucket(d)), [7, 0, 23, 31]);
        assert_eq!(bias(true).bucket(-9), 8);
    }
}
