//! Token embeddings and where a token stands.

use anyhow::{Result, ensure};
use candle_core::Tensor;

use super::Matrix;

/// Token and position embedding, `ids` to `[n, d]`.
pub struct Embedding {
    tokens: Matrix,
    scale: f64,
    /// Relative positions have none.
    positions: Option<PositionTable>,
}

/// Absolute positions.
pub struct PositionTable {
    /// `[rows, d]`.
    pub rows: Tensor,
    /// The row of position 0.
    pub first: usize,
    /// A token that takes up no position, even where it is not padding but part of a text: it gets the row
    /// before the first (fairseq).
    pub unplaced: Option<u32>,
}

impl PositionTable {
    /// Sees that there are `s` positions: a card would read whatever lies behind the table.
    fn reaches(&self, s: usize) -> Result<()> {
        let rows = self.rows.dim(0)?.saturating_sub(self.first);
        ensure!(s <= rows, "position {s} of a model of {rows} positions");
        Ok(())
    }

    /// The rows of sequences of equal length `s`: `[s, d]`, or `[b, s, d]` where they are not all the same.
    fn sequences(&self, ids: &[u32], s: usize) -> Result<Tensor> {
        self.reaches(s)?;
        let Some(unplaced) = self.unplaced.filter(|unplaced| ids.contains(unplaced)) else {
            return Ok(self.rows.narrow(0, self.first, s)?);
        };
        let mut rows = Vec::with_capacity(ids.len());
        for sequence in ids.chunks(s) {
            let mut next = self.first;
            for &id in sequence {
                rows.push(if id == unplaced { self.first - 1 } else { next } as u32);
                next += usize::from(id != unplaced);
            }
        }
        let rows = self.rows.index_select(&Tensor::new(rows, self.rows.device())?, 0)?;
        Ok(rows.reshape((ids.len() / s, s, rows.dim(1)?))?)
    }

    /// The rows of tokens at these positions: `[r, d]`, or `[1, d]` where they are all the same.
    fn at(&self, ids: &[u32], positions: &[usize]) -> Result<Tensor> {
        self.reaches(positions.iter().max().map_or(0, |position| position + 1))?;
        let unplaced = |id: u32| self.unplaced == Some(id);
        if let [first, rest @ ..] = positions
            && rest.iter().all(|position| position == first)
            && !ids.iter().any(|&id| unplaced(id))
        {
            return Ok(self.rows.narrow(0, self.first + first, 1)?);
        }
        let row = |(&id, &position): (&u32, &usize)| if unplaced(id) { self.first - 1 } else { self.first + position };
        let rows: Vec<u32> = ids.iter().zip(positions).map(|placed| row(placed) as u32).collect();
        Ok(self.rows.index_select(&Tensor::new(rows, self.rows.device())?, 0)?)
    }
}

impl Embedding {
    /// Tokens times `scale`, plus positions where the family adds them.
    #[must_use]
    pub fn new(tokens: Matrix, scale: f64, positions: Option<PositionTable>) -> Self {
        Self { tokens, scale, positions }
    }

    /// Sequences of equal length `s`, one after another from position 0, to `[b, s, d]`.
    ///
    /// # Errors
    /// When an id or position is outside its table.
    pub fn sequences(&self, ids: &[u32], s: usize) -> Result<Tensor> {
        let x = self.scaled(ids)?;
        let x = x.reshape((ids.len() / s, s, x.dim(1)?))?;
        Ok(match &self.positions {
            Some(table) => x.broadcast_add(&table.sequences(ids, s)?)?,
            None => x,
        })
    }

    /// One token per row, each at its position, to `[r, d]`.
    ///
    /// # Errors
    /// As [`Self::sequences`].
    pub fn at(&self, ids: &[u32], positions: &[usize]) -> Result<Tensor> {
        let x = self.scaled(ids)?;
        Ok(match &self.positions {
            Some(table) => x.broadcast_add(&table.at(ids, positions)?)?,
            None => x,
        })
    }

    fn scaled(&self, ids: &[u32]) -> Result<Tensor> {
        let x = self.tokens.rows(ids)?;
        Ok(if (self.scale - 1.0).abs() < f64::EPSILON { x } else { (x * self.scale)? })
    }
}
