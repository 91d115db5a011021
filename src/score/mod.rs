//! Metrics of translations and summaries against references.
//!
//! BLEU, chrF, chrF++ and TER are those of sacreBLEU 2.6 (Post, 2018, <https://github.com/mjpost/sacrebleu>) with its defaults and one
//! reference; ROUGE is that of the package rouge-score 0.1.2. Invariant: what they print, this prints, to the last digit, intervals
//! and p-values of the same seed included. For that, arithmetic is done in the order and the width in which they do it.
//!
//! A metric counts each segment once ([`Metric::count`]); scores, intervals and tests are made of sums of those counts.

mod bleu;
mod chrf;
mod edits;
mod ngrams;
mod random;
mod resample;
pub mod rouge;
mod ter;

pub use resample::{Interval, Paired, Resampling, baseline_interval, confidence, paired};

/// The version of sacreBLEU whose numbers these are.
const SACREBLEU: &str = "2.6.0";

/// A metric over a corpus of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// BLEU (Papineni et al., 2002): words by mteval-13a, n-grams up to 4, exponential smoothing.
    Bleu,
    /// chrF2 (Popović, 2015): characters without spaces, n-grams up to 6, recall counted twice.
    Chrf,
    /// chrF2++ (Popović, 2017): chrF2 with words and pairs of words.
    ChrfPlusPlus,
    /// Translation edit rate (Snover et al., 2006): edits and shifts for each word of the reference, lowercased. Less is better.
    Ter,
}

/// The counts of a metric for each segment.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Numbers of all segments, one segment after the other.
    numbers: Vec<u32>,
    /// Numbers of one segment.
    width: usize,
}

/// The score of a system by one metric, with its significance if that was requested.
#[derive(Clone, Debug)]
pub struct Score {
    /// The metric.
    pub metric: Metric,
    /// The score, from 0 to 100; TER can exceed that.
    pub value: f64,
    /// The details that sacreBLEU prints beside the score: BLEU's precisions and lengths.
    pub detail: Option<String>,
    /// A 95 % interval.
    pub interval: Option<Interval>,
    /// The p-value of the difference from the baseline; `None` for the baseline itself.
    pub p_value: Option<f64>,
}

/// The width of the floats that a score is computed with. sacreBLEU takes sums of resamples in float32, others in float64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Single,
    Double,
}

/// A number and its width.
#[derive(Clone, Copy, Debug)]
struct ScoreValue {
    value: f64,
    width: Width,
}

impl Metric {
    /// All metrics, in the order in which they are printed.
    pub const ALL: [Self; 4] = [Self::Bleu, Self::Chrf, Self::ChrfPlusPlus, Self::Ter];

    /// The name that sacreBLEU gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bleu => "BLEU",
            Self::Chrf => "chrF2",
            Self::ChrfPlusPlus => "chrF2++",
            Self::Ter => "TER",
        }
    }

    /// Counts `hypotheses` against the `references` of the same places.
    #[must_use]
    pub fn count(self, hypotheses: &[impl AsRef<str>], references: &[impl AsRef<str>]) -> Counts {
        let segment = |hypothesis: &str, reference: &str| match self {
            Self::Bleu => bleu::count(hypothesis, reference),
            Self::Chrf => chrf::count(hypothesis, reference, 0),
            Self::ChrfPlusPlus => chrf::count(hypothesis, reference, chrf::WORD_ORDER),
            Self::Ter => ter::count(hypothesis, reference),
        };
        let pairs = hypotheses.iter().zip(references);
        let numbers: Vec<u32> = pairs.flat_map(|(one, other)| segment(one.as_ref(), other.as_ref())).collect();
        Counts { width: segment("", "").len(), numbers }
    }

    /// The score of all segments together, from 0 to 100; TER can exceed that.
    #[must_use]
    pub fn score(self, counts: &Counts) -> f64 {
        self.of_sums(&counts.sums(), Width::Double).value
    }

    /// What sacreBLEU prints beside a score: BLEU's precisions and lengths.
    #[must_use]
    pub fn detail(self, counts: &Counts) -> Option<String> {
        (self == Self::Bleu).then(|| bleu::detail(&counts.sums()))
    }

    /// sacreBLEU's signature of the metric, by which others can reproduce the score.
    #[must_use]
    pub fn signature(self, resampling: Option<&Resampling>) -> String {
        let resampled = resampling.map_or_else(String::new, Resampling::signature);
        let own = match self {
            Self::Bleu => "case:mixed|eff:no|tok:13a|smooth:exp",
            Self::Chrf => "case:mixed|eff:yes|nc:6|nw:0|space:no",
            Self::ChrfPlusPlus => "case:mixed|eff:yes|nc:6|nw:2|space:no",
            Self::Ter => "case:lc|tok:tercom|norm:no|punct:yes|asian:no",
        };
        format!("nrefs:1|{resampled}{own}|version:{SACREBLEU}")
    }

    fn of_sums(self, sums: &[f64], width: Width) -> ScoreValue {
        match self {
            Self::Bleu => bleu::score(sums, width),
            Self::Chrf | Self::ChrfPlusPlus => chrf::score(sums, width),
            Self::Ter => ter::score(sums, width),
        }
    }
}

impl Counts {
    /// Number of segments that were counted.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.numbers.len() / self.width
    }

    fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.numbers.chunks_exact(self.width)
    }

    /// The sum of each count over all segments.
    fn sums(&self) -> Vec<f64> {
        let mut sums = vec![0; self.width];
        for row in self.rows() {
            for (sum, number) in sums.iter_mut().zip(row) {
                *sum += u64::from(*number);
            }
        }
        sums.into_iter().map(|sum| sum as f64).collect()
    }
}

impl Score {
    /// The score of the system at `place` among systems whose first is the baseline. `counts` has those of each system.
    #[must_use]
    pub fn new(metric: Metric, counts: &[Counts], place: usize, resampling: Option<&Resampling>) -> Self {
        let own = &counts[place];
        let (interval, p_value) = match resampling {
            None => (None, None),
            Some(resampling) if !resampling.tests => (Some(confidence(metric, own, resampling)), None),
            Some(resampling) if place == 0 => (baseline_interval(metric, own, resampling), None),
            Some(resampling) => {
                let found = paired(metric, &counts[0], own, resampling);
                (found.interval, Some(found.p_value))
            }
        };
        Self { metric, value: metric.score(own), detail: metric.detail(own), interval, p_value }
    }
}

impl Width {
    /// The nearest number of this width. An operation on two float32 numbers, done in float64 and rounded, is that of float32.
    fn round(self, value: f64) -> f64 {
        match self {
            Self::Single => f64::from(value as f32),
            Self::Double => value,
        }
    }
}
