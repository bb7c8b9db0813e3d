//! A flow is a vector field plus an integrator.

use std::fmt;
use std::ops::ControlFlow;

use num_traits::Float as _;

use super::event::Event;
use super::record::{Record, Save};
use super::stepper::Stepper;
use crate::field::Counted;
use crate::integrate::control::Pi;
use crate::integrate::{Controller, Integrator, PerComponent, Tolerance};
use crate::state::first_not_finite;
use crate::{Error, Failure, Real, Result, Solution, State, Stats, VectorField};

/// What an observer sees after each step.
#[derive(Debug)]
#[non_exhaustive]
pub struct Progress<'s, S: State> {
    /// Steps taken: in this run ([`Flow::solve`]) or in all runs ([`Flow::steps`]).
    pub step: u64,
    /// The time reached.
    pub t: S::Elem,
    /// The step size: the next one in adaptive runs, the one just taken in fixed steps.
    pub h: S::Elem,
    /// The state.
    pub y: &'s S,
}

type Observer<'a, S> = Box<dyn FnMut(&Progress<'_, S>) -> ControlFlow<()> + 'a>;

/// **A flow is a vector field plus an integrator**: what moves a state in time.
///
/// * [`solve`](Flow::solve) follows `dy/dt = f(t, y)` from `t0` to `t1` with steps of its own choosing.
/// * [`steps`](Flow::steps) takes fixed steps in place: sampling, particle flows, training.
/// * [`stepper`](Flow::stepper) hands out the adaptive steps one by one.
///
/// ```
/// use flowfield::{Flow, field, integrate::Tsit5};
/// let oscillator = field(|_t, y: &[f64; 2], dy| { dy[0] = y[1]; dy[1] = -y[0]; });
/// let sol = Flow::new(oscillator, Tsit5::new()).tol(1e-9).solve(0.0, std::f64::consts::TAU, [1.0, 0.0])?;
/// assert!((sol.y_end()[0] - 1.0).abs() < 1e-7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Flow<'a, V, I, S: State> {
    pub(super) field: V,
    pub(super) integrator: I,
    pub(super) tol: Tolerance<S::Elem>,
    pub(super) controller: Box<dyn Controller<S::Elem> + 'a>,
    pub(super) events: Vec<Event<'a, S>>,
    pub(super) observer: Option<Observer<'a, S>>,
    pub(super) save: Save<S::Elem>,
    pub(super) dense: bool,
    pub(super) max_step: Option<S::Elem>,
    pub(super) first_step: Option<S::Elem>,
    pub(super) fixed_step: Option<S::Elem>,
    pub(super) max_steps: u64,
    clock: Clock<S>,
}

/// Where [`Flow::steps`] has got to.
struct Clock<S> {
    t: f64,
    steps: u64,
    stats: Stats,
    /// The other state of the double buffer; there once the integrator has been prepared.
    next: Option<S>,
}

impl<S: State, V: fmt::Debug, I: fmt::Debug> fmt::Debug for Flow<'_, V, I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("field", &self.field)
            .field("integrator", &self.integrator)
            .field("tol", &self.tol)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl<'a, S: State, V: VectorField<S>, I: Integrator<S>> Flow<'a, V, I, S> {
    /// The flow of `field` as `integrator` steps it.
    pub fn new(field: V, integrator: I) -> Self {
        Flow {
            field,
            integrator,
            tol: Tolerance::default(),
            controller: Box::new(Pi::default()),
            events: Vec::new(),
            observer: None,
            save: Save::EveryStep,
            dense: false,
            max_step: None,
            first_step: None,
            fixed_step: None,
            max_steps: 1_000_000,
            clock: Clock { t: 0.0, steps: 0, stats: Stats::default(), next: None },
        }
    }

    /// Relative tolerance: one number, or one for each component (default 1e-6; 1e-4 for `f32`).
    #[must_use]
    pub fn rtol(mut self, rtol: impl Into<PerComponent<S::Elem>>) -> Self {
        self.tol.rtol = rtol.into();
        self
    }

    /// Absolute tolerance: one number, or one for each component (default 1e-9; 1e-6 for `f32`).
    #[must_use]
    pub fn atol(mut self, atol: impl Into<PerComponent<S::Elem>>) -> Self {
        self.tol.atol = atol.into();
        self
    }

    /// Relative and absolute tolerance alike.
    #[must_use]
    pub fn tol(self, tol: impl Into<PerComponent<S::Elem>>) -> Self {
        let tol = tol.into();
        self.rtol(tol.clone()).atol(tol)
    }

    /// Another step-size controller, or a learning-rate schedule (default
    /// [`Pi`](crate::integrate::control::Pi)).
    #[must_use]
    pub fn controller(mut self, controller: impl Controller<S::Elem> + 'a) -> Self {
        self.controller = Box::new(controller);
        self
    }

    /// The largest step size of an adaptive run.
    #[must_use]
    pub fn max_step(mut self, h: S::Elem) -> Self {
        self.max_step = Some(h);
        self
    }

    /// The first step size of an adaptive run, instead of an automatic choice.
    #[must_use]
    pub fn first_step(mut self, h: S::Elem) -> Self {
        self.first_step = Some(h);
        self
    }

    /// Makes [`solve`](Self::solve) take steps of this size, without error control.
    #[must_use]
    pub fn fixed_step(mut self, h: S::Elem) -> Self {
        self.fixed_step = Some(h);
        self
    }

    /// Most steps, rejected ones included, that an adaptive run may take (default one million).
    #[must_use]
    pub fn max_steps(mut self, n: u64) -> Self {
        self.max_steps = n;
        self
    }

    /// Watches for an event; may be called several times.
    #[must_use]
    pub fn event(mut self, event: Event<'a, S>) -> Self {
        self.events.push(event);
        self
    }

    /// Calls `observer` after every step; `ControlFlow::Break(())` stops the run with [`Error::Stopped`].
    #[must_use]
    pub fn on_step<O>(mut self, observer: O) -> Self
    where
        O: FnMut(&Progress<'_, S>) -> ControlFlow<()> + 'a,
    {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Saves the states at these times, which the steps do not depend on.
    #[must_use]
    pub fn save_at(mut self, times: &[S::Elem]) -> Self {
        self.save = Save::At(times.to_vec());
        self
    }

    /// Saves the state after every step (the default).
    #[must_use]
    pub fn save_every_step(mut self) -> Self {
        self.save = Save::EveryStep;
        self
    }

    /// Saves the last state only.
    #[must_use]
    pub fn save_last(mut self) -> Self {
        self.save = Save::Last;
        self
    }

    /// Keeps the steps' interpolants, for [`Solution::at`].
    #[must_use]
    pub fn dense(mut self) -> Self {
        self.dense = true;
        self
    }

    /// Sets the clock of [`steps`](Self::steps) (it starts at 0).
    #[must_use]
    pub fn start_at(mut self, t: S::Elem) -> Self {
        self.clock.t = t.f64();
        self
    }

    /// Follows `dy/dt = f(t, y)` from `y0` at `t0` to `t1`, forward or (`t1 < t0`) backward in time.
    ///
    /// # Errors
    /// What went wrong, with time, step size, state, worst component, and everything computed until then.
    pub fn solve(&mut self, t0: S::Elem, t1: S::Elem, mut y0: S) -> Result<Solution<S>, Box<Failure<S>>> {
        y0.standardise();
        let (mut run, ready) = Stepper::begin(self, (t0, t1), y0);
        let mut record = Record::new(&run);
        let error = match ready {
            Ok(()) => loop {
                match run.advance() {
                    Ok(true) => {}
                    Ok(false) => return Ok(record.finish(run)),
                    Err(e) => {
                        // A step that stands is kept, also where the observer stopped the run after it.
                        if run.arrived {
                            let _ = record.step(&mut run);
                        }
                        break e;
                    }
                }
                if let Err(e) = record.step(&mut run) {
                    break e;
                }
            },
            Err(e) => e,
        };
        let (t, h, worst, y) = (run.t, run.h, run.worst, run.y.clone());
        Err(Box::new(Failure { error, t, h, y, worst, partial: record.finish(run) }))
    }

    /// A run in the caller's hands, step by step.
    ///
    /// # Errors
    /// Bad input, as [`solve`](Self::solve).
    pub fn stepper(&mut self, t0: S::Elem, t1: S::Elem, mut y0: S) -> Result<Stepper<'_, 'a, V, I, S>> {
        y0.standardise();
        let (run, outcome) = Stepper::begin(self, (t0, t1), y0);
        outcome.map(|()| run)
    }

    /// Takes `n` fixed steps of size `h` (negative: backward), in place. The clock goes on from call to call,
    /// and so does whatever the integrator remembers (momentum, moments).
    ///
    /// # Errors
    /// Bad input; [`Error::Diverged`] with the last finite state kept in `y`.
    pub fn steps(&mut self, n: usize, h: S::Elem, y: &mut S) -> Result<()> {
        self.enter(h, y)?;
        for i in 0..n {
            let jumped = self.field.redraw();
            // Before the first step of a call: the caller may have changed y since the last.
            self.integrator.accept(i > 0 && !jumped);
            self.one_step(h, y)?;
        }
        Ok(())
    }

    /// Takes one fixed step of size `h`, in place.
    ///
    /// # Errors
    /// As [`steps`](Self::steps).
    pub fn step(&mut self, h: S::Elem, y: &mut S) -> Result<()> {
        self.steps(1, h, y)
    }

    #[inline(always)]
    fn one_step(&mut self, h: S::Elem, y: &mut S) -> Result<()> {
        let t = S::Elem::of(self.clock.t);
        let clock = &mut self.clock;
        let Some(next) = &mut clock.next else { return Ok(()) };
        let h = self.controller.plan(clock.steps, h);
        let field = &mut Counted { field: &mut self.field, evals: &mut clock.stats.evals };
        self.integrator.step(field, t, h, y, next)?;
        let seen = self.integrator.wrote_finite();
        if !seen && let Some(component) = first_not_finite(next.as_slice()) {
            // What the integrator remembers may be spoilt: the next call prepares it anew.
            clock.next = None;
            return Err(Error::Diverged { step: clock.steps, t: t.f64(), h: h.f64(), component });
        }
        std::mem::swap(y, next);
        clock.t += h.f64();
        clock.steps += 1;
        clock.stats.accepted += 1;
        let Some(observer) = &mut self.observer else { return Ok(()) };
        match observer(&Progress { step: clock.steps, t: S::Elem::of(clock.t), h, y }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped { t: clock.t, steps: clock.steps }),
        }
    }

    fn enter(&mut self, h: S::Elem, y: &mut S) -> Result<()> {
        y.standardise();
        Error::setting(h.is_finite(), "h", h.f64(), "a step size must be finite")?;
        if !self.events.is_empty() {
            return Err(Error::Unsupported {
                what: "an event",
                with: "fixed steps in place",
                instead: "call .fixed_step(h).solve(t0, t1, y0)",
            });
        }
        check_state(y)?;
        self.check_mass()?;
        self.field.check(y)?;
        self.check_noise(false)?;
        if !self.clock.next.as_ref().is_some_and(|next| next.same_shape(y)) {
            self.integrator.init(y)?;
            self.clock.next = Some(y.clone());
        }
        Ok(())
    }

    pub(super) fn check_run(&self, t0: S::Elem, t1: S::Elem, y0: &S) -> Result<()> {
        for (what, t) in [("t0", t0), ("t1", t1)] {
            Error::setting(t.is_finite(), what, t.f64(), "a time must be finite")?;
        }
        let steps =
            [("max_step", self.max_step), ("first_step", self.first_step), ("fixed_step", self.fixed_step)];
        for (what, h) in steps.into_iter().filter_map(|(what, h)| Some((what, h?))) {
            let good = h > S::Elem::of(0.0) && !h.is_nan();
            Error::setting(good, what, h.f64(), "it must be positive; the direction follows from t0 and t1")?;
        }
        check_state(y0)?;
        let method = self.integrator.name();
        if self.integrator.order().is_none() {
            return Err(Error::NotConsistent { method });
        }
        if self.fixed_step.is_none() && self.integrator.error_order().is_none() {
            return Err(Error::NoErrorEstimate { method });
        }
        self.check_mass()?;
        self.tol.check(y0.as_slice().len())?;
        self.save.check(t0, t1)?;
        self.field.check(y0)
    }

    /// Noise needs a method that follows it, and adaptive steps a path that does not depend on them.
    pub(super) fn check_noise(&mut self, adaptive: bool) -> Result<()> {
        let method = self.integrator.name();
        let takes = self.integrator.takes_noise();
        match self.field.noise() {
            None if takes => Err(Error::NoNoise { method }),
            Some(_) if !takes => Err(Error::Unsupported {
                what: method,
                with: "a field with noise, which it would leave out",
                instead: "take a stochastic method, such as EulerMaruyama",
            }),
            Some(noise) if adaptive && !noise.is_path() => Err(Error::Unsupported {
                what: "noise drawn step by step",
                with: "adaptive steps, whose rejections would choose among the draws",
                instead: "give the noise by .seed(n) instead of .fresh(n), or take fixed steps",
            }),
            _ => Ok(()),
        }
    }

    /// A method that took the field's value for the slope would solve something else.
    fn check_mass(&self) -> Result<()> {
        if self.field.mass().is_none() || self.integrator.takes_mass() {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: "a mass matrix",
            with: self.integrator.name(),
            instead: "take an implicit method that solves M dy/dt = f, such as Rodas5P, RadauIIA5 or Bdf",
        })
    }

    /// Work done by [`steps`](Self::steps) so far.
    pub fn stats(&self) -> Stats {
        self.clock.stats.with(self.integrator.work())
    }

    /// The clock of [`steps`](Self::steps): time, and steps taken.
    #[cfg(feature = "safetensors")]
    pub(crate) fn clock(&self) -> (f64, u64) {
        (self.clock.t, self.clock.steps)
    }

    /// Prepares for going on from `y` at this time.
    #[cfg(feature = "safetensors")]
    pub(crate) fn revive(&mut self, t: f64, steps: u64, y: &S) -> Result<()> {
        self.integrator.init(y)?;
        self.clock = Clock { t, steps, stats: Stats::default(), next: Some(y.clone()) };
        Ok(())
    }

    #[cfg(feature = "safetensors")]
    pub(crate) fn parts_mut(&mut self) -> (&mut V, &mut I) {
        (&mut self.field, &mut self.integrator)
    }

    /// Makes the next call of [`steps`](Self::steps) prepare the integrator anew.
    pub(super) fn forget(&mut self) {
        self.clock.next = None;
    }

    /// The time that [`steps`](Self::steps) has reached.
    pub fn t(&self) -> S::Elem {
        S::Elem::of(self.clock.t)
    }

    /// The field.
    pub fn field(&self) -> &V {
        &self.field
    }

    /// The field, to be changed between runs.
    pub fn field_mut(&mut self) -> &mut V {
        &mut self.field
    }

    /// The integrator.
    pub fn integrator(&self) -> &I {
        &self.integrator
    }
}

fn check_state<S: State>(y: &S) -> Result<()> {
    if y.as_slice().is_empty() {
        return Err(Error::Empty { what: "the state" });
    }
    match first_not_finite(y.as_slice()) {
        None => Ok(()),
        Some(row) => Err(Error::NotFinite { what: "the initial state", row, value: y.as_slice()[row].f64() }),
    }
}
