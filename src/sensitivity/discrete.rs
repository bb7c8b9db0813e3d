//! The exact reverse of the steps that were taken.

use ndarray::Array1;
use num_traits::Float as _;

use super::Parametric;
use super::checkpoints::{Checkpoints, advance};
use super::event::{self, Crossing};
use super::pull::{PullWork, Reversible, add, dot};
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
    /// Evaluations of the field, forward and in reverse.
    pub evals: u64,
    /// Pull-backs of the field.
    pub pulls: u64,
}

/// The discrete adjoint: the gradient of what the integrator computed, by the exact reverse of its steps.
///
/// The steps' sizes are held fixed (a controller is not differentiated). The run's steps end at each of the loss' times.
/// States are kept as [`Checkpoints`] say, beside which there is one cotangent for each of the loss' times and the workspace
/// of one step. The derivatives with respect to `t0` and `t1` are those of the solution: the field at the ends.
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
    run: Tape<S>,
    work: PullWork<S>,
}

/// What is known of the forward run.
#[derive(Debug)]
struct Tape<S: State> {
    /// Start and size of each step.
    steps: Vec<(S::Elem, S::Elem)>,
    /// Steps before each of the loss' times, and the loss' cotangents there.
    marks: Vec<usize>,
    cotangents: Vec<S>,
    /// Kept states by their steps; the first `kept` of them are in use.
    states: Vec<(usize, S)>,
    kept: usize,
    most: usize,
    end: Option<S>,
    evals: u64,
}

impl<S: State> Default for DiscreteAdjoint<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State> Tape<S> {
    fn keep(&mut self, step: usize, y: &S) {
        match self.states.get_mut(self.kept) {
            Some(slot) => {
                slot.0 = step;
                slot.1.clone_from(y);
            }
            None => self.states.push((step, y.clone())),
        }
        self.kept += 1;
        self.most = self.most.max(self.kept);
    }
}

impl<S: State> DiscreteAdjoint<S> {
    /// The adjoint that keeps all states.
    pub fn new() -> Self {
        let run = Tape {
            steps: Vec::new(),
            marks: Vec::new(),
            cotangents: Vec::new(),
            states: Vec::new(),
            kept: 0,
            most: 0,
            end: None,
            evals: 0,
        };
        DiscreteAdjoint { checkpoints: Checkpoints::All, run, work: PullWork::default() }
    }

    /// Which states are kept.
    #[must_use]
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = checkpoints;
        self
    }

    /// The gradient of `Σₖ loss(k, tₖ, y(tₖ), ybar)` over the given times, in the direction of integration from `t0`.
    ///
    /// `loss` returns its value and writes its derivative to `ybar`, which is zero on entry. It is called once for each
    /// time, in order; a single time is a loss of the final state.
    ///
    /// # Errors
    /// What the solve refuses; no times; too little memory for one state; an event that ends the run before the last time
    /// or changes the state.
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
        let value = self.forward(flow, t0, times, y0, &mut loss)?;
        let mut end = vec![S::Elem::of(0.0); flow.parts().0.params().len()];
        self.reverse(flow, t0, y0, &mut end, value)
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
        match flow.watches() {
            (_, true) => return Err(event::changes_state()),
            (false, _) => return Err(Error::EventNotReached { t1: t1.f64() }),
            _ => {}
        }
        self.clear();
        let slots = self.checkpoints.slots(bytes_of(y0))?;
        let first = flow.replace_first_step(None);
        flow.replace_first_step(first);
        let fired = self.segment(flow, (t0, t1), y0, slots);
        flow.replace_first_step(first);
        let fired = fired?;
        let Some(crossing) = fired else { return Err(Error::EventNotReached { t1: t1.f64() }) };
        let mut cotangent = y0.clone();
        cotangent.as_mut_slice().fill(S::Elem::of(0.0));
        let Some(end) = self.run.end.take() else { return Err(Error::EventNotReached { t1: t1.f64() }) };
        let (value, in_time) = loss(crossing.t, &end, &mut cotangent);
        event::saltation(flow, &crossing, &end, in_time, &mut cotangent)?;
        self.run.end = Some(end);
        self.run.marks.push(self.run.steps.len());
        self.run.cotangents.push(cotangent);
        let mut theta_bar = vec![S::Elem::of(0.0); flow.parts().0.params().len()];
        let mut gradient = self.reverse(flow, t0, y0, &mut theta_bar, value)?;
        // The end is where the event is.
        gradient.t1 = S::Elem::of(0.0);
        Ok(gradient)
    }

    fn clear(&mut self) {
        self.run.steps.clear();
        self.run.marks.clear();
        (self.run.kept, self.run.most, self.run.evals) = (0, 0, 0);
        (self.work.evals, self.work.pulls) = (0, 0);
    }

    /// The run, its losses and their cotangents.
    fn forward<V, I, L>(
        &mut self,
        flow: &mut Flow<'_, V, I, S>,
        t0: S::Elem,
        times: &[S::Elem],
        y0: &S,
        loss: &mut L,
    ) -> Result<S::Elem>
    where
        V: Parametric<S>,
        I: Reversible<S>,
        L: FnMut(usize, S::Elem, &S, &mut S) -> S::Elem,
    {
        self.clear();
        let Some(&last) = times.last() else { return Err(Error::Empty { what: "the list of times" }) };
        check_times(t0, last, times)?;
        let slots = self.checkpoints.slots(bytes_of(y0))?;
        let zero = S::Elem::of(0.0);
        self.run.cotangents.truncate(times.len());
        self.run.cotangents.resize_with(times.len(), || y0.clone());
        let (mut t, mut value) = (t0, zero);
        let mut y = y0.clone();
        y.standardise();
        let first = flow.replace_first_step(None);
        flow.replace_first_step(first);
        for (k, &at) in times.iter().enumerate() {
            if at != t {
                let fired = self.segment(flow, (t, at), &y, slots);
                if let Ok(Some(_)) | Err(_) = fired {
                    flow.replace_first_step(first);
                    return Err(fired.err().unwrap_or_else(event::ends_early));
                }
                if let Some(end) = &self.run.end {
                    y.clone_from(end);
                }
                t = at;
            }
            let cotangent = &mut self.run.cotangents[k];
            if !cotangent.same_shape(&y) {
                cotangent.clone_from(&y);
            }
            cotangent.as_mut_slice().fill(zero);
            value += loss(k, t, &y, cotangent);
            self.run.marks.push(self.run.steps.len());
        }
        flow.replace_first_step(first);
        self.run.end = Some(y);
        Ok(value)
    }

    /// One part of the run; its end goes to `self.run.end`. The event that ended it, if one did.
    fn segment<V, I>(
        &mut self,
        flow: &mut Flow<'_, V, I, S>,
        (from, to): (S::Elem, S::Elem),
        y: &S,
        slots: Option<usize>,
    ) -> Result<Option<Crossing<S::Elem>>>
    where
        V: Parametric<S>,
        I: Reversible<S>,
    {
        let checkpoints = self.checkpoints;
        let mut run = flow.stepper(from, to, y.clone())?;
        let mut before = y.clone();
        let mut longest = S::Elem::of(0.0);
        loop {
            before.clone_from(run.y());
            let t = run.t();
            if !run.advance()? {
                break;
            }
            let step = self.run.steps.len();
            let keep = match (checkpoints, slots) {
                (Checkpoints::Every(k), _) => step.is_multiple_of(k),
                (_, None) => true,
                (_, Some(_)) => step == 0,
            };
            if keep {
                self.run.keep(step, &before);
            }
            let h = run.t() - t;
            longest = if h.abs() > longest { h.abs() } else { longest };
            self.run.steps.push((t, h));
        }
        let crossing = run.events().last().map(|o| Crossing { event: o.event, t: run.t() });
        let (end, evals, reached) = (run.y().clone(), run.stats().evals, run.t() == to);
        self.run.evals += evals;
        self.run.end = Some(end);
        if longest > S::Elem::of(0.0) {
            // The next part begins where this one has got to, not from scratch.
            flow.replace_first_step(Some(longest));
        }
        Ok(crossing.filter(|c| flow.is_terminal(c.event) && (!reached || c.t == to)))
    }

    /// The sweep back over all steps.
    fn reverse<V, I>(
        &mut self,
        flow: &mut Flow<'_, V, I, S>,
        t0: S::Elem,
        y0: &S,
        theta_bar: &mut [S::Elem],
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
        self.take_losses(n, &mut bar);
        let (field, integrator) = flow.parts();
        let mut slope = bar.clone();
        let mut t1 = S::Elem::of(0.0);
        if let (Some(end), Some(&(t, h))) = (&self.run.end, self.run.steps.last()) {
            field.eval(t + h, end, &mut slope);
            t1 = dot(&bar, &slope);
        }
        let slots = self.checkpoints.slots(bytes_of(y0))?;
        let mut sweep = Sweep { field, integrator, theta_bar, repeated: 0 };
        let mut left = n;
        while left > 0 {
            self.one_back(&mut sweep, &mut left, slots, &mut bar)?;
            self.take_losses(left, &mut bar);
        }
        let repeated = sweep.repeated;
        let field = sweep.field;
        field.eval(t0, y0, &mut slope);
        let stats = AdjointStats {
            steps: n as u64,
            repeated,
            stored: self.run.most as u64,
            evals: self.run.evals + self.work.evals,
            pulls: self.work.pulls,
        };
        let theta = Array1::from_vec(theta_bar.to_vec());
        Ok(Gradient { loss, t0: -dot(&bar, &slope), t1, y0: bar, theta, stats })
    }

    /// Adds the cotangents of losses at the start of step `at`.
    fn take_losses(&self, at: usize, bar: &mut S) {
        let here = self.run.marks.iter().zip(&self.run.cotangents).filter(|(m, _)| **m == at);
        here.for_each(|(_, c)| add(S::Elem::of(1.0), c, bar));
    }

    /// Pulls back step `left - 1`, keeping the states that the checkpoints say on the way there.
    fn one_back<V, I>(
        &mut self,
        sweep: &mut Sweep<'_, V, I, S::Elem>,
        left: &mut usize,
        slots: Option<usize>,
        bar: &mut S,
    ) -> Result<()>
    where
        V: Parametric<S>,
        I: Reversible<S>,
    {
        let step = *left - 1;
        loop {
            let (from, kept) = (self.run.states[self.run.kept - 1].0, self.run.kept);
            if from == step {
                break;
            }
            let to = match slots {
                // All that lie between are wanted, one after another.
                None => from + 1,
                Some(s) if s > kept => from + advance(*left - from, s - kept + 1),
                Some(_) => step,
            };
            let mut y = self.run.states[kept - 1].1.clone();
            self.again(sweep, from, to, &mut y)?;
            if slots.is_none_or(|s| s > kept) {
                self.run.keep(to, &y);
            } else {
                // No room: from the last kept state straight to this step.
                let (t, h) = self.run.steps[step];
                I::pull(&mut self.work, sweep.field, t, h, &y, bar, sweep.theta_bar);
                *left = step;
                return Ok(());
            }
        }
        let (t, h) = self.run.steps[step];
        let y = &self.run.states[self.run.kept - 1].1;
        I::pull(&mut self.work, sweep.field, t, h, y, bar, sweep.theta_bar);
        self.run.kept -= 1;
        *left = step;
        Ok(())
    }

    /// Takes steps `from .. to` again.
    fn again<V, I>(
        &mut self,
        sweep: &mut Sweep<'_, V, I, S::Elem>,
        from: usize,
        to: usize,
        y: &mut S,
    ) -> Result<()>
    where
        V: Parametric<S>,
        I: Reversible<S>,
    {
        let mut next = y.clone();
        for &(t, h) in &self.run.steps[from..to] {
            sweep.integrator.accept(false);
            let field = &mut crate::field::Counted { field: &mut *sweep.field, evals: &mut self.run.evals };
            sweep.integrator.step(field, t, h, y, &mut next)?;
            std::mem::swap(y, &mut next);
            sweep.repeated += 1;
        }
        Ok(())
    }
}

/// What the sweep back needs of the flow.
struct Sweep<'a, V, I, F> {
    field: &'a mut V,
    integrator: &'a mut I,
    theta_bar: &'a mut [F],
    repeated: u64,
}

fn bytes_of<S: State>(y: &S) -> usize {
    std::mem::size_of_val(y.as_slice()).max(1)
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
