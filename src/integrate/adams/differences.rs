//! Modified divided differences of the field along the solution.

use super::coefficients::{Coefficients, MOST, interpolant};
use crate::integrate::tolerance::Components;
use crate::integrate::{Polynomial, Tolerance};
use crate::{Real, State, VectorField};

/// `Φⱼ(n)` for the points behind, and what the current step makes of them.
#[derive(Debug)]
pub(super) struct Differences<S: State> {
    phi: Vec<S>,
    /// How many of `phi` hold; none: the solution starts here.
    valid: usize,
    /// `xₙ − xₙ₋ᵢ`.
    back: [f64; MOST + 2],
    step: Coefficients,
    h: f64,
    /// `f` at the predicted point.
    pub(super) slope: S,
    /// `Φₖ(n+1)` from it.
    delta: S,
    /// `f` at the end of the step, or at the start of the coming one.
    end: S,
    end_ready: bool,
    /// The last step stands, but its differences have not been updated yet.
    pending: Option<usize>,
}

impl<S: State> Differences<S> {
    pub(super) fn new(y0: &S, most: usize) -> Self {
        Differences {
            phi: vec![y0.clone(); most + 1],
            valid: 0,
            back: [0.0; MOST + 2],
            step: Coefficients::ZERO,
            h: 0.0,
            slope: y0.clone(),
            delta: y0.clone(),
            end: y0.clone(),
            end_ready: false,
            pending: None,
        }
    }

    pub(super) fn fits(&self, y0: &S) -> bool {
        self.slope.same_shape(y0)
    }

    /// Forgets the past.
    pub(super) fn restart(&mut self) {
        (self.valid, self.end_ready, self.pending) = (0, false, None);
        self.back = [0.0; MOST + 2];
    }

    pub(super) fn slope_at_start(&mut self, slope: &S) {
        self.end.clone_from(slope);
        self.end_ready = true;
    }

    pub(super) fn slope_at_end<V: VectorField<S> + ?Sized>(&mut self, field: &mut V, t: S::Elem, y: &S) {
        if !self.end_ready {
            field.eval(t, y, &mut self.end);
            self.end_ready = true;
        }
    }

    /// Whether the estimate at order `q` has the differences it needs.
    pub(super) fn sees(&self, q: usize) -> bool {
        self.valid >= q && self.phi.len() >= q
    }

    /// Brings the differences to `(t, y0)`, unless this is a step tried again.
    pub(super) fn look_back<V: VectorField<S> + ?Sized>(&mut self, field: &mut V, t: S::Elem, y0: &S) {
        let keep = match self.pending.take() {
            None if self.valid > 0 => return,
            keep => keep.unwrap_or(1),
        };
        self.slope_at_end(field, t, y0);
        let count = (self.valid + 1).min(keep + 1).min(self.phi.len());
        // Φⱼ(n+1) = Φⱼ₋₁(n+1) − βⱼ₋₁ Φⱼ₋₁(n), with `delta` running over Φⱼ(n+1).
        self.delta.as_mut_slice().copy_from_slice(self.end.as_slice());
        for (phi, beta) in self.phi.iter_mut().zip(self.step.beta).take(count) {
            let beta = S::Elem::of(beta);
            for (phi, next) in phi.as_mut_slice().iter_mut().zip(self.delta.as_mut_slice()) {
                let old = std::mem::replace(phi, *next);
                *next -= beta * old;
            }
        }
        (self.valid, self.end_ready) = (count, false);
    }

    /// `p = y₀ + h Σⱼ₍ⱼ₍ₖ gⱼ βⱼ Φⱼ`.
    pub(super) fn predict(&mut self, h: S::Elem, k: usize, y0: &S, y1: &mut S) {
        self.h = h.f64();
        self.step = Coefficients::new(self.h, &self.back, k);
        self.end_ready = false;
        let y1 = y1.as_mut_slice();
        y1.copy_from_slice(y0.as_slice());
        for j in (0..k).rev() {
            let weight = h * S::Elem::of(self.step.g[j] * self.step.beta[j]);
            y1.iter_mut().zip(self.phi[j].as_slice()).for_each(|(y, &phi)| *y += weight * phi);
        }
    }

    /// `Φₖ(n+1) = f − Σⱼ₍ⱼ₍ₖ βⱼ Φⱼ` and `y₁ = p + h gₖ Φₖ(n+1)`.
    pub(super) fn correct(&mut self, h: S::Elem, k: usize, y1: &mut S) {
        let delta = self.delta.as_mut_slice();
        delta.copy_from_slice(self.slope.as_slice());
        for j in 0..k {
            let beta = S::Elem::of(self.step.beta[j]);
            delta.iter_mut().zip(self.phi[j].as_slice()).for_each(|(d, &phi)| *d -= beta * phi);
        }
        let weight = h * S::Elem::of(self.step.g[k]);
        y1.as_mut_slice().iter_mut().zip(&*delta).for_each(|(y, &d)| *y += weight * d);
    }

    /// The step stands; the next has order `next`.
    pub(super) fn commit(&mut self, next: usize) {
        self.pending = Some(next);
        for i in (0..MOST + 1).rev() {
            self.back[i + 1] = self.back[i] + self.h;
        }
        // Points before the start do not exist.
        self.back.iter_mut().skip(self.valid + 1).for_each(|b| *b = 0.0);
    }

    /// Norm of the error that the step, made at order `k`, has at order `q` from `k − 2` to `k + 1`.
    pub(super) fn error(
        &self,
        k: usize,
        q: usize,
        tol: &Tolerance<S::Elem>,
        h: S::Elem,
        y: (&S, &S),
    ) -> S::Elem {
        let (y0, y1) = (y.0.as_slice(), y.1.as_slice());
        tol.norm(y0, y1, &self.estimate(k, q, h))
    }

    pub(super) fn worst(&self, k: usize, tol: &Tolerance<S::Elem>, h: S::Elem, y: (&S, &S)) -> usize {
        tol.worst(y.0.as_slice(), y.1.as_slice(), &self.estimate(k, k, h))
    }

    fn estimate(&self, k: usize, q: usize, h: S::Elem) -> Estimate<'_, S::Elem> {
        let g = &self.step.g;
        let factor = h * S::Elem::of(g[q] - g[q - 1]);
        // From Φₖ(n+1) to Φ_q(n+1): add what lies between, or subtract one more.
        let term = |j: usize, sign: f64| (S::Elem::of(sign * self.step.beta[j]), self.phi[j].as_slice());
        let none = (S::Elem::of(0.0), self.delta.as_slice());
        let terms = match q {
            _ if q == k => [none, none],
            _ if q > k => [term(k, -1.0), none],
            _ if q + 1 == k => [term(k - 1, 1.0), none],
            _ => [term(k - 1, 1.0), term(k - 2, 1.0)],
        };
        Estimate { delta: self.delta.as_slice(), factor, terms }
    }

    /// The step as a polynomial of degree `k + 1` (3 at least).
    pub(super) fn interpolate(
        &mut self,
        (t, h): (S::Elem, S::Elem),
        k: usize,
        (y0, y1): (&S, &S),
        out: &mut Polynomial<S::Elem>,
    ) {
        let m = k.max(2);
        let rows = interpolant(h.f64(), &self.back, m);
        out.start(t, h, m + 1, y0.as_slice());
        let y = y1.as_slice().iter().zip(y0.as_slice());
        self.delta.as_mut_slice().iter_mut().zip(y).for_each(|(d, (&b, &a))| *d = b - a);
        add(out, &rows[m][..=m], S::Elem::of(1.0), self.delta.as_slice());
        self.delta.as_mut_slice().copy_from_slice(self.end.as_slice());
        for (j, row) in rows.iter().enumerate().take(m) {
            add(out, &row[..=m], h, self.delta.as_slice());
            if j + 1 < m {
                let beta = S::Elem::of(self.step.beta[j]);
                let phi = self.phi[j].as_slice();
                self.delta.as_mut_slice().iter_mut().zip(phi).for_each(|(d, &phi)| *d -= beta * phi);
            }
        }
    }
}

fn add<F: Real>(out: &mut Polynomial<F>, row: &[f64], factor: F, vector: &[F]) {
    for (p, &w) in row.iter().enumerate() {
        let w = factor * F::of(w);
        out.coefficient_mut(p + 1).iter_mut().zip(vector).for_each(|(c, &v)| *c += w * v);
    }
}

struct Estimate<'a, F> {
    delta: &'a [F],
    factor: F,
    terms: [(F, &'a [F]); 2],
}

impl<F: Real> Components<F> for Estimate<'_, F> {
    #[inline(always)]
    fn at(&self, i: usize) -> F {
        let [a, b] = &self.terms;
        self.factor * (self.delta[i] + a.0 * a.1[i] + b.0 * b.1[i])
    }
}
