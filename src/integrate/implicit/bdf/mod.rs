//! Backward differentiation formulas of variable order and step size.

mod coefficients;
mod history;

use std::fmt;

use num_traits::Float as _;

use super::system::System;
use crate::integrate::{Integrator, Polynomial, Tolerance, Verdict, Work};
use crate::state::{check_layout, first_not_finite};
use crate::{Error, Real, Result, State, VectorField};
use coefficients::{Coefficients, INVERSE, MOST};
use history::History;

/// Backward differentiation formulas, orders 1 to 5, adaptive, in fixed-leading-coefficient form: for stiff systems, above
/// all large ones, and for loose and middle tolerances. Also for `M dy/dt = f(t, y)` with a singular `M`, of index 1.
///
/// ```text
/// h f(t₁, y₁) = M (p' + l₁ e),   y₁ = p + e          p, p': value and h × slope predicted by the past
/// ```
///
/// One Newton system a step, with a Jacobian that is kept until the iteration asks for a new one. Starts at order 1, then
/// chooses order and step by the estimates at the neighbouring orders: it does not use the flow's
/// [`Controller`](crate::integrate::Controller). Values inside a step are of the same order. With fixed steps it is the
/// implicit Euler method. Orders above 2 are not A-stable: oscillations with eigenvalues near the imaginary axis ask for
/// another method, or [`max_order(2)`](Self::max_order).
///
/// References: Jackson, Sacks-Davis, ACM TOMS 6 (1980) 295–318; Brown, Byrne, Hindmarsh, *VODE*, SIAM J. Sci. Stat. Comput. 10
/// (1989) 1038–1051, whose constants are used as in CVODE.
///
/// ```
/// use flowfield::{Flow, field, integrate::Bdf};
/// // Robertson's reaction: rates from 0.04 to 3e7.
/// let robertson = field(|_t, y: &[f64; 3], dy| {
///     let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
///     *dy = [fast - slow, slow - fast - faster, faster];
/// });
/// let sol = Flow::new(robertson, Bdf::new()).rtol(1e-6).atol(1e-10).solve(0.0, 1e5, [1.0, 0.0, 0.0])?;
/// assert!((sol.y_end()[0] - 1.786592e-2).abs() < 1e-5);
/// assert!(sol.stats.jacobians < sol.stats.accepted / 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Bdf<S: State> {
    work: Option<Box<Workspace<S>>>,
    tol: Tolerance<S::Elem>,
    most: usize,
}

struct Workspace<S: State> {
    history: History<S>,
    system: System<S>,
    newton: Newton,
    control: Control,
    coefficients: Coefficients,
    /// Error weights at the last point, inverted.
    weights: S,
    slope: S,
    residual: S,
    progress: Progress,
    /// Norm of the correction in those weights; not finite if Newton's iteration failed.
    norm: f64,
    slope_ready: bool,
    /// Steps in a row whose size the coefficients know.
    steady: usize,
    last_order: usize,
}

/// How far a step has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing is behind: the next step starts at order 1.
    Fresh,
    /// The history ends where the next step starts.
    Ready,
    /// A step has been tried.
    Tried,
    /// It stands, and the history holds it.
    Completed,
}

/// When to form and factorise matrices.
#[derive(Debug, Clone, Copy)]
struct Newton {
    /// l₁/h of the factorised matrix; zero: there is none.
    sigma: f64,
    rate: f64,
    since_factor: u32,
    since_jacobian: u32,
    /// What went wrong with the last try of this step.
    trouble: Trouble,
    /// Consecutive failures, and whether the last was a singular matrix.
    failures: u32,
    singular: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    Convergence,
    Accuracy,
}

/// Step and order selection.
#[derive(Debug, Clone, Copy)]
struct Control {
    /// Steps until a change of order is considered.
    wait: u32,
    next_q: usize,
    most_growth: f64,
    failures: u32,
    steps: u64,
    saved_scale: f64,
}

impl Newton {
    const NEW: Self = Newton {
        sigma: 0.0,
        rate: 1.0,
        since_factor: 0,
        since_jacobian: 0,
        trouble: Trouble::None,
        failures: 0,
        singular: false,
    };
    /// Steps after which a matrix is formed anew in any case, and the change of σ that asks for it.
    const MOST_STEPS: u32 = 20;
    const MOST_CHANGE: f64 = 0.3;
    const MOST_JACOBIAN_STEPS: u32 = 51;
    const ITERATIONS: u32 = 3;
    /// Newton's error may be this part of the local error allowed.
    const SHARE: f64 = 0.1;
}

impl Control {
    const NEW: Self =
        Control { wait: 2, next_q: 1, most_growth: 1e4, failures: 0, steps: 0, saved_scale: 0.0 };
    /// Why a step grows less than its error allows: a factor on errors at the order below, the same, above.
    const BIAS: [f64; 3] = [6.0, 6.0, 10.0];
    /// Growth that is not worth a new matrix.
    const LEAST_GROWTH: f64 = 1.5;
}

impl<S: State> Bdf<S> {
    /// The method, before it has seen a state.
    pub fn new() -> Self {
        Bdf { work: None, tol: Tolerance::default(), most: MOST }
    }

    /// The highest order, 1 to 5.
    #[must_use]
    pub fn max_order(mut self, q: usize) -> Self {
        self.most = q;
        self
    }
}

impl<S: State> Default for Bdf<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State> fmt::Debug for Bdf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let q = self.work.as_ref().map_or(1, |w| w.history.q);
        f.debug_struct("Bdf").field("order", &q).finish_non_exhaustive()
    }
}

impl<S: State> Workspace<S> {
    fn new(y0: &S) -> Self {
        Workspace {
            history: History::new(y0),
            system: System::new(y0),
            newton: Newton::NEW,
            control: Control::NEW,
            coefficients: Coefficients::ZERO,
            weights: y0.clone(),
            slope: y0.clone(),
            residual: y0.clone(),
            progress: Progress::Fresh,
            norm: 0.0,
            slope_ready: false,
            steady: 0,
            last_order: 0,
        }
    }

    fn restart(&mut self) {
        (self.newton, self.control, self.progress) = (Newton::NEW, Control::NEW, Progress::Fresh);
        (self.slope_ready, self.steady) = (false, 0);
    }

    /// Starts at order 1.
    #[cold]
    fn start<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
        tol: &Tolerance<S::Elem>,
    ) -> Result<()> {
        self.system.look_at(field)?;
        if !self.slope_ready {
            field.eval(t, y0, &mut self.slope);
        }
        self.slope_ready = false;
        if self.system.mass().is_some() {
            self.slope_of_mass(field, (t, h), y0, tol);
        }
        self.history.start(y0, &self.slope, h);
        self.control.wait = 2;
        Ok(())
    }

    /// The slope of a system with a mass matrix, where `f` is not the slope: by one linearly implicit step.
    fn slope_of_mass<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
        tol: &Tolerance<S::Elem>,
    ) {
        self.system.refresh(field, (t, y0, &self.slope), (h, tol));
        let factored = self.system.factor(h.recip());
        if factored {
            self.system.solve(field, &mut self.slope);
            self.slope.as_mut_slice().iter_mut().for_each(|v| *v /= h);
        }
        if !factored || first_not_finite(self.slope.as_slice()).is_some() {
            self.slope.as_mut_slice().fill(S::Elem::of(0.0));
        }
    }

    /// Predictor and corrector; the norm of the correction, or infinity.
    #[inline(always)]
    fn advance<V: VectorField<S> + ?Sized>(
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

    /// The step stands: brings the history to its end.
    #[inline(always)]
    fn complete(&mut self) {
        if self.progress == Progress::Tried {
            self.history.complete(&self.coefficients.l);
            self.progress = Progress::Completed;
        }
    }
}

impl<S: State> Workspace<S> {
    /// Newton's iteration failed: a quarter of the step, with new matrices.
    #[cold]
    fn fail_to_converge(&mut self, h: S::Elem) -> Verdict<S::Elem> {
        self.newton.trouble = Trouble::Convergence;
        self.newton.failures += 1;
        self.control.most_growth = 1.0;
        Verdict { accept: false, h: h * S::Elem::of(0.25) }
    }

    /// The step was too inaccurate: a shorter one, from the fourth time on of lower order.
    #[cold]
    fn fail_to_be_accurate(&mut self, h: S::Elem, err: f64) -> Verdict<S::Elem> {
        let control = &mut self.control;
        (self.newton.trouble, control.most_growth) = (Trouble::Accuracy, 1.0);
        control.failures += 1;
        let mut factor = 0.1;
        if control.failures <= 3 {
            let most = if control.failures > 1 { 0.2 } else { 1.0 };
            factor = growth(err, Control::BIAS[1], self.history.q).clamp(0.1, most);
        } else if self.history.q > 1 {
            self.history.lower();
            control.wait = self.history.q as u32 + 1;
        } else {
            self.progress = Progress::Fresh;
            control.wait = 10;
        }
        control.next_q = self.history.q;
        Verdict { accept: false, h: h * S::Elem::of(factor) }
    }

    /// Order of the next step, and by how much it is to grow.
    #[inline(always)]
    fn plan(&mut self, err: f64, most: usize) -> f64 {
        let q = self.history.q;
        let control = &mut self.control;
        (control.next_q, control.failures) = (q, 0);
        control.steps += 1;
        control.wait -= 1;
        if control.wait == 1 && q < most {
            self.history.saved.clone_from(&self.history.correction);
            control.saved_scale = self.coefficients.scale;
        }
        let most_growth = std::mem::replace(&mut control.most_growth, 10.0);
        if most_growth == 1.0 {
            control.wait = control.wait.max(2);
            return 1.0;
        }
        let mut best = growth(err, Control::BIAS[1], q);
        if control.wait == 0 {
            control.wait = 2;
            let (below, above) = self.growth_at_neighbours(most);
            if below > best.max(above) && below >= Control::LEAST_GROWTH {
                (best, self.control.next_q) = (below, q - 1);
            } else if above > best && above >= Control::LEAST_GROWTH {
                (best, self.control.next_q) = (above, q + 1);
            }
        }
        if best < Control::LEAST_GROWTH { 1.0 } else { best.min(most_growth) }
    }

    /// By how much the step could grow at order q − 1 and at order q + 1.
    fn growth_at_neighbours(&mut self, most: usize) -> (f64, f64) {
        let (q, c) = (self.history.q, &self.coefficients);
        let weights = self.weights.as_slice();
        let mut found = (0.0, 0.0);
        if q > 1 {
            let error = Tolerance::weighted(self.history.top().as_slice(), weights).f64() * c.error_below;
            found.0 = growth(error, Control::BIAS[0], q - 1);
        }
        if q < most && self.control.saved_scale != 0.0 {
            let ratio = self.history.past[0] / self.history.past[1];
            let factor = S::Elem::of(c.scale / self.control.saved_scale * ratio.powi(q as i32 + 1));
            let pairs = self.history.correction.as_slice().iter().zip(self.history.saved.as_slice());
            let difference = self.residual.as_mut_slice().iter_mut().zip(pairs);
            difference.for_each(|(d, (&e, &saved))| *d = e - factor * saved);
            let error = Tolerance::weighted(self.residual.as_slice(), weights).f64() * c.error_above;
            found.1 = growth(error, Control::BIAS[2], q + 1);
        }
        found
    }
}

/// By how much a step of order `q` may grow.
#[inline(always)]
fn growth(err: f64, bias: f64, q: usize) -> f64 {
    let scaled = (bias * err).max(1e-60);
    1.0 / (scaled.rough_pow(INVERSE[q + 1]) + 1e-6)
}

impl<S: State> Integrator<S> for Bdf<S> {
    fn name(&self) -> &'static str {
        "Bdf"
    }

    fn order(&self) -> Option<u32> {
        Some(self.most as u32)
    }

    fn error_order(&self) -> Option<u32> {
        Some(self.work.as_ref().map_or(1, |w| w.history.q as u32))
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        let (good, q) = ((1..=MOST).contains(&self.most), self.most as f64);
        Error::setting(good, "max_order", q, "backward differentiation formulas have orders 1 to 5")?;
        match &mut self.work {
            Some(w) if w.system.fits(y0) => {
                w.restart();
                w.system.restart();
            }
            w => *w = Some(Box::new(Workspace::new(y0))),
        }
        if let Some(w) = &mut self.work {
            w.history.q = 1;
        }
        Ok(())
    }

    fn aim(&mut self, tol: &Tolerance<S::Elem>) {
        self.tol = tol.clone();
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
        if w.progress == Progress::Completed {
            // The step that was thought to stand was taken back.
            w.restart();
        }
        if w.progress == Progress::Fresh {
            w.start(field, (t, h), y0, &self.tol)?;
        }
        if w.progress != Progress::Tried {
            self.tol.invert(y0.as_slice(), w.weights.as_mut_slice());
        }
        w.progress = Progress::Tried;
        w.advance(field, (t, h), y1, &self.tol);
        if !w.norm.is_finite() {
            y1.as_mut_slice().fill(S::Elem::nan());
        }
        Ok(())
    }

    #[inline(always)]
    fn accept(&mut self, smooth: bool) {
        let Some(w) = self.work.as_deref_mut() else { return };
        if !smooth {
            w.restart();
            return;
        }
        w.complete();
        if w.progress != Progress::Completed {
            return;
        }
        w.progress = Progress::Ready;
        w.steady += 1;
        w.newton.since_factor += 1;
        w.newton.since_jacobian += 1;
        (w.newton.trouble, w.newton.failures) = (Trouble::None, 0);
        if w.control.next_q != w.history.q {
            if w.control.next_q > w.history.q {
                w.history.raise()
            } else {
                w.history.lower()
            }
            w.control.wait = w.history.q as u32 + 1;
        }
    }

    #[inline(always)]
    fn error_norm(&self, _tol: &Tolerance<S::Elem>, _h: S::Elem, _y0: &S, _y1: &S) -> Option<S::Elem> {
        self.work.as_deref().map(|w| S::Elem::of(w.norm * w.coefficients.error))
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
        let err = err.f64();
        if !err.is_finite() {
            return Some(w.fail_to_converge(h));
        }
        if err > 1.0 {
            return Some(w.fail_to_be_accurate(h, err));
        }
        w.complete();
        let factor = w.plan(err, self.most);
        Some(Verdict { accept: true, h: h * S::Elem::of(factor) })
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, _y1: &S) -> usize {
        let Some(w) = self.work.as_deref() else { return 0 };
        tol.worst(y0.as_slice(), y0.as_slice(), &w.history.correction.as_slice())
    }

    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        _field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        _y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        if let Some(w) = self.work.as_deref_mut() {
            w.complete();
            w.history.interpolate((t, h), y0, out);
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
            Error::SingularMatrix { method: "Bdf", t, h }
        } else {
            Error::NewtonFailed { method: "Bdf", t, h, tries: w.newton.failures }
        })
    }

    fn work(&self) -> Work {
        self.work.as_ref().map_or(Work::default(), |w| w.system.counts())
    }
}
