//! Inner loops over a row of pairs.

use crate::Real;
use crate::simd::{Arith, Kernel, exp};

const LANES: usize = 32;

/// `e_j = exp(shift + g_j - scale · c_j)`; returns `Σ b_j e_j`.
pub(super) struct ExpRow<'a> {
    pub c: &'a [f64],
    pub g: &'a [f64],
    pub b: &'a [f64],
    pub shift: f64,
    pub scale: f64,
    pub out: &'a mut [f64],
}

impl Kernel for ExpRow<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<A: Arith>(self) -> f64 {
        let mut sums = [0.0; LANES];
        let whole = self.c.len() / LANES * LANES;
        for first in (0..whole).step_by(LANES) {
            let at = first..first + LANES;
            let (c, g, b) = (&self.c[at.clone()], &self.g[at.clone()], &self.b[at.clone()]);
            let out = &mut self.out[at];
            for l in 0..LANES {
                out[l] = exp::<A, f64>(A::fma(-self.scale, c[l], self.shift + g[l]));
            }
            for l in 0..LANES {
                sums[l] = A::fma(b[l], out[l], sums[l]);
            }
        }
        let mut sum: f64 = sums.iter().sum();
        for j in whole..self.c.len() {
            self.out[j] = exp::<A, f64>(A::fma(-self.scale, self.c[j], self.shift + self.g[j]));
            sum += self.b[j] * self.out[j];
        }
        sum
    }
}

/// `Σ k_j x_j` in double precision.
pub(super) struct Dot<'a, T> {
    pub k: &'a [T],
    pub x: &'a [f64],
}

impl<T: Real> Kernel for Dot<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<A: Arith>(self) -> f64 {
        let (k, k_rest) = self.k.as_chunks::<LANES>();
        let (x, x_rest) = self.x.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for (k, x) in k.iter().zip(x) {
            for l in 0..LANES {
                sums[l] = A::fma(k[l].f64(), x[l], sums[l]);
            }
        }
        let rest: f64 = k_rest.iter().zip(x_rest).map(|(k, x)| k.f64() * x).sum();
        sums.iter().sum::<f64>() + rest
    }
}

/// `out_j += by · k_j`.
pub(super) struct AddScaled<'a, T> {
    pub k: &'a [T],
    pub by: f64,
    pub out: &'a mut [f64],
}

impl<T: Real> Kernel for AddScaled<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        for (out, k) in self.out.iter_mut().zip(self.k) {
            *out = A::fma(self.by, k.f64(), *out);
        }
    }
}
