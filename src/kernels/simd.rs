//! Vectors of `f32` as wide as the processor has them, chosen once at run time.
//!
//! A kernel is written once, generic over [`Simd`], as a [`Kernel`]; [`run`] enters it with the
//! instruction set of [`Level::current`]. Invariant: within one level every operation gives the same
//! bits wherever it stands, so a kernel that keeps its order of additions keeps its results.
//!
//! Safety rests on one rule: a `Simd` type for an instruction set is made only inside [`run`],
//! after the processor has been found to have that set.

mod generic;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

use half::f16;
use half::slice::HalfFloatSliceExt;

use generic::Generic;

/// Number of `f32` lanes in the widest vector of any level. Buffers are padded to a multiple of it.
pub const WIDE: usize = 16;

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust; any processor.
    Generic,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX2, FMA, F16C and AVX-VNNI, which multiplies bytes and adds the products in one instruction.
    AvxVnni,
    /// x86-64 with AVX-512 F, BW, DQ, VL.
    Avx512,
    /// x86-64 with AVX-512 F, BW, DQ, VL and VNNI.
    Avx512Vnni,
}

impl Level {
    /// All levels, best first.
    pub const ALL: [Self; 5] = [Self::Avx512Vnni, Self::Avx512, Self::AvxVnni, Self::Avx2, Self::Generic];

    /// The level in use: the best of this processor, unless [`Level::force`] chose a lower one.
    #[must_use]
    pub fn current() -> Self {
        *CURRENT.get_or_init(|| Self::Avx512Vnni.available())
    }

    /// Uses `level` from now on, to compare levels or for a processor that misreports its features. Works only before the
    /// first kernel has run, and only for a level that the processor has; returns whether it took effect.
    pub fn force(level: Self) -> bool {
        level.exists() && *CURRENT.get_or_init(|| level) == level
    }

    /// The level's name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avx-vnni",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512-vnni",
        }
    }

    /// The level with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// This level, or the best below it that the processor has.
    #[must_use]
    pub fn available(self) -> Self {
        Self::ALL.into_iter().find(|level| *level <= self && level.exists()).unwrap_or(Self::Generic)
    }

    /// Whether this processor has the level's instructions.
    #[must_use]
    pub fn exists(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 =
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match self {
                Self::Generic => true,
                Self::Avx2 => avx2,
                Self::AvxVnni => avx2 && is_x86_feature_detected!("avxvnni"),
                Self::Avx512 => avx512,
                Self::Avx512Vnni => avx512 && is_x86_feature_detected!("avx512vnni"),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Generic
        }
    }
}

static CURRENT: OnceLock<Level> = OnceLock::new();

/// Vectors of `LANES` values of `f32` or `i32`, or of `4 · LANES` bytes, and the operations on them.
pub trait Simd: Copy {
    /// A vector of `LANES` values of `f32`.
    type V: Copy;
    /// A vector of `LANES` values of `i32`.
    type Sums: Copy;
    /// A vector of `4 · LANES` bytes.
    type Bytes: Copy;
    /// Number of lanes of a vector; divides [`WIDE`].
    const LANES: usize;

    /// A vector whose lanes are all `x`.
    fn splat(self, x: f32) -> Self::V;
    /// A vector of the first `LANES` values of `x`.
    fn load(self, x: &[f32]) -> Self::V;
    /// A vector of the first `LANES` values of `x`, each widened, which is exact.
    fn load_f16(self, x: &[f16]) -> Self::V;
    /// A vector of the `LANES` values at `x`.
    ///
    /// # Safety
    /// `LANES` values at `x` must be readable.
    unsafe fn load_at(self, x: *const f32) -> Self::V;
    /// Writes the lanes to the start of `y`.
    fn store(self, y: &mut [f32], v: Self::V);
    /// Writes the lowest byte of each lane's bits to the start of `y`.
    fn store_low_bytes(self, y: &mut [u8], v: Self::V);
    /// `a * b + c`, rounded once if the instruction set has a fused multiply-add, otherwise twice.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger of each pair of lanes.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of each pair of lanes.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// Each lane rounded to the nearest whole number, ties to even.
    fn round(self, a: Self::V) -> Self::V;
    /// Two to the power of each lane; lanes must be whole numbers from -126 to 127.
    fn pow2(self, a: Self::V) -> Self::V;

    /// `e^x`, relative error below 2e-7; 0 below -87.3, and at most `e^88.3`.
    ///
    /// Range reduction by ln 2 in two parts and a polynomial of degree 6 (the coefficients are those of
    /// the Cephes library's `expf`).
    #[inline(always)]
    fn exp(self, x: Self::V) -> Self::V {
        let clamped = self.min(self.max(x, self.splat(-87.3)), self.splat(88.3));
        let n = self.round(self.mul(clamped, self.splat(std::f32::consts::LOG2_E)));
        let r = self.mul_add(n, self.splat(-0.693_359_4), clamped);
        let r = self.mul_add(n, self.splat(2.121_944_4e-4), r);
        let mut p = self.splat(1.987_569_1e-4);
        for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
            p = self.mul_add(p, r, self.splat(c));
        }
        let p = self.mul_add(self.mul(p, r), r, self.add(r, self.splat(1.0)));
        let y = self.mul(p, self.pow2(n));
        self.zero_where_less(x, self.splat(-87.3), y)
    }

    /// Prefetches the cache line at `x`, which need not be valid memory, into the second-level cache: what comes next would
    /// drive what is in use out of the first.
    fn prefetch(self, x: *const u8);
    /// A vector of sums that are all 0.
    fn zero(self) -> Self::Sums;
    /// A vector of the `4 · LANES` bytes at `x`.
    ///
    /// # Safety
    /// `4 · LANES` bytes at `x` must be readable.
    unsafe fn load_bytes(self, x: *const i8) -> Self::Bytes;
    /// A vector with the four bytes at `x` in every lane.
    ///
    /// # Safety
    /// Four bytes at `x` must be readable.
    unsafe fn splat_bytes(self, x: *const u8) -> Self::Bytes;
    /// Adds to each sum the four products of its lane: `x` is unsigned, `w` signed. Exact as long as the sum of two
    /// products is below 2^15 in size, since AVX2 adds them in 16 bits.
    fn dot(self, x: Self::Bytes, w: Self::Bytes, sums: Self::Sums) -> Self::Sums;
    /// Adds [`Self::dot`] of both pairs. An instruction set may add products of both before it widens them to 32 bits. So
    /// the four products that are added in 16 bits (two neighbours of the first pair, and the same two of the second)
    /// must fit into 16 bits.
    fn dot_pair(self, x: [Self::Bytes; 2], w: [Self::Bytes; 2], sums: Self::Sums) -> Self::Sums;
    /// `sums - a * b`, with the first `LANES` values of `b`.
    fn sub_product(self, sums: Self::Sums, a: i32, b: &[i32]) -> Self::Sums;
    /// Each sum as the nearest `f32`.
    fn to_float(self, sums: Self::Sums) -> Self::V;

    /// `y`, with 0 in the lanes where `a < b`.
    fn zero_where_less(self, a: Self::V, b: Self::V, y: Self::V) -> Self::V;

    /// The sum of the lanes, added in a fixed order.
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let mut lanes = [0f32; WIDE];
        self.store(&mut lanes, v);
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
        }
        lanes[0]
    }

    /// The largest lane.
    #[inline(always)]
    fn largest(self, v: Self::V) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; WIDE];
        self.store(&mut lanes, v);
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                lanes[i] = if lanes[i] > lanes[i + width] { lanes[i] } else { lanes[i + width] };
            }
        }
        lanes[0]
    }
}

/// A number as it lies in memory; vectors of `f32` are made of it.
pub trait Stored: Copy + Send + Sync + 'static {
    /// A vector of the first `LANES` numbers of `x`.
    fn load<S: Simd>(simd: S, x: &[Self]) -> S::V;
    /// The number, which `f32` holds exactly.
    fn number(self) -> f32;
    /// Writes `x` to `out`, which is as long, each number rounded to the nearest that this type has. One that is too large
    /// becomes the largest.
    fn narrow(x: &[f32], out: &mut [Self]);
}

impl Stored for f32 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, x: &[Self]) -> S::V {
        simd.load(x)
    }

    #[inline(always)]
    fn number(self) -> f32 {
        self
    }

    fn narrow(x: &[f32], out: &mut [Self]) {
        out.copy_from_slice(x);
    }
}

impl Stored for f16 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, x: &[Self]) -> S::V {
        simd.load_f16(x)
    }

    #[inline(always)]
    fn number(self) -> f32 {
        self.to_f32()
    }

    fn narrow(x: &[f32], out: &mut [Self]) {
        let (most, mut within) = (Self::MAX.to_f32_const(), [0f32; 64]);
        for (x, out) in x.chunks(within.len()).zip(out.chunks_mut(within.len())) {
            let within = &mut within[..x.len()];
            within.iter_mut().zip(x).for_each(|(within, x)| *within = x.clamp(-most, most));
            out.convert_from_f32_slice(within);
        }
    }
}

/// A computation that is written once for all instruction sets.
pub trait Kernel {
    /// Runs the computation; must be `#[inline(always)]` down to its last loop.
    fn run<S: Simd>(self, simd: S);
}

/// Runs a kernel with the instructions of [`Level::current`].
#[inline]
pub fn run(kernel: impl Kernel) {
    enter(Level::current(), kernel);
}

/// Runs a kernel with the instructions of `level`, or of the best level below it that the processor has.
#[inline]
pub fn run_at(level: Level, kernel: impl Kernel) {
    enter(level.available(), kernel);
}

/// Runs a kernel at `level`, which must come from [`Level::available`].
#[inline]
fn enter(level: Level, kernel: impl Kernel) {
    match level {
        Level::Generic => kernel.run(Generic),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `available` has found the instruction set on this processor.
        Level::Avx2 => unsafe { x86::enter_avx2(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::AvxVnni => unsafe { x86::enter_avx_vnni(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx512 => unsafe { x86::enter_avx512(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx512Vnni => unsafe { x86::enter_avx512_vnni(kernel) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => kernel.run(Generic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Exp<'a>(&'a mut [f32]);

    impl Kernel for Exp<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for chunk in self.0.chunks_exact_mut(S::LANES) {
                let y = simd.exp(simd.load(chunk));
                simd.store(chunk, y);
            }
        }
    }

    #[test]
    fn exp_is_exact_to_two_ulp_at_every_level() {
        for level in Level::ALL {
            let x: Vec<f32> = (0..40_000).map(|i| -90.0 + i as f32 * 0.0044).collect();
            let mut y = x.clone();
            run_at(level, Exp(&mut y));
            for (&x, &y) in x.iter().zip(&y) {
                let exact = f64::from(x).exp();
                let error = (f64::from(y) - exact).abs();
                assert!(error <= 2.5e-7 * exact + 2e-38, "exp({x}) = {y}, should be {exact}");
            }
        }
    }

    struct Widened<'a>(&'a [f16], &'a mut [f32]);

    impl Kernel for Widened<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for (x, y) in self.0.chunks_exact(S::LANES).zip(self.1.chunks_exact_mut(S::LANES)) {
                simd.store(y, f16::load(simd, x));
            }
        }
    }

    #[test]
    fn every_f16_is_widened_exactly_at_every_level() {
        let x: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        for level in Level::ALL {
            let mut y = vec![0.0; x.len()];
            run_at(level, Widened(&x, &mut y));
            for (x, y) in x.iter().zip(&y) {
                assert!(
                    x.number().to_bits() == y.to_bits() || x.is_nan() && y.is_nan(),
                    "{x:?} became {y:?}, {level:?}"
                );
            }
        }
    }

    #[test]
    fn what_f16_cannot_hold_becomes_its_nearest() {
        let x = [70000.0, f32::NEG_INFINITY, 0.1, 1e-9, f32::NAN].repeat(30);
        let mut narrow = vec![f16::ZERO; x.len()];
        f16::narrow(&x, &mut narrow);
        for found in narrow.chunks_exact(5) {
            let numbers: Vec<f32> = found.iter().map(|x| x.number()).collect();
            assert_eq!(numbers[..4], [65504.0, -65504.0, 0.099_975_586, 0.0]);
            assert!(numbers[4].is_nan(), "what is no number does not become one");
        }
    }

    struct LowBytes<'a>(&'a [f32], &'a mut [u8]);

    impl Kernel for LowBytes<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for (x, y) in self.0.chunks_exact(S::LANES).zip(self.1.chunks_exact_mut(S::LANES)) {
                simd.store_low_bytes(y, simd.load(x));
            }
        }
    }

    #[test]
    fn low_bytes_are_those_of_each_lane_in_order() {
        let x: Vec<f32> = (0..64u32).map(|i| f32::from_bits(0x4b40_0000 + i * 1001)).collect();
        let expected: Vec<u8> = x.iter().map(|x| x.to_bits() as u8).collect();
        for level in Level::ALL {
            let mut y = vec![0; x.len()];
            run_at(level, LowBytes(&x, &mut y));
            assert_eq!(y, expected, "{level:?}");
        }
    }

    #[test]
    fn exp_of_minus_infinity_is_zero() {
        let mut y = [f32::NEG_INFINITY; WIDE];
        run(Exp(&mut y));
        assert!(y.iter().all(|y| y.to_bits() == 0));
    }
}
