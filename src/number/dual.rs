//! Forward-mode derivatives: a number and its partial derivatives, through every operation.

use std::array::from_fn;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use super::arithmetic::Number;

/// A value with its derivatives in `N` directions: `x + Σₖ pₖ εₖ` with `εᵢ εⱼ = 0`. Exact to round-off, whatever is computed.
///
/// `T` may itself be a dual (second derivatives) or [`Lanes`](crate::Lanes). Where a function has no derivative (`abs`,
/// `max` at a tie) one of the one-sided ones is taken; `sqrt` at 0 gives infinite or NaN partials.
///
/// Reference: Griewank, Walther, *Evaluating Derivatives* (2nd ed., SIAM 2008), section 3.1.
///
/// ```
/// use flowfield::{Dual, Number};
/// fn f<T: Number>(x: T, y: T) -> T { x.sin() * y / x }
/// let (x, y) = (Dual { value: 2.0_f64, partials: [1.0, 0.0] }, Dual { value: 3.0, partials: [0.0, 1.0] });
/// let z = f(x, y);
/// assert!((z.partials[0] - 3.0 * (2.0 * 2f64.cos() - 2f64.sin()) / 4.0).abs() < 1e-15);
/// assert!((z.partials[1] - 2f64.sin() / 2.0).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dual<T, const N: usize> {
    /// The value.
    pub value: T,
    /// Its derivatives, one a direction.
    pub partials: [T; N],
}

impl<T: Number, const N: usize> Dual<T, N> {
    /// A number that does not depend on anything.
    #[inline(always)]
    pub fn constant(value: T) -> Self {
        Dual { value, partials: [T::of(0.0); N] }
    }

    /// f(self), of value `f` and derivative `slope`.
    #[inline(always)]
    fn chain(self, f: T, slope: T) -> Self {
        Dual { value: f, partials: self.partials.map(|p| p * slope) }
    }
}

impl<T: Number> Dual<T, 1> {
    /// The variable that derivatives are taken with respect to.
    #[inline(always)]
    pub fn variable(value: T) -> Self {
        Dual { value, partials: [T::of(1.0)] }
    }
}

macro_rules! operator {
    ($($trait:ident $method:ident, $assign_trait:ident $assign:ident, $op:tt, |$a:ident, $b:ident, $i:ident| $partial:expr;)*) => { $(
        // A product's derivative is a sum.
        #[allow(clippy::suspicious_arithmetic_impl)]
        impl<T: Number, const N: usize> $trait for Dual<T, N> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                let ($a, $b) = (self, other);
                Dual { value: $a.value $op $b.value, partials: from_fn(|$i| $partial) }
            }
        }
        impl<T: Number, const N: usize> $assign_trait for Dual<T, N> {
            #[inline(always)]
            fn $assign(&mut self, other: Self) {
                *self = *self $op other;
            }
        }
    )* };
}

operator! {
    Add add, AddAssign add_assign, +, |a, b, i| a.partials[i] + b.partials[i];
    Sub sub, SubAssign sub_assign, -, |a, b, i| a.partials[i] - b.partials[i];
    Mul mul, MulAssign mul_assign, *, |a, b, i| a.partials[i] * b.value + a.value * b.partials[i];
}

#[allow(clippy::suspicious_arithmetic_impl)]
impl<T: Number, const N: usize> Div for Dual<T, N> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let (quotient, inverse) = (self.value / other.value, T::of(1.0) / other.value);
        Dual {
            value: quotient,
            partials: from_fn(|i| (self.partials[i] - quotient * other.partials[i]) * inverse),
        }
    }
}

impl<T: Number, const N: usize> DivAssign for Dual<T, N> {
    #[inline(always)]
    fn div_assign(&mut self, other: Self) {
        *self = *self / other;
    }
}

impl<T: Number, const N: usize> Neg for Dual<T, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Dual { value: -self.value, partials: self.partials.map(|p| -p) }
    }
}

/// Functions of one argument: `name(x, f) = slope`, where `f` is the function's value.
macro_rules! functions {
    ($($name:ident |$x:ident, $f:ident| $slope:expr;)*) => { $(
        #[inline(always)]
        fn $name(self) -> Self {
            let $x = self.value;
            let $f = $x.$name();
            self.chain($f, $slope)
        }
    )* };
}

impl<T: Number, const N: usize> Number for Dual<T, N> {
    #[inline(always)]
    fn of(x: f64) -> Self {
        Self::constant(T::of(x))
    }

    functions! {
        sqrt |_x, f| T::of(0.5) / f;
        exp |_x, f| f;
        ln |x, _f| T::of(1.0) / x;
        sin |x, _f| x.cos();
        cos |x, _f| -x.sin();
        tan |_x, f| T::of(1.0) + f * f;
        asin |x, _f| T::of(1.0) / (T::of(1.0) - x * x).sqrt();
        acos |x, _f| T::of(-1.0) / (T::of(1.0) - x * x).sqrt();
        atan |x, _f| T::of(1.0) / (T::of(1.0) + x * x);
        sinh |x, _f| x.cosh();
        cosh |x, _f| x.sinh();
        tanh |_x, f| T::of(1.0) - f * f;
        exp_m1 |_x, f| f + T::of(1.0);
        ln_1p |x, _f| T::of(1.0) / (T::of(1.0) + x);
        cbrt |_x, f| T::of(1.0 / 3.0) / (f * f);
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.where_positive(self, (-self).where_positive(-self, Self::of(0.0)))
    }

    #[inline(always)]
    fn powi(self, n: i32) -> Self {
        if n == 0 {
            return Self::of(1.0);
        }
        self.chain(self.value.powi(n), T::of(f64::from(n)) * self.value.powi(n - 1))
    }

    #[inline(always)]
    fn powf(self, p: Self) -> Self {
        let (x, one) = (self.value, T::of(1.0));
        let power = x.powf(p.value);
        let in_x = p.value * x.powf(p.value - one);
        // A base that is not positive has no derivative in the exponent; a constant exponent needs none.
        let in_p = power * x.where_positive(x, one).ln();
        Dual { value: power, partials: from_fn(|i| in_x * self.partials[i] + in_p * p.partials[i]) }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        (self - other).where_positive(self, other)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        (other - self).where_positive(self, other)
    }

    #[inline(always)]
    fn where_positive(self, a: Self, b: Self) -> Self {
        let pick = |a: T, b: T| self.value.where_positive(a, b);
        Dual { value: pick(a.value, b.value), partials: from_fn(|i| pick(a.partials[i], b.partials[i])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lanes;

    /// Every function, at an argument inside all their domains.
    fn each<T: Number>(x: T, y: T) -> [T; 24] {
        let mut z = x;
        z += y;
        z *= x;
        z -= y * y;
        z /= x;
        [
            x + y,
            x - y,
            x * y,
            x / y,
            -x,
            z,
            x.sqrt(),
            x.exp(),
            x.ln(),
            x.sin(),
            x.cos(),
            x.tan(),
            x.asin() + y.acos(),
            x.atan(),
            x.sinh(),
            x.cosh(),
            x.tanh(),
            x.exp_m1() + y.ln_1p(),
            x.cbrt(),
            x.powi(-3) + y.powi(0),
            x.powf(y),
            x.max(y) + (x - y).abs(),
            x.min(y),
            (x - y).where_positive(x * x, y * y),
        ]
    }

    #[test]
    fn partials_are_the_limits_of_differences() {
        let (x, y, h) = (0.3, 0.7, 1e-6);
        let dual = each(Dual { value: x, partials: [1.0, 0.0] }, Dual { value: y, partials: [0.0, 1.0] });
        let (plain, right, left) = (each(x, y), each(x + h, y), each(x - h, y));
        let (up, down) = (each(x, y + h), each(x, y - h));
        for i in 0..plain.len() {
            let differences = [(right[i] - left[i]) / (2.0 * h), (up[i] - down[i]) / (2.0 * h)];
            assert!((dual[i].value - plain[i]).abs() < 1e-15, "{i}");
            for (d, p) in differences.iter().zip(dual[i].partials) {
                assert!((d - p).abs() < 1e-7 * (1.0 + p.abs()), "{i}: {p} against {d}");
            }
        }
    }

    #[test]
    fn duals_nest_and_carry_lanes() {
        // x² sin x at 1.2: f″ = 2 sin x + 4 x cos x - x² sin x.
        let x = 1.2_f64;
        let f = |x: Dual<Dual<f64, 1>, 1>| x * x * x.sin();
        let second =
            f(Dual { value: Dual::variable(x), partials: [Dual::constant(1.0)] }).partials[0].partials[0];
        assert!((second - (2.0 * x.sin() + 4.0 * x * x.cos() - x * x * x.sin())).abs() < 1e-14);
        let lanes = Dual::variable(Lanes([0.5_f64, 2.0])).powi(3);
        assert_eq!(lanes.partials[0], Lanes([0.75, 12.0]));
    }

    #[test]
    fn powers_of_numbers_that_are_not_positive_have_their_derivative() {
        let p = |x: f64, p: f64| Dual::variable(x).powf(Dual::of(p)).partials[0];
        assert_eq!([p(-2.0, 3.0), p(0.0, 2.0), p(0.0, 1.0)], [12.0, 0.0, 1.0]);
    }
}
