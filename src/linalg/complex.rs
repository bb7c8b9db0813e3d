//! Dense LU factorisation of complex matrices whose imaginary part is structured: `(α + iβ) M − J` with real M and J.

use crate::Real;

type Pair<F> = (F, F);

/// P A = L U of a row-major complex n × n matrix.
#[derive(Debug, Clone, Default)]
pub(crate) struct ComplexLu<F> {
    /// L below the diagonal (its unit diagonal not stored), U above; the diagonal holds the inverses of U's.
    factors: Vec<Pair<F>>,
    pivots: Vec<usize>,
}

#[inline(always)]
fn times<F: Real>(a: Pair<F>, b: Pair<F>) -> Pair<F> {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

#[inline(always)]
fn inverse<F: Real>(a: Pair<F>) -> Pair<F> {
    let scale = (a.0 * a.0 + a.1 * a.1).recip();
    (a.0 * scale, -a.1 * scale)
}

#[inline(always)]
fn size<F: Real>(a: Pair<F>) -> F {
    a.0.abs() + a.1.abs()
}

impl<F: Real> ComplexLu<F> {
    /// Makes room for an n × n matrix.
    pub(crate) fn resize(&mut self, n: usize) {
        self.factors.resize(n * n, (F::zero(), F::zero()));
        self.pivots.resize(n, 0);
    }

    /// Factorises `shift · I - a`; false if it is singular to round-off or not finite.
    #[inline(always)]
    pub(crate) fn factor_shifted(&mut self, n: usize, shift: Pair<F>, a: &[F]) -> bool {
        let m = &mut self.factors[..n * n];
        m.iter_mut().zip(a).for_each(|(m, &a)| *m = (-a, F::zero()));
        (0..n).for_each(|i| m[i * n + i] = (m[i * n + i].0 + shift.0, shift.1));
        self.factor(n)
    }

    /// Factorises `b - a` for the complex matrix `b` given by its numbers.
    pub(crate) fn factor_with(&mut self, n: usize, a: &[F], b: impl Fn((usize, usize)) -> Pair<F>) -> bool {
        for (k, (m, &a)) in self.factors[..n * n].iter_mut().zip(a).enumerate() {
            let (re, im) = b((k / n, k % n));
            *m = (re - a, im);
        }
        self.factor(n)
    }

    #[inline(always)]
    fn factor(&mut self, n: usize) -> bool {
        let m = &mut self.factors[..n * n];
        let pivots = &mut self.pivots[..n];
        for k in 0..n {
            let pivot =
                (k + 1..n).fold(k, |p, i| if size(m[i * n + k]) > size(m[p * n + k]) { i } else { p });
            pivots[k] = pivot;
            let over = inverse(m[pivot * n + k]);
            if !size(over).is_finite() {
                return false;
            }
            if pivot != k {
                (0..n).for_each(|j| m.swap(k * n + j, pivot * n + j));
            }
            m[k * n + k] = over;
            for i in k + 1..n {
                let factor = times(m[i * n + k], over);
                m[i * n + k] = factor;
                if size(factor) != F::zero() {
                    for j in k + 1..n {
                        let u = times(factor, m[k * n + j]);
                        let at = &mut m[i * n + j];
                        *at = (at.0 - u.0, at.1 - u.1);
                    }
                }
            }
        }
        true
    }

    /// Overwrites `re + i im` with the solution.
    #[inline(always)]
    pub(crate) fn solve(&self, n: usize, re: &mut [F], im: &mut [F]) {
        let (m, re, im) = (&self.factors[..n * n], &mut re[..n], &mut im[..n]);
        for (k, &p) in self.pivots[..n].iter().enumerate() {
            re.swap(k, p);
            im.swap(k, p);
        }
        for i in 1..n {
            let mut sum = (re[i], im[i]);
            for j in 0..i {
                let x = times(m[i * n + j], (re[j], im[j]));
                sum = (sum.0 - x.0, sum.1 - x.1);
            }
            (re[i], im[i]) = sum;
        }
        for i in (0..n).rev() {
            let mut sum = (re[i], im[i]);
            for j in i + 1..n {
                let x = times(m[i * n + j], (re[j], im[j]));
                sum = (sum.0 - x.0, sum.1 - x.1);
            }
            (re[i], im[i]) = times(sum, m[i * n + i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn solves_random_complex_systems() {
        let mut rng = Rng::new(0, 0);
        for n in [1, 2, 3, 8, 17, 40] {
            let a: Vec<f64> = (0..n * n).map(|_| rng.normal()).collect();
            let x: Vec<Pair<f64>> = (0..n).map(|_| (rng.normal(), rng.normal())).collect();
            let mut lu = ComplexLu::default();
            lu.resize(n);
            assert!(lu.factor_shifted(n, (0.7, -1.3), &a));
            let product = |i: usize| {
                let shifted = times((0.7, -1.3), x[i]);
                (0..n).fold(shifted, |s, j| (s.0 - a[i * n + j] * x[j].0, s.1 - a[i * n + j] * x[j].1))
            };
            let (mut re, mut im): (Vec<f64>, Vec<f64>) = (0..n).map(product).unzip();
            lu.solve(n, &mut re, &mut im);
            for (i, x) in x.iter().enumerate() {
                assert!((re[i] - x.0).abs() + (im[i] - x.1).abs() < 1e-10, "n = {n}");
            }
        }
        let mut lu = ComplexLu::default();
        lu.resize(1);
        assert!(!lu.factor_shifted(1, (2.0, 0.0), &[2.0]));
    }
}
