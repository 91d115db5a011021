//! Relative biases that are computed from each token's state, and predicted tokens beside the tokens that are there
//! (`ProphetNet`, Qi et al. 2020).
//!
//! A predicted token belongs to an extra row of a step, and stands for the token after the row's current one. Invariant:
//! it sees the tokens of its row and itself. No other token sees it, so its keys are not kept.

use anyhow::Result;
use candle_core::{DType, Tensor};

use super::past::ContiguousKeys;
use super::{Past, Shape};
use crate::nn::Linear;

/// Biases by distance, one for each bucket of distances and each head, computed from the state of the querying token.
pub struct ContentBias {
    /// Projection of `d` to `buckets · heads`, all heads of a bucket side by side.
    pub linear: Linear,
    /// Number of heads.
    pub heads: usize,
    /// The bucket of each distance into the past; all longer distances have the last bucket.
    pub buckets: Vec<u32>,
}

impl ContentBias {
    /// The bucket of each of `time` tokens of a past, seen from the last of them, in order of time.
    fn buckets(&self, time: usize) -> impl Iterator<Item = u32> {
        let last = self.buckets.len().saturating_sub(1);
        (0..time).rev().map(move |distance| self.buckets[distance.min(last)])
    }

    /// Fused path: the biases of rows `[r, d]` over their pasts, one vector a row, `[heads, tokens of the row's past]`
    /// each.
    pub(super) fn of_rows(&self, x: &Tensor, past: &Past) -> Result<Vec<Vec<f32>>> {
        let made = self.linear.forward(x)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        let row = |(made, slots): (&Vec<f32>, &Vec<u32>)| {
            let buckets: Vec<usize> = self.buckets(slots.len()).map(|bucket| bucket as usize).collect();
            let head = |head: usize| buckets.iter().map(move |bucket| made[bucket * self.heads + head]);
            (0..self.heads).flat_map(head).collect()
        };
        Ok(made.iter().zip(past.slots()).map(row).collect())
    }

    /// Composed path: the biases of rows `[r, d]` whose pasts all have `time` tokens, `[r, heads, 1, time]`.
    fn over_time(&self, x: &Tensor, time: usize) -> Result<Tensor> {
        let made = self.linear.forward(x)?;
        let (rows, width) = made.dims2()?;
        let made = made.reshape((rows, width / self.heads, self.heads))?;
        let buckets = Tensor::new(self.buckets(time).collect::<Vec<u32>>(), x.device())?;
        Ok(made.index_select(&buckets, 1)?.transpose(1, 2)?.unsqueeze(2)?.contiguous()?)
    }

    /// Composed path: attention of scaled queries to keys and values, `[r, heads, 1, width]` each, to `[r, heads, 1,
    /// width]`. `x` are the rows' states, `[r, d]`. Rows of predicted tokens, if any, are the second half.
    pub(super) fn attend(
        &self,
        shape: Shape,
        x: &Tensor,
        qkv: [&Tensor; 3],
        gathered: &mut ContiguousKeys,
        past: &Past,
    ) -> Result<Tensor> {
        let (rows, time) = (past.remembered(), past.time());
        let part = |x: &Tensor, first: usize| x.narrow(0, first, rows)?.contiguous();
        let [q, keys, values] = qkv.map(|x| part(x, 0));
        let (keys, values) = gathered.with(&keys?, &values?, past)?;
        let mixed = shape.attend(&q?, &keys, &values, [Some(&self.over_time(&part(x, 0)?, time)?), None])?;
        if past.slots().len() == rows {
            return Ok(mixed);
        }
        // Rows of predicted tokens see their row's keys and their own, which are not stored.
        let [q, own_keys, own_values] = qkv.map(|x| part(x, rows));
        let (keys, values) = (Tensor::cat(&[&keys, &own_keys?], 2)?, Tensor::cat(&[&values, &own_values?], 2)?);
        let to_come = self.over_time(&part(x, rows)?, time + 1)?;
        let to_come = shape.attend(&q?, &keys, &values, [Some(&to_come), None])?;
        Ok(Tensor::cat(&[&mixed, &to_come], 0)?)
    }
}
