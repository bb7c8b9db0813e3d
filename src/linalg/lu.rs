//! Dense LU factorisation with partial pivoting, in place and without allocation after the first.

use crate::Real;

/// P A = L U of a row-major n × n matrix.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lu<F> {
    /// L below the diagonal (its unit diagonal not stored), U above; the diagonal holds the inverses of U's.
    factors: Vec<F>,
    pivots: Vec<usize>,
}

impl<F: Real> Lu<F> {
    /// Makes room for an n × n matrix.
    pub(crate) fn resize(&mut self, n: usize) {
        self.factors.resize(n * n, F::zero());
        self.pivots.resize(n, 0);
    }

    /// Factorises `shift · I - a`; false if it is singular to round-off or not finite.
    ///
    /// Inlined, so that for `[F; N]` states, whose `n` is a constant, the loops unroll.
    #[inline(always)]
    pub(crate) fn factor_shifted(&mut self, n: usize, shift: F, a: &[F]) -> bool {
        let m = &mut self.factors[..n * n];
        m.iter_mut().zip(a).for_each(|(m, &a)| *m = -a);
        (0..n).for_each(|i| m[i * n + i] += shift);
        self.factor(n)
    }

    /// Factorises `b - a` for the matrix `b` that `add` adds.
    pub(crate) fn factor_with(&mut self, n: usize, a: &[F], add: impl Fn(&mut [F])) -> bool {
        let m = &mut self.factors[..n * n];
        m.iter_mut().zip(a).for_each(|(m, &a)| *m = -a);
        add(m);
        self.factor(n)
    }

    #[inline(always)]
    fn factor(&mut self, n: usize) -> bool {
        let m = &mut self.factors[..n * n];
        for k in 0..n {
            let pivot =
                (k + 1..n).fold(k, |p, i| if m[i * n + k].abs() > m[p * n + k].abs() { i } else { p });
            self.pivots[k] = pivot;
            let inverse = m[pivot * n + k].recip();
            if !inverse.is_finite() {
                return false;
            }
            if pivot != k {
                (0..n).for_each(|j| m.swap(k * n + j, pivot * n + j));
            }
            m[k * n + k] = inverse;
            for i in k + 1..n {
                let factor = m[i * n + k] * inverse;
                m[i * n + k] = factor;
                if factor != F::zero() {
                    for j in k + 1..n {
                        let u = m[k * n + j];
                        m[i * n + j] -= factor * u;
                    }
                }
            }
        }
        true
    }

    /// Overwrites `b` with the solution.
    #[inline(always)]
    pub(crate) fn solve(&self, n: usize, b: &mut [F]) {
        let (m, b) = (&self.factors[..n * n], &mut b[..n]);
        // The rows of L are stored in their final order: all exchanges first.
        (0..n).for_each(|k| b.swap(k, self.pivots[k]));
        for i in 1..n {
            let mut sum = b[i];
            for j in 0..i {
                sum -= m[i * n + j] * b[j];
            }
            b[i] = sum;
        }
        for i in (0..n).rev() {
            let mut sum = b[i];
            for j in i + 1..n {
                sum -= m[i * n + j] * b[j];
            }
            b[i] = sum * m[i * n + i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn solves_random_systems_of_many_sizes() {
        let mut rng = Rng::new(0, 0);
        for n in [1, 2, 3, 4, 7, 8, 15, 16, 33, 64] {
            let a: Vec<f64> = (0..n * n).map(|_| rng.normal()).collect();
            let x: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
            let mut lu = Lu::default();
            lu.resize(n);
            assert!(lu.factor_shifted(n, 0.7, &a));
            let mut b: Vec<f64> =
                (0..n).map(|i| 0.7 * x[i] - (0..n).map(|j| a[i * n + j] * x[j]).sum::<f64>()).collect();
            lu.solve(n, &mut b);
            let error = b.iter().zip(&x).map(|(b, x)| (b - x).abs()).fold(0.0, f64::max);
            assert!(error < 1e-10, "n = {n}: {error}");
        }
    }

    #[test]
    fn a_singular_or_nan_matrix_is_refused() {
        let mut lu = Lu::default();
        lu.resize(2);
        assert!(!lu.factor_shifted(2, 0.0, &[1.0, 2.0, 2.0, 4.0]));
        assert!(!lu.factor_shifted(2, 1.0, &[f64::NAN, 0.0, 0.0, 0.0]));
        assert!(lu.factor_shifted(2, 0.0, &[0.0, 1.0, 1.0, 0.0]));
    }
}
