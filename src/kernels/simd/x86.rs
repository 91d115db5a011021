//! The vectors of x86-64: AVX2 and AVX-512, each with and without VNNI.
//!
//! Invariant: a value of type [`Avx2`] or [`Avx512`] exists only on a processor that has the instructions.

use half::f16;

use super::{Kernel, Simd};
// Some forty intrinsics, all of one module.
#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;

/// # Safety
/// The processor must have AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn enter_avx2(kernel: impl Kernel) {
    kernel.run(Avx2::<false>(()));
}

/// # Safety
/// The processor must have AVX2, FMA, F16C and AVX-VNNI.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub unsafe fn enter_avx_vnni(kernel: impl Kernel) {
    kernel.run(Avx2::<true>(()));
}

/// # Safety
/// The processor must have AVX-512 F, BW, DQ and VL.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub unsafe fn enter_avx512(kernel: impl Kernel) {
    kernel.run(Avx512::<false>(()));
}

/// # Safety
/// The processor must have AVX-512 F, BW, DQ, VL and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
pub unsafe fn enter_avx512_vnni(kernel: impl Kernel) {
    kernel.run(Avx512::<true>(()));
}

/// Vectors of eight lanes, with or without VNNI. Made only by `enter_avx2` and `enter_avx_vnni`.
#[derive(Clone, Copy)]
pub struct Avx2<const VNNI: bool>(());

/// Vectors of sixteen lanes, with or without VNNI. Made only by `enter_avx512` and `enter_avx512_vnni`.
#[derive(Clone, Copy)]
pub struct Avx512<const VNNI: bool>(());

// SAFETY of every block below: the value of type `Avx2` or `Avx512` exists only where the
// processor has the instructions, and loads and stores are checked against the slice's length.
macro_rules! simd {
    ($name:ident, $vector:ty, $integers:ty, $lanes:literal,
     dot($x:ident, $w:ident, $sums:ident) => $dot:expr;
     dot_pair($xs:ident, $ws:ident, $before:ident) => $dot_pair:expr;
     $($method:ident($($arg:ident),*) => $body:expr;)*) => {
        impl<const VNNI: bool> Simd for $name<VNNI> {
            type V = $vector;
            type Sums = $integers;
            type Bytes = $integers;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(self, x: f32) -> Self::V {
                unsafe { simd!(@splat $name)(x) }
            }
            #[inline(always)]
            fn load(self, x: &[f32]) -> Self::V {
                let x = &x[..$lanes];
                unsafe { simd!(@load $name)(x.as_ptr()) }
            }
            #[inline(always)]
            fn load_f16(self, x: &[f16]) -> Self::V {
                let x = &x[..$lanes];
                unsafe { simd!(@load_f16 $name)(x.as_ptr().cast()) }
            }
            #[inline(always)]
            unsafe fn load_at(self, x: *const f32) -> Self::V {
                unsafe { simd!(@load $name)(x) }
            }
            #[inline(always)]
            fn store(self, y: &mut [f32], v: Self::V) {
                let y = &mut y[..$lanes];
                unsafe { simd!(@store $name)(y.as_mut_ptr(), v) }
            }
            #[inline(always)]
            fn store_low_bytes(self, y: &mut [u8], v: Self::V) {
                let y = &mut y[..$lanes];
                let bytes = unsafe { simd!(@low_bytes $name)(v) };
                y.copy_from_slice(&bytes);
            }
            #[inline(always)]
            fn prefetch(self, x: *const u8) {
                unsafe { _mm_prefetch::<_MM_HINT_T1>(x.cast()) }
            }
            #[inline(always)]
            fn zero(self) -> Self::Sums {
                unsafe { simd!(@integer $name)(0) }
            }
            #[inline(always)]
            unsafe fn load_bytes(self, x: *const i8) -> Self::Bytes {
                unsafe { x.cast::<$integers>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn splat_bytes(self, x: *const u8) -> Self::Bytes {
                unsafe { simd!(@integer $name)(x.cast::<i32>().read_unaligned()) }
            }
            #[inline(always)]
            fn dot(self, $x: Self::Bytes, $w: Self::Bytes, $sums: Self::Sums) -> Self::Sums {
                unsafe { $dot }
            }
            #[inline(always)]
            fn dot_pair(self, $xs: [Self::Bytes; 2], $ws: [Self::Bytes; 2], $before: Self::Sums) -> Self::Sums {
                unsafe { $dot_pair }
            }
            #[inline(always)]
            fn sub_product(self, sums: Self::Sums, a: i32, b: &[i32]) -> Self::Sums {
                let b = &b[..$lanes];
                unsafe { simd!(@sub_product $name)(sums, simd!(@integer $name)(a), b.as_ptr().cast::<$integers>().read_unaligned()) }
            }
            #[inline(always)]
            fn to_float(self, sums: Self::Sums) -> Self::V {
                unsafe { simd!(@to_float $name)(sums) }
            }
            $(#[inline(always)]
            fn $method(self, $($arg: Self::V),*) -> Self::V {
                unsafe { $body }
            })*
        }
    };
    (@integer Avx2) => { _mm256_set1_epi32 };
    (@low_bytes Avx2) => { |v| {
        // Within each half, the low bytes of its four lanes come first; then both halves are put side by side.
        let first = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
            0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
        let fours = _mm256_shuffle_epi8(_mm256_castps_si256(v), first);
        let both = _mm_unpacklo_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256::<1>(fours));
        _mm_cvtsi128_si64(both).to_le_bytes()
    } };
    (@to_float Avx2) => { _mm256_cvtepi32_ps };
    (@sub_product Avx2) => { |sums, a, b| _mm256_sub_epi32(sums, _mm256_mullo_epi32(a, b)) };
    (@integer Avx512) => { _mm512_set1_epi32 };
    (@low_bytes Avx512) => {
        |v| std::mem::transmute::<__m128i, [u8; 16]>(_mm512_cvtepi32_epi8(_mm512_castps_si512(v)))
    };
    (@to_float Avx512) => { _mm512_cvtepi32_ps };
    (@sub_product Avx512) => { |sums, a, b| _mm512_sub_epi32(sums, _mm512_mullo_epi32(a, b)) };
    (@splat Avx2) => { _mm256_set1_ps };
    (@load Avx2) => { _mm256_loadu_ps };
    (@load_f16 Avx2) => { |x| _mm256_cvtph_ps(_mm_loadu_si128(x)) };
    (@store Avx2) => { _mm256_storeu_ps };
    (@splat Avx512) => { _mm512_set1_ps };
    (@load Avx512) => { _mm512_loadu_ps };
    (@load_f16 Avx512) => { |x| _mm512_cvtph_ps(_mm256_loadu_si256(x)) };
    (@store Avx512) => { _mm512_storeu_ps };
}

simd! { Avx2, __m256, __m256i, 8,
    dot(x, w, sums) => if VNNI {
        _mm256_dpbusd_avx_epi32(sums, x, w)
    } else {
        _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)))
    };
    dot_pair(x, w, sums) => if VNNI {
        _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(sums, x[0], w[0]), x[1], w[1])
    } else {
        _mm256_add_epi32(sums, _mm256_madd_epi16(
            _mm256_add_epi16(_mm256_maddubs_epi16(x[0], w[0]), _mm256_maddubs_epi16(x[1], w[1])), _mm256_set1_epi16(1)))
    };
    mul_add(a, b, c) => _mm256_fmadd_ps(a, b, c);
    add(a, b) => _mm256_add_ps(a, b);
    sub(a, b) => _mm256_sub_ps(a, b);
    mul(a, b) => _mm256_mul_ps(a, b);
    div(a, b) => _mm256_div_ps(a, b);
    max(a, b) => _mm256_max_ps(a, b);
    min(a, b) => _mm256_min_ps(a, b);
    round(a) => _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
    pow2(a) => _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
        _mm256_cvtps_epi32(a), _mm256_set1_epi32(127))));
    zero_where_less(a, b, y) => _mm256_andnot_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b), y);
}

simd! { Avx512, __m512, __m512i, 16,
    dot(x, w, sums) => if VNNI {
        _mm512_dpbusd_epi32(sums, x, w)
    } else {
        _mm512_add_epi32(sums, _mm512_madd_epi16(_mm512_maddubs_epi16(x, w), _mm512_set1_epi16(1)))
    };
    dot_pair(x, w, sums) => if VNNI {
        _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sums, x[0], w[0]), x[1], w[1])
    } else {
        _mm512_add_epi32(sums, _mm512_madd_epi16(
            _mm512_add_epi16(_mm512_maddubs_epi16(x[0], w[0]), _mm512_maddubs_epi16(x[1], w[1])), _mm512_set1_epi16(1)))
    };
    mul_add(a, b, c) => _mm512_fmadd_ps(a, b, c);
    add(a, b) => _mm512_add_ps(a, b);
    sub(a, b) => _mm512_sub_ps(a, b);
    mul(a, b) => _mm512_mul_ps(a, b);
    div(a, b) => _mm512_div_ps(a, b);
    max(a, b) => _mm512_max_ps(a, b);
    min(a, b) => _mm512_min_ps(a, b);
    round(a) => _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
    pow2(a) => _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(
        _mm512_cvtps_epi32(a), _mm512_set1_epi32(127))));
    zero_where_less(a, b, y) => _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NLT_UQ>(a, b), y);
}
