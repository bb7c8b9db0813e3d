//! The exact reverse of the steps that were taken.

use ndarray::Array1;

use super::Parametric;
use super::checkpoints::Checkpoints;
use super::event;
use super::pull::{PullWork, Reversible, dot};
use super::reverse::Sweep;
use super::run::Run;
use crate::{Error, Flow, Real, Result, State};

/// A loss with its derivatives.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Gradient<S: State> {
    /// The loss.
    pub loss: S::Elem,
    /// With respect to the initial state.
    pub y0: S,
    /// With respect to the parameters.
    pub theta: Array1<S::Elem>,
    /// With respect to the start of the run, all else held fixed.
    pub t0: S::Elem,
    /// With respect to the last time (the end of the run), where the loss looks at the state then.
    pub t1: S::Elem,
    /// The work it took.
    pub stats: AdjointStats,
}

/// The work of an adjoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdjointStats {
    /// Steps of the run.
    pub steps: u64,
    /// Steps that were taken again because their start had not been kept.
    pub repeated: u64,
    /// States that were kept at a time, at most.
    pub stored: u64,
    /// Evaluations whose records were kept from the forward run on, so that they were not repeated.
    pub recorded: u64,
    /// Evaluations of the field, forward and in reverse.
    pub evals: u64,
    /// Pull-backs of the field.
    pub pulls: u64,
}

/// The discrete adjoint: the gradient of what the integrator computed, by the exact reverse of its steps.
///
/// The steps' sizes are held fixed (a controller is not differentiated). The run's steps end at each of the loss' times.
/// States are kept as [`Checkpoints`] say, beside which there is one cotangent for each of the loss' times and the workspace
/// of one step. With [`Checkpoints::All`], a field that can (a [`NeuralField`](super::NeuralField)) also records the stages of an
/// explicit method as they are evaluated, as far as they go into [`records`](Self::records): the way back then evaluates
/// nothing again. The derivatives with respect to `t0` and `t1` are those of the solution: the field at the ends.
///
/// Explicit Runge–Kutta and Rosenbrock methods. The latter's matrix is part of the map that is reversed, which takes second
/// derivatives of the field: exact ones of a [`Formula`](crate::Formula) and of a network.
///
/// ```
/// use flowfield::sensitivity::DiscreteAdjoint;
/// use flowfield::{Differentiable, Flow, Formula, Number, integrate::Tsit5};
/// struct Decay;
/// impl Formula for Decay {
///     fn eval<T: Number>(&self, _t: T, y: &[T], p: &[T], dy: &mut [T]) { dy[0] = -p[0] * y[0]; }
/// }
/// // L = y(2), y = e^(-p t): dL/dp = -2 e^(-2p).
/// let mut flow = Flow::new(Differentiable::new(Decay).parameters(&[0.7]), Tsit5::new()).tol(1e-10);
/// let loss = |_k: usize, _t: f64, y: &[f64; 1], ybar: &mut [f64; 1]| { ybar[0] = 1.0; y[0] };
/// let g = DiscreteAdjoint::new().gradient(&mut flow, 0.0, &[2.0], &[1.0], loss)?;
/// assert!((g.theta[0] + 2.0 * (-1.4_f64).exp()).abs() < 1e-8);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct DiscreteAdjoint<S: State> {
    checkpoints: Checkpoints,
    records: usize,
    run: Run<S>,
    work: PullWork<S>,
    spare: Vec<S>,
}

impl<S: State> Default for DiscreteAdjoint<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes of records unless set: a hundred small networks' evaluations, and no burden on any machine.
const RECORDS: usize = 64 << 20;

impl<S: State> DiscreteAdjoint<S> {
    /// The adjoint that keeps all states.
    pub fn new() -> Self {
        DiscreteAdjoint {
            checkpoints: Checkpoints::All,
            records: RECORDS,
            run: Run::default(),
            work: PullWork::default(),
            spare: Vec::new(),
        }
    }

    /// Which states are kept.
    #[must_use]
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = checkpoints;
        self
    }

    /// How many bytes of records of the field's evaluations may be kept beside all states (64 MiB unless set; 0: none).
    #[must_use]
    pub fn records(mut self, bytes: usize) -> Self {
        self.records = bytes;
        self
    }

    /// The gradient of `Σₖ loss(k, tₖ, y(tₖ), ybar)` over the given times, in the direction of integration from `t0`.
    ///
    /// `loss` returns its value and writes its derivative to `ybar`, which is zero on entry. It is called once for each
    /// time, in order; a single time is a loss of the final state.
    ///
    /// # Errors
    /// What the solve refuses; no times; too little memory for one state; an event that ends the run before the last time
    /// or changes the state; a mass matrix.
    pub fn gradient<V, I, L>(
        &mut self,
        flow: &mut Flow<'_, V, I, S>,
        t0: S::Elem,
        times: &[S::Elem],
        y0: &S,
        mut loss: L,
    ) -> Result<Gradient<S>>
    where
        V: Parametric<S>,
        I: Reversible<S>,
        L: FnMut(usize, S::Elem, &S, &mut S) -> S::Elem,
    {
        if flow.watches().1 {
            return Err(event::changes_state());
        }
        let Some(&last) = times.last() else { return Err(Error::Empty { what: "the list of times" }) };
        check_times(t0, last, times)?;
        self.start(flow, y0)?;
        let first = flow.first_step_size();
        let value = self.run.losses(flow, t0, times, y0, &mut loss);
        flow.replace_first_step(first);
        self.reverse(flow, t0, y0, value?)
    }

    /// The gradient of `loss(t, y, ybar)` at the first event that ends the run, by the implicit function theorem: with the
    /// event's function `g`,
    ///
    /// ```text
    /// λ = L_y - (L_t + <L_y, f>) / (g_t + <g_y, f>) · g_y
    /// ```
    ///
    /// is what the run is pulled back from. `loss` returns its value and its derivative with respect to the time. The
    /// derivatives of `g` are central differences.
    ///
    /// # Errors
    /// As [`gradient`](Self::gradient); no terminal event until `t1`; an event that the solution only touches.
    pub fn gradient_at_event<V, I, L>(
        &mut self,
        flow: &mut Flow<'_, V, I, S>,
        (t0, t1): (S::Elem, S::Elem),
        y0: &S,
        mut loss: L,
    ) -> Result<Gradient<S>>
    where
        V: Parametric<S>,
        I: Reversible<S>,
        L: FnMut(S::Elem, &S, &mut S) -> (S::Elem, S::Elem),
    {
        let missed = || Error::EventNotReached { t1: t1.f64() };
        match flow.watches() {
            (_, true) => return Err(event::changes_state()),
            (false, _) => return Err(missed()),
            _ => {}
        }
        self.start(flow, y0)?;
        let first = flow.first_step_size();
        let fired = self.run.segment(flow, (t0, t1), y0);
        flow.replace_first_step(first);
        let crossing = fired?.ok_or_else(missed)?;
        let end = self.run.end.take().ok_or_else(missed)?;
        let mut cotangent = y0.clone();
        cotangent.as_mut_slice().fill(S::Elem::of(0.0));
        let (value, in_time) = loss(crossing.t, &end, &mut cotangent);
        event::saltation(flow, &crossing, &end, in_time, &mut cotangent)?;
        self.run.end = Some(end);
        self.run.look_at(cotangent);
        let mut gradient = self.reverse(flow, t0, y0, value)?;
        // The end is where the event is.
        gradient.t1 = S::Elem::of(0.0);
        Ok(gradient)
    }

    /// Forgets the last run.
    fn start<V, I>(&mut self, flow: &mut Flow<'_, V, I, S>, y0: &S) -> Result<()>
    where
        V: Parametric<S>,
        I: Reversible<S>,
    {
        let field = flow.parts().0;
        if field.mass().is_some() {
            return Err(Error::Unsupported {
                what: "a discrete adjoint",
                with: "a mass matrix",
                instead: "take ForwardSensitivity, or write the equations without it",
            });
        }
        (self.work.evals, self.work.pulls) = (0, 0);
        self.run.clear(self.checkpoints, y0)?;
        let plain = flow.watches() == (false, false) && self.checkpoints == Checkpoints::All;
        if let (true, Some(stages)) = (plain, I::stages()) {
            self.run.records.open(flow.parts().0, y0, stages, self.records);
        }
        Ok(())
    }

    /// The sweep back over all steps.
    fn reverse<V, I>(
        &mut self,
        flow: &mut Flow<'_, V, I, S>,
        t0: S::Elem,
        y0: &S,
        loss: S::Elem,
    ) -> Result<Gradient<S>>
    where
        V: Parametric<S>,
        I: Reversible<S>,
    {
        let n = self.run.steps.len();
        let mut bar = y0.clone();
        bar.standardise();
        bar.as_mut_slice().fill(S::Elem::of(0.0));
        self.run.take_losses(n, &mut bar);
        let (field, integrator) = flow.parts();
        let mut theta = Array1::zeros(field.params().len());
        let mut slope = bar.clone();
        let mut t1 = S::Elem::of(0.0);
        if n > 0 {
            self.run.slope_at_end(field, &mut slope);
            t1 = dot(&bar, &slope);
        }
        self.work.free = self.run.records.used();
        let (run, work, spare) = (&mut self.run, &mut self.work, &mut self.spare);
        let theta_bar = theta.as_slice_mut().unwrap_or_default();
        let mut sweep = Sweep { run, work, spare, field, integrator, theta_bar, repeated: 0 };
        sweep.all(n, &mut bar)?;
        let repeated = sweep.repeated;
        self.run.slope_at_start(field, (t0, y0), &mut slope);
        let stats = AdjointStats {
            steps: n as u64,
            repeated,
            stored: self.run.most as u64,
            recorded: self.run.records.used() as u64,
            evals: self.run.evals + self.work.evals,
            pulls: self.work.pulls,
        };
        Ok(Gradient { loss, t0: -dot(&bar, &slope), t1, y0: bar, theta, stats })
    }
}

/// The times must go in one direction, away from `t0`.
pub(super) fn check_times<F: Real>(t0: F, last: F, times: &[F]) -> Result<()> {
    let mut before = t0;
    for (index, &t) in times.iter().enumerate() {
        let good = if last >= t0 { t >= before } else { t <= before };
        if !good {
            return Err(Error::OutputTime { index, t: t.f64(), t0: t0.f64(), t1: last.f64() });
        }
        before = t;
    }
    Ok(())
}
