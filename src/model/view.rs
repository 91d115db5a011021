//! One tensor of a checkpoint in its file, and its numbers in any type.

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};
use half::slice::HalfFloatSliceExt;

use super::delta::Delta;
use super::storage::{FileBytes, TensorLocation};
use crate::error::WithHint;

/// A tensor in its file, not yet converted.
#[derive(Clone, Copy)]
pub struct View<'a> {
    location: &'a TensorLocation,
    file: &'a FileBytes,
    /// Low-rank products that an adapter adds to the tensor.
    deltas: &'a [Delta],
}

impl<'a> View<'a> {
    /// The tensor at a location, which must have been checked to lie inside its file.
    pub(super) fn new(location: &'a TensorLocation, file: &'a FileBytes, deltas: &'a [Delta]) -> Self {
        Self { location, file, deltas }
    }

    /// The shape of the tensor.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.location.shape
    }

    /// Whether an adapter adds to the tensor.
    #[must_use]
    pub fn is_adapted(&self) -> bool {
        !self.deltas.is_empty()
    }

    /// Checks the shape of the tensor.
    ///
    /// # Errors
    /// When the tensor has another shape than `shape`; `name` is for the message.
    pub fn expect(&self, name: &str, shape: &[usize]) -> Result<()> {
        ensure!(
            self.shape() == shape,
            format!("the tensor `{name}` has the shape {:?}, but config.json asks for {shape:?}", self.shape())
                .with_hint("config.json and the weights must be of the same checkpoint")
        );
        Ok(())
    }

    /// Writes row `row` of a matrix `[rows, columns]` to `out`, as f32. A vector is one row, number 0.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let (row_stride, stride) = match self.location.strides[..] {
            [stride] => (0, stride),
            [row_stride, stride] => (row_stride, stride),
            _ => (out.len(), 1),
        };
        let size = self.location.dtype.size_in_bytes();
        let bytes = &self.file[self.location.start..];
        let start = row * row_stride;
        if stride == 1 {
            widen(self.location.dtype, &bytes[start * size..][..out.len() * size], out);
        } else {
            for (column, out) in out.iter_mut().enumerate() {
                let at = (start + column * stride) * size;
                widen(self.location.dtype, &bytes[at..][..size], std::slice::from_mut(out));
            }
        }
        self.deltas.iter().for_each(|delta| delta.add(row, out));
    }

    /// Writes column `column` of a matrix `[rows, columns]` to `out`, as f32. What an adapter adds is not included:
    /// adapters of matrices stored as `[in, out]` are refused.
    pub fn column(&self, column: usize, out: &mut [f32]) {
        let [row_stride, stride] = self.location.strides[..] else { return out.fill(f32::NAN) };
        let size = self.location.dtype.size_in_bytes();
        let bytes = &self.file[self.location.start..];
        for (row, out) in out.iter_mut().enumerate() {
            let at = (row * row_stride + column * stride) * size;
            widen(self.location.dtype, &bytes[at..][..size], std::slice::from_mut(out));
        }
    }

    /// The tensor as a candle tensor of this type on this device.
    ///
    /// # Errors
    /// When the device cannot hold it.
    pub fn tensor(&self, dtype: DType, device: &Device) -> Result<Tensor> {
        let shape = self.shape();
        let columns = shape.last().copied().unwrap_or(1);
        let rows = shape.iter().product::<usize>() / columns.max(1);
        let mut values = vec![0f32; rows * columns];
        for (row, out) in values.chunks_exact_mut(columns.max(1)).enumerate() {
            self.row(row, out);
        }
        self.release();
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)
    }

    /// The bytes from the tensor's first number to its last.
    fn bytes(&self) -> &'a [u8] {
        &self.file[self.location.start..][..self.location.extent().unwrap_or(0)]
    }

    /// Whether two tensors have equal shapes and numbers.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let columns = self.shape().last().copied().unwrap_or(1);
        let rows = self.shape().iter().product::<usize>() / columns.max(1);
        let unchanged = self.deltas.is_empty() && other.deltas.is_empty();
        if unchanged && std::ptr::eq(self.file, other.file) && self.location == other.location {
            return true;
        }
        let bytes = |view: &Self| (unchanged && view.location.is_contiguous()).then(|| view.bytes());
        let same = match (bytes(self), bytes(other)) {
            _ if self.shape() != other.shape() => false,
            // Embeddings are large, and many files have several copies of one.
            (Some(bytes), Some(others)) if self.location.dtype == other.location.dtype => bytes == others,
            _ => {
                let (mut a, mut b) = (vec![0f32; columns], vec![0f32; columns]);
                (0..rows).all(|row| {
                    self.row(row, &mut a);
                    other.row(row, &mut b);
                    a == b
                })
            }
        };
        self.release();
        other.release();
        same
    }

    /// Gives the memory of the tensor's numbers back to the system; they are read from the file again when they are
    /// needed.
    pub fn release(&self) {
        if let Some(extent) = self.location.extent() {
            self.file.release(self.location.start, extent);
        }
    }
}

/// Converts little-endian numbers to f32. Types other than these were refused when the file was opened.
fn widen(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        DType::F32 => each(bytes, out, f32::from_le_bytes),
        DType::F16 => widen_f16(bytes, out),
        DType::BF16 => each(bytes, out, |number| half::bf16::from_le_bytes(number).to_f32()),
        DType::F64 => each(bytes, out, |number| f64::from_le_bytes(number) as f32),
        _ => out.fill(f32::NAN),
    }
}

/// Converts many numbers at once, for which there are instructions.
fn widen_f16(bytes: &[u8], out: &mut [f32]) {
    const AT_ONCE: usize = 128;
    let mut numbers = [half::f16::ZERO; AT_ONCE];
    for (bytes, out) in bytes.chunks(2 * AT_ONCE).zip(out.chunks_mut(AT_ONCE)) {
        let numbers = &mut numbers[..out.len()];
        for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
            *number = half::f16::from_le_bytes(*bytes);
        }
        numbers.convert_to_f32_slice(out);
    }
}

fn each<const N: usize>(bytes: &[u8], out: &mut [f32], number: impl Fn([u8; N]) -> f32) {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *out = number(*bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_is_widened_exactly() {
        let numbers: Vec<u16> = (0..=u16::MAX).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        for count in [numbers.len(), 1, 129] {
            let mut out = vec![0f32; count];
            widen(DType::F16, &bytes[..2 * count], &mut out);
            for (&number, &wide) in numbers.iter().zip(&out) {
                let exact = half::f16::from_bits(number).to_f32_const();
                assert!(wide.to_bits() == exact.to_bits() || (wide.is_nan() && exact.is_nan()), "{number:x}");
            }
        }
    }
}
