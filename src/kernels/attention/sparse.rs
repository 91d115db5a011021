//! Sparse self-attention: a sequence attends to itself by a pattern that sees less than everything.
//!
//! Time and memory grow with the length times the number of positions that a token sees, never with the square of the
//! length. A task takes up to [`CHUNK`] queries of one head, and copies only the keys that any of them sees. Queries are
//! computed four at a time, since neighbours see nearly the same keys.
//!
//! Invariant (row invariance): which queries are computed together, and the order of every sum, depends only on positions
//! and the length of their own sequence.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};

use super::pattern::{Added, Pattern, RUNS, Run, Union, union};
use super::scores::softmax;
use super::tile::{Mix, TILE, score_tile};
use super::{DistanceBias, Heads, OutputPtr, for_each, slice};
use crate::kernels::simd::{self, Kernel, Simd, WIDE};
use crate::kernels::soft_cap::cap_scores;

/// Most queries in a task.
const CHUNK: usize = 256;

/// Sparse attention over a padded batch: `[b, extra + s, columns]` (queries, keys, values side by side) to `[b, s,
/// inner]`, or to `[b, extra + s, inner]` if extra rows are queries too. A sequence has its extra rows first, and its
/// tokens from row `extra` on. Padding comes out as zeros.
pub struct SparseAttention<'a> {
    /// The heads, with the biases for [`Added::ByDistance`].
    pub heads: Heads<'a>,
    /// The biases for [`Added::ByBlock`].
    pub by_block: Option<&'a DistanceBias>,
    /// The attention pattern: what a token sees.
    pub pattern: Pattern,
    /// Number of tokens in each sequence, `b` of them.
    pub lengths: &'a [usize],
    /// Number of extra rows in the sequence that has the most.
    pub extra: usize,
}

/// A task: some queries of one sequence and head.
struct SparseTask {
    sequence: usize,
    head: usize,
    /// The positions of the queries.
    queries: Range<usize>,
}

impl SparseAttention<'_> {
    /// All tasks, for all sequences and heads. No task has both extra rows and tokens, since extra rows see everything
    /// and tokens little.
    fn tasks(&self) -> Vec<SparseTask> {
        let mut tasks = Vec::new();
        for (sequence, &length) in self.lengths.iter().enumerate() {
            let extra = self.pattern.extra(length);
            let looking = if self.pattern.extra_rows_attend() { 0..extra } else { 0..0 };
            for places in [looking, extra..extra + length] {
                for start in places.clone().step_by(CHUNK) {
                    let queries = start..(start + CHUNK).min(places.end);
                    tasks.extend((0..self.heads.count).map(|head| SparseTask {
                        sequence,
                        head,
                        queries: queries.clone(),
                    }));
                }
            }
        }
        tasks
    }
}

impl CustomOp1 for SparseAttention<'_> {
    fn name(&self) -> &'static str {
        "sparse-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let qkv = slice(storage, layout)?;
        let (b, rows, width) = layout.shape().dims3()?;
        let inner = self.heads.inner();
        let wide = |length: &usize| self.pattern.extra(*length) > self.extra || self.extra + length > rows;
        if width != self.heads.columns() || b != self.lengths.len() || self.lengths.iter().any(wide) {
            bail!(
                "sparse attention over {b} x {rows} x {width} with {} heads of {}",
                self.heads.count,
                self.heads.width
            );
        }
        // Extra rows that are not queries have no row in the output.
        let hidden = if self.pattern.extra_rows_attend() { 0 } else { self.extra };
        let mut out = vec![0f32; b * (rows - hidden) * inner];
        let output = OutputPtr(out.as_mut_ptr());
        let tasks = self.tasks();
        let seen = self.lengths.iter().map(|&length| self.pattern.seen(length)).max().unwrap_or(0);
        for_each(tasks.len(), b * rows * seen * inner, |number| {
            let task = &tasks[number];
            let length = self.lengths[task.sequence];
            simd::run(QueryChunk {
                op: self,
                qkv: &qkv[task.sequence * rows * width..][..rows * width],
                length,
                gap: self.extra - self.pattern.extra(length),
                task,
                out: OutputPtr(output.at(task.sequence * (rows - hidden) * inner)),
                hidden,
            });
        });
        Ok((CpuStorage::F32(out), (b, rows - hidden, inner).into()))
    }
}

struct QueryChunk<'a> {
    op: &'a SparseAttention<'a>,
    /// `[extra + s, columns]` of one sequence.
    qkv: &'a [f32],
    length: usize,
    /// Rows of padding between the sequence's extra rows and its tokens.
    gap: usize,
    task: &'a SparseTask,
    /// The sequence's rows of the output.
    out: OutputPtr,
    /// Number of rows at the start that have no output: extra rows that are not queries.
    hidden: usize,
}

impl Kernel for QueryChunk<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // Keys are copied once for all queries of the task. Each tile of `TILE` queries then computes scores with the
        // keys that any query of the tile sees; those that a query does not see are set to minus infinity.
        let places = self.task.queries.clone();
        let runs: Vec<[Run; RUNS]> = places.clone().map(|place| self.op.pattern.runs(place, self.length)).collect();
        let seen = union(&runs);
        let keys = self.keys(&seen);
        let width = self.op.heads.width;
        let (mut queries, mut scores) = (vec![0f32; TILE * width], Vec::new());
        for (tile, runs) in runs.chunks(TILE).enumerate() {
            let first = places.start + tile * TILE;
            self.queries(first, runs.len(), &mut queries);
            let sees = union(runs);
            let total: usize = sees.iter().map(Range::len).sum();
            let stride = (total + WIDE).next_multiple_of(WIDE);
            scores.resize(TILE * stride, 0.0);
            let mut at = 0;
            for (run, places) in sees.iter().enumerate().filter(|(_, places)| !places.is_empty()) {
                score_tile::<S, f32, TILE>(
                    simd,
                    &queries,
                    keys.at(&seen, run, places.start),
                    places.len(),
                    &mut scores[at..],
                    stride,
                );
                for (query, runs) in runs.iter().enumerate() {
                    let whole = places.len().next_multiple_of(S::LANES);
                    cap_scores(simd, &mut scores[query * stride + at..][..whole], self.op.heads.cap);
                    self.add(&runs[run], places, &mut scores[query * stride + at..][..places.len()]);
                }
                at += places.len();
            }
            for scores in scores.chunks_exact_mut(stride).take(runs.len()) {
                softmax(simd, &mut scores[..total.next_multiple_of(WIDE)], total, None);
            }
            self.mix(simd, &sees, &scores, stride, first..first + runs.len());
        }
    }
}

/// The keys that some queries see, copied and transposed.
struct GatheredKeys {
    /// `[width, pad]`.
    values: Vec<f32>,
    pad: usize,
}

impl GatheredKeys {
    /// The keys from position `place` on, which must lie in range `run` of `seen`; returned with the distance between
    /// rows.
    #[inline(always)]
    fn at(&self, seen: &Union, run: usize, place: usize) -> (&[f32], usize) {
        let before: usize = seen[..run].iter().map(Range::len).sum();
        (&self.values[before + place - seen[run].start..], self.pad)
    }
}

impl QueryChunk<'_> {
    /// The queries, keys and values of the row at position `place`, and all that follows.
    #[inline(always)]
    fn row(&self, place: usize) -> &[f32] {
        let row = if place < self.op.pattern.extra(self.length) { place } else { place + self.gap };
        &self.qkv[row * self.op.heads.columns()..]
    }

    /// Copies the keys of these positions, one run after another.
    #[inline(always)]
    fn keys(&self, seen: &Union) -> GatheredKeys {
        let heads = &self.op.heads;
        let total: usize = seen.iter().map(Range::len).sum();
        // Room for a vector more, since whole vectors are read even at the last keys.
        let pad = (total + WIDE).next_multiple_of(WIDE);
        let mut values = vec![0f32; heads.width * pad];
        for (t, place) in seen.iter().flat_map(Clone::clone).enumerate() {
            let key = &self.row(place)[heads.inner() + heads.kv_at(self.task.head)..][..heads.width];
            for (j, &value) in key.iter().enumerate() {
                values[j * pad + t] = value;
            }
        }
        GatheredKeys { values, pad }
    }

    /// Writes `count` scaled queries from position `first` on to `out`, `[width, TILE]`; missing ones are zeros.
    #[inline(always)]
    fn queries(&self, first: usize, count: usize, out: &mut [f32]) {
        let heads = &self.op.heads;
        for query in 0..TILE {
            let row = if query < count {
                &self.row(first + query)[self.task.head * heads.width..][..heads.width]
            } else {
                &[]
            };
            for j in 0..heads.width {
                out[j * TILE + query] = row.get(j).map_or(0.0, |q| q * heads.scale);
            }
        }
    }

    /// Adds the biases of a run to its scores, and sets the positions that the tile sees but this query does not to minus
    /// infinity.
    #[inline(always)]
    fn add(&self, run: &Run, places: &Range<usize>, scores: &mut [f32]) {
        if run.places.is_empty() {
            scores.fill(f32::NEG_INFINITY);
            return;
        }
        let (start, end) = (run.places.start - places.start, run.places.end - places.start);
        scores[..start].fill(f32::NEG_INFINITY);
        scores[end..].fill(f32::NEG_INFINITY);
        let (table, first) = match run.added {
            Added::Constant(0.0) => return,
            Added::Constant(number) => {
                scores[start..end].iter_mut().for_each(|score| *score += number);
                return;
            }
            Added::ByDistance(first) => (self.op.heads.bias, first),
            Added::ByBlock(first) => (self.op.by_block, first),
        };
        if let Some(table) = table {
            let biases = table.values(self.task.head, first, end - start);
            scores[start..end].iter_mut().zip(biases).for_each(|(score, bias)| *score += bias);
        }
    }

    /// Writes the output of the queries at these positions: the weighted sum of the values that they see.
    #[inline(always)]
    fn mix<S: Simd>(&self, simd: S, sees: &Union, weights: &[f32], stride: usize, queries: Range<usize>) {
        let heads = &self.op.heads;
        let (inner, width, columns) = (heads.inner(), heads.width, heads.columns());
        let values_at = inner + heads.kv_inner() + heads.kv_at(self.task.head);
        let values = sees.each_ref().map(|places| {
            let first = if places.is_empty() { &[] } else { &self.row(places.start)[values_at..] };
            (first, places.len())
        });
        let mix = Mix::<f32, TILE> { values, row: columns, weights, stride, at: 0 };
        mix.columns(simd, width, |query, column, mixed| {
            if let Some(place) = queries.clone().nth(query) {
                let row = if place < self.op.pattern.extra(self.length) { place } else { place + self.gap };
                let start = (row - self.hidden) * inner + self.task.head * width + column;
                // SAFETY: no other task has this sequence, head and these queries.
                unsafe { self.out.slice(start, mixed.len()) }.copy_from_slice(mixed);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::kernels::noise;

    /// Attention by the definition, in f64, a query and a head at a time.
    fn plain(op: &SparseAttention, qkv: &[f32], sequence: usize, rows: usize) -> Vec<f64> {
        let (Heads { count, kv_count, width, scale, cap, .. }, length) = (op.heads, op.lengths[sequence]);
        let extra = op.pattern.extra(length);
        let row = |place: usize| sequence * rows + if place < extra { place } else { place + op.extra - extra };
        let part = |place: usize, i: usize, head: usize| {
            let kv = count + (i.max(1) - 1) * kv_count + head * kv_count / count;
            let column = if i == 0 { head } else { kv };
            &qkv[(row(place) * (count + 2 * kv_count) + column) * width..][..width]
        };
        let first = if op.pattern.extra_rows_attend() { 0 } else { extra };
        let mut out = Vec::new();
        for (place, head) in (first..extra + length).flat_map(|place| (0..count).map(move |head| (place, head))) {
            let (mut sum, mut mixed) = (0.0, vec![0.0; width]);
            for run in op.pattern.runs(place, length) {
                for (number, key) in run.places.enumerate() {
                    let product: f64 =
                        part(place, 0, head).iter().zip(part(key, 1, head)).map(|(q, k)| f64::from(q * k)).sum();
                    let table = |bias: &DistanceBias, first: isize| bias.values(head, first + number as isize, 1)[0];
                    let bias = match run.added {
                        Added::Constant(number) => number,
                        Added::ByDistance(first) => op.heads.bias.map_or(0.0, |bias| table(bias, first)),
                        Added::ByBlock(first) => op.by_block.map_or(0.0, |bias| table(bias, first)),
                    };
                    let score = product * f64::from(scale);
                    let score = cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh());
                    let weight = (score + f64::from(bias)).exp();
                    sum += weight;
                    mixed.iter_mut().zip(part(key, 2, head)).for_each(|(mixed, v)| *mixed += weight * f64::from(*v));
                }
            }
            out.extend(mixed.into_iter().map(|mixed| mixed / sum));
        }
        out
    }

    fn bias(heads: usize, reach: usize) -> DistanceBias {
        let width = 2 * reach - 1;
        DistanceBias { table: noise(heads * width, 5), width, zero: reach - 1 }
    }

    /// Every pattern, heads of whole vectors and not, over several chunks: what the definition gives, and for a sequence
    /// alone the same bits.
    #[test]
    fn a_pattern_gives_what_its_definition_says() -> Result<()> {
        let lengths = [700, 261, 5];
        let (near, blocks) = (bias(2, 70), bias(2, 60));
        for (pattern, width, kv_count, cap) in [
            (Pattern::Window { before: 33, after: 21, first: false }, 64, 1, Some(2.0)),
            (Pattern::Window { before: 3, after: 3, first: true }, 24, 2, None),
            (Pattern::WindowAndSums { radius: 69, block: 13 }, 32, 2, None),
            (Pattern::Blocks { size: 50, shift: 25, globals: 7 }, 48, 2, Some(1.0)),
            (Pattern::BigBird { block: 16, random: 2 }, 16, 1, None),
        ] {
            let heads = Heads { count: 2, kv_count, width, scale: 0.3, cap, bias: Some(&near) };
            let run = |lengths: &[usize], qkv: &Tensor| {
                let extra = lengths.iter().map(|&length| pattern.extra(length)).max().unwrap_or(0);
                let op = SparseAttention { heads, by_block: Some(&blocks), pattern, lengths, extra };
                let out = qkv.apply_op1_no_bwd(&op)?;
                let rows = qkv.dim(1)?;
                let values = qkv.flatten_all()?.to_vec1::<f32>()?;
                let expected = (0..lengths.len()).map(|sequence| plain(&op, &values, sequence, rows));
                Ok::<_, candle_core::Error>((out, expected.collect::<Vec<_>>()))
            };
            let extra = pattern.extra(700);
            let rows = extra + 700;
            let qkv = Tensor::from_vec(noise(3 * rows * heads.columns(), 9), (3, rows, heads.columns()), &Device::Cpu)?;
            let (out, expected) = run(&lengths, &qkv)?;
            for (sequence, &length) in lengths.iter().enumerate() {
                let own = pattern.extra(length);
                let hidden = if pattern.extra_rows_attend() { 0 } else { extra };
                let found = out.get(sequence)?.narrow(0, 0, rows - hidden)?.flatten_all()?.to_vec1::<f32>()?;
                for (found, expected) in found.iter().zip(&expected[sequence]) {
                    assert!((f64::from(*found) - expected).abs() < 1e-5, "{pattern:?}: {found}, not {expected}");
                }
                assert!(found[expected[sequence].len()..].iter().all(|x| *x == 0.0), "padding");
                let parts = [qkv.get(sequence)?.narrow(0, 0, own)?, qkv.get(sequence)?.narrow(0, extra, length)?];
                let (alone, _) = run(&[length], &Tensor::cat(&parts, 0)?.unsqueeze(0)?)?;
                let alone = alone.flatten_all()?.to_vec1::<f32>()?;
                assert!(alone.iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits()), "{pattern:?}, {length}");
            }
        }
        Ok(())
    }
}
