//! `L` numbers side by side, every operation on each.

use std::array::from_fn;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use super::arithmetic::{Number, integer_power};

/// `L` numbers, one a lane. Plain arrays: the compiler makes vector instructions of the loops, and a lane's result is what
/// the same operation on a single number gives, bit for bit.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub struct Lanes<F, const L: usize>(pub [F; L]);

macro_rules! operator {
    ($($trait:ident $method:ident, $assign_trait:ident $assign:ident, $op:tt;)*) => { $(
        impl<F: Number, const L: usize> $trait for Lanes<F, L> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Lanes(from_fn(|l| self.0[l] $op other.0[l]))
            }
        }
        impl<F: Number, const L: usize> $assign_trait for Lanes<F, L> {
            #[inline(always)]
            fn $assign(&mut self, other: Self) {
                *self = *self $op other;
            }
        }
    )* };
}

operator! {
    Add add, AddAssign add_assign, +;
    Sub sub, SubAssign sub_assign, -;
    Mul mul, MulAssign mul_assign, *;
    Div div, DivAssign div_assign, /;
}

impl<F: Number, const L: usize> Neg for Lanes<F, L> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Lanes(self.0.map(|x| -x))
    }
}

macro_rules! each {
    ($($method:ident)*) => { $(
        #[inline(always)]
        fn $method(self) -> Self {
            Lanes(from_fn(|l| self.0[l].$method()))
        }
    )* };
}

impl<F: Number, const L: usize> Number for Lanes<F, L> {
    #[inline(always)]
    fn of(x: f64) -> Self {
        Lanes([F::of(x); L])
    }
    each!(sqrt abs exp ln sin cos tanh tan asin acos atan sinh cosh exp_m1 ln_1p cbrt);
    #[inline(always)]
    fn powi(self, n: i32) -> Self {
        integer_power(self, n)
    }
    #[inline(always)]
    fn powf(self, p: Self) -> Self {
        Lanes(from_fn(|l| self.0[l].powf(p.0[l])))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Lanes(from_fn(|l| self.0[l].max(other.0[l])))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Lanes(from_fn(|l| self.0[l].min(other.0[l])))
    }
    #[inline(always)]
    fn where_positive(self, a: Self, b: Self) -> Self {
        Lanes(from_fn(|l| self.0[l].where_positive(a.0[l], b.0[l])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_that_of_the_number() {
        fn all<T: Number>(x: T, y: T) -> [T; 18] {
            let mut z = x;
            z += y;
            z -= T::of(0.1);
            z *= y;
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
                x.tanh(),
                x.powi(-3),
                x.powf(y),
                x.max(y),
                (x - y).abs().min(y),
                x.atan().cbrt(),
                (x - y).where_positive(x, y),
            ]
        }
        let (x, y) = ([0.3_f64, 1.7, 2.5, 0.01], [2.2_f64, 0.4, 2.5, 3.0]);
        let lanes = all(Lanes(x), Lanes(y));
        for l in 0..4 {
            let single = all(x[l], y[l]);
            (0..18).for_each(|i| assert_eq!(lanes[i].0[l].to_bits(), single[i].to_bits(), "{i}"));
        }
        assert!((0.3f64.powi(-3) - integer_power(0.3, -3)).abs() < 1e-13);
    }
}
