//! The stages, by a simplified Newton iteration.

use num_traits::Float as _;

use super::tableau::{ALPHA, BETA, C, GAMMA, INVERSE_T, T, apply, bend};
use super::workspace::{Workspace, each};
use crate::integrate::Tolerance;
use crate::{Real, State, VectorField};

#[derive(Debug, Clone, Copy)]
pub(super) struct Newton {
    /// Rate of convergence, and its memory over steps.
    pub(super) theta: f64,
    pub(super) carry: f64,
    pub(super) iterations: u32,
    /// Step size to which the factorised matrices belong; zero: none.
    pub(super) factored: f64,
    /// Whether the Jacobian is that of the coming step's start, and whether there is one.
    pub(super) current: bool,
    pub(super) formed: bool,
    pub(super) failures: u32,
    pub(super) singular: bool,
}

/// Most iterations, and the rate up to which a Jacobian is kept.
pub(super) const ITERATIONS: u32 = 7;
pub(super) const KEEP: f64 = 1e-3;

impl Newton {
    pub(super) const NEW: Self = Newton {
        theta: KEEP,
        carry: 1.0,
        iterations: 0,
        factored: 0.0,
        current: false,
        formed: false,
        failures: 0,
        singular: false,
    };
}

impl<S: State> Workspace<S> {
    /// The Jacobian and the two matrices, where they are not those of this step; false if one is singular.
    #[inline(always)]
    pub(super) fn prepare<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
        tol: &Tolerance<S::Elem>,
    ) -> bool {
        let retry = self.control.rejected && !self.newton.current;
        if !self.newton.formed || retry || (!self.newton.current && self.newton.theta > KEEP) {
            self.system.refresh(field, (t, y0, &self.slope), (h, tol));
            (self.newton.formed, self.newton.current, self.newton.factored) = (true, true, 0.0);
        }
        let size = h.f64();
        // Beyond the rounding of the clock.
        if (size / self.newton.factored - 1.0).abs() < 1e-8 {
            return true;
        }
        self.newton.factored = size;
        let of = |x: f64| S::Elem::of(x / size);
        let good = self.system.factor(of(GAMMA)) && self.system.factor_pair(of(ALPHA), of(BETA));
        if !good {
            self.newton.factored = 0.0;
        }
        good
    }

    /// First values of the stages: the last step's polynomial, continued.
    #[inline(always)]
    pub(super) fn guess(&mut self, h: f64) {
        let n = self.slope.as_slice().len();
        let Some(previous) = self.previous else {
            self.z.iter_mut().chain(&mut self.w).for_each(|z| z.as_mut_slice().fill(S::Elem::of(0.0)));
            return;
        };
        let ratio = h / previous;
        let last = self.last.each_ref().map(|z| &z.as_slice()[..n]);
        let (z, w) = (each(&mut self.z, n), each(&mut self.w, n));
        for i in 0..n {
            let (k2, k3) = bend([last[0][i], last[1][i], last[2][i]]);
            let top = last[2][i];
            let new = C.map(|c| {
                let (ahead, theta) = (S::Elem::of(c * ratio), S::Elem::of(1.0 + c * ratio));
                ahead * (top - theta * (k2 + theta * k3))
            });
            let old = apply(&INVERSE_T, new);
            for k in 0..3 {
                (z[k][i], w[k][i]) = (new[k], old[k]);
            }
        }
    }

    /// The simplified Newton iteration; true if it converged, else `control.retreat` says how to go on.
    #[inline(always)]
    pub(super) fn iterate<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
        share: f64,
    ) -> bool {
        let n = y0.as_slice().len();
        let newton = &mut self.newton;
        newton.theta = KEEP;
        newton.carry = newton.carry.max(S::Elem::EPS.f64()).rough_pow(0.8);
        self.control.retreat = 0.5;
        let (mut before, mut rate_before) = (0.0, 0.0);
        let inverse_h = h.recip();
        for m in 1..=ITERATIONS {
            self.system.count_iterations(1);
            for (i, c) in C.iter().enumerate() {
                let argument = &mut self.scratch[0];
                let sums = y0.as_slice().iter().zip(self.z[i].as_slice());
                argument.as_mut_slice().iter_mut().zip(sums).for_each(|(a, (&y, &z))| *a = y + z);
                field.eval(t + S::Elem::of(*c) * h, argument, &mut self.f[i]);
            }
            self.residual(n, inverse_h);
            let [a, b, c] = &mut self.f;
            self.system.solve(field, a);
            self.system.solve_pair(field, b, c);
            let size = self
                .f
                .iter()
                .map(|f| Tolerance::weighted(f.as_slice(), self.weights.as_slice()).f64().powi(2));
            let size = (size.sum::<f64>() / 3.0).sqrt();
            if !size.is_finite() {
                return false;
            }
            let newton = &mut self.newton;
            if m > 1 && m < ITERATIONS {
                let rate: f64 = size / before;
                newton.theta = if m == 2 { rate } else { (rate * rate_before).sqrt() };
                rate_before = rate;
                if newton.theta >= 0.99 {
                    return false;
                }
                newton.carry = newton.theta / (1.0 - newton.theta);
                // What will be left after the last iteration.
                let left = newton.carry * size * newton.theta.powi((ITERATIONS - 1 - m) as i32) / share;
                if left >= 1.0 {
                    let exponent = -1.0 / (4.0 + f64::from(ITERATIONS) - 1.0 - f64::from(m));
                    self.control.retreat = 0.8 * left.clamp(1e-4, 20.0).rough_pow(exponent);
                    return false;
                }
            }
            before = size.max(S::Elem::EPS.f64());
            newton.iterations = m;
            let (z, w, d) = (each(&mut self.z, n), each(&mut self.w, n), each(&mut self.f, n));
            for i in 0..n {
                let new = [w[0][i] + d[0][i], w[1][i] + d[1][i], w[2][i] + d[2][i]];
                let stages = apply(&T, new);
                for k in 0..3 {
                    (w[k][i], z[k][i]) = (new[k], stages[k]);
                }
            }
            if newton.carry * size <= share {
                return true;
            }
        }
        false
    }

    /// `f ← T⁻¹ f − M Λ w / h`, the residual of the transformed system.
    #[inline(always)]
    fn residual(&mut self, n: usize, inverse_h: S::Elem) {
        let of = S::Elem::of;
        let (gamma, alpha, beta) = (of(GAMMA) * inverse_h, of(ALPHA) * inverse_h, of(BETA) * inverse_h);
        if let Some(mass) = self.system.mass() {
            for f in 0..n {
                let values = apply(&INVERSE_T, [0, 1, 2].map(|k| self.f[k].as_slice()[f]));
                (0..3).for_each(|k| self.f[k].as_mut_slice()[f] = values[k]);
            }
            let [w0, w1, w2] = self.w.each_ref().map(|w| w.as_slice());
            for k in 0..3 {
                let sum = self.scratch[1].as_mut_slice();
                for i in 0..n {
                    sum[i] = [gamma * w0[i], alpha * w1[i] - beta * w2[i], beta * w1[i] + alpha * w2[i]][k];
                }
                mass.take_from(self.scratch[1].as_slice(), self.f[k].as_mut_slice());
            }
            return;
        }
        let (w, f) = (each(&mut self.w, n), each(&mut self.f, n));
        for i in 0..n {
            let values = apply(&INVERSE_T, [f[0][i], f[1][i], f[2][i]]);
            f[0][i] = values[0] - gamma * w[0][i];
            f[1][i] = values[1] - (alpha * w[1][i] - beta * w[2][i]);
            f[2][i] = values[2] - (beta * w[1][i] + alpha * w[2][i]);
        }
    }
}
