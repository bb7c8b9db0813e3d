//! The arithmetic that a right-hand side may use to run on numbers and on lanes alike.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// `f32`, `f64`, or [`Lanes`](super::Lanes) of them: what a right-hand side written once is generic over.
///
/// ```
/// use flowfield::ensemble::{Lanes, Number};
/// fn logistic<T: Number>(y: T) -> T { T::of(4.0) * y * (T::of(1.0) - y) }
/// assert_eq!(logistic(0.25_f64), 0.75);
/// assert_eq!(logistic(Lanes([0.25_f64, 0.5])), Lanes([0.75, 1.0]));
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
