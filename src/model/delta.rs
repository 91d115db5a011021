//! What an adapter adds to a tensor (Hu et al. 2021, LoRA), row by row as the tensor is read.

/// A low-rank product that is added to a tensor: `left` `[n, r]`, already scaled, times `right` `[r, k]`, both row by
/// row.
pub(super) struct Delta {
    pub left: Vec<f32>,
    pub right: Vec<f32>,
    pub rank: usize,
}

impl Delta {
    /// Adds row `row` of the product to `out`, `[k]`.
    pub fn add(&self, row: usize, out: &mut [f32]) {
        let factors = &self.left[row * self.rank..][..self.rank];
        for (factor, right) in factors.iter().zip(self.right.chunks_exact(out.len())) {
            out.iter_mut().zip(right).for_each(|(out, right)| *out += factor * right);
        }
    }
}
