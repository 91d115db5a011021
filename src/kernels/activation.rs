//! The activation functions of the seq2seq families, computed on vectors.

use super::simd::Simd;

/// An element-wise function, named as in `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x · sigmoid(x)`, also called `swish`.
    Silu,
    /// `x · Φ(x)` with the error function.
    Gelu,
    /// `x · Φ(x)` by the tanh formula: `gelu_new`, `gelu_pytorch_tanh`.
    GeluTanh,
}

impl Activation {
    /// Applies the function to each lane of `x`.
    #[inline(always)]
    pub fn apply<S: Simd>(self, simd: S, x: S::V) -> S::V {
        let (zero, half, one) = (simd.splat(0.0), simd.splat(0.5), simd.splat(1.0));
        match self {
            Self::Relu => simd.max(x, zero),
            Self::Silu => simd.div(x, simd.add(one, simd.exp(simd.sub(zero, x)))),
            Self::Gelu => {
                let erf = erf(simd, simd.mul(x, simd.splat(std::f32::consts::FRAC_1_SQRT_2)));
                simd.mul(simd.mul(x, half), simd.add(one, erf))
            }
            Self::GeluTanh => {
                let cube = simd.mul(simd.mul(x, x), x);
                let inner = simd.mul_add(cube, simd.splat(0.044_715), x);
                // x/2 (1 + tanh z) = x · sigmoid(2z), with z = √(2/π) · inner
                let twice = simd.mul(inner, simd.splat(std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::SQRT_2));
                simd.div(x, simd.add(one, simd.exp(simd.sub(zero, twice))))
            }
        }
    }
}

/// The error function, absolute error below 3e-7: a rational approximation on [-4, 4], beyond which
/// erf is 1 in f32 (coefficients as in the Eigen library's `erf` for floats).
#[inline(always)]
fn erf<S: Simd>(simd: S, x: S::V) -> S::V {
    let x = simd.min(simd.max(x, simd.splat(-4.0)), simd.splat(4.0));
    let square = simd.mul(x, x);
    let mut p = simd.splat(-2.726_142_4e-10);
    for c in [2.770_681_4e-8, -2.101_024e-6, -5.692_506_6e-5, -7.349_906e-4, -2.954_6e-3, -1.609_603_3e-2] {
        p = simd.mul_add(p, square, simd.splat(c));
    }
    let mut q = simd.splat(-1.456_607_2e-5);
    for c in [-2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_474e-2] {
        q = simd.mul_add(q, square, simd.splat(c));
    }
    simd.div(simd.mul(x, p), q)
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Kernel, run};
    use super::*;

    struct Apply<'a>(Activation, &'a mut [f32]);

    impl Kernel for Apply<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for chunk in self.1.chunks_exact_mut(S::LANES) {
                let y = self.0.apply(simd, simd.load(chunk));
                simd.store(chunk, y);
            }
        }
    }

    /// erf by its Taylor series for small x and by the continued fraction of erfc beyond.
    fn exact_erf(x: f64) -> f64 {
        if x.abs() > 3.0 {
            let mut fraction = x.abs();
            for i in (1..60).rev() {
                fraction = x.abs() + f64::from(i) / 2.0 / fraction;
            }
            return x.signum() * (1.0 - (-x * x).exp() / fraction / std::f64::consts::PI.sqrt());
        }
        let (mut term, mut sum) = (x, x);
        for i in 1..80 {
            term *= -x * x / f64::from(i);
            sum += term / f64::from(2 * i + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn all_are_close_to_their_definitions() {
        for activation in [Activation::Relu, Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
            let x: Vec<f32> = (0..16_000).map(|i| -12.0 + i as f32 * 0.0015).collect();
            let mut y = x.clone();
            run(Apply(activation, &mut y));
            for (&x, &y) in x.iter().zip(&y) {
                let x = f64::from(x);
                let expected = match activation {
                    Activation::Relu => x.max(0.0),
                    Activation::Silu => x / (1.0 + (-x).exp()),
                    Activation::Gelu => x * 0.5 * (1.0 + exact_erf(x / std::f64::consts::SQRT_2)),
                    Activation::GeluTanh => {
                        0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
                    }
                };
                assert!(
                    (f64::from(y) - expected).abs() < 1e-6 + 2e-7 * x.abs(),
                    "{activation:?}({x}) = {y}, {expected}"
                );
            }
        }
    }
}
