//! The numbers that matrices are made of: real, complex, dual.

use std::fmt::Debug;
use std::ops::{AddAssign, Mul, Neg, Sub, SubAssign};

use crate::simd::Arith;
use crate::{Dual, Number, Real};
pub(crate) use num_complex::Complex;

/// What a factorisation needs of a number.
pub(crate) trait Scalar:
    Copy
    + Debug
    + PartialEq
    + Send
    + Sync
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + 'static
{
    /// What sizes are compared in.
    type Real: Real;

    /// Zero.
    const NIL: Self;

    fn of_real(x: Self::Real) -> Self;

    /// A norm, for the choice of pivots.
    fn size(self) -> Self::Real;

    /// One over the number; not finite if there is none.
    fn inverse(self) -> Self;

    /// `self - a b`, in one rounding where the instruction set can.
    #[inline(always)]
    fn minus<A: Arith>(self, a: Self, b: Self) -> Self {
        self - a * b
    }
}

impl<F: Real> Scalar for F {
    type Real = F;
    const NIL: Self = F::ZERO;
    #[inline(always)]
    fn of_real(x: F) -> Self {
        x
    }
    #[inline(always)]
    fn size(self) -> F {
        self.abs()
    }
    #[inline(always)]
    fn inverse(self) -> Self {
        self.recip()
    }
    #[inline(always)]
    fn minus<A: Arith>(self, a: Self, b: Self) -> Self {
        A::fma(-a, b, self)
    }
}

impl<F: Real> Scalar for Complex<F> {
    type Real = F;
    const NIL: Self = Complex { re: F::NIL, im: F::NIL };
    #[inline(always)]
    fn of_real(x: F) -> Self {
        Complex { re: x, im: F::NIL }
    }
    #[inline(always)]
    fn size(self) -> F {
        self.re.abs() + self.im.abs()
    }
    #[inline(always)]
    fn inverse(self) -> Self {
        let scale = (self.re * self.re + self.im * self.im).inverse();
        Complex { re: self.re * scale, im: -self.im * scale }
    }
    #[inline(always)]
    fn minus<A: Arith>(self, a: Self, b: Self) -> Self {
        let (re, im) = (self.re.minus::<A>(a.re, b.re), self.im.minus::<A>(a.re, b.im));
        Complex { re: re.minus::<A>(-a.im, b.im), im: im.minus::<A>(a.im, b.re) }
    }
}

impl<F: Real + Number, const N: usize> Scalar for Dual<F, N> {
    type Real = F;
    const NIL: Self = Dual { value: F::NIL, partials: [F::NIL; N] };
    #[inline(always)]
    fn of_real(x: F) -> Self {
        Dual::constant(x)
    }
    #[inline(always)]
    fn size(self) -> F {
        self.value.size()
    }
    #[inline(always)]
    fn inverse(self) -> Self {
        <Self as Number>::of(1.0) / self
    }
}
