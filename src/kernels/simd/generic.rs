//! Vectors for any processor.

use half::f16;

use super::Simd;

/// Vectors in plain Rust, of eight lanes, which the compiler vectorises as far as the target allows.
#[derive(Clone, Copy)]
pub struct Generic;

impl Generic {
    #[inline(always)]
    fn zip(a: [f32; 8], b: [f32; 8], f: impl Fn(f32, f32) -> f32) -> [f32; 8] {
        std::array::from_fn(|i| f(a[i], b[i]))
    }
}

impl Simd for Generic {
    type V = [f32; 8];
    type Sums = [i32; 8];
    type Bytes = [[i8; 4]; 8];
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; 8]
    }
    #[inline(always)]
    fn load(self, x: &[f32]) -> Self::V {
        std::array::from_fn(|i| x[i])
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16]) -> Self::V {
        std::array::from_fn(|i| x[i].to_f32())
    }
    #[inline(always)]
    unsafe fn load_at(self, x: *const f32) -> Self::V {
        // SAFETY: as the caller promises; an array of floats needs no more than a float's alignment.
        unsafe { *x.cast::<[f32; 8]>() }
    }
    #[inline(always)]
    fn store(self, y: &mut [f32], v: Self::V) {
        y[..8].copy_from_slice(&v);
    }
    #[inline(always)]
    fn store_low_bytes(self, y: &mut [u8], v: Self::V) {
        y[..8].copy_from_slice(&v.map(|x| x.to_bits() as u8));
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        a.map(f32::round_ties_even)
    }
    #[inline(always)]
    fn pow2(self, a: Self::V) -> Self::V {
        a.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    fn prefetch(self, _: *const u8) {}
    #[inline(always)]
    fn zero(self) -> Self::Sums {
        [0; 8]
    }
    #[inline(always)]
    unsafe fn load_bytes(self, x: *const i8) -> Self::Bytes {
        // SAFETY: as the caller promises; an array of bytes needs no alignment.
        unsafe { *x.cast::<[[i8; 4]; 8]>() }
    }
    #[inline(always)]
    unsafe fn splat_bytes(self, x: *const u8) -> Self::Bytes {
        // SAFETY: as above.
        [unsafe { *x.cast::<[i8; 4]>() }; 8]
    }
    #[inline(always)]
    fn dot(self, x: Self::Bytes, w: Self::Bytes, sums: Self::Sums) -> Self::Sums {
        let product = |x: i8, w: i8| i32::from(x.cast_unsigned()) * i32::from(w);
        std::array::from_fn(|i| (0..4).fold(sums[i], |sum, j| sum + product(x[i][j], w[i][j])))
    }
    #[inline(always)]
    fn dot_pair(self, x: [Self::Bytes; 2], w: [Self::Bytes; 2], sums: Self::Sums) -> Self::Sums {
        self.dot(x[1], w[1], self.dot(x[0], w[0], sums))
    }
    #[inline(always)]
    fn sub_product(self, sums: Self::Sums, a: i32, b: &[i32]) -> Self::Sums {
        std::array::from_fn(|i| sums[i] - a * b[i])
    }
    #[inline(always)]
    fn to_float(self, sums: Self::Sums) -> Self::V {
        sums.map(|sum| sum as f32)
    }
    #[inline(always)]
    fn zero_where_less(self, a: Self::V, b: Self::V, y: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] < b[i] { 0.0 } else { y[i] })
    }
}
