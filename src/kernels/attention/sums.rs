//! Sums of blocks of tokens, each of which stands for its block (LongT5's transient globals).

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};

use super::slice;

/// Sums the tokens of each block: `[b, s, d]` to `[b, blocks, d]`, `blocks` being the number of whole blocks in the
/// longest sequence. Tokens after the last whole block belong to it. A sequence shorter than a block has none. Rows
/// without a block are zeros.
pub struct BlockSums<'a> {
    /// Tokens per block.
    pub block: usize,
    /// Number of tokens in each sequence, `b` of them.
    pub lengths: &'a [usize],
}

impl CustomOp1 for BlockSums<'_> {
    fn name(&self) -> &'static str {
        "block-sums"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(storage, layout)?;
        let (b, s, d) = layout.shape().dims3()?;
        if b != self.lengths.len() || self.lengths.iter().any(|&length| length > s) {
            bail!("sums of the blocks of {} sequences in {b} x {s}", self.lengths.len());
        }
        let most = self.lengths.iter().map(|length| length / self.block).max().unwrap_or(0);
        let mut out = vec![0f32; b * most * d];
        for (sequence, &length) in self.lengths.iter().enumerate() {
            let Some(last) = (length / self.block).checked_sub(1) else { continue };
            for (token, x) in x[sequence * s * d..][..length * d].chunks_exact(d).enumerate() {
                let sum = &mut out[(sequence * most + (token / self.block).min(last)) * d..][..d];
                sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
            }
        }
        Ok((CpuStorage::F32(out), (b, most, d).into()))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn tokens_left_over_are_added_to_the_last_block() -> Result<()> {
        let x = Tensor::arange(0f32, 14.0, &Device::Cpu)?.reshape((2, 7, 1))?;
        let sums = x.apply_op1_no_bwd(&BlockSums { block: 3, lengths: &[7, 2] })?;
        assert_eq!(sums.squeeze(2)?.to_vec2::<f32>()?, [[3.0, 18.0], [0.0, 0.0]]);
        Ok(())
    }
}
