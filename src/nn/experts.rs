//! The position-wise part of a layer: one feed-forward layer for all tokens, or a mixture of experts of which each token
//! uses one or two.
//!
//! Invariant (row invariance): the output for a token depends on its own sequence only, never on the rest of the batch.
//! The router computes in f32, whatever the type of the rest, since another rounding could choose another expert.

use anyhow::Result;
use candle_core::{D, DType, Device, Tensor};

use super::{FeedForward, Linear};

/// The position-wise part of a layer.
pub enum PositionWise {
    /// One feed-forward layer for all tokens.
    Dense(FeedForward),
    /// A mixture of experts.
    Sparse(Experts),
}

impl PositionWise {
    /// The output, with `residual` added if there is one. `x` is `[b, s, d]` with the `lengths` of its sequences, or `[r,
    /// d]` without lengths, where each row is a sequence of one token.
    ///
    /// # Errors
    /// When shapes, types or devices do not fit.
    pub fn forward(&self, x: &Tensor, residual: Option<&Tensor>, lengths: Option<&[usize]>) -> Result<Tensor> {
        match self {
            Self::Dense(part) => part.forward(x, residual),
            Self::Sparse(experts) => experts.forward(x, residual, lengths),
        }
    }
}

/// How the router chooses experts for a token, and with which weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Routing {
    /// The likeliest expert, weighted by its probability. An expert takes the first `room` tokens of a sequence that
    /// choose it; later ones get no expert (Switch Transformers, Fedus et al. 2021).
    Likeliest {
        /// Most tokens of a sequence that one expert takes.
        room: usize,
    },
    /// The two likeliest experts, with weights in proportion to their probabilities that sum to `share` (NLLB Team et al.
    /// 2022).
    TwoLikeliest {
        /// Sum of both weights: 1 less the model's dropout of expert outputs, which the reference scales by when it does
        /// not train.
        share: f32,
    },
}

/// The index of an expert and its weight.
type Choice = (usize, f32);

impl Routing {
    /// The experts of each of `n` tokens, from the router's logits, `n` rows of one logit per expert. Each sequence has
    /// `s` rows; those past its length get no expert.
    fn choices(self, router: &[Vec<f32>], s: usize, lengths: Option<&[usize]>) -> Vec<Vec<Choice>> {
        let mut all = Vec::with_capacity(router.len());
        for (number, sequence) in router.chunks(s).enumerate() {
            let length = lengths.map_or(s, |lengths| lengths[number]);
            let mut taken = vec![0; sequence.first().map_or(0, Vec::len)];
            for (place, scores) in sequence.iter().enumerate() {
                all.push(if place < length { self.choose(scores, &mut taken) } else { Vec::new() });
            }
        }
        all
    }

    /// The experts of one token. `taken` counts, for each expert, the tokens of this sequence that chose it.
    fn choose(self, scores: &[f32], taken: &mut [usize]) -> Vec<Choice> {
        let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = scores.iter().map(|score| (score - highest).exp()).sum();
        let likely = |expert: usize| (scores[expert] - highest).exp() / sum;
        let best = |without: usize| {
            let others = (0..scores.len()).filter(|&expert| expert != without);
            others.reduce(|best, expert| if scores[expert] > scores[best] { expert } else { best })
        };
        let Some(first) = best(usize::MAX) else { return Vec::new() };
        match self {
            Self::Likeliest { room } => {
                taken[first] += 1;
                if taken[first] <= room { vec![(first, likely(first))] } else { Vec::new() }
            }
            Self::TwoLikeliest { share } => {
                let Some(second) = best(first) else { return vec![(first, share)] };
                let both = (likely(first) + likely(second)).max(f32::EPSILON);
                let mut choices = [first, second].map(|expert| (expert, likely(expert) / both * share));
                choices.sort_unstable_by_key(|(expert, _)| *expert);
                choices.to_vec()
            }
        }
    }
}

/// A mixture of experts.
pub struct Experts {
    /// Projection of `d` to one logit per expert, in f32.
    pub router: Linear,
    /// The feed-forward layer of each expert.
    pub parts: Vec<FeedForward>,
    /// How tokens are assigned to experts.
    pub routing: Routing,
}

impl Experts {
    fn forward(&self, x: &Tensor, residual: Option<&Tensor>, lengths: Option<&[usize]>) -> Result<Tensor> {
        let d = x.dim(D::Minus1)?;
        let tokens = x.reshape(((), d))?;
        let router = self.router.forward(&tokens.to_dtype(DType::F32)?)?.to_device(&Device::Cpu)?.to_vec2::<f32>()?;
        let s = if lengths.is_some() { x.dim(1)? } else { 1 };
        let choices = self.routing.choices(&router, s.max(1), lengths);
        let (made, places) = self.made(&tokens, &choices)?;
        let mut sum = match residual {
            Some(residual) => residual.clone(),
            None => x.zeros_like()?,
        };
        for places in places {
            let places = Tensor::new(places, x.device())?;
            sum = (sum + made.index_select(&places, 0)?.reshape(x.dims())?)?;
        }
        Ok(sum)
    }

    /// The weighted outputs of all experts, one row for each token of each expert and a last row of zeros. Returned with
    /// it, for each rank (first, second expert), the row of every token.
    fn made(&self, tokens: &Tensor, choices: &[Vec<Choice>]) -> Result<(Tensor, Vec<Vec<u32>>)> {
        let (n, d) = tokens.dims2()?;
        let most = choices.iter().map(Vec::len).max().unwrap_or(0);
        let total: usize = choices.iter().map(Vec::len).sum();
        // Tokens without an expert at a rank point to the last row, the zeros.
        let mut places = vec![vec![total as u32; n]; most];
        let mut parts = Vec::new();
        let mut next = 0;
        for (number, expert) in self.parts.iter().enumerate() {
            let (mut own, mut weights) = (Vec::new(), Vec::new());
            for (token, choices) in choices.iter().enumerate() {
                if let Some(rank) = choices.iter().position(|(expert, _)| *expert == number) {
                    places[rank][token] = next;
                    next += 1;
                    own.push(token as u32);
                    weights.push(choices[rank].1);
                }
            }
            if own.is_empty() {
                continue;
            }
            let weights = Tensor::new(weights, &Device::Cpu)?.to_dtype(tokens.dtype())?.to_device(tokens.device())?;
            let own = tokens.index_select(&Tensor::new(own, tokens.device())?, 0)?;
            parts.push(expert.forward(&own, None)?.broadcast_mul(&weights.unsqueeze(1)?)?);
        }
        parts.push(Tensor::zeros((1, d), tokens.dtype(), tokens.device())?);
        Ok((Tensor::cat(&parts, 0)?, places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [[f32; 3]; 4] = [[1.0, 3.0, 2.0], [0.0, 5.0, 0.0], [0.0, 1.0, 0.5], [2.0, 0.0, 1.0]];

    fn rounded(choices: &[Choice]) -> Vec<(usize, i32)> {
        choices.iter().map(|(expert, weight)| (*expert, (weight * 1000.0).round() as i32)).collect()
    }

    #[test]
    fn an_expert_without_room_takes_no_more_of_a_sequence_but_the_next_one_does() {
        let router = SCORES.map(|scores| scores.to_vec());
        let routing = Routing::Likeliest { room: 1 };
        let experts = |s, lengths| -> Vec<Option<usize>> {
            let choices = routing.choices(&router, s, lengths);
            choices.iter().map(|choices| choices.first().map(|(expert, _)| *expert)).collect()
        };
        assert_eq!(experts(4, Some(&[4])), [Some(1), None, None, Some(0)]);
        assert_eq!(experts(2, Some(&[2, 1])), [Some(1), None, Some(1), None], "the last one is padding");
        assert_eq!(experts(1, None), [Some(1), Some(1), Some(1), Some(0)]);
        assert_eq!(rounded(&routing.choices(&router, 1, None)[0]), [(1, 665)]);
    }

    #[test]
    fn two_experts_share_by_how_likely_they_are() {
        let router = SCORES.map(|scores| scores.to_vec());
        let choices = Routing::TwoLikeliest { share: 0.8 }.choices(&router, 4, Some(&[3]));
        assert_eq!(rounded(&choices[0]), [(1, 585), (2, 215)]);
        // Of two that are as likely the first.
        assert_eq!(rounded(&choices[1]), [(0, 5), (1, 795)]);
        assert!(choices[3].is_empty());
    }
}
