//! The Radau IIA method of order 5.

use std::fmt;

use num_traits::Float as _;

use super::system::System;
use crate::integrate::{Integrator, Polynomial, Tolerance, Verdict, Work};
use crate::state::{check_layout, first_not_finite};
use crate::{Error, Real, Result, State, VectorField};

/// Radau IIA, order 5, three stages, L-stable and stiffly accurate: for stiff problems at middle and tight tolerances, also
/// where eigenvalues lie near the imaginary axis. Also for `M dy/dt = f(t, y)` with a singular `M`, of index 1.
///
/// ```text
/// M zᵢ = h Σⱼ aᵢⱼ f(t + cⱼ h, y₀ + zⱼ),   y₁ = y₀ + z₃        collocation at c = (4 ∓ √6)/10, 1
/// ```
///
/// The stages are found by a simplified Newton iteration in variables in which its matrix falls apart into one real and
/// one complex system of the size of the state. Steps are chosen as in the code RADAU5, by Gustafsson's predictive controller on an
/// error estimate of order 3, and not by the flow's [`Controller`](crate::integrate::Controller); the Jacobian is kept as long as
/// the iteration converges fast, the factorised matrices as long as the step stays. Values inside a step are those of the
/// collocation polynomial, of order 3.
///
/// Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, IV.8.
///
/// ```
/// use flowfield::{Flow, field, integrate::RadauIIA5};
/// let van_der_pol = field(|_t, y: &[f64; 2], dy| *dy = [y[1], ((1.0 - y[0] * y[0]) * y[1] - y[0]) * 1e6]);
/// let sol = Flow::new(van_der_pol, RadauIIA5::new()).tol(1e-8).solve(0.0, 2.0, [2.0, 0.0])?;
/// assert!((sol.y_end()[0] - 1.706167732170469).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RadauIIA5<S: State> {
    work: Option<Box<Workspace<S>>>,
    tol: Inner<S::Elem>,
}

/// What the iteration and the estimate, of lower order than the method, are measured with.
#[derive(Debug, Clone)]
struct Inner<F> {
    tol: Tolerance<F>,
    /// Newton's iteration ends when its error is this part of the tolerance.
    share: f64,
}

struct Workspace<S: State> {
    system: System<S>,
    /// Stages zᵢ = Yᵢ − y₀, and the same in the variables of the iteration.
    z: [S; 3],
    w: [S; 3],
    f: [S; 3],
    /// f(t, y₀).
    slope: S,
    weights: S,
    scratch: [S; 2],
    slope_ready: bool,
    /// The state of the iteration and of the step-size control.
    newton: Newton,
    control: Control,
    /// Stages of the last step that stands: the next starts from their polynomial.
    last: [S; 3],
    previous: Option<f64>,
    /// Size of the step just tried, if its stages were found.
    tried: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Newton {
    /// Rate of convergence, and its memory over steps.
    theta: f64,
    carry: f64,
    iterations: u32,
    /// Step size to which the factorised matrices belong; zero: none.
    factored: f64,
    /// Whether the Jacobian is that of the coming step's start, and whether there is one.
    current: bool,
    formed: bool,
    failures: u32,
    singular: bool,
}

#[derive(Debug, Clone, Copy)]
struct Control {
    /// Error norm of the step just tried; infinite: the iteration failed, and asks for this factor.
    err: f64,
    retreat: f64,
    first: bool,
    rejected: bool,
    accepted_h: f64,
    accepted_err: f64,
    started: bool,
}

const SQRT6: f64 = 2.449489742783178;
const C: [f64; 3] = [(4.0 - SQRT6) / 10.0, (4.0 + SQRT6) / 10.0, 1.0];
/// Eigenvalues γ and α ± iβ of the inverse of the matrix aᵢⱼ.
const GAMMA: f64 = 3.637834252744496;
const ALPHA: f64 = 2.681082873627752;
const BETA: f64 = 3.050430199247411;
/// z = T w and w = T⁻¹ z bring that inverse to the blocks γ and [[α, −β], [β, α]].
const T: [[f64; 3]; 3] = [
    [0.09123239487089295, -0.1412552950209542, -0.030029194105147424],
    [0.241717932707107, 0.20412935229379994, 0.3829421127572619],
    [0.966048182615093, 1.0, 0.0],
];
const INVERSE_T: [[f64; 3]; 3] = [
    [4.325579890063155, 0.33919925181580984, 0.5417705399358749],
    [-4.178718591551905, -0.3276828207610624, 0.47662355450055044],
    [-0.5028726349457868, 2.571926949855605, -0.5960392048282249],
];
/// Weights of the stages in the error estimate.
const E: [f64; 3] = [-(13.0 + 7.0 * SQRT6) / 3.0, (-13.0 + 7.0 * SQRT6) / 3.0, -1.0 / 3.0];

/// Most Newton iterations; the rate up to which a Jacobian is kept; safety; least and largest factor between steps.
const ITERATIONS: u32 = 7;
const KEEP: f64 = 1e-3;
const SAFETY: f64 = 0.9;
const LIMITS: (f64, f64) = (0.2, 8.0);
/// A step that would grow by less than this stays, with its matrices.
const HOLD: f64 = 1.2;

impl<F: Real> Inner<F> {
    /// rtol' = 0.209 rtol^0.72 and atol' in proportion, since the estimate behaves as h⁴ and the error of a step as h⁶.
    ///
    /// RADAU5 has 0.1 rtol^(2/3), which is the same at 1e-6 and within 6 % in step size from 1e-4 to 1e-8; the larger exponent
    /// lets errors follow the tolerance more closely.
    fn new(tol: &Tolerance<F>) -> Self {
        let inner = tol.map(|rtol, atol| {
            let main = if rtol > 0.0 { rtol } else { atol };
            let scale = 0.209 * main.powf(0.72) / main;
            (rtol * scale, atol * scale)
        });
        let least = inner.least_relative().f64().max(1e-300);
        let share = (10.0 * F::EPS.f64() / least).max(least.sqrt().min(0.03));
        Inner { tol: inner, share: share.min(0.5) }
    }
}

impl<S: State> RadauIIA5<S> {
    /// The method, before it has seen a state.
    pub fn new() -> Self {
        RadauIIA5 { work: None, tol: Inner::new(&Tolerance::default()) }
    }
}

impl<S: State> Default for RadauIIA5<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State> fmt::Debug for RadauIIA5<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RadauIIA5").field("control", &self.work.as_ref().map(|w| w.control)).finish()
    }
}

impl Newton {
    const NEW: Self = Newton {
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

impl Control {
    const NEW: Self = Control {
        err: 0.0,
        retreat: 0.5,
        first: true,
        rejected: false,
        accepted_h: 0.0,
        accepted_err: 1e-2,
        started: false,
    };
}

impl<S: State> Workspace<S> {
    fn new(y0: &S) -> Self {
        let states = || std::array::from_fn(|_| y0.clone());
        Workspace {
            system: System::new(y0).with_pair(),
            z: states(),
            w: states(),
            f: states(),
            slope: y0.clone(),
            weights: y0.clone(),
            scratch: [y0.clone(), y0.clone()],
            slope_ready: false,
            newton: Newton::NEW,
            control: Control::NEW,
            last: states(),
            previous: None,
            tried: None,
        }
    }

    fn restart(&mut self) {
        (self.newton, self.control) = (Newton::NEW, Control::NEW);
        (self.previous, self.tried, self.slope_ready) = (None, None, false);
    }

    /// The Jacobian and the two matrices, where they are not those of this step; false if one is singular.
    #[inline(always)]
    fn prepare<V: VectorField<S> + ?Sized>(
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
    fn guess(&mut self, h: f64) {
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
    fn iterate<V: VectorField<S> + ?Sized>(
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

    /// The norm of the filtered error estimate `(M γ/h − J)⁻¹ (f₀ + M Σ eᵢ zᵢ / h)`.
    #[inline(always)]
    fn estimate<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
    ) -> f64 {
        let n = y0.as_slice().len();
        let inverse_h = h.recip();
        let e = E.map(|e| S::Elem::of(e) * inverse_h);
        // The stages' part stays in w's place of the residuals: f[1]; the error goes to f[0].
        let z = each(&mut self.z, n);
        let part = &mut self.f[1].as_mut_slice()[..n];
        for i in 0..n {
            part[i] = e[0] * z[0][i] + e[1] * z[1][i] + e[2] * z[2][i];
        }
        if self.system.mass().is_some() {
            let (a, b) = self.f.split_at_mut(1);
            self.system.times_mass(&b[0], &mut a[0]);
            b[0].clone_from(&a[0]);
        }
        let err = self.filter(field, true);
        if err < 1.0 || !(self.control.first || self.control.rejected) {
            return err.max(1e-10);
        }
        // Once more from a point that stiff components have left: they are over-estimated at first.
        let (error, argument) = (&self.f[0], &mut self.scratch[0]);
        let sums = y0.as_slice().iter().zip(error.as_slice());
        argument.as_mut_slice().iter_mut().zip(sums).for_each(|(a, (&y, &e))| *a = y + e);
        field.eval(t, &self.scratch[0], &mut self.f[0]);
        self.filter(field, false).max(1e-10)
    }

    /// Solves for the error with the stages' part and a slope: that of the start, or what `f[0]` holds.
    #[inline(always)]
    fn filter<V: VectorField<S> + ?Sized>(&mut self, field: &mut V, start: bool) -> f64 {
        let [error, part, _] = &mut self.f;
        if start {
            error.clone_from(&self.slope);
        }
        error.as_mut_slice().iter_mut().zip(part.as_slice()).for_each(|(e, &p)| *e += p);
        self.system.solve(field, error);
        Tolerance::weighted(self.f[0].as_slice(), self.weights.as_slice()).f64()
    }
}

/// Three states as slices of length `n`, a constant for arrays.
#[inline(always)]
fn each<S: State>(states: &mut [S; 3], n: usize) -> [&mut [S::Elem]; 3] {
    states.each_mut().map(|s| &mut s.as_mut_slice()[..n])
}

#[inline(always)]
fn apply<F: Real>(m: &[[f64; 3]; 3], x: [F; 3]) -> [F; 3] {
    m.map(|row| F::of(row[0]) * x[0] + F::of(row[1]) * x[1] + F::of(row[2]) * x[2])
}

/// k₂ and k₃ of the collocation polynomial y₀ + θ(z₃ + θ̄(k₂ + θ k₃)).
#[inline(always)]
fn bend<F: Real>(z: [F; 3]) -> (F, F) {
    let g = [0, 1].map(|i| (z[i] * F::of(1.0 / C[i]) - z[2]) * F::of(1.0 / (1.0 - C[i])));
    let k3 = (g[0] - g[1]) * F::of(1.0 / (C[0] - C[1]));
    (g[0] - F::of(C[0]) * k3, k3)
}

impl<S: State> Integrator<S> for RadauIIA5<S> {
    fn name(&self) -> &'static str {
        "RadauIIA5"
    }

    fn order(&self) -> Option<u32> {
        Some(5)
    }

    fn error_order(&self) -> Option<u32> {
        Some(3)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        match &mut self.work {
            Some(w) if w.system.fits(y0) => {
                w.restart();
                w.system.restart();
            }
            w => *w = Some(Box::new(Workspace::new(y0))),
        }
        Ok(())
    }

    fn aim(&mut self, tol: &Tolerance<S::Elem>) {
        self.tol = Inner::new(tol);
    }

    fn prime(&mut self, slope: &S) {
        if let Some(w) = &mut self.work {
            w.slope.clone_from(slope);
            w.slope_ready = true;
        }
    }

    fn takes_mass(&self) -> bool {
        true
    }

    #[inline(always)]
    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.work.is_none() {
            self.init(y0)?;
        }
        let Some(w) = self.work.as_deref_mut() else { return Ok(()) };
        if !w.control.started {
            w.system.look_at(field)?;
            w.control.started = true;
        }
        if !w.slope_ready {
            field.eval(t, y0, &mut w.slope);
            w.slope_ready = true;
        }
        self.tol.tol.invert(y0.as_slice(), w.weights.as_mut_slice());
        w.newton.singular = !w.prepare(field, (t, h), y0, &self.tol.tol);
        if !w.newton.singular {
            w.guess(h.f64());
        }
        if w.newton.singular || !w.iterate(field, (t, h), y0, self.tol.share) {
            w.control.err = f64::INFINITY;
            y1.as_mut_slice().fill(S::Elem::nan());
            return Ok(());
        }
        let sums = y0.as_slice().iter().zip(w.z[2].as_slice());
        y1.as_mut_slice().iter_mut().zip(sums).for_each(|(y1, (&y, &z))| *y1 = y + z);
        w.control.err = w.estimate(field, (t, h), y0);
        w.tried = Some(h.f64());
        Ok(())
    }

    #[inline(always)]
    fn accept(&mut self, smooth: bool) {
        let Some(w) = self.work.as_deref_mut() else { return };
        if !smooth {
            let started = w.control.started;
            w.restart();
            w.control.started = started;
            return;
        }
        if let Some(h) = w.tried.take() {
            std::mem::swap(&mut w.z, &mut w.last);
            w.previous = Some(h);
        }
        (w.slope_ready, w.newton.current, w.newton.failures) = (false, false, 0);
        (w.control.first, w.control.rejected) = (false, false);
    }

    #[inline(always)]
    fn error_norm(&self, _tol: &Tolerance<S::Elem>, _h: S::Elem, _y0: &S, _y1: &S) -> Option<S::Elem> {
        self.work.as_deref().map(|w| S::Elem::of(w.control.err))
    }

    #[inline(always)]
    fn judge(
        &mut self,
        _tol: &Tolerance<S::Elem>,
        h: S::Elem,
        err: S::Elem,
        _ends: (&S, &S),
    ) -> Option<Verdict<S::Elem>> {
        let w = self.work.as_deref_mut()?;
        let (err, size) = (err.f64(), h.f64());
        let control = &mut w.control;
        if !err.is_finite() {
            w.newton.failures += 1;
            control.rejected = true;
            let factor = if err.is_nan() { 0.1 } else { control.retreat };
            return Some(Verdict { accept: false, h: h * S::Elem::of(factor) });
        }
        // More iterations, smaller steps.
        let (m, most) = (f64::from(w.newton.iterations), f64::from(ITERATIONS));
        let safety = SAFETY.min(SAFETY * (1.0 + 2.0 * most) / (m + 2.0 * most));
        let mut factor = (safety * err.rough_pow(-0.25)).clamp(LIMITS.0, LIMITS.1);
        if err >= 1.0 {
            control.rejected = true;
            let factor = if control.first { 0.1 } else { factor };
            return Some(Verdict { accept: false, h: h * S::Elem::of(factor) });
        }
        if !control.first {
            let trend =
                control.accepted_h / size * (err * err / control.accepted_err).rough_pow(0.25) / SAFETY;
            factor = factor.min((1.0 / trend).clamp(LIMITS.0, LIMITS.1));
        }
        (control.accepted_h, control.accepted_err) = (size, err.max(1e-2));
        if control.rejected {
            factor = factor.min(1.0);
        }
        if w.newton.theta <= KEEP && (1.0..=HOLD).contains(&factor) {
            factor = 1.0;
        }
        Some(Verdict { accept: true, h: h * S::Elem::of(factor) })
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, _y1: &S) -> usize {
        let Some(w) = self.work.as_deref() else { return 0 };
        tol.worst(y0.as_slice(), y0.as_slice(), &w.f[0].as_slice())
    }

    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        _field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        let Some(w) = self.work.as_deref() else { return Ok(()) };
        out.start(t, h, 3, y0.as_slice());
        let ends = y1.as_slice().iter().zip(y0.as_slice());
        out.coefficient_mut(1).iter_mut().zip(ends).for_each(|(c, (&y1, &y0))| *c = y1 - y0);
        for i in 0..y0.as_slice().len() {
            let (k2, k3) = bend([0, 1, 2].map(|k| w.z[k].as_slice()[i]));
            out.coefficient_mut(2)[i] = k2;
            out.coefficient_mut(3)[i] = k3;
        }
        Ok(())
    }

    fn explain(&self, t: S::Elem, h: S::Elem, steps: Option<u64>) -> Option<Error> {
        let w = self.work.as_deref()?;
        let finite = first_not_finite(w.slope.as_slice()).is_none();
        if steps.is_some() || w.newton.failures == 0 || !finite {
            return None;
        }
        let (t, h) = (t.f64(), h.f64());
        Some(if w.newton.singular {
            Error::SingularMatrix { method: "RadauIIA5", t, h }
        } else {
            Error::NewtonFailed { method: "RadauIIA5", t, h, tries: w.newton.failures }
        })
    }

    fn work(&self) -> Work {
        self.work.as_ref().map_or(Work::default(), |w| w.system.counts())
    }
}
