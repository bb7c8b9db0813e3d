//! Runs with an account: the only file of this room that sees `flow`.

use super::{Certificate, Dissipative, Ledger};
use crate::integrate::Integrator;
use crate::{Flow, Real, Result, State};

/// Gauss–Lobatto quadrature of four points on [0, 1]: exact to degree five, both ends included.
const NODES: [(f64, f64); 2] = [(0.276_393_202_250_021, 5.0 / 12.0), (0.723_606_797_749_979, 5.0 / 12.0)];
const ENDS: f64 = 1.0 / 12.0;

/// Rises of the energy below this many units of round-off mean nothing.
const NOISE: f64 = 64.0;

impl<'a, S: State, V: Dissipative<S>, I: Integrator<S>> Flow<'a, V, I, S> {
    /// [`steps`](Self::steps) with a [`Certificate`]. The dissipation between steps is integrated by the trapezium
    /// rule, so the identity gap shrinks like h at best for descent by Euler's method and like h² for better ones.
    ///
    /// ```
    /// use flowfield::{Flow, gradient::GradientFlow, integrate::Euler};
    /// let bowl = GradientFlow::new(|x: &[f64], g: &mut [f64]| { g[0] = x[0]; 0.5 * x[0] * x[0] });
    /// let mut x = [1.0];
    /// let certificate = Flow::new(bowl, Euler::new()).steps_certified(100, 0.01, &mut x)?;
    /// assert!(certificate.is_monotone() && certificate.identity_gap < 0.01);
    /// # Ok::<(), flowfield::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`steps`](Self::steps).
    pub fn steps_certified(&mut self, n: usize, h: S::Elem, y: &mut S) -> Result<Certificate> {
        y.standardise();
        crate::VectorField::check(self.field(), y)?;
        let before = self.stats().evals;
        let t0 = self.t();
        let (mut e, mut rate) = self.field_mut().energy(t0, y);
        let field = self.field();
        let mut ledger = Ledger::open(self.t().f64(), e, field.total_mass(y), field.least(y));
        for _ in 0..n {
            let t0 = self.t().f64();
            self.step(h, y)?;
            let t = self.t();
            let last = rate;
            (e, rate) = self.field_mut().energy(t, y);
            let lost = 0.5 * (last + rate) * (t.f64() - t0);
            let field = self.field();
            ledger.enter((t.f64(), e), lost, field.total_mass(y), field.least(y));
        }
        Ok(ledger.close(self.stats().evals - before, NOISE * S::Elem::EPS.f64()))
    }

    /// [`solve`](Self::solve) for the last state and a [`Certificate`]. The dissipation is integrated inside the
    /// steps, on their interpolants.
    ///
    /// ```
    /// use flowfield::{Flow, gradient::GradientFlow, integrate::Tsit5};
    /// let bowl = GradientFlow::new(|x: &[f64], g: &mut [f64]| { g[0] = x[0]; 0.5 * x[0] * x[0] });
    /// let (x, certificate) = Flow::new(bowl, Tsit5::new()).tol(1e-9).solve_certified(0.0, 2.0, [1.0])?;
    /// assert!((x[0] - (-2.0_f64).exp()).abs() < 1e-8 && certificate.identity_gap < 1e-7);
    /// # Ok::<(), flowfield::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`solve`](Self::solve).
    pub fn solve_certified(&mut self, t0: S::Elem, t1: S::Elem, mut y0: S) -> Result<(S, Certificate)> {
        y0.standardise();
        let mut inside = y0.clone();
        let mut run = self.stepper(t0, t1, y0)?;
        let mut y = run.y().clone();
        let (mut e, mut rate) = run.field_mut().energy(t0, &y);
        let field = run.field_mut();
        let mut ledger = Ledger::open(t0.f64(), e, field.total_mass(&y), field.least(&y));
        let mut from = t0;
        while run.advance()? {
            let t = run.t();
            let mut mean = ENDS * rate;
            for (node, weight) in NODES {
                let at = from + S::Elem::of(node) * (t - from);
                run.interpolate(at, &mut inside)?;
                mean += weight * run.field_mut().energy(at, &inside).1;
            }
            y.clone_from(run.y());
            (e, rate) = run.field_mut().energy(t, &y);
            mean += ENDS * rate;
            let field = run.field_mut();
            ledger.enter((t.f64(), e), mean * (t.f64() - from.f64()), field.total_mass(&y), field.least(&y));
            from = t;
        }
        Ok((y, ledger.close(run.stats().evals, NOISE * S::Elem::EPS.f64())))
    }
}
