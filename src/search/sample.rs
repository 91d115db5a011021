//! Drawing random tokens, with candle's `LogitsProcessor`.
//!
//! Responsible for temperature, then top-k, then top-p, each applied to what the former left, as in transformers.
//! candle's own top-p keeps the share of the *unfiltered* probabilities, and its top-k breaks ties as it finds them, so
//! only the draw itself is candle's. Invariant: what is drawn depends on the seed, the sequence's index, the sample and
//! the logits; not on the batch. top-k belongs to the caller, who passes no more candidates than that. Of tokens equal to
//! the k-th, transformers keeps all, this module the lowest.

use anyhow::Result;
use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling as Draw};

use super::Sampling;
use crate::batch::TokenId;

/// Draws the tokens of one hypothesis.
pub(super) struct Sampler {
    processor: LogitsProcessor,
    sampling: Sampling,
}

impl Sampler {
    /// The sampler for sample number `sample` of the sequence with this index.
    pub fn new(sampling: Sampling, index: u64, sample: u64) -> Self {
        let seed = mixed(mixed(mixed(sampling.seed) ^ index) ^ sample);
        Self { processor: LogitsProcessor::from_sampling(seed, Draw::All { temperature: 1.0 }), sampling }
    }

    /// Draws one of the candidates, which must be sorted best first. Returns the token and the logarithm of the
    /// probability it was drawn with; `None` if there are no candidates.
    pub fn draw(&mut self, candidates: &[(TokenId, f32)]) -> Result<Option<(TokenId, f32)>> {
        let Some(&(_, best)) = candidates.first() else { return Ok(None) };
        let temperature = self.sampling.temperature;
        let tempered: Vec<f64> = candidates.iter().map(|&(_, x)| f64::from(x - best) / temperature).collect();
        let kept = &tempered[..nucleus(&tempered, self.sampling.top_p)];
        let logits: Vec<f32> = kept.iter().map(|&x| x as f32).collect();
        let drawn = self.processor.sample(&Tensor::new(logits, &Device::Cpu)?)? as usize;
        let log_sum = kept.iter().map(|x| x.exp()).sum::<f64>().ln();
        Ok(Some((candidates[drawn].0, (kept[drawn] - log_sum) as f32)))
    }
}

/// Number of best logits that together have `top_p` of the probability; at least one. `logits` are sorted best first.
fn nucleus(logits: &[f64], top_p: f64) -> usize {
    if top_p >= 1.0 {
        return logits.len();
    }
    let enough = logits.iter().map(|x| x.exp()).sum::<f64>() * top_p;
    let mut before = 0.0;
    let count = logits.iter().take_while(|x| {
        let keep = before < enough;
        before += x.exp();
        keep
    });
    count.count().max(1)
}

/// A hash of `x`: changing any bit of `x` changes about half its bits (the finaliser of `SplitMix64`).
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANDIDATES: [(TokenId, f32); 4] = [(7, 2.0), (3, 1.0), (9, 0.0), (1, -3.0)];

    fn drawn(sampling: Sampling, index: u64, sample: u64) -> Vec<TokenId> {
        let mut sampler = Sampler::new(sampling, index, sample);
        (0..4000).map(|_| sampler.draw(&CANDIDATES).unwrap().unwrap().0).collect()
    }

    #[test]
    fn frequencies_follow_the_tempered_probabilities() {
        for (temperature, top_p, left) in [(1.0, 1.0, 4), (2.0, 1.0, 4), (1.0, 0.9, 2), (1.0, 0.0, 1), (1.0, 0.66, 1)] {
            let tokens = drawn(Sampling { temperature, top_k: 0, top_p, seed: 5 }, 0, 0);
            let weights: Vec<f64> = CANDIDATES[..left].iter().map(|c| (f64::from(c.1) / temperature).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for (index, (token, _)) in CANDIDATES.iter().enumerate() {
                let share = tokens.iter().filter(|&drawn| drawn == token).count() as f64 / 4000.0;
                let expected = weights.get(index).map_or(0.0, |weight| weight / sum);
                assert!((share - expected).abs() < 0.03, "{token} at {temperature}, {top_p}: {share} and {expected}");
            }
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_and_others_do_not() {
        let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 1 };
        let first = drawn(sampling, 3, 0);
        assert_eq!(first, drawn(sampling, 3, 0));
        assert_ne!(first, drawn(sampling, 4, 0));
        assert_ne!(first, drawn(sampling, 3, 1));
        assert_ne!(first, drawn(Sampling { seed: 2, ..sampling }, 3, 0));
    }

    #[test]
    fn scores_are_the_logarithms_of_what_was_drawn_from() {
        let mut sampler = Sampler::new(Sampling { temperature: 0.5, top_k: 0, top_p: 1.0, seed: 1 }, 0, 0);
        let sum: f64 = CANDIDATES.iter().map(|c| (f64::from(c.1) * 2.0).exp()).sum();
        for _ in 0..20 {
            let (token, score) = sampler.draw(&CANDIDATES).unwrap().unwrap();
            let logit = CANDIDATES.iter().find(|c| c.0 == token).unwrap().1;
            assert!((f64::from(score) - (f64::from(logit) * 2.0 - sum.ln())).abs() < 1e-6);
        }
    }
}
