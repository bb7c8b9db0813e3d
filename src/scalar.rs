//! The numbers a flow is made of: `f32` and `f64`.

use std::fmt::{Debug, Display};
use std::iter::Sum;

use ndarray::ScalarOperand;
use num_traits::{Float, FromPrimitive, NumAssign};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A real number type: `f32` or `f64`. Sealed: the kernels behind the library are written for these two.
///
/// ```
/// use flowfield::Real;
/// fn half<F: Real>(x: F) -> F { x * F::of(0.5) }
/// assert_eq!(half(3.0_f32), 1.5);
/// assert_eq!(half(3.0_f64), 1.5);
/// ```
pub trait Real:
    Float
    + NumAssign
    + FromPrimitive
    + ScalarOperand
    + Sum
    + Default
    + Debug
    + Display
    + Send
    + Sync
    + sealed::Sealed
    + 'static
{
    /// Unit round-off times two: the distance from 1 to the next larger number.
    const EPS: Self;

    /// The nearest number to `x`.
    fn of(x: f64) -> Self;

    /// This number in double precision (exact).
    fn f64(self) -> f64;

    #[doc(hidden)]
    const ZERO: Self;

    /// Adding and subtracting this rounds a small number to an integer, which then sits in the low bits.
    #[doc(hidden)]
    const ROUND: Self;

    /// 2^n from `self` = n + [`ROUND`](Self::ROUND), for n in the range of normal exponents.
    #[doc(hidden)]
    fn exp2_of_rounded(self) -> Self;

    /// These numbers as `f32`, if that is what they are.
    #[doc(hidden)]
    fn as_f32(numbers: &[Self]) -> Option<&[f32]>;

    /// The same, to be written.
    #[doc(hidden)]
    fn as_f32_mut(numbers: &mut [Self]) -> Option<&mut [f32]>;

    /// `self` to the power `p`, to a relative error below 3e-4; for step-size factors.
    ///
    /// Own arithmetic instead of the platform's `pow`: it costs a few nanoseconds, and a step-size
    /// sequence is the same, bit for bit, on every platform. Needs `self` > 0 and finite.
    #[inline]
    fn rough_pow(self, p: Self) -> Self {
        Self::of(rough_exp2((p.f64() * rough_log2(self.f64())).clamp(-999.0, 999.0)))
    }
}

impl Real for f32 {
    const EPS: Self = f32::EPSILON;
    const ZERO: Self = 0.0;
    const ROUND: Self = 1.5 * (1 << 23) as f32;
    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn exp2_of_rounded(self) -> Self {
        f32::from_bits(self.to_bits().wrapping_add(127) << 23)
    }
    #[inline(always)]
    fn as_f32(numbers: &[Self]) -> Option<&[f32]> {
        Some(numbers)
    }
    #[inline(always)]
    fn as_f32_mut(numbers: &mut [Self]) -> Option<&mut [f32]> {
        Some(numbers)
    }
}

impl Real for f64 {
    const EPS: Self = f64::EPSILON;
    const ZERO: Self = 0.0;
    const ROUND: Self = 1.5 * (1_u64 << 52) as f64;
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn exp2_of_rounded(self) -> Self {
        f64::from_bits(self.to_bits().wrapping_add(1023) << 52)
    }
    #[inline(always)]
    fn as_f32(_: &[Self]) -> Option<&[f32]> {
        None
    }
    #[inline(always)]
    fn as_f32_mut(_: &mut [Self]) -> Option<&mut [f32]> {
        None
    }
}

/// log2 by the exponent bits and a polynomial of degree 4 in m - 1 for the mantissa m in [1/√2, √2).
///
/// Few dependent operations rather than many digits: the next step waits for the result.
#[inline]
pub(crate) fn rough_log2(x: f64) -> f64 {
    const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF_BITS) as i64 >> 52;
    let u = f64::from_bits(x.to_bits().wrapping_sub((shifted as u64) << 52)) - 1.0;
    log2_of_parts(shifted as f64, u)
}

/// log2 of 2^e (1 + u), for 1 + u in [1/√2, √2).
#[inline(always)]
pub(crate) fn log2_of_parts(e: f64, u: f64) -> f64 {
    e + u * ((LOG2[0] + LOG2[1] * u) + (u * u) * (LOG2[2] + LOG2[3] * u))
}

/// log2(1 + u) / u, least largest error of log2 (1e-04) by Lawson's iteration.
const LOG2: [f64; 4] = [1.441760648, -0.724904174, 0.517509377, -0.329629603];

/// exp2 by the exponent bits and a polynomial of degree 3 on the fraction in [-1/2, 1/2]; for |x| < 1000.
#[inline]
pub(crate) fn rough_exp2(x: f64) -> f64 {
    // Adding 1.5 · 2^52 rounds to the nearest integer and leaves it in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let shifted = x + ROUND;
    let f = x - (shifted - ROUND);
    let p = (1.0 + EXP2[0] * f) + (f * f) * (EXP2[1] + EXP2[2] * f);
    p * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

/// (2^f - 1) / f, least largest relative error (1e-04) by Lawson's iteration.
const EXP2: [f64; 3] = [0.693282993, 0.242211385, 0.055008758];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rough_pow_is_close_to_powf_over_24_decades() {
        for i in -120..=120 {
            let x = 10f64.powf(f64::from(i) / 10.0);
            for p in [-0.2, -1.0 / 8.0, 0.04, 0.5, -0.17] {
                let (got, want) = (x.rough_pow(p), x.powf(p));
                assert!((got / want - 1.0).abs() < 3e-4, "{x}^{p}: {got} against {want}");
            }
        }
        assert_eq!(1.0_f64.rough_pow(0.37), 1.0);
        assert!((2.0_f32.rough_pow(0.5) - 2f32.sqrt()).abs() < 4e-4);
    }
}
