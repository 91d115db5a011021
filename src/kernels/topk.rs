//! The best tokens of each row of logits, and the logarithm of the row's sum of exponentials, without
//! writing, copying or sorting the matrix.
//!
//! Responsible for: reading every logit twice (once for maxima, once for the sum) and no more; setting
//! aside the few *edited* tokens of a row, those whose logits a rule of the search will change, so that
//! any rule can be applied afterwards to a handful of numbers and the sums stay free of cancellation.
//!
//! Invariant: a row's result depends on that row and its edited tokens alone, bit for bit: blocks of
//! `BLOCK` logits in 16 lanes, lanes folded pairwise, block sums added in order in f64, no fused
//! multiply-add; so neither the other rows, nor the threads, nor AVX2 or its absence change a bit.
//!
//! Leaves to `search`: what the edits are.

// The loops must become part of `reduce_avx2` to be compiled for its registers.
#![allow(clippy::inline_always)]

mod device;

use anyhow::{Result, bail, ensure};
use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use rayon::prelude::*;

/// Logits per block: a block's maximum decides whether its logits are looked at for the best k.
const BLOCK: usize = 256;
/// Partial results kept side by side, two AVX2 registers of f32.
const LANES: usize = 16;
/// Up to this many best tokens are kept by insertion; more are selected, then sorted.
const INSERTION: usize = 128;

/// A sum of exponentials, as `sum * exp(max)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpSum {
    /// The greatest exponent, or minus infinity when there is none.
    pub max: f32,
    /// The sum of `exp(x - max)`.
    pub sum: f64,
}

impl ExpSum {
    /// This sum with more exponents in it, as a logarithm.
    #[must_use]
    pub fn log_with(&self, more: &[f32]) -> f64 {
        let max = more.iter().fold(self.max, |max, &x| max.max(x));
        if max == f32::NEG_INFINITY {
            return f64::NEG_INFINITY;
        }
        let max = f64::from(max);
        let mine = if self.sum > 0.0 { self.sum * (f64::from(self.max) - max).exp() } else { 0.0 };
        let total = more.iter().fold(mine, |sum, &x| sum + (f64::from(x) - max).exp());
        max + total.ln()
    }
}

/// What the search needs to know of one row of logits.
#[derive(Clone, Debug, PartialEq)]
pub struct RowTop {
    /// The best k of the tokens that are not edited, best first, the lower id first among equals.
    pub top: Vec<(u32, f32)>,
    /// The sum over the tokens that are not edited.
    pub rest: ExpSum,
    /// The logits of the edited tokens, in the order in which these were given.
    pub edited: Vec<f32>,
}

/// The best `k` tokens and the sums of each row of `logits` `[rows, v]`. `edited[i]` lists the tokens of
/// row `i` to set aside, ascending, each once, all below v.
///
/// The logits are read where they lie, on the CPU or a CUDA card. From another device, and where very many tokens are
/// wanted, they are copied to the CPU first: the right result, at the cost of the transfer.
///
/// # Errors
/// When a logit is not a number, a row's greatest is infinite, or the shapes do not agree.
pub fn top_k(logits: &Tensor, k: usize, edited: &[Vec<u32>]) -> Result<Vec<RowTop>> {
    let (rows, v) = logits.dims2()?;
    ensure!(rows == edited.len(), "{rows} rows of logits, but edits for {}", edited.len());
    if logits.device().is_cuda() && k <= device::MOST {
        return device::top_k(logits, k, edited);
    }
    let host = logits.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous()?;
    let (storage, layout) = host.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(values)) = &*storage else { bail!("logits did not arrive on the CPU as f32") };
    let values = &values[layout.start_offset()..layout.start_offset() + rows * v];
    values.par_chunks_exact(v.max(1)).zip(edited).map(|(row, edited)| row_top(row, k, edited)).collect()
}

/// The best `k` tokens and the sum of one row. See [`top_k`].
///
/// # Errors
/// When a logit is not a number or the greatest is infinite.
pub fn row_top(row: &[f32], k: usize, edited: &[u32]) -> Result<RowTop> {
    debug_assert!(edited.is_sorted_by(|a, b| a < b));
    let reduced = reduce(row, edited);
    let apart: Vec<f32> = edited.iter().map(|&token| row[token as usize]).collect();
    check(&reduced.rest, &apart)?;
    let top = if k <= INSERTION { best_few(row, k, edited, &reduced.maxima) } else { best_many(row, k, edited) };
    Ok(RowTop { top, rest: reduced.rest, edited: apart })
}

/// Refuses a row with a logit that is not a number, or is infinitely great.
fn check(rest: &ExpSum, edited: &[f32]) -> Result<()> {
    let wrong = |x: &f32| x.is_nan() || *x == f32::INFINITY;
    if !rest.sum.is_finite() || wrong(&rest.max) || edited.iter().any(wrong) {
        bail!(
            "the model's logits are not finite numbers\n\
             hint: the weights may be damaged, or half precision may overflow; try `--compute-type f32`"
        );
    }
    Ok(())
}

/// The sum of a row without its edited tokens, and each block's greatest logit.
struct Reduced {
    rest: ExpSum,
    maxima: Vec<f32>,
}

fn reduce(row: &[f32], edited: &[u32]) -> Reduced {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which was asked on the line above; the function needs no more.
        return unsafe { reduce_avx2(row, edited) };
    }
    reduce_portable(row, edited)
}

/// The same arithmetic, compiled for wider registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn reduce_avx2(row: &[f32], edited: &[u32]) -> Reduced {
    reduce_portable(row, edited)
}

#[inline(always)]
fn reduce_portable(row: &[f32], edited: &[u32]) -> Reduced {
    // Plain loops: a closure would not be compiled for the registers of the caller.
    let mut masked = [f32::NEG_INFINITY; BLOCK];
    let mut maxima = Vec::with_capacity(row.len().div_ceil(BLOCK));
    let mut ahead = edited;
    for index in 0..row.len().div_ceil(BLOCK) {
        maxima.push(block_max(block(row, index, &mut ahead, &mut masked)));
    }
    let max = maxima.iter().fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
    // With nothing above minus infinity the sum is 0; but a NaN, which no maximum shows, must still come out as one.
    let (shift, scale) = if max == f32::NEG_INFINITY { (0.0, 0.0) } else { (max, 1.0) };
    let mut sum = 0.0;
    ahead = edited;
    for index in 0..row.len().div_ceil(BLOCK) {
        sum += block_exp_sum(block(row, index, &mut ahead, &mut masked), shift);
    }
    Reduced { rest: ExpSum { max, sum: sum * scale }, maxima }
}

/// One block of the row, where it lies, or in `masked` when edited tokens, or places after the row's end, must
/// hold minus infinity. `ahead` are the edited tokens from here on; those of this block are taken off.
#[inline(always)]
fn block<'a>(row: &'a [f32], index: usize, ahead: &mut &[u32], masked: &'a mut [f32; BLOCK]) -> &'a [f32; BLOCK] {
    let start = index * BLOCK;
    let chunk = &row[start..row.len().min(start + BLOCK)];
    let edited_here = ahead.first().is_some_and(|&token| (token as usize) < start + BLOCK);
    match chunk.try_into() {
        Ok(whole) if !edited_here => whole,
        _ => {
            mask(chunk, start, ahead, masked);
            masked
        }
    }
}

#[inline(never)]
fn mask(chunk: &[f32], start: usize, ahead: &mut &[u32], masked: &mut [f32; BLOCK]) {
    masked[..chunk.len()].copy_from_slice(chunk);
    masked[chunk.len()..].fill(f32::NEG_INFINITY);
    while let Some((&token, rest)) = ahead.split_first()
        && (token as usize) < start + BLOCK
    {
        masked[token as usize - start] = f32::NEG_INFINITY;
        *ahead = rest;
    }
}

#[inline(always)]
fn block_max(block: &[f32; BLOCK]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in block.chunks_exact(LANES) {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    lanes.iter().fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max })
}

#[inline(always)]
fn block_exp_sum(block: &[f32; BLOCK], max: f32) -> f64 {
    let mut lanes = [0.0f32; LANES];
    for chunk in block.chunks_exact(LANES) {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += exp(x - max);
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    f64::from(lanes[0])
}

/// `e^x` for x up to 0, within 2e-7 of the true value; below -87 it stays at `e^-87`, which no sum that
/// holds a 1 can tell from 0. NaN stays NaN. Without branches, so that it is compiled to vectors.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts; the first has few enough bits for its multiples to be exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    // e^r for |r| up to ln(2) / 2, as its series to r^7: the next term is below 6e-9.
    let mut p = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + coefficient;
    }
    // The low bits of `shifted` are n: shifted into the exponent field of a float they become 2^n.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// The best `k`, by insertion; only blocks whose maximum can still matter are looked at.
fn best_few(row: &[f32], k: usize, edited: &[u32], maxima: &[f32]) -> Vec<(u32, f32)> {
    let mut best: Vec<(u32, f32)> = Vec::with_capacity(k + 1);
    if k == 0 {
        return best;
    }
    for block in promising(maxima, k) {
        let start = block * BLOCK;
        for (offset, &x) in row[start..row.len().min(start + BLOCK)].iter().enumerate() {
            let token = (start + offset) as u32;
            let place = match best.last() {
                Some(&(_, worst)) if best.len() == k && x <= worst => continue,
                _ => best.partition_point(|&(_, other)| other >= x),
            };
            if x > f32::NEG_INFINITY && edited.binary_search(&token).is_err() {
                best.insert(place, (token, x));
                best.truncate(k);
            }
        }
    }
    best
}

/// The blocks, ascending, in which any of the best `k` can be: those whose maximum is not below the
/// k-th greatest maximum, for k blocks hold k logits at least that great.
fn promising(maxima: &[f32], k: usize) -> impl Iterator<Item = usize> {
    let mut sorted = maxima.to_vec();
    let floor = if k < sorted.len() {
        *sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a)).1
    } else {
        f32::NEG_INFINITY
    };
    maxima.iter().enumerate().filter(move |&(_, &max)| max >= floor).map(|(block, _)| block)
}

/// The best `k` of many, selected and then sorted.
fn best_many(row: &[f32], k: usize, edited: &[u32]) -> Vec<(u32, f32)> {
    let mut all: Vec<(u32, f32)> = (0..).zip(row.iter().copied()).filter(|&(_, x)| x > f32::NEG_INFINITY).collect();
    if !edited.is_empty() {
        all.retain(|(token, _)| edited.binary_search(token).is_err());
    }
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if k < all.len() {
        all.select_nth_unstable_by(k, order);
        all.truncate(k);
    }
    all.sort_unstable_by(order);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between -8 and 8 that repeat for a seed; every fifth is equal to its neighbour.
    fn row(seed: u64, v: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut row: Vec<f32> = Vec::with_capacity(v);
        for index in 0..v {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let fresh = (state >> 40) as f32 / 1_048_576.0 - 8.0;
            row.push(if index % 5 == 4 { row[index - 1] } else { fresh });
        }
        row
    }

    /// The same by sorting everything and summing in f64.
    fn plain(row: &[f32], k: usize, edited: &[u32]) -> (Vec<(u32, f32)>, f64) {
        let mut rest: Vec<(u32, f32)> = (0..).zip(row.iter().copied()).filter(|(t, _)| !edited.contains(t)).collect();
        let log_sum = rest.iter().map(|&(_, x)| f64::from(x).exp()).sum::<f64>().ln();
        rest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        rest.truncate(k);
        (rest, log_sum)
    }

    #[test]
    fn agrees_with_sorting_and_summing_in_f64() {
        for (seed, v) in [(1, 1), (2, 15), (3, 256), (4, 257), (5, 1000), (6, 67_028)] {
            let row = row(seed, v);
            for k in [0, 1, 3, 12, 40, 200] {
                for step in [usize::MAX, 7, 100] {
                    let edited: Vec<u32> = (0..v as u32).skip(1).step_by(step).collect();
                    let found = row_top(&row, k, &edited).unwrap();
                    let (top, log_sum) = plain(&row, k, &edited);
                    assert_eq!(found.top, top, "seed {seed}, k {k}");
                    assert!((found.rest.log_with(&[]) - log_sum).abs() < 2e-7, "seed {seed}, step {step}");
                    let raw: Vec<f32> = edited.iter().map(|&token| row[token as usize]).collect();
                    assert_eq!(found.edited, raw);
                    let whole = plain(&row, 0, &[]).1;
                    assert!((found.rest.log_with(&found.edited) - whole).abs() < 2e-7);
                }
            }
        }
    }

    #[test]
    fn exp_is_within_two_in_ten_million() {
        for step in 0..870_000 {
            let x = -(step as f32) / 10_000.0;
            let truth = f64::from(x).exp();
            assert!((f64::from(exp(x)) - truth).abs() <= 2e-7 * truth, "at {x}: {} and {truth}", exp(x));
        }
        assert_eq!(exp(0.0).to_bits(), 1.0f32.to_bits());
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(f32::NAN).is_nan());
    }

    #[test]
    fn wide_registers_do_not_change_a_bit() {
        for seed in 0..20 {
            let row = row(seed, 3000 + seed as usize);
            let (wide, portable) = (reduce(&row, &[5, 700]), reduce_portable(&row, &[5, 700]));
            assert_eq!(wide.rest.sum.to_bits(), portable.rest.sum.to_bits());
            assert_eq!(wide.maxima, portable.maxima);
        }
    }

    #[test]
    fn a_row_is_the_same_alone_and_among_others() {
        let rows: Vec<Vec<f32>> = (0..9).map(|seed| row(seed, 5003)).collect();
        let edits: Vec<Vec<u32>> = (0..9).map(|row| (0..row).map(|token| token * 500).collect()).collect();
        let all = Tensor::from_vec(rows.concat(), (9, 5003), &Device::Cpu).unwrap();
        let together = top_k(&all, 8, &edits).unwrap();
        for (index, row) in rows.iter().enumerate() {
            assert_eq!(together[index], row_top(row, 8, &edits[index]).unwrap());
        }
        let some = top_k(&all.narrow(0, 3, 2).unwrap(), 8, &edits[3..5]).unwrap();
        assert_eq!(some, together[3..5]);
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        for bad in [f32::NAN, f32::INFINITY] {
            for edited in [vec![], vec![1, 2], vec![1, 500]] {
                let mut row = row(3, 600);
                row[500] = bad;
                let error = row_top(&row, 4, &edited).unwrap_err().to_string();
                assert!(error.contains("not finite") && error.contains("hint:"));
            }
        }
        assert!(row_top(&[f32::NAN; 3], 1, &[]).is_err());
    }

    #[test]
    fn a_row_without_any_rest_has_an_empty_sum() {
        let found = row_top(&[1.0, 2.0], 2, &[0, 1]).unwrap();
        assert_eq!((found.top.len(), found.rest.sum), (0, 0.0));
        assert!((found.rest.log_with(&[0.0, 0.0]) - 2f64.ln()).abs() < 1e-12);
        assert!(found.rest.log_with(&[]) < f64::MIN);
        assert!(row_top(&[f32::NEG_INFINITY; 40], 2, &[]).unwrap().top.is_empty());
    }
}
