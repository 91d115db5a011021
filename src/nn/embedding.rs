//! Token embeddings and absolute positions.

use anyhow::{Result, ensure};
use candle_core::Tensor;

use super::{Matrix, Norm, fused};
use crate::kernels::embedding::AddRows;

/// Token and position embedding, `ids` to `[n, d]`.
pub struct Embedding {
    tokens: Matrix,
    scale: f64,
    /// Of the words alone, before positions are added.
    norm: Option<Norm>,
    /// Relative positions have none.
    positions: Option<PositionTable>,
    /// A token with an embedding of its own, `[d]`, which is not scaled.
    own: Option<(u32, Tensor)>,
}

/// Absolute positions.
pub struct PositionTable {
    /// `[rows, d]`.
    pub rows: Tensor,
    /// The row of position 0.
    pub first: usize,
    /// A token that takes up no position, even where it is not padding but part of a text: it gets the row
    /// before the first (fairseq).
    pub padding_id: Option<u32>,
}

impl PositionTable {
    /// Sees that there are `s` positions: a card would read whatever lies behind the table.
    fn reaches(&self, s: usize) -> Result<()> {
        let rows = self.rows.dim(0)?.saturating_sub(self.first);
        ensure!(s <= rows, "position {s} of a model of {rows} positions");
        Ok(())
    }

    /// The row of each token of sequences of equal length `s`, which begin at position 0.
    fn of_sequences(&self, ids: &[u32], s: usize) -> Result<Vec<u32>> {
        self.reaches(s)?;
        let mut rows = Vec::with_capacity(ids.len());
        for sequence in ids.chunks(s) {
            let mut next = self.first;
            for &id in sequence {
                let placed = self.padding_id != Some(id);
                rows.push(if placed { next } else { self.first - 1 } as u32);
                next += usize::from(placed);
            }
        }
        Ok(rows)
    }

    /// The row of each token at its position.
    fn at(&self, ids: &[u32], positions: &[usize]) -> Result<Vec<u32>> {
        self.reaches(positions.iter().max().map_or(0, |position| position + 1))?;
        let row = |(&id, &position): (&u32, &usize)| {
            if self.padding_id == Some(id) { self.first - 1 } else { self.first + position }
        };
        Ok(ids.iter().zip(positions).map(|placed| row(placed) as u32).collect())
    }

    /// Adds each token's row to it: `[n, d]`, of which this is the only user.
    fn add(&self, x: Tensor, rows: &[u32]) -> Result<Tensor> {
        if fused(&x) {
            x.inplace_op2(&self.rows, &AddRows { rows })?;
            return Ok(x);
        }
        Ok((x + self.rows.index_select(&Tensor::new(rows, self.rows.device())?, 0)?)?)
    }
}

impl Embedding {
    /// Tokens times `scale`, plus positions where the family adds them.
    #[must_use]
    pub fn new(tokens: Matrix, scale: f64, positions: Option<PositionTable>) -> Self {
        Self { tokens, scale, norm: None, positions, own: None }
    }

    /// As this, but for one token, whose embedding `[d]` is not scaled.
    #[must_use]
    pub fn with_own(self, token: u32, embedding: Tensor) -> Self {
        Self { own: Some((token, embedding)), ..self }
    }

    /// As this one, but words are normalised before positions are added.
    #[must_use]
    pub fn with_norm(self, norm: Norm) -> Self {
        Self { norm: Some(norm), ..self }
    }

    /// The embeddings of tokens without positions, `[n, d]`.
    fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let x = self.tokens.rows(ids, self.scale)?;
        if let Some((token, own)) = &self.own {
            for (row, _) in ids.iter().enumerate().filter(|(_, id)| *id == token) {
                x.slice_set(&own.unsqueeze(0)?, 0, row)?;
            }
        }
        match &self.norm {
            Some(norm) => norm.forward(&x),
            None => Ok(x),
        }
    }

    /// Sequences of equal length `s`, one after another from position 0, to `[b, s, d]`.
    ///
    /// # Errors
    /// When an id or position is outside its table.
    pub fn sequences(&self, ids: &[u32], s: usize) -> Result<Tensor> {
        let mut x = self.rows(ids)?;
        if let Some(table) = &self.positions {
            x = table.add(x, &table.of_sequences(ids, s)?)?;
        }
        let d = x.dim(1)?;
        Ok(x.reshape((ids.len() / s, s, d))?)
    }

    /// Positions without tokens, to `[r, d]`.
    ///
    /// # Errors
    /// When a position is outside its table, or there is none.
    pub fn positions_at(&self, positions: &[usize]) -> Result<Tensor> {
        let Some(table) = &self.positions else { anyhow::bail!("a model without a table of positions") };
        table.reaches(positions.iter().max().map_or(0, |position| position + 1))?;
        let rows: Vec<u32> = positions.iter().map(|position| (table.first + position) as u32).collect();
        Ok(table.rows.index_select(&Tensor::new(rows, table.rows.device())?, 0)?)
    }

    /// One token per row, each at its position, to `[r, d]`.
    ///
    /// # Errors
    /// As [`Self::sequences`].
    pub fn at(&self, ids: &[u32], positions: &[usize]) -> Result<Tensor> {
        let x = self.rows(ids)?;
        match &self.positions {
            Some(table) => table.add(x, &table.at(ids, positions)?),
            None => Ok(x),
        }
    }
}
