//! Biases of scores by distance, as the kernels and as candle's operations read them.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

use super::composed;
use crate::kernels::attention::DistanceBias;
use crate::nn::fuses;

/// Additive biases of scores by the distance of query and key (relative positions).
pub struct Bias {
    pub(super) distances: DistanceBias,
    /// Composed path: the biases on the device, `[1, h, s, s]` for sequences, `[1, h, 1, distances]` for a past.
    pub(super) tensor: Option<Tensor>,
}

impl Bias {
    /// Biases for full attention over sequences of `s` tokens.
    ///
    /// # Errors
    /// When the device fails.
    pub fn over_sequences(distances: DistanceBias, s: usize, dtype: DType, device: &Device) -> Result<Self> {
        let spread = || composed::spread(&distances, s, dtype, device);
        let tensor = if fuses(dtype, device) { None } else { Some(spread()?) };
        Ok(Self { distances, tensor })
    }

    /// Biases for sparse attention, which reads them run by run, so that no tensor of all pairs is made.
    #[must_use]
    pub fn over_runs(distances: DistanceBias) -> Self {
        Self { distances, tensor: None }
    }

    /// Biases for each step of a decoder, whose past must not be longer than [`Self::reach`].
    ///
    /// # Errors
    /// When the device fails.
    pub fn over_past(distances: DistanceBias, dtype: DType, device: &Device) -> Result<Self> {
        let table = || composed::table(&distances, dtype, device);
        let tensor = if fuses(dtype, device) { None } else { Some(table()?) };
        Ok(Self { distances, tensor })
    }

    /// The longest past that the biases cover, in tokens, the current one included.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.distances.zero + 1
    }

    /// Composed path: the biases to add to the scores over a past of `time` tokens, `[1, h, 1, time]`.
    pub(super) fn of_past(&self, time: usize) -> Result<Option<Tensor>> {
        let table = self.tensor.as_ref().map(|table| table.narrow(3, self.reach() - time, time));
        Ok(table.transpose()?)
    }
}
