//! Rotary position embedding: queries and keys are rotated by their positions, so that their product depends on their
//! distance (Su et al. 2021).
//!
//! Angles are computed for the positions at hand. No table is kept: models have up to 131,072 positions.

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};

use super::fuses;
use crate::kernels::heads::Angles;

/// The frequencies of a rotary position embedding: the angle by which each pair of a head's numbers turns per position.
#[derive(Clone, Debug)]
pub struct Rotary {
    /// Radians per position, `width / 2` of them.
    frequencies: Vec<f32>,
}

impl Rotary {
    /// Frequencies for heads of `width`: pair `i` turns by `base^(-2i / width) / factor` radians per position. Computed
    /// in f32, as in the reference.
    #[must_use]
    pub fn new(base: f64, factor: f64, width: usize) -> Self {
        let frequency = |i: usize| {
            let power = (base as f32).powf((2 * i) as f32 / width as f32);
            1.0 / power / factor as f32
        };
        Self { frequencies: (0..width / 2).map(frequency).collect() }
    }

    /// The rotation at these positions.
    ///
    /// # Errors
    /// When the device fails.
    pub fn at(&self, positions: &[usize], dtype: DType, device: &Device) -> Result<Rotation> {
        let half = self.frequencies.len();
        let mut values = Vec::with_capacity(2 * half * positions.len());
        for &position in positions {
            let angles = self.frequencies.iter().map(|frequency| position as f32 * frequency);
            values.extend(angles.clone().map(f32::cos));
            values.extend(angles.map(f32::sin));
        }
        let angles = Angles { values, width: 2 * half };
        if fuses(dtype, device) {
            return Ok(Rotation { angles, tensors: None });
        }
        let all = Tensor::from_slice(&angles.values, (positions.len(), 2 * half), &Device::Cpu)?;
        let part = |first: usize| all.narrow(1, first, half)?.contiguous()?.to_dtype(dtype)?.to_device(device);
        let tensors = Some([part(0)?, part(half)?]);
        Ok(Rotation { angles, tensors })
    }
}

/// Cosines and sines of the angles at some positions.
#[derive(Clone, Debug)]
pub struct Rotation {
    angles: Angles,
    /// Composed path: cosines and sines on the device, `[n, width / 2]` each.
    tensors: Option<[Tensor; 2]>,
}

impl Rotation {
    pub(super) fn angles(&self) -> &Angles {
        &self.angles
    }

    /// Rotates `x`, `[b, h, n, width]`, by the positions of its third axis.
    pub(super) fn along_time(&self, x: &Tensor) -> Result<Tensor> {
        self.rotated(x, |angles| angles.unsqueeze(0)?.unsqueeze(0))
    }

    /// Rotates `x`, `[n, h, 1, width]`, by the positions of its first axis.
    pub(super) fn along_rows(&self, x: &Tensor) -> Result<Tensor> {
        self.rotated(x, |angles| angles.unsqueeze(1)?.unsqueeze(1))
    }

    fn rotated(&self, x: &Tensor, shaped: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> Result<Tensor> {
        let [cosines, sines] = self.tensors.as_ref().context("a rotation for the fused path")?;
        let (cosines, sines) = (shaped(cosines)?, shaped(sines)?);
        let half = x.dim(3)? / 2;
        let (a, b) = (x.narrow(3, 0, half)?, x.narrow(3, half, half)?);
        let first = (a.broadcast_mul(&cosines)? - b.broadcast_mul(&sines)?)?;
        let second = (b.broadcast_mul(&cosines)? + a.broadcast_mul(&sines)?)?;
        Ok(Tensor::cat(&[first, second], 3)?)
    }
}
