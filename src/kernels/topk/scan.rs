//! The scan of one row of logits, block by block.
//!
//! Invariant: the result does not depend on how a row's blocks are divided among scans. Each block of [`BLOCK`] logits is
//! summed in 16 lanes without fused multiply-add, the lanes are folded pairwise, and block sums are added in order in
//! f64.

use std::cmp::Ordering;

use anyhow::Result;

use super::{ExpSum, RowTop, check};
use crate::kernels::simd::{self, Kernel, Simd};

/// Number of logits per block.
pub const BLOCK: usize = 256;
/// Number of partial sums, and of partial maxima, of a block: two AVX2 registers of f32.
const LANES: usize = 16;
/// Number of independent chains of maxima.
const CHAINS: usize = 4;
/// Up to this `k` the best tokens are kept sorted by insertion; for more they are selected and then sorted.
const INSERTION: usize = 128;

/// The results of consecutive blocks of one row.
pub struct Scan {
    k: usize,
    /// The best `k` tokens so far, best first; all tokens if `k` is above [`INSERTION`].
    best: Vec<(u32, f32)>,
    /// The sum of exponentials of each block.
    sums: Vec<ExpSum>,
    /// The logits of the edited tokens so far.
    edited: Vec<f32>,
}

impl Scan {
    /// An empty scan, with capacity for `blocks` blocks.
    pub fn new(k: usize, blocks: usize) -> Self {
        let best = if k > INSERTION { Vec::new() } else { Vec::with_capacity(k) };
        Self { k, best, sums: Vec::with_capacity(blocks), edited: Vec::new() }
    }

    /// Scans a block whose first logit is that of token `start`; `edited` are all edited tokens of the row, ascending.
    pub fn take(&mut self, block: &[f32], start: usize, edited: &[u32]) {
        debug_assert!(edited.is_sorted_by(|a, b| a < b));
        let place = |column: usize| edited.partition_point(|&token| (token as usize) < column);
        let here = &edited[place(start)..place(start + block.len())];
        match block.try_into() {
            Ok(whole) if here.is_empty() => self.take_whole(whole, start),
            _ => {
                let masked = self.masked(block, start, here);
                self.take_whole(&masked, start);
            }
        }
    }

    /// Sets the logits of edited tokens aside. Returns the block with minus infinity in their place and after the block's
    /// end.
    #[inline(never)]
    fn masked(&mut self, block: &[f32], start: usize, edited: &[u32]) -> [f32; BLOCK] {
        let mut masked = [f32::NEG_INFINITY; BLOCK];
        masked[..block.len()].copy_from_slice(block);
        for &token in edited {
            self.edited.push(std::mem::replace(&mut masked[token as usize - start], f32::NEG_INFINITY));
        }
        masked
    }

    fn take_whole(&mut self, block: &[f32; BLOCK], start: usize) {
        let (sum, maxima) = reduce(block);
        self.sums.push(sum);
        if self.k > INSERTION {
            let all = (start as u32..).zip(block.iter().copied());
            self.best.extend(all.filter(|&(_, x)| x > f32::NEG_INFINITY));
        } else if sum.max > self.least() {
            self.choose(block, &maxima, start);
        }
    }

    /// Inserts the best tokens of a block; `maxima` are the greatest logits of its lanes.
    fn choose(&mut self, block: &[f32; BLOCK], maxima: &[f32; LANES], start: usize) {
        let marks = mark(block, maxima, self.k, self.least());
        for (run, marks) in marks.as_chunks().0.iter().enumerate() {
            let mut marks = u128::from_le_bytes(*marks);
            while marks != 0 {
                let column = run * size_of::<u128>() + marks.trailing_zeros() as usize / 8;
                self.insert((start + column) as u32, block[column]);
                marks &= marks - 1;
            }
        }
    }

    /// The value that a logit must exceed to be among the best `k`.
    fn least(&self) -> f32 {
        match self.best.last() {
            _ if self.k == 0 => f32::INFINITY,
            Some(&(_, worst)) if self.best.len() == self.k => worst,
            _ => f32::NEG_INFINITY,
        }
    }

    /// Inserts a token if it is among the best. Tokens come in ascending order, so that among equals the lower one stays
    /// first.
    fn insert(&mut self, token: u32, x: f32) {
        if x > self.least() {
            self.best.truncate(self.k - 1);
            self.best.push((token, x));
            let mut place = self.best.len() - 1;
            while place > 0 && self.best[place - 1].1 < x {
                self.best.swap(place - 1, place);
                place -= 1;
            }
        }
    }

    /// Appends the results of the blocks that follow.
    pub fn append(&mut self, next: Self) {
        self.best.extend(next.best);
        self.sums.extend(next.sums);
        self.edited.extend(next.edited);
    }

    /// The result of the whole row.
    ///
    /// # Errors
    /// When a logit is not a number or the greatest is infinite.
    pub fn finish(mut self) -> Result<RowTop> {
        let max = self.sums.iter().fold(f32::NEG_INFINITY, |max, block| if block.max > max { block.max } else { max });
        let sum = self.sums.iter().map(|block| {
            // If all logits are minus infinity the sum is 0. But a NaN, which no maximum shows, must still come out as a
            // NaN.
            let scale = if block.max == f32::NEG_INFINITY { 0.0 } else { f64::from(block.max - max).exp() };
            block.sum * scale
        });
        let rest = ExpSum { max, sum: sum.sum() };
        check(&rest, &self.edited)?;
        // Not `total_cmp`: 0 and -0 are equal, and there too the lower token comes first.
        let order =
            |a: &(u32, f32), b: &(u32, f32)| b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then(a.0.cmp(&b.0));
        if self.k < self.best.len() {
            if self.k > 0 {
                self.best.select_nth_unstable_by(self.k - 1, order);
            }
            self.best.truncate(self.k);
        }
        self.best.sort_unstable_by(order);
        Ok(RowTop { top: self.best, rest, edited: self.edited })
    }
}

/// The sum of exponentials of a block, and the greatest logit of each lane.
fn reduce(block: &[f32; BLOCK]) -> (ExpSum, [f32; LANES]) {
    let mut found = (ExpSum { max: 0.0, sum: 0.0 }, [0.0; LANES]);
    simd::run(Reduce { block, found: &mut found });
    found
}

/// Marks with a 1 the logits that may be among the best `k` of a block and are not below `least`.
fn mark(block: &[f32; BLOCK], maxima: &[f32; LANES], k: usize, least: f32) -> [u8; BLOCK] {
    let mut marks = [0; BLOCK];
    simd::run(MarkCandidates { block, maxima, k, least, marks: &mut marks });
    marks
}

/// The kernel of [`reduce`].
struct Reduce<'a> {
    block: &'a [f32; BLOCK],
    found: &'a mut (ExpSum, [f32; LANES]),
}

impl Kernel for Reduce<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let maxima = lane_maxima(simd, self.block);
        let mut max = simd.splat(f32::NEG_INFINITY);
        for lanes in maxima.chunks_exact(S::LANES) {
            max = simd.max(simd.load(lanes), max);
        }
        let max = simd.largest(max);
        let shift = if max == f32::NEG_INFINITY { 0.0 } else { max };
        *self.found = (ExpSum { max, sum: block_exp_sum(self.block, shift) }, maxima);
    }
}

/// The kernel of [`mark`]: [`mark_portable`], compiled for the instruction set in use.
struct MarkCandidates<'a> {
    block: &'a [f32; BLOCK],
    maxima: &'a [f32; LANES],
    k: usize,
    least: f32,
    marks: &'a mut [u8; BLOCK],
}

impl Kernel for MarkCandidates<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        *self.marks = mark_portable(self.block, self.maxima, self.k, self.least);
    }
}

// The loops of the following functions must be inlined into the kernels above, to be compiled for their instruction set.
#[inline(always)]
fn lane_maxima<S: Simd>(simd: S, block: &[f32; BLOCK]) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    for (lane, lanes) in lanes.chunks_exact_mut(S::LANES).enumerate() {
        // Several independent chains, since each maximum waits for the one before it. `max` returns its second argument
        // if the first is NaN.
        let mut greatest = [simd.splat(f32::NEG_INFINITY); CHAINS];
        for chunks in block.chunks_exact(CHAINS * LANES) {
            for (greatest, chunk) in greatest.iter_mut().zip(chunks.chunks_exact(LANES)) {
                *greatest = simd.max(simd.load(&chunk[lane * S::LANES..]), *greatest);
            }
        }
        let [a, b, c, d] = greatest;
        simd.store(lanes, simd.max(simd.max(a, b), simd.max(c, d)));
    }
    lanes
}

#[inline(always)]
fn mark_portable(block: &[f32; BLOCK], maxima: &[f32; LANES], k: usize, least: f32) -> [u8; BLOCK] {
    // At least `k` lanes have a maximum of at least this value, so a smaller logit is not among the best `k`.
    let enough = kth_greatest(maxima, k);
    let least = if enough > least { enough } else { least };
    let mut marks = [0; BLOCK];
    for (mark, &x) in marks.iter_mut().zip(block) {
        *mark = u8::from(x >= least);
    }
    marks
}

/// The `k`-th greatest of the numbers, duplicates counted; minus infinity if there are fewer than `k`.
#[inline(always)]
fn kth_greatest(numbers: &[f32; LANES], k: usize) -> f32 {
    let mut no_less = [0; LANES];
    for &other in numbers {
        for (count, &x) in no_less.iter_mut().zip(numbers) {
            *count += u32::from(other >= x);
        }
    }
    let enough = numbers.iter().zip(no_less).filter(|(_, no_less)| *no_less as usize >= k);
    enough.fold(f32::NEG_INFINITY, |greatest, (&x, _)| if x > greatest { x } else { greatest })
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

/// `e^x` for `x` up to 0, within 2e-7 of the true value. Below -87 it stays at `e^-87`, which a sum that contains a 1
/// cannot tell from 0. NaN stays NaN. There are no branches, so that loops are compiled to vector instructions.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, of which the first has few enough bits for its multiples to be exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    // The series of e^r to r^7, for |r| up to ln(2) / 2: the next term is below 6e-9.
    let mut p = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + coefficient;
    }
    // The low bits of `shifted` are n; shifted into the exponent field of a float they become 2^n.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::noise;
    use crate::kernels::simd::{Level, run_at};

    /// The greatest of a block, and of each lane.
    fn naive(block: &[f32; BLOCK]) -> (f32, [f32; LANES]) {
        let lane = |lane| block.iter().skip(lane).step_by(LANES).copied().fold(f32::NEG_INFINITY, f32::max);
        let lanes = std::array::from_fn(lane);
        (lanes.into_iter().fold(f32::NEG_INFINITY, f32::max), lanes)
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
            let block: [f32; BLOCK] = noise(BLOCK, seed).try_into().unwrap();
            let (wide, mut portable) = (reduce(&block), (ExpSum { max: 0.0, sum: 0.0 }, [0.0; LANES]));
            run_at(Level::Generic, Reduce { block: &block, found: &mut portable });
            assert_eq!((wide.0.sum.to_bits(), wide.1), (portable.0.sum.to_bits(), portable.1));
            assert_eq!((wide.0.max, wide.1), naive(&block));
            assert_eq!(mark(&block, &wide.1, 3, 0.5), mark_portable(&block, &wide.1, 3, 0.5));
        }
    }
}
