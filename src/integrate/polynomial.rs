//! The continuous extension of a step: a polynomial in time with vector coefficients.

use crate::Real;

/// What every method says about the inside of its step: for `θ` in [0, 1], with `θ̄ = 1 − θ`,
///
/// ```text
/// y(t + θh) = c₀ + θ (c₁ + θ̄ (c₂ + θ (c₃ + θ̄ (c₄ + …))))
/// ```
///
/// The form of Hairer's codes (HNW II.6): it costs what powers of `θ` cost, but keeps the digits that their large
/// coefficients lose, and both ends are exact. Stored compactly as `degree + 1` rows of the state's length.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Polynomial<F> {
    pub(crate) t: F,
    pub(crate) h: F,
    width: usize,
    coefficients: Vec<F>,
}

impl<F: Real> Polynomial<F> {
    /// Starts a polynomial of the given degree over `[t, t + h]` with `c₀ = y0`, the rest zero.
    pub fn start(&mut self, t: F, h: F, degree: usize, y0: &[F]) {
        (self.t, self.h, self.width) = (t, h, y0.len());
        self.coefficients.clear();
        self.coefficients.extend_from_slice(y0);
        self.coefficients.resize((degree + 1) * y0.len(), F::zero());
    }

    /// The coefficient `cₖ`.
    pub fn coefficient_mut(&mut self, k: usize) -> &mut [F] {
        &mut self.coefficients[k * self.width..(k + 1) * self.width]
    }

    /// The cubic with values `y0`, `y1` and slopes `f0`, `f1` at the ends of the step (HNW II.6, 6.7).
    pub fn hermite(&mut self, t: F, h: F, (y0, f0): (&[F], &[F]), (y1, f1): (&[F], &[F])) {
        self.start(t, h, 3, y0);
        let n = self.width;
        for i in 0..n {
            let d = y1[i] - y0[i];
            let (s0, s1) = (h * f0[i], h * f1[i]);
            self.coefficients[n + i] = d;
            self.coefficients[2 * n + i] = s0 - d;
            self.coefficients[3 * n + i] = (d - s0) + (d - s1);
        }
    }

    /// Degree in θ.
    pub fn degree(&self) -> usize {
        (self.coefficients.len() / self.width.max(1)).max(1) - 1
    }

    /// Writes the value at `θ`.
    pub fn value(&self, theta: F, out: &mut [F]) {
        let top = self.degree();
        out.copy_from_slice(&self.coefficients[top * self.width..]);
        for (k, row) in
            self.coefficients[..top * self.width].chunks_exact(self.width.max(1)).enumerate().rev()
        {
            let (factor, _) = factor(k, theta);
            out.iter_mut().zip(row).for_each(|(o, &c)| *o = *o * factor + c);
        }
    }

    /// Writes the derivative with respect to time at `θ`.
    pub fn slope(&self, theta: F, out: &mut [F]) {
        let rows = self.degree() + 1;
        for (i, out) in out.iter_mut().enumerate() {
            let (mut value, mut slope) = (F::zero(), F::zero());
            for k in (0..rows).rev() {
                let (factor, sign) = factor(k, theta);
                slope = slope * factor + sign * value;
                value = value * factor + self.coefficients[k * self.width + i];
            }
            *out = slope / self.h;
        }
    }
}

/// What multiplies the bracket after `cₖ`, `θ` or `1 − θ`, and its derivative.
fn factor<F: Real>(k: usize, theta: F) -> (F, F) {
    if k.is_multiple_of(2) { (theta, F::one()) } else { (F::one() - theta, -F::one()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hermite_reproduces_a_cubic_and_its_slope() {
        let f = |t: f64| 1.0 + t * (2.0 - t * (3.0 - 0.5 * t));
        let d = |t: f64| 2.0 - 6.0 * t + 1.5 * t * t;
        let (t, h) = (0.3, -0.8);
        let mut p = Polynomial::default();
        p.hermite(t, h, (&[f(t)], &[d(t)]), (&[f(t + h)], &[d(t + h)]));
        assert_eq!(p.degree(), 3);
        let mut out = [0.0];
        for theta in [0.0, 0.25, 0.7, 1.0] {
            p.value(theta, &mut out);
            assert!((out[0] - f(t + theta * h)).abs() < 1e-14);
            p.slope(theta, &mut out);
            assert!((out[0] - d(t + theta * h)).abs() < 1e-13);
        }
    }
}
