//! Significance: bootstrap intervals of scores, and tests of whether two systems differ.
//!
//! Invariant: what sacreBLEU's own functions draw and compute is drawn and computed in their order and width: resamples are summed in
//! float32 one segment after the other, means over them are those of `statistics.mean` or of NumPy, and a float32 array is
//! compared in float32.

use super::random::Random;
use super::{Counts, Metric, ScoreValue, Width};

/// The options of resampling: the number of resamples, the seed, and the kind of test.
#[derive(Clone, Copy, Debug)]
pub struct Resampling {
    /// Number of resamples or trials.
    pub samples: usize,
    /// The seed of `numpy.random.default_rng`.
    pub seed: u64,
    /// Whether systems are compared with the first one; otherwise each gets an interval of its own.
    pub tests: bool,
    /// Whether segments are swapped between two systems (approximate randomization) and not drawn from one
    /// (bootstrap).
    pub swaps: bool,
}

/// A 95 % confidence interval.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// The mean of the resamples.
    pub mean: f64,
    /// Half the distance of the bounds.
    pub margin: f64,
}

/// The comparison of a system with the baseline.
#[derive(Clone, Copy, Debug)]
pub struct Paired {
    /// The p-value: the probability of such a difference by chance.
    pub p_value: f64,
    /// The interval of the system's own score; none when segments are swapped.
    pub interval: Option<Interval>,
}

impl Resampling {
    /// The resampling's part of a signature.
    pub(super) fn signature(&self) -> String {
        format!("{}:{}|seed:{}|", if self.swaps { "ar" } else { "bs" }, self.samples, self.seed)
    }
}

/// The interval of a single system, as `Metric.corpus_score(n_bootstrap=…)` gives it.
#[must_use]
pub fn confidence(metric: Metric, counts: &Counts, resampling: &Resampling) -> Interval {
    let (scores, width) = bootstrap(metric, counts, resampling);
    let mean = width.round(exact_sum(&scores) / scores.len() as f64);
    Interval { mean, ..estimate(scores, width) }
}

/// The interval of the baseline in a paired test, as `PairedTest` gives it.
#[must_use]
pub fn baseline_interval(metric: Metric, counts: &Counts, resampling: &Resampling) -> Option<Interval> {
    (!resampling.swaps).then(|| {
        let (scores, width) = bootstrap(metric, counts, resampling);
        estimate(scores, width)
    })
}

/// Compares a system with the baseline, as `PairedTest` does.
#[must_use]
pub fn paired(metric: Metric, baseline: &Counts, system: &Counts, resampling: &Resampling) -> Paired {
    let difference = (metric.score(baseline) - metric.score(system)).abs();
    let (found, width, interval) = if resampling.swaps {
        (swapped(metric, baseline, system, resampling), Width::Double, None)
    } else {
        let (own, own_width) = bootstrap(metric, system, resampling);
        let (other, other_width) = bootstrap(metric, baseline, resampling);
        let width = if own_width == other_width { own_width } else { Width::Double };
        let differences: Vec<f64> =
            own.iter().zip(&other).map(|(one, other)| width.round((one - other).abs())).collect();
        let usual = mean(&differences, width);
        let differences = differences.into_iter().map(|one| width.round(one - usual)).collect();
        (differences, width, Some(estimate(own, own_width)))
    };
    let real = width.round(difference);
    let larger = found.iter().filter(|difference| **difference > real).count();
    Paired { p_value: (larger + 1) as f64 / (found.len() + 1) as f64, interval }
}

/// The score of each resample, and their common width.
fn bootstrap(metric: Metric, counts: &Counts, resampling: &Resampling) -> (Vec<f64>, Width) {
    let numbers: Vec<f32> = counts.numbers.iter().map(|&number| number as f32).collect();
    let segments = counts.segments();
    let mut random = Random::new(resampling.seed);
    let mut sums = vec![0.0; counts.width];
    let mut resample = || {
        sums.fill(0.0);
        for _ in 0..segments {
            let at = random.below(segments as u32) * counts.width;
            sums.iter_mut().zip(&numbers[at..]).for_each(|(sum, number)| *sum += number);
        }
        let sums: Vec<f64> = sums.iter().map(|&sum| f64::from(sum)).collect();
        metric.of_sums(&sums, Width::Single)
    };
    let values: Vec<ScoreValue> = (0..resampling.samples).map(|_| resample()).collect();
    let single = values.iter().all(|value| value.width == Width::Single);
    let width = if single { Width::Single } else { Width::Double };
    (values.into_iter().map(|value| value.value).collect(), width)
}

/// Differences of two systems whose segments were swapped by chance.
fn swapped(metric: Metric, baseline: &Counts, system: &Counts, resampling: &Resampling) -> Vec<f64> {
    let mut random = Random::new(resampling.seed);
    let both: Vec<f64> = baseline.sums().iter().zip(system.sums()).map(|(one, other)| one + other).collect();
    let mut trial = || {
        let mut sums = vec![0u64; baseline.width];
        for (one, other) in baseline.rows().zip(system.rows()) {
            let taken = if random.bit() { one } else { other };
            sums.iter_mut().zip(taken).for_each(|(sum, number)| *sum += u64::from(*number));
        }
        let first: Vec<f64> = sums.into_iter().map(|sum| sum as f64).collect();
        let second: Vec<f64> = both.iter().zip(&first).map(|(both, first)| both - first).collect();
        let [first, second] = [first, second].map(|sums| metric.of_sums(&sums, Width::Double).value);
        (first - second).abs()
    };
    (0..resampling.samples).map(|_| trial()).collect()
}

/// The mean, and half the distance between the bounds that leave out a fortieth at either end.
fn estimate(mut scores: Vec<f64>, width: Width) -> Interval {
    scores.sort_by(f64::total_cmp);
    let left_out = scores.len() / 40;
    let (lower, upper) = (scores[left_out], scores[scores.len() - left_out - 1]);
    Interval { mean: mean(&scores, width), margin: width.round(0.5 * width.round(upper - lower)) }
}

/// A sum that loses nothing of its parts (Neumaier, 1974), as `statistics.mean` wants it.
fn exact_sum(values: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

/// NumPy's mean of an array.
fn mean(values: &[f64], width: Width) -> f64 {
    width.round(pairwise_sum(values, width) / values.len() as f64)
}

/// NumPy's sum of an array: halves of it, and eight sums side by side in pieces of at most 128.
fn pairwise_sum(values: &[f64], width: Width) -> f64 {
    let add = |sum: f64, value: &f64| width.round(sum + value);
    if values.len() > 128 {
        let half = values.len() / 2;
        let (first, second) = values.split_at(half - half % 8);
        return width.round(pairwise_sum(first, width) + pairwise_sum(second, width));
    }
    let (rows, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for row in rows {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum = add(*sum, value));
    }
    let pairs = [0, 2, 4, 6].map(|at| add(sums[at], &sums[at + 1]));
    let sum = add(add(pairs[0], &pairs[1]), &add(pairs[2], &pairs[3]));
    rest.iter().fold(sum, add)
}
