//! Predictor and corrector of one step.

use num_traits::Float as _;

use super::coefficients::MOST;
use super::history::History;
use super::workspace::Workspace;
use crate::integrate::Tolerance;
use crate::{Real, State, VectorField};

/// When to form and factorise matrices.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newton {
    /// l₁/h of the factorised matrix; zero: there is none.
    pub(super) sigma: f64,
    pub(super) rate: f64,
    pub(super) since_factor: u32,
    pub(super) since_jacobian: u32,
    /// What went wrong with the last try of this step.
    pub(super) trouble: Trouble,
    /// Consecutive failures, and whether the last was a singular matrix.
    pub(super) failures: u32,
    pub(super) singular: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    Convergence,
    Accuracy,
}

impl Newton {
    pub(super) const NEW: Self = Newton {
        sigma: 0.0,
        rate: 1.0,
        since_factor: 0,
        since_jacobian: 0,
        trouble: Trouble::None,
        failures: 0,
        singular: false,
    };
    /// Steps after which a matrix is formed anew in any case, and the change of σ that asks for it.
    pub(super) const MOST_STEPS: u32 = 20;
    pub(super) const MOST_CHANGE: f64 = 0.3;
    pub(super) const MOST_JACOBIAN_STEPS: u32 = 51;
    pub(super) const ITERATIONS: u32 = 3;
    /// Newton's error may be this part of the local error allowed.
    pub(super) const SHARE: f64 = 0.1;
}

impl<S: State> Workspace<S> {
    /// Predictor and corrector; the norm of the correction, or infinity.
    #[inline(always)]
    pub(super) fn advance<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y1: &mut S,
        tol: &Tolerance<S::Elem>,
    ) {
        if self.history.rescale(h.f64()) || self.last_order != self.history.q {
            self.steady = 0;
        }
        self.last_order = self.history.q;
        // Once the points behind are equidistant the coefficients stay.
        if self.steady <= MOST {
            self.coefficients = self.history.coefficients();
        }
        self.history.predict();
        let sigma = self.coefficients.l[1] / h.f64();
        let newton = &mut self.newton;
        let mut set_up = newton.trouble != Trouble::None
            || newton.since_factor >= Newton::MOST_STEPS
            || (newton.sigma / sigma - 1.0).abs() > Newton::MOST_CHANGE;
        let mut jacobian = newton.sigma == 0.0
            || newton.since_jacobian >= Newton::MOST_JACOBIAN_STEPS
            || newton.trouble == Trouble::Convergence;
        newton.singular = false;
        self.norm = loop {
            y1.clone_from(&self.history.predicted[0]);
            field.eval(t + h, y1, &mut self.slope);
            let fresh = set_up && jacobian;
            if set_up && !self.prepare(field, (t + h, h), (y1, jacobian), sigma, tol) {
                self.newton.singular = true;
                break f64::INFINITY;
            }
            let norm = self.iterate(field, t + h, h, y1, sigma);
            if norm.is_finite() || fresh {
                break norm;
            }
            // Once more, with a matrix for this σ; if it was that already, with a new Jacobian.
            jacobian = (self.newton.sigma / sigma - 1.0).abs() < 0.2;
            set_up = true;
        };
    }

    /// Forms the matrix `σ M − J`, with a new Jacobian if asked for; false if it is singular.
    #[inline(always)]
    fn prepare<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        (y, jacobian): (&S, bool),
        sigma: f64,
        tol: &Tolerance<S::Elem>,
    ) -> bool {
        if jacobian {
            self.system.refresh(field, (t, y, &self.slope), (h, tol));
            self.newton.since_jacobian = 0;
        }
        (self.newton.sigma, self.newton.rate, self.newton.since_factor) = (sigma, 1.0, 0);
        self.system.factor(S::Elem::of(sigma))
    }

    /// Newton's iteration for the correction: its norm, or infinity if it does not converge.
    #[inline(always)]
    fn iterate<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y1: &mut S,
        sigma: f64,
    ) -> f64 {
        let zero = S::Elem::of(0.0);
        let History { predicted, correction, .. } = &mut self.history;
        correction.as_mut_slice().fill(zero);
        let allowed = Newton::SHARE / self.coefficients.error;
        // A matrix for another σ' is right for the stiff components and off by σ'/σ for the others: between the two.
        let ratio = self.newton.sigma / sigma;
        let scale = 2.0 * ratio / (1.0 + ratio);
        let (scale, inverse_h, sigma) = (S::Elem::of(scale), h.recip(), S::Elem::of(sigma));
        let mut before = f64::INFINITY;
        for m in 0..Newton::ITERATIONS {
            self.system.count_iterations(1);
            let slope = predicted[1].as_slice().iter().zip(correction.as_slice());
            let wanted = self.residual.as_mut_slice().iter_mut().zip(slope);
            wanted.for_each(|(r, (&p, &e))| *r = p * inverse_h + e * sigma);
            if let Some(mass) = self.system.mass() {
                mass.take_from(self.residual.as_slice(), self.slope.as_mut_slice());
                self.residual.clone_from(&self.slope);
            } else {
                let rhs = self.residual.as_mut_slice().iter_mut().zip(self.slope.as_slice());
                rhs.for_each(|(r, &f)| *r = f - *r);
            }
            self.system.solve(field, &mut self.residual);
            let parts = correction.as_mut_slice().iter_mut().zip(self.residual.as_mut_slice());
            let new = y1.as_mut_slice().iter_mut().zip(predicted[0].as_slice());
            parts.zip(new).for_each(|((e, d), (y, &p))| {
                *d *= scale;
                *e += *d;
                *y = p + *e;
            });
            let size = Tolerance::weighted(self.residual.as_slice(), self.weights.as_slice()).f64();
            if m > 0 {
                self.newton.rate = (0.3 * self.newton.rate).max(size / before);
            }
            if size * self.newton.rate.min(1.0) <= allowed {
                return if m == 0 {
                    size
                } else {
                    Tolerance::weighted(correction.as_slice(), self.weights.as_slice()).f64()
                };
            }
            if !size.is_finite() || size > 2.0 * before || m + 1 == Newton::ITERATIONS {
                break;
            }
            before = size;
            field.eval(t, y1, &mut self.slope);
        }
        f64::INFINITY
    }
}
