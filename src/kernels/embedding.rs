//! Adds rows of a position table to rows of a matrix.
//!
//! Invariant (row invariance): each row is computed alone.

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, bail};

use super::attention::slice;

/// Adds row `rows[i]` of a table `[…, d]` to row `i` of a matrix `[n, d]`, in place.
pub struct AddRows<'a> {
    /// The table row of each matrix row, `n` of them.
    pub rows: &'a [u32],
}

impl InplaceOp2 for AddRows<'_> {
    fn name(&self) -> &'static str {
        "add-rows"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, x_layout: &Layout, table: &CpuStorage, table_layout: &Layout) -> Result<()> {
        let ((n, d), (all, width)) = (x_layout.shape().dims2()?, table_layout.shape().dims2()?);
        if n != self.rows.len() || d != width || self.rows.iter().any(|&row| row as usize >= all) {
            bail!("cannot add {} rows of {all} x {width} to {n} x {d}", self.rows.len());
        }
        let table = slice(table, table_layout)?;
        let (CpuStorage::F32(x), Some((start, end))) = (x, x_layout.contiguous_offsets()) else {
            bail!("rows can be added to contiguous f32 tensors only");
        };
        for (x, &row) in x[start..end].chunks_exact_mut(d).zip(self.rows) {
            for (x, added) in x.iter_mut().zip(&table[row as usize * d..][..d]) {
                *x += added;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn each_row_gets_its_own_and_there_are_no_others() -> Result<()> {
        let table = Tensor::arange(0f32, 6.0, &Device::Cpu)?.reshape((3, 2))?;
        let x = Tensor::ones((2, 2), candle_core::DType::F32, &Device::Cpu)?;
        x.inplace_op2(&table, &AddRows { rows: &[2, 0] })?;
        assert_eq!(x.to_vec2::<f32>()?, [[5.0, 6.0], [1.0, 2.0]]);
        assert!(x.inplace_op2(&table, &AddRows { rows: &[3, 0] }).is_err());
        assert!(x.inplace_op2(&table, &AddRows { rows: &[0] }).is_err());
        Ok(())
    }
}
