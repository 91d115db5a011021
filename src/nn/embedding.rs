//! Token embeddings and absolute positions.

use anyhow::{Result, ensure};
use candle_core::Tensor;

use super::{Matrix, Norm, fused};
use crate::kernels::embedding::AddRows;

/// Embedding of tokens and of their positions: `n` ids to `[n, d]`.
pub struct Embedding {
    tokens: Matrix,
    scale: f64,
    /// Normalisation of token embeddings, before positions are added.
    norm: Option<Norm>,
    /// The absolute positions; `None` in families with relative positions.
    positions: Option<PositionTable>,
    /// A token whose embedding `[d]` is outside the table and not scaled.
    own: Option<(u32, Tensor)>,
}

/// A table of absolute positions.
pub struct PositionTable {
    /// One row for each position, `[rows, d]`.
    pub rows: Tensor,
    /// The row of position 0.
    pub first: usize,
    /// The padding id in fairseq's models: it takes up no position, even inside a text, and gets the row before `first`.
    pub padding_id: Option<u32>,
}

impl PositionTable {
    /// Checks that there are `s` positions, since a GPU would read past the end of the table.
    fn reaches(&self, s: usize) -> Result<()> {
        let rows = self.rows.dim(0)?.saturating_sub(self.first);
        ensure!(s <= rows, "position {s} of a model of {rows} positions");
        Ok(())
    }

    /// The row of each token of sequences of `s` tokens each, which begin at position 0.
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

    /// Adds a row of the table to each token, `[n, d]`. The caller must hold the only reference to `x`.
    fn add(&self, x: Tensor, rows: &[u32]) -> Result<Tensor> {
        if fused(&x) {
            x.inplace_op2(&self.rows, &AddRows { rows })?;
            return Ok(x);
        }
        Ok((x + self.rows.index_select(&Tensor::new(rows, self.rows.device())?, 0)?)?)
    }
}

impl Embedding {
    /// Embeddings of `tokens` times `scale`, with absolute positions in families that have them.
    #[must_use]
    pub fn new(tokens: Matrix, scale: f64, positions: Option<PositionTable>) -> Self {
        Self { tokens, scale, norm: None, positions, own: None }
    }

    /// Sets an embedding `[d]` of its own for one token; it is not scaled.
    #[must_use]
    pub fn with_own(self, token: u32, embedding: Tensor) -> Self {
        Self { own: Some((token, embedding)), ..self }
    }

    /// Sets a normalisation of token embeddings, before positions are added.
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

    /// Embeddings of sequences of `s` tokens each, which begin at position 0: `b · s` ids to `[b, s, d]`.
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

    /// Embeddings of positions alone, without tokens, `[r, d]`.
    ///
    /// # Errors
    /// When a position is outside the table, or there is no table.
    pub fn positions_at(&self, positions: &[usize]) -> Result<Tensor> {
        let Some(table) = &self.positions else { anyhow::bail!("a model without a table of positions") };
        table.reaches(positions.iter().max().map_or(0, |position| position + 1))?;
        let rows: Vec<u32> = positions.iter().map(|position| (table.first + position) as u32).collect();
        Ok(table.rows.index_select(&Tensor::new(rows, table.rows.device())?, 0)?)
    }

    /// Embeddings of one token per row, each at its position, `[r, d]`.
    ///
    /// # Errors
    /// When an id or position is outside its table.
    pub fn at(&self, ids: &[u32], positions: &[usize]) -> Result<Tensor> {
        let x = self.rows(ids)?;
        match &self.positions {
            Some(table) => table.add(x, &table.at(ids, positions)?),
            None => Ok(x),
        }
    }
}
