//! One accepted step after another: the loop under [`Flow::solve`](crate::Flow::solve), for the caller's own use.

use std::fmt;
use std::ops::ControlFlow;

use num_traits::Float as _;

use super::driver::{Flow, Progress};
use super::watch::{Outcome, Watch};
use crate::field::Counted;
use crate::integrate::{Integrator, Polynomial, check_start, fastest_rate, initial_step};
use crate::jacobian::wrong_entry;
use crate::state::first_not_finite;
use crate::{Error, Occurrence, Real, Result, State, Stats, VectorField};

/// A run in progress: each [`advance`](Self::advance) takes one step that stands, and handles events.
///
/// As an iterator it yields `(t, y)` after each step. Made by [`Flow::stepper`](crate::Flow::stepper).
///
/// ```
/// use flowfield::{Flow, field, integrate::Tsit5};
/// let mut flow = Flow::new(field(|_t, y: &[f64; 1], dy| dy[0] = -y[0]), Tsit5::new());
/// let mut run = flow.stepper(0.0, 5.0, [1.0])?;
/// while run.advance()? {
///     if run.y()[0] < 0.5 { break; }      // the caller's own stopping rule
/// }
/// assert!(run.t() > 0.69 && run.t() < 5.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Stepper<'f, 'a, V, I, S: State> {
    pub(super) flow: &'f mut Flow<'a, V, I, S>,
    pub(super) t0: S::Elem,
    pub(super) t1: S::Elem,
    pub(super) t: S::Elem,
    pub(super) y: S,
    pub(super) stats: Stats,
    pub(super) log: Vec<Occurrence<S>>,
    /// The last step ended in an event that changed the state.
    pub(super) changed: bool,
    /// Size proposed for the next step, and of the last one tried.
    pub(super) h: S::Elem,
    pub(super) worst: usize,
    t_prev: S::Elem,
    y_prev: S,
    poly: Polynomial<S::Elem>,
    poly_ready: bool,
    watch: Option<Watch<S>>,
    smooth: bool,
    /// A step stands that the integrator has not been told of.
    pub(super) arrived: bool,
    /// The caller has changed the state.
    touched: bool,
    done: bool,
    /// Steps rejected because their equations could not be solved.
    unsolved: u64,
}

impl<S: State, V, I> fmt::Debug for Stepper<'_, '_, V, I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepper")
            .field("t", &self.t)
            .field("t1", &self.t1)
            .field("h", &self.h)
            .field("stats", &self.stats)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl<'f, 'a, S: State, V: VectorField<S>, I: Integrator<S>> Stepper<'f, 'a, V, I, S> {
    /// A run from `y0` (checked by the flow) over `[t0, t1]`, with its first step size chosen.
    pub(super) fn begin(
        flow: &'f mut Flow<'a, V, I, S>,
        (t0, t1): (S::Elem, S::Elem),
        y0: S,
    ) -> (Self, Result<()>) {
        let y_prev = y0.clone();
        let zero = S::Elem::of(0.0);
        let mut run = Stepper {
            flow,
            t0,
            t1,
            t: t0,
            y: y0,
            stats: Stats::default(),
            log: Vec::new(),
            changed: false,
            h: zero,
            worst: 0,
            t_prev: t0,
            y_prev,
            poly: Polynomial::default(),
            poly_ready: false,
            watch: None,
            smooth: true,
            arrived: false,
            touched: false,
            done: t0 == t1,
            unsolved: 0,
        };
        let outcome = run.set_up();
        (run, outcome)
    }

    fn set_up(&mut self) -> Result<()> {
        self.flow.check_run(self.t0, self.t1, &self.y)?;
        self.flow.check_noise(self.flow.fixed_step.is_none())?;
        let flow = &mut *self.flow;
        flow.integrator.aim(&flow.tol);
        flow.integrator.init(&self.y)?;
        flow.controller.restart();
        // Fixed steps in place that follow prepare the integrator anew.
        flow.forget();
        if !flow.events.is_empty() {
            self.watch = Some(Watch::start(&mut flow.events, self.t, &self.y)?);
        }
        if !self.done {
            self.flow.field.redraw();
            self.h = self.first_step()?;
            self.check_start()?;
        }
        Ok(())
    }

    /// With algebraic equations, not every state is one.
    fn check_start(&mut self) -> Result<()> {
        let flow = &mut *self.flow;
        if flow.field.mass().is_none() {
            return Ok(());
        }
        let field = &mut Counted { field: &mut flow.field, evals: &mut self.stats.evals };
        check_start(field, self.t, &self.y, &flow.tol)
    }

    fn first_step(&mut self) -> Result<S::Elem> {
        let direction = (self.t1 - self.t0).signum();
        let flow = &mut *self.flow;
        if let Some(h) = flow.fixed_step.or(flow.first_step) {
            return Ok(h.abs() * direction);
        }
        let order = flow.integrator.error_order().unwrap_or(1);
        let span = (self.t1 - self.t0).abs();
        let reach = (direction, flow.max_step.map_or(span, |most| most.min(span)));
        let mut slope = self.y.clone();
        let mut scratch = self.y.clone();
        let field = &mut Counted { field: &mut flow.field, evals: &mut self.stats.evals };
        field.eval(self.t, &self.y, &mut slope);
        if let Some(component) = first_not_finite(slope.as_slice()) {
            return Err(Error::FieldNotFinite { t: self.t.f64(), h: 0.0, component });
        }
        let start = (self.t, &self.y, &slope);
        let h = initial_step(field, start, reach, order, &flow.tol, (&mut self.y_prev, &mut scratch));
        flow.integrator.prime(&slope);
        Ok(h)
    }

    /// Takes one step that stands; false (and no step) at the end of the run.
    ///
    /// # Errors
    /// The field not finite, the step size underflowing, the step budget used up, an event function that is
    /// NaN, the observer's stop. The state is then the last good one, and a further call tries again.
    pub fn advance(&mut self) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        if std::mem::take(&mut self.arrived) {
            let jumped = self.flow.field.redraw();
            self.flow.integrator.accept(self.smooth && !jumped);
        } else if !self.smooth {
            self.flow.integrator.accept(false);
        }
        if std::mem::take(&mut self.touched) {
            self.watch_anew()?;
        }
        (self.smooth, self.changed, self.poly_ready) = (true, false, false);
        std::mem::swap(&mut self.y, &mut self.y_prev);
        self.t_prev = self.t;
        match self.attempt() {
            Ok((t, h)) => {
                let found = self.log.len();
                if let Err(e) = self.arrive(t, h) {
                    self.take_back(found);
                    return Err(e);
                }
            }
            Err(e) => {
                std::mem::swap(&mut self.y, &mut self.y_prev);
                return Err(e);
            }
        }
        self.report()?;
        Ok(true)
    }

    /// Undoes a step that was booked before its events turned out to be unusable.
    #[cold]
    fn take_back(&mut self, found: usize) {
        std::mem::swap(&mut self.y, &mut self.y_prev);
        self.t = self.t_prev;
        self.stats.accepted -= 1;
        (self.arrived, self.done) = (false, false);
        self.log.truncate(found);
    }

    /// Watches for events from a state that the caller has changed.
    #[cold]
    fn watch_anew(&mut self) -> Result<()> {
        self.flow.controller.restart();
        if self.watch.is_some() {
            self.watch = Some(Watch::start(&mut self.flow.events, self.t, &self.y)?);
        }
        Ok(())
    }

    /// Tries steps from `y_prev` until one stands; gives the time reached and the next step's size.
    #[inline(always)]
    fn attempt(&mut self) -> Result<(S::Elem, S::Elem)> {
        loop {
            let steps = self.stats.accepted + self.stats.rejected;
            if steps >= self.flow.max_steps && self.flow.fixed_step.is_none() {
                return Err(self.too_many_steps());
            }
            let (t, h) = self.clipped();
            self.h = h;
            if h == S::Elem::of(0.0) {
                return Err(self.underflow());
            }
            let flow = &mut *self.flow;
            let field = &mut Counted { field: &mut flow.field, evals: &mut self.stats.evals };
            flow.integrator.step(field, self.t, h, &self.y_prev, &mut self.y)?;
            if let Some(fixed) = flow.fixed_step {
                self.check_fixed(h)?;
                return Ok((t, fixed.abs() * h.signum()));
            }
            let err = flow.integrator.error_norm(&flow.tol, h, &self.y_prev, &self.y);
            let Some(err) = err else {
                return Err(Error::NoErrorEstimate { method: flow.integrator.name() });
            };
            let order = flow.integrator.error_order().unwrap_or(1);
            let own = flow.integrator.judge(&flow.tol, h, err, (&self.y_prev, &self.y));
            let verdict = own.unwrap_or_else(|| flow.controller.judge(h, err, order));
            if verdict.accept {
                return Ok((t, verdict.h));
            }
            self.reject(err, verdict.h)?;
        }
    }

    /// Where the proposed step leads, and its size: no longer than allowed; to the end of the run if less than 1 % would remain.
    #[inline(always)]
    fn clipped(&self) -> (S::Elem, S::Elem) {
        let (mut h, mut reach) = (self.h, self.h.abs() * S::Elem::of(1.01));
        if let Some(most) = self.flow.max_step {
            h = h.abs().min(most) * h.signum();
            reach = reach.min(most);
        }
        let left = self.t1 - self.t;
        if left.abs() <= reach {
            return (self.t1, left);
        }
        // The step that the rounded time really takes: state and clock move by the same amount.
        let t = self.t + h;
        (t, t - self.t)
    }

    #[cold]
    fn reject(&mut self, err: S::Elem, h: S::Elem) -> Result<()> {
        self.stats.rejected += 1;
        self.unsolved += u64::from(!err.is_finite());
        if self.in_trouble() {
            self.wrong_jacobian().map_or(Ok(()), Err)?;
        }
        let least = S::Elem::EPS * S::Elem::of(4.0) * self.t.abs() + S::Elem::min_positive_value();
        if h.abs() > least {
            self.h = h;
            return Ok(());
        }
        let flow = &*self.flow;
        self.worst = flow.integrator.worst_component(&flow.tol, self.h, &self.y_prev, &self.y);
        let reason = flow.integrator.explain(self.t, self.h, None);
        if let Some(reason) = self.wrong_jacobian().or(reason) {
            return Err(reason);
        }
        let (t, h, component) = (self.t.f64(), self.h.f64(), self.worst);
        Err(if err.is_finite() {
            Error::StepUnderflow { t, h, component }
        } else {
            Error::FieldNotFinite { t, h, component }
        })
    }

    #[cold]
    fn underflow(&mut self) -> Error {
        let flow = &*self.flow;
        self.worst = flow.integrator.worst_component(&flow.tol, self.h, &self.y, &self.y_prev);
        Error::StepUnderflow { t: self.t.f64(), h: self.h.f64(), component: self.worst }
    }

    #[cold]
    fn too_many_steps(&mut self) -> Error {
        let flow = &*self.flow;
        self.worst = flow.integrator.worst_component(&flow.tol, self.h, &self.y, &self.y_prev);
        let steps = self.stats.accepted + self.stats.rejected;
        let reason = flow.integrator.explain(self.t, self.h, Some(steps));
        if let Some(reason) = reason.or_else(|| self.wrong_jacobian()).or_else(|| self.stiff(steps)) {
            return reason;
        }
        Error::TooManySteps {
            steps,
            t: self.t.f64(),
            t1: self.t1.f64(),
            h: self.h.f64(),
            component: self.worst,
        }
    }

    /// So many steps fail that it pays to look for a reason; true seldom, at every doubling of their number.
    fn in_trouble(&self) -> bool {
        let Stats { accepted, rejected, .. } = self.stats;
        let often = |count: u64, least: u64, share: u64| {
            count >= least && count.is_power_of_two() && count * share > accepted
        };
        often(self.unsolved, 8, 20) || often(rejected, 16, 2)
    }

    /// A Jacobian of the user's that is to blame for a step's failures.
    #[cold]
    fn wrong_jacobian(&mut self) -> Option<Error> {
        let flow = &mut *self.flow;
        if flow.integrator.work().jacobians == 0 {
            return None;
        }
        let mut reach = self.y_prev.clone();
        for (i, reach) in reach.as_mut_slice().iter_mut().enumerate() {
            let y = *reach;
            *reach = (S::Elem::EPS.cbrt() * y.abs()).max(flow.tol.weight(i, y, y));
        }
        let field = &mut Counted { field: &mut flow.field, evals: &mut self.stats.evals };
        wrong_entry(field, self.t, &self.y_prev, &reach)
    }

    /// Whether it is stability that holds the steps of an explicit method down.
    #[cold]
    fn stiff(&mut self, steps: u64) -> Option<Error> {
        let flow = &mut *self.flow;
        let (method, bound) = (flow.integrator.name(), flow.integrator.stability_bound()?);
        let field = &mut Counted { field: &mut flow.field, evals: &mut self.stats.evals };
        let (t, h) = (self.t.f64(), self.h.f64());
        let fastest = fastest_rate(field, self.t, &self.y_prev).f64() * h.abs();
        (fastest > 0.7 * bound).then_some(Error::Stiff { method, steps, t, h, fastest, bound })
    }

    fn check_fixed(&mut self, h: S::Elem) -> Result<()> {
        let Some(component) = first_not_finite(self.y.as_slice()) else { return Ok(()) };
        self.worst = component;
        Err(Error::Diverged { step: self.stats.accepted, t: self.t.f64(), h: h.f64(), component })
    }

    /// Books the step to `t`, and cuts it at an event that ends the run or changes the state.
    #[inline(always)]
    fn arrive(&mut self, t: S::Elem, h_next: S::Elem) -> Result<()> {
        self.stats.accepted += 1;
        self.arrived = true;
        self.t = t;
        let h = std::mem::replace(&mut self.h, h_next);
        if self.watch.is_some() {
            self.watch_step(h)?;
        }
        self.done |= self.t == self.t1;
        Ok(())
    }

    fn watch_step(&mut self, h: S::Elem) -> Result<()> {
        self.fill_poly_over(h)?;
        let Some(watch) = &mut self.watch else { return Ok(()) };
        let events = &mut self.flow.events;
        let Outcome::Cut { theta, terminal } = watch.search(events, &self.poly, &self.y, &mut self.log)?
        else {
            return Ok(());
        };
        self.t = self.t_prev + theta * h;
        self.poly.value(theta, self.y.as_mut_slice());
        if terminal {
            self.done = true;
            return Ok(());
        }
        watch.change(events, theta, &self.poly, self.t, &mut self.y)?;
        if let Some(component) = first_not_finite(self.y.as_slice()) {
            return Err(Error::Diverged {
                step: self.stats.accepted,
                t: self.t.f64(),
                h: h.f64(),
                component,
            });
        }
        (self.smooth, self.changed) = (false, true);
        self.flow.controller.restart();
        Ok(())
    }

    #[inline(always)]
    fn report(&mut self) -> Result<()> {
        let Some(observer) = &mut self.flow.observer else { return Ok(()) };
        let progress = Progress { step: self.stats.accepted, t: self.t, h: self.h, y: &self.y };
        match observer(&progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped { t: self.t.f64(), steps: self.stats.accepted }),
        }
    }

    /// The last step's polynomial.
    pub(super) fn polynomial(&mut self) -> Result<&Polynomial<S::Elem>> {
        if !self.poly_ready {
            // No event has cut the step, or the polynomial would be there.
            self.fill_poly_over(self.t - self.t_prev)?;
        }
        Ok(&self.poly)
    }

    fn fill_poly_over(&mut self, h: S::Elem) -> Result<()> {
        let flow = &mut *self.flow;
        let field = &mut Counted { field: &mut flow.field, evals: &mut self.stats.evals };
        flow.integrator.dense(field, self.t_prev, h, &self.y_prev, &self.y, &mut self.poly)?;
        self.poly_ready = true;
        Ok(())
    }

    /// Work counts so far.
    pub fn stats(&self) -> Stats {
        self.stats.with(self.flow.integrator.work())
    }

    /// Writes the state at a time `t` inside the last step.
    ///
    /// # Errors
    /// [`Error::OutsideSpan`], or a method without values inside its steps.
    pub fn interpolate(&mut self, t: S::Elem, y: &mut S) -> Result<()> {
        let (a, b) = (self.t_prev, self.t);
        let inside = t >= a.min(b) && t <= a.max(b) && a != b;
        if !inside {
            return Err(Error::OutsideSpan { t: t.f64(), t0: a.f64(), t1: b.f64() });
        }
        if !y.same_shape(&self.y) {
            Error::shape("the state to write", &self.y.shape(), &y.shape())?;
        }
        y.standardise();
        let poly = self.polynomial()?;
        poly.value((t - poly.t) / poly.h, y.as_mut_slice());
        Ok(())
    }
}

impl<S: State, V, I> Stepper<'_, '_, V, I, S> {
    /// The time reached.
    pub fn t(&self) -> S::Elem {
        self.t
    }

    /// The state at that time.
    pub fn y(&self) -> &S {
        &self.y
    }

    /// The state, to be changed by the caller; the next step then evaluates the field anew.
    pub fn y_mut(&mut self) -> &mut S {
        (self.smooth, self.touched) = (false, true);
        &mut self.y
    }

    /// The field, to be asked between steps.
    pub fn field_mut(&mut self) -> &mut V {
        &mut self.flow.field
    }

    /// The events that have happened.
    pub fn events(&self) -> &[Occurrence<S>] {
        &self.log
    }
}

impl<S: State, V: VectorField<S>, I: Integrator<S>> Iterator for Stepper<'_, '_, V, I, S> {
    type Item = Result<(S::Elem, S)>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(true) => Some(Ok((self.t, self.y.clone()))),
            Ok(false) => None,
            Err(e) => {
                self.done = true;
                Some(Err(e))
            }
        }
    }
}
