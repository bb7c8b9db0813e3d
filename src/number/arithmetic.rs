//! The arithmetic that a right-hand side may use to run on numbers, lanes and duals alike.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// `f32`, `f64`, [`Lanes`](crate::Lanes) of them, or [`Dual`](crate::Dual)s: what a right-hand side written once is generic
/// over.
///
/// ```
/// use flowfield::{Dual, Lanes, Number};
/// fn logistic<T: Number>(y: T) -> T { T::of(4.0) * y * (T::of(1.0) - y) }
/// assert_eq!(logistic(0.25_f64), 0.75);
/// assert_eq!(logistic(Lanes([0.25_f64, 0.5])), Lanes([0.75, 1.0]));
/// assert_eq!(logistic(Dual::variable(0.25_f64)).partials, [2.0]);
/// ```
pub trait Number:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    /// The nearest number to `x`, in every lane.
    fn of(x: f64) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// Exponential.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Sine.
    fn sin(self) -> Self;
    /// Cosine.
    fn cos(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Integer power.
    fn powi(self, n: i32) -> Self;
    /// Real power.
    fn powf(self, p: Self) -> Self;
    /// The larger of two.
    fn max(self, other: Self) -> Self;
    /// The smaller of two.
    fn min(self, other: Self) -> Self;
    /// Tangent.
    fn tan(self) -> Self;
    /// Inverse sine.
    fn asin(self) -> Self;
    /// Inverse cosine.
    fn acos(self) -> Self;
    /// Inverse tangent.
    fn atan(self) -> Self;
    /// Hyperbolic sine.
    fn sinh(self) -> Self;
    /// Hyperbolic cosine.
    fn cosh(self) -> Self;
    /// `exp(x) - 1`, accurate near zero.
    fn exp_m1(self) -> Self;
    /// `ln(1 + x)`, accurate near zero.
    fn ln_1p(self) -> Self;
    /// Cube root.
    fn cbrt(self) -> Self;
    /// `a` where `self > 0`, `b` elsewhere: a branch that every lane takes for itself. The derivative is that of the branch
    /// taken.
    fn where_positive(self, a: Self, b: Self) -> Self;
}

macro_rules! number {
    ($($f:ident)*) => { $(
        impl Number for $f {
            #[inline(always)]
            fn of(x: f64) -> Self { x as $f }
            #[inline(always)]
            fn sqrt(self) -> Self { $f::sqrt(self) }
            #[inline(always)]
            fn abs(self) -> Self { $f::abs(self) }
            #[inline(always)]
            fn exp(self) -> Self { $f::exp(self) }
            #[inline(always)]
            fn ln(self) -> Self { $f::ln(self) }
            #[inline(always)]
            fn sin(self) -> Self { $f::sin(self) }
            #[inline(always)]
            fn cos(self) -> Self { $f::cos(self) }
            #[inline(always)]
            fn tanh(self) -> Self { $f::tanh(self) }
            #[inline(always)]
            fn powi(self, n: i32) -> Self { integer_power(self, n) }
            #[inline(always)]
            fn powf(self, p: Self) -> Self { $f::powf(self, p) }
            #[inline(always)]
            fn max(self, other: Self) -> Self { if self > other { self } else { other } }
            #[inline(always)]
            fn min(self, other: Self) -> Self { if self < other { self } else { other } }
            #[inline(always)]
            fn tan(self) -> Self { $f::tan(self) }
            #[inline(always)]
            fn asin(self) -> Self { $f::asin(self) }
            #[inline(always)]
            fn acos(self) -> Self { $f::acos(self) }
            #[inline(always)]
            fn atan(self) -> Self { $f::atan(self) }
            #[inline(always)]
            fn sinh(self) -> Self { $f::sinh(self) }
            #[inline(always)]
            fn cosh(self) -> Self { $f::cosh(self) }
            #[inline(always)]
            fn exp_m1(self) -> Self { $f::exp_m1(self) }
            #[inline(always)]
            fn ln_1p(self) -> Self { $f::ln_1p(self) }
            #[inline(always)]
            fn cbrt(self) -> Self { $f::cbrt(self) }
            #[inline(always)]
            fn where_positive(self, a: Self, b: Self) -> Self { if self > 0.0 { a } else { b } }
        }
    )* };
}

number!(f32 f64);

/// By repeated squaring: the same products for a number and for every lane.
#[inline(always)]
pub(super) fn integer_power<T: Number>(x: T, n: i32) -> T {
    let mut base = if n < 0 { T::of(1.0) / x } else { x };
    let mut left = n.unsigned_abs();
    let mut power = T::of(1.0);
    while left > 0 {
        if left & 1 == 1 {
            power *= base;
        }
        base *= base;
        left >>= 1;
    }
    power
}
