//! Token embeddings and where a token stands.

use anyhow::Result;
use candle_core::Tensor;

use super::Matrix;

/// Token and position embedding, `ids` to `[n, d]`.
pub struct Embedding {
    tokens: Matrix,
    scale: f64,
    /// Absolute positions, `[rows, d]`, and the row of position 0. Relative positions have none.
    positions: Option<(Tensor, usize)>,
}

impl Embedding {
    /// `positions` is a table of rows and the row of position 0.
    #[must_use]
    pub fn new(tokens: Matrix, scale: f64, positions: Option<(Tensor, usize)>) -> Self {
        Self { tokens, scale, positions }
    }

    /// Positions that the table has, if there is one.
    ///
    /// # Errors
    /// When the table is not a matrix.
    pub fn capacity(&self) -> Result<Option<usize>> {
        self.positions.as_ref().map(|(table, first)| Ok(table.dim(0)?.saturating_sub(*first))).transpose()
    }

    /// Sequences of equal length `s`, one after another from position 0, to `[b, s, d]`.
    ///
    /// # Errors
    /// When an id or position is outside its table.
    pub fn sequences(&self, ids: &[u32], s: usize) -> Result<Tensor> {
        let x = self.scaled(ids)?;
        let x = x.reshape((ids.len() / s, s, x.dim(1)?))?;
        Ok(match &self.positions {
            Some((table, first)) => x.broadcast_add(&table.narrow(0, *first, s)?)?,
            None => x,
        })
    }

    /// One token per row, all at position `position`, to `[r, d]`.
    ///
    /// # Errors
    /// As [`Self::sequences`].
    pub fn at(&self, ids: &[u32], position: usize) -> Result<Tensor> {
        let x = self.scaled(ids)?;
        Ok(match &self.positions {
            Some((table, first)) => x.broadcast_add(&table.narrow(0, first + position, 1)?)?,
            None => x,
        })
    }

    fn scaled(&self, ids: &[u32]) -> Result<Tensor> {
        let x = self.tokens.rows(ids)?;
        Ok(if (self.scale - 1.0).abs() < f64::EPSILON { x } else { (x * self.scale)? })
    }
}
