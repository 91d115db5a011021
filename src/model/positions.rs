//! Positions of tokens: tables of sines, biases by bucketed distance, and rotation.

use std::cell::RefCell;

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::batch::TokenId;
use crate::kernels::attention::{DistanceBias, Pattern};
use crate::nn::{PositionTable, Rotary};

use super::builder::Builder;
use super::spec::{Frequencies, Positions, Stack, StackNames};
use super::view::View;

/// The positions of one stack's tokens, in the form that its family has.
#[derive(Default)]
pub(super) struct Places {
    /// Absolute positions, which are added to embeddings.
    pub table: Option<PositionTable>,
    /// Biases by distance: one for each layer, one for all layers, or none.
    pub relative: Vec<RelativeBias>,
    /// Frequencies of rotation, in layers with full attention and in those with a window; or none.
    pub rotary: Vec<Rotary>,
}

impl Places {
    /// The positions of a stack; `both_ways`: whether its tokens see later ones too, as in an encoder.
    pub fn new(builder: &Builder, names: &StackNames, stack: &Stack, both_ways: bool) -> Result<Self> {
        let rows = stack.window;
        let table = |first: usize, rows: Tensor, padding_id: Option<TokenId>| {
            let rows = typed(builder, names, stack, rows)?.to_dtype(builder.dtype)?.to_device(builder.device)?;
            Ok(Self { table: Some(PositionTable { rows, first, padding_id }), ..Self::default() })
        };
        match stack.positions {
            Positions::Sinusoidal => match builder.find(names.positions) {
                Some(view) => {
                    view.expect(names.positions, &[rows, stack.width])?;
                    table(0, view.tensor(DType::F32, &Device::Cpu)?, None)
                }
                None => table(0, builder.sinusoids.table(rows, stack.width)?, None),
            },
            Positions::SinusoidalFairseq { padding } => {
                let first = padding.map_or(0, |padding| padding as usize + 1);
                let padding_row = padding.map(|padding| padding as usize);
                let rows = match builder.find(names.positions) {
                    Some(view) => {
                        view.expect(names.positions, &[rows + first, stack.width])?;
                        view.tensor(DType::F32, &Device::Cpu)?
                    }
                    None => sinusoidal_fairseq(rows + first, stack.width, padding_row)?,
                };
                table(first, rows, padding)
            }
            Positions::Learned { offset } => {
                let view = builder.get(names.positions, &[rows + offset, stack.width])?;
                table(offset, view.tensor(DType::F32, &Device::Cpu)?, None)
            }
            Positions::LearnedFairseq { padding } => {
                let first = padding as usize + 1;
                let view = builder.get(names.positions, &[rows + first, stack.width])?;
                table(first, view.tensor(DType::F32, &Device::Cpu)?, Some(padding))
            }
            Positions::Relative { buckets, max_distance, every_layer } => {
                let bias = |layer: usize| {
                    let name = format!("{}{layer}.{}", names.layers, names.positions);
                    let view = builder.get(&name, &[buckets, stack.heads])?;
                    Ok(RelativeBias::new(&view, stack.heads, max_distance, both_ways))
                };
                let relative = (0..if every_layer { stack.layers } else { 1 }).map(bias).collect::<Result<_>>()?;
                Ok(Self { relative, ..Self::default() })
            }
            Positions::Rotary { full, window } => {
                let rotary = |of: Frequencies| Rotary::new(of.base, of.factor, stack.head_width);
                Ok(Self { rotary: vec![rotary(full), rotary(window)], ..Self::default() })
            }
        }
    }
}

/// The table of positions, with the embedding of the first of two texts added to every row (BERT).
fn typed(builder: &Builder, names: &StackNames, stack: &Stack, rows: Tensor) -> Result<Tensor> {
    let Some(view) = builder.find(names.types).filter(|_| !names.types.is_empty()) else { return Ok(rows) };
    let mut first = vec![0f32; stack.width];
    ensure!(view.shape().get(1) == Some(&stack.width), "`{}` has the shape {:?}", names.types, view.shape());
    view.row(0, &mut first);
    Ok(rows.broadcast_add(&Tensor::from_vec(first, stack.width, &Device::Cpu)?)?)
}

/// The last sinusoidal table, for the other stack of the same model.
#[derive(Default)]
pub(super) struct Sinusoids(RefCell<Option<Tensor>>);

impl Sinusoids {
    fn table(&self, rows: usize, d: usize) -> Result<Tensor> {
        let last = self.0.take().filter(|table| table.dims() == [rows, d]);
        let table = last.map_or_else(|| sinusoidal(rows, d), Ok)?;
        self.0.replace(Some(table.clone()));
        Ok(table)
    }
}

/// A sinusoidal table, `[rows, d]`: sines in the first half of each row and cosines in the second (Vaswani et al. 2017,
/// but not interleaved). Computed in f64, as the reference does with NumPy.
///
/// # Errors
/// When the tensor cannot be made.
pub(super) fn sinusoidal(rows: usize, d: usize) -> Result<Tensor> {
    let half = d.div_ceil(2);
    let periods: Vec<f64> = (0..half).map(|j| 10_000f64.powf((2 * j) as f64 / d as f64)).collect();
    let mut values = vec![0f32; rows * d];
    values.par_chunks_exact_mut(d).enumerate().for_each(|(position, row)| {
        let (sines, cosines) = row.split_at_mut(half);
        let angles = || periods.iter().map(|period| position as f64 / period);
        sines.iter_mut().zip(angles()).for_each(|(value, angle)| *value = angle.sin() as f32);
        cosines.iter_mut().zip(angles()).for_each(|(value, angle)| *value = angle.cos() as f32);
    });
    Ok(Tensor::from_vec(values, (rows, d), &Device::Cpu)?)
}

/// fairseq's sinusoidal table, `[rows, d]`: sines in the first half of each row and cosines in the second, with
/// frequencies `10000^(-i / (d/2 - 1))`. The row of padding, if any, is zeros. Computed in f32 throughout, as in the
/// reference.
///
/// # Errors
/// When the tensor cannot be made.
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

/// Trained biases by bucketed distance (Raffel et al. 2020, section 2.1).
pub(super) struct RelativeBias {
    /// The biases, `[buckets, heads]`.
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

    /// The bucket of the distance `key position - query position`, as `_relative_position_bucket` of the reference
    /// computes it.
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
        // In f32, since the reference's rounding decides at the borders of buckets.
        let share = (back as f32 / exact as f32).ln() / ((self.max_distance as f64 / exact as f64).ln() as f32);
        first + (exact + (share * (buckets - exact) as f32) as usize).min(buckets - 1)
    }
}

/// The bucket of each distance into the past, from 0 to `max_distance`: `compute_relative_buckets` of `ProphetNet` in the
/// reference, which unlike T5's function rounds down after the addition. In f32, since the reference's rounding decides.
pub(super) fn buckets_of_past(buckets: usize, max_distance: usize) -> Vec<u32> {
    let exact = buckets / 2;
    let bucket = |distance: usize| {
        if distance < exact {
            return distance as u32;
        }
        let share = (distance as f32 / exact as f32).ln() / ((max_distance as f64 / exact as f64).ln() as f32);
        (exact as f32 + share * (buckets - exact) as f32).min((buckets - 1) as f32) as u32
    };
    (0..=max_distance).map(bucket).collect()
}

/// The entry of a layer, in a list that has one for each layer or one that all layers share.
pub(super) fn of_layer<T>(biases: &[T], layer: usize) -> Option<&T> {
    biases.get(layer).or(biases.first())
}

/// The entry of a layer with this pattern, in a list of two: for layers with full attention, and for layers with a
/// window.
pub(super) fn by_pattern<T>(both: &[T], pattern: Pattern) -> Option<&T> {
    both.get(usize::from(pattern != Pattern::Full))
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
    fn a_predicting_stream_has_buckets_for_every_distance_into_the_past() {
        let buckets = buckets_of_past(32, 128);
        assert_eq!([0, 1, 15, 16, 32, 64, 127, 128].map(|d| buckets[d]), [0, 1, 15, 16, 21, 26, 31, 31]);
    }

    #[test]
    fn an_encoder_divides_them_between_past_and_future() {
        assert_eq!([-7, 0, 7, 200].map(|d| bias(true).bucket(d)), [7, 0, 23, 31]);
        assert_eq!(bias(true).bucket(-9), 8);
    }
}
