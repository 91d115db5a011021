//! What a decoder remembers of its own tokens.

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};

use super::fuses;

/// Capacity in tokens at the first step.
const FIRST_CAPACITY: usize = 32;

/// Which rows a decoder has, and where each finds its past. Shared by all layers.
#[derive(Clone, Debug, Default)]
pub struct Past {
    rows: usize,
    /// For each time, the physical row that each row's token was written to.
    origins: Vec<Vec<u32>>,
}

impl Past {
    /// No past yet.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self { rows, origins: Vec::new() }
    }

    /// Rows now.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Tokens so far, the one being computed included.
    #[must_use]
    pub fn time(&self) -> usize {
        self.origins.len()
    }

    /// For each time, the physical row that each row's token was written to.
    #[must_use]
    pub fn origins(&self) -> &[Vec<u32>] {
        &self.origins
    }

    /// A new token in every row.
    pub fn advance(&mut self) {
        self.origins.push((0..self.rows as u32).collect());
    }

    /// Row `i` becomes what row `rows[i]` was.
    pub fn select(&mut self, rows: &[usize]) {
        for origins in &mut self.origins {
            *origins = rows.iter().map(|&row| origins[row]).collect();
        }
        self.rows = rows.len();
    }
}

/// Keys and values of one decoder layer's past; they grow by doubling. Fused, `[rows, capacity, inner]` each;
/// else `[rows, h, capacity, width]`, as products take them.
pub struct PastKeys {
    stay: bool,
    both: Option<(Tensor, Tensor)>,
}

impl PastKeys {
    /// Nothing yet.
    #[must_use]
    pub fn new(dtype: DType, device: &Device) -> Self {
        Self { stay: fuses(dtype, device), both: None }
    }

    /// Whether keys stay where they were written when rows are reordered: on the fused path.
    #[must_use]
    pub fn stay(&self) -> bool {
        self.stay
    }

    /// Gathers rows where keys do not stay in place.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn select(&mut self, rows: &Tensor) -> Result<()> {
        if let (false, Some((keys, values))) = (self.stay, &self.both) {
            self.both = Some((keys.index_select(rows, 0)?, values.index_select(rows, 0)?));
        }
        Ok(())
    }

    /// Keys and values with room for all rows and the whole past; of a token there is `token`, `[inner]` or
    /// `[h, width]`, of the type and on the device of `like`.
    pub(super) fn reserve(&mut self, past: &Past, token: &[usize], like: &Tensor) -> Result<(&Tensor, &Tensor)> {
        let axis = token.len();
        let (rows, capacity) = match &self.both {
            Some((keys, _)) => (keys.dim(0)?, keys.dim(axis)?),
            None => (0, 0),
        };
        if rows < past.rows() || capacity < past.time() {
            let new_rows = rows.max(past.rows());
            let new_capacity = if capacity < past.time() { (2 * capacity).max(FIRST_CAPACITY) } else { capacity };
            let mut shape = [&[new_rows], token].concat();
            shape.insert(axis, new_capacity.max(past.time()));
            self.both = Some(if let Some((keys, values)) = &self.both {
                (grown(keys, &shape, axis)?, grown(values, &shape, axis)?)
            } else {
                let empty = || Tensor::zeros(shape.as_slice(), like.dtype(), like.device());
                (empty()?, empty()?)
            });
        }
        self.both.as_ref().map(|(keys, values)| (keys, values)).context("a past without keys")
    }
}

/// `old` with zeros after its rows and after its times.
fn grown(old: &Tensor, shape: &[usize], axis: usize) -> Result<Tensor> {
    let old = old.pad_with_zeros(0, 0, shape[0] - old.dim(0)?)?;
    let more = shape[axis] - old.dim(axis)?;
    Ok(old.pad_with_zeros(axis, 0, more)?.contiguous()?)
}
