//! The past of a multistep method as a Nordsieck vector.

use super::coefficients::{Coefficients, MOST, lift, vanishing};
use crate::integrate::Polynomial;
use crate::{Real, State};

/// `zⱼ = hʲ y⁽ʲ⁾ / j!` at the last point, j ≤ q, and what is predicted from it for the next.
#[derive(Debug)]
pub(super) struct History<S: State> {
    z: [S; MOST + 1],
    pub(super) predicted: [S; MOST + 1],
    /// The correction that made the last step.
    pub(super) correction: S,
    /// An earlier one, for the error at the order above.
    pub(super) saved: S,
    pub(super) q: usize,
    /// Step size to which `z` is scaled.
    h: f64,
    /// Sizes of the steps behind, newest first.
    pub(super) past: [f64; MOST + 1],
}

impl<S: State> History<S> {
    pub(super) fn new(y0: &S) -> Self {
        History {
            z: std::array::from_fn(|_| y0.clone()),
            predicted: std::array::from_fn(|_| y0.clone()),
            correction: y0.clone(),
            saved: y0.clone(),
            q: 1,
            h: 0.0,
            past: [0.0; MOST + 1],
        }
    }

    /// Order 1 from a point and its slope.
    pub(super) fn start(&mut self, y0: &S, slope: &S, h: S::Elem) {
        self.z[0].clone_from(y0);
        self.restart_slope(slope, h);
        self.past = [0.0; MOST + 1];
    }

    /// Order 1 from the last point and its slope.
    pub(super) fn restart_slope(&mut self, slope: &S, h: S::Elem) {
        let (z1, slope) = (self.z[1].as_mut_slice(), slope.as_slice());
        z1.iter_mut().zip(slope).for_each(|(z, &f)| *z = h * f);
        (self.q, self.h) = (1, h.f64());
    }

    /// Scales the history to steps of size `h`; true if that is another size than before, beyond round-off of the clock.
    #[inline(always)]
    pub(super) fn rescale(&mut self, h: f64) -> bool {
        if h == self.h {
            return false;
        }
        let ratio = h / self.h;
        self.h = h;
        let mut factor = 1.0;
        for z in &mut self.z[1..=self.q] {
            factor *= ratio;
            let factor = S::Elem::of(factor);
            z.as_mut_slice().iter_mut().for_each(|z| *z *= factor);
        }
        (ratio - 1.0).abs() > 1e-9
    }

    /// Predicts the Nordsieck vector one step ahead: Taylor's series, Pascal's triangle.
    #[inline(always)]
    pub(super) fn predict(&mut self) {
        match self.q {
            1 => self.predict_at::<1>(),
            2 => self.predict_at::<2>(),
            3 => self.predict_at::<3>(),
            4 => self.predict_at::<4>(),
            _ => self.predict_at::<5>(),
        }
    }

    #[inline(always)]
    fn predict_at<const Q: usize>(&mut self) {
        let n = self.z[0].as_slice().len();
        let z: [&[S::Elem]; MOST + 1] = std::array::from_fn(|j| &self.z[j].as_slice()[..n]);
        let out = self.predicted.each_mut().map(|p| &mut p.as_mut_slice()[..n]);
        for i in 0..n {
            let mut x: [S::Elem; MOST + 1] =
                std::array::from_fn(|j| if j <= Q { z[j][i] } else { S::Elem::of(0.0) });
            for k in 1..=Q {
                for j in (k..=Q).rev() {
                    let above = x[j];
                    x[j - 1] += above;
                }
            }
            for j in 0..=Q {
                out[j][i] = x[j];
            }
        }
    }

    /// The step stands: `z` is the predicted vector plus `l` times the correction.
    #[inline(always)]
    pub(super) fn complete(&mut self, l: &[f64; MOST + 1]) {
        for j in 0..=self.q {
            let l = S::Elem::of(l[j]);
            let terms = self.predicted[j].as_slice().iter().zip(self.correction.as_slice());
            self.z[j].as_mut_slice().iter_mut().zip(terms).for_each(|(z, (&p, &e))| *z = p + l * e);
        }
        self.past.rotate_right(1);
        self.past[0] = self.h;
    }

    /// To order q + 1, by what the last correction says of its derivative.
    pub(super) fn raise(&mut self) {
        let factor = S::Elem::of(lift(self.q, self.h, &self.past));
        let c = vanishing(self.q - 1, self.h, &self.past);
        let (low, high) = self.z.split_at_mut(self.q + 1);
        let top = high[0].as_mut_slice();
        top.iter_mut().zip(self.correction.as_slice()).for_each(|(z, &e)| *z = factor * e);
        for (z, &c) in low.iter_mut().zip(&c).skip(2) {
            let c = S::Elem::of(c);
            z.as_mut_slice().iter_mut().zip(&*top).for_each(|(z, &top)| *z += c * top);
        }
        self.q += 1;
    }

    /// To order q − 1, keeping the values at the points behind.
    pub(super) fn lower(&mut self) {
        let c = vanishing(self.q - 2, self.h, &self.past);
        let (low, high) = self.z.split_at_mut(self.q);
        let top = high[0].as_slice();
        for (z, &c) in low.iter_mut().zip(&c).skip(2) {
            let c = S::Elem::of(c);
            z.as_mut_slice().iter_mut().zip(top).for_each(|(z, &top)| *z -= c * top);
        }
        self.q -= 1;
    }

    /// The highest term.
    pub(super) fn top(&self) -> &S {
        &self.z[self.q]
    }

    /// The step just completed as a polynomial of degree `q`.
    pub(super) fn interpolate(&self, (t, h): (S::Elem, S::Elem), y0: &S, out: &mut Polynomial<S::Elem>) {
        out.start(t, h, self.q.max(1), y0.as_slice());
        for (j, row) in POWERS.iter().enumerate().take(self.q + 1).skip(1) {
            for (k, &weight) in row.iter().enumerate().skip(1).filter(|(_, w)| **w != 0.0) {
                let weight = S::Elem::of(weight);
                let c = out.coefficient_mut(k).iter_mut().zip(self.z[j].as_slice());
                c.for_each(|(c, &z)| *c += weight * z);
            }
        }
    }

    /// Coefficients of the coming step.
    pub(super) fn coefficients(&self) -> Coefficients {
        Coefficients::new(self.q, self.h, &self.past)
    }
}

/// `(−θ̄)ʲ` in the basis of [`Polynomial`]: 1, θ, θθ̄, θ²θ̄, θ²θ̄², θ³θ̄².
const POWERS: [[f64; MOST + 1]; MOST + 1] = [
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [-1.0, 1.0, 0.0, 0.0, 0.0, 0.0],
    [1.0, -1.0, -1.0, 0.0, 0.0, 0.0],
    [-1.0, 1.0, 2.0, -1.0, 0.0, 0.0],
    [1.0, -1.0, -3.0, 2.0, 1.0, 0.0],
    [-1.0, 1.0, 4.0, -3.0, -3.0, 1.0],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_written_in_the_basis_of_the_polynomial() {
        for theta in [0.0, 0.3, 1.0] {
            let bar: f64 = 1.0 - theta;
            let basis = [1.0, theta, theta * bar, theta * theta * bar];
            let basis: Vec<f64> = basis
                .into_iter()
                .chain([theta * theta * bar * bar, theta * theta * theta * bar * bar])
                .collect();
            for (j, row) in POWERS.iter().enumerate() {
                let sum: f64 = row.iter().zip(&basis).map(|(a, b)| a * b).sum();
                assert!((sum - (-bar).powi(j as i32)).abs() < 1e-14, "{j} at {theta}");
            }
        }
    }
}
