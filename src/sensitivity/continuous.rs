//! The adjoint equation, solved backwards.

use ndarray::Array1;

use super::Parametric;
use super::discrete::{AdjointStats, Gradient, check_times};
use super::event;
use super::pull::dot;
use crate::integrate::{Integrator, PerComponent};
use crate::{Error, Flow, Real, Result, Solution, State, VectorField};

/// The continuous adjoint: with `λ = ∂L/∂y(t)`,
///
/// ```text
/// dλ/dt = -(∂f/∂y)ᵀ λ,   dL/dθ = ∫ (∂f/∂θ)ᵀ λ dt,
/// ```
///
/// solved from the last time back, the loss' derivatives added to `λ` at its times. Exact to tolerance for whatever methods
/// are taken either way, implicit ones included (`λ`'s Jacobian is the field's, transposed, and handed to them).
///
/// The solution `y(t)` on the way back is that of the forward run's interpolants ([`interpolating`](Self::interpolating), the
/// default): memory for all of its steps. Or it is solved backwards along with `λ` ([`backsolve`](Self::backsolve)): memory
/// for one state, **but what decays forward grows backward**. For a stiff or merely dissipative system it is wrong, quietly
/// where a tolerance hides it and with a step-size underflow where not; take it for reversible dynamics over short times.
///
/// References: Chen et al., *Neural ordinary differential equations*, 2018; Gholami, Keutzer, Biros, *ANODE*, 2019 (the
/// failure); Kim et al., *Stiff neural ordinary differential equations*, Chaos 31 (2021) 093122.
///
/// ```
/// use flowfield::sensitivity::ContinuousAdjoint;
/// use flowfield::{Differentiable, Flow, Formula, Number, integrate::Rodas5P};
/// struct Decay;
/// impl Formula for Decay {
///     fn eval<T: Number>(&self, _t: T, y: &[T], theta: &[T], dy: &mut [T]) { dy[0] = -theta[0] * y[0]; }
/// }
/// let mut flow = Flow::new(Differentiable::new(Decay).parameters(&[0.7]), Rodas5P::new()).tol(1e-10);
/// let loss = |_k: usize, _t: f64, y: &[f64; 1], ybar: &mut [f64; 1]| { ybar[0] = 1.0; y[0] };
/// let adjoint = ContinuousAdjoint::new(1e-10, 1e-10);
/// let g = adjoint.gradient(&mut flow, Rodas5P::new(), 0.0, &[2.0], &[1.0], loss)?;
/// assert!((g.theta[0] + 2.0 * (-1.4_f64).exp()).abs() < 1e-8);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ContinuousAdjoint<F> {
    rtol: F,
    atol: PerComponent<F>,
    backsolve: bool,
}

impl<F: Real> ContinuousAdjoint<F> {
    /// The interpolating adjoint with these tolerances on the way back; `atol` may be a list for `(λ, θ̄)`.
    pub fn new(rtol: F, atol: impl Into<PerComponent<F>>) -> Self {
        ContinuousAdjoint { rtol, atol: atol.into(), backsolve: false }
    }

    /// The solution on the way back from the forward run's interpolants (the default).
    #[must_use]
    pub fn interpolating(mut self) -> Self {
        self.backsolve = false;
        self
    }

    /// The solution solved backwards, too: one state of memory, and wrong for what is dissipative; see above. `atol` as a
    /// list is then for `(y, λ, θ̄)`.
    #[must_use]
    pub fn backsolve(mut self) -> Self {
        self.backsolve = true;
        self
    }

    /// The gradient of `Σₖ loss(k, tₖ, y(tₖ), ybar)`; as [`DiscreteAdjoint::gradient`](super::DiscreteAdjoint::gradient), with
    /// the method `back` for the way back.
    ///
    /// # Errors
    /// What either solve refuses; no times; events.
    pub fn gradient<V, I, B, S, L>(
        &self,
        flow: &mut Flow<'_, V, I, S>,
        back: B,
        t0: F,
        times: &[F],
        y0: &S,
        mut loss: L,
    ) -> Result<Gradient<S>>
    where
        S: State<Elem = F>,
        V: Parametric<S>,
        I: Integrator<S>,
        B: Integrator<Array1<F>>,
        L: FnMut(usize, F, &S, &mut S) -> F,
    {
        let Some(&t1) = times.last() else { return Err(Error::Empty { what: "the list of times" }) };
        check_times(t0, t1, times)?;
        match flow.watches() {
            (_, true) => return Err(event::changes_state()),
            (true, _) => return Err(event::ends_early()),
            _ => {}
        }
        let dense = flow.replace_dense(true);
        let solved = flow.solve(t0, t1, y0.clone());
        flow.replace_dense(dense);
        let sol = solved?;
        let (total, cotangents) = losses(&sol, times, y0, &mut loss)?;
        let field = flow.parts().0;
        let mut slope = y0.clone();
        field.eval(t1, sol.y_end(), &mut slope);
        let at_end = times.iter().zip(&cotangents).filter(|(t, _)| **t == t1);
        let in_t1 = at_end.map(|(_, c)| dot(c, &slope)).sum();
        let Way { lambda, theta, evals, pulls } =
            self.way_back(field, back, &sol, (t0, times), &cotangents)?;
        flow.parts().0.eval(t0, y0, &mut slope);
        let steps = sol.stats.accepted;
        let stats = AdjointStats {
            steps,
            stored: if self.backsolve { 1 } else { steps },
            evals: sol.stats.evals + evals + 2,
            pulls,
            ..AdjointStats::default()
        };
        Ok(Gradient { loss: total, t0: -dot(&lambda, &slope), t1: in_t1, y0: lambda, theta, stats })
    }

    /// Solves the adjoint equation from the last time to `t0`, adding the cotangents at their times.
    fn way_back<V, B, S>(
        &self,
        field: &mut V,
        back: B,
        sol: &Solution<S>,
        (t0, times): (F, &[F]),
        cotangents: &[S],
    ) -> Result<Way<S>>
    where
        S: State<Elem = F>,
        V: Parametric<S>,
        B: Integrator<Array1<F>>,
    {
        let end = sol.y_end();
        let (n, p) = (end.as_slice().len(), field.params().len());
        let lead = if self.backsolve { n } else { 0 };
        let mut state = Array1::zeros(lead + n + p);
        state.iter_mut().take(lead).zip(end.as_slice()).for_each(|(to, &from)| *to = from);
        let backward = Backward {
            field,
            solution: (!self.backsolve).then_some(sol),
            scratch: [end.clone(), end.clone(), end.clone()],
            theta_bar: vec![F::zero(); p],
            pulls: 0,
        };
        let mut flow = Flow::new(backward, back).rtol(self.rtol).atol(self.atol.clone()).save_last();
        let mut evals = 0;
        for k in (0..times.len()).rev() {
            let lambda = state.iter_mut().skip(lead).zip(cotangents[k].as_slice());
            lambda.for_each(|(l, &c)| *l += c);
            let to = if k == 0 { t0 } else { times[k - 1] };
            if to != times[k] {
                let part = flow.solve(times[k], to, state)?;
                evals += part.stats.evals;
                state = part.y_end().clone();
            }
        }
        let all = State::as_slice(&state);
        let mut lambda = end.clone();
        lambda.as_mut_slice().copy_from_slice(&all[lead..lead + n]);
        let theta = Array1::from_vec(all[lead + n..].to_vec());
        Ok(Way { lambda, theta, evals, pulls: flow.field().pulls })
    }
}

/// What the way back arrives with.
struct Way<S: State> {
    lambda: S,
    theta: Array1<S::Elem>,
    evals: u64,
    pulls: u64,
}

/// The losses' sum, and their cotangents.
fn losses<S, L>(sol: &Solution<S>, times: &[S::Elem], y0: &S, loss: &mut L) -> Result<(S::Elem, Vec<S>)>
where
    S: State,
    L: FnMut(usize, S::Elem, &S, &mut S) -> S::Elem,
{
    let mut cotangents = vec![y0.clone(); times.len()];
    let mut total = S::Elem::of(0.0);
    for (k, (&t, cotangent)) in times.iter().zip(&mut cotangents).enumerate() {
        cotangent.standardise();
        cotangent.as_mut_slice().fill(S::Elem::of(0.0));
        let y = if Some(&t) == times.last() { sol.y_end().clone() } else { sol.at(t)? };
        total += loss(k, t, &y, cotangent);
    }
    Ok((total, cotangents))
}

/// `(λ, θ̄)`, or `(y, λ, θ̄)` where no solution is given, as a field; `θ̄` gathers with the sign of backward time.
struct Backward<'a, V, S: State> {
    field: &'a mut V,
    solution: Option<&'a Solution<S>>,
    /// y, λ, and what is computed from them.
    scratch: [S; 3],
    theta_bar: Vec<S::Elem>,
    pulls: u64,
}

impl<V: Parametric<S>, S: State> Backward<'_, V, S> {
    /// Puts y(t) and λ in place; false outside the solution.
    fn open(&mut self, t: S::Elem, a: &[S::Elem]) -> bool {
        let n = self.scratch[0].as_slice().len();
        let [y, lambda, _] = &mut self.scratch;
        let rest = match self.solution {
            // A stage may lie a rounding outside the span.
            Some(sol) => return lambda_from(lambda, &a[..n]) && sol.read_into(t, y).is_ok(),
            None => &a[n..2 * n],
        };
        y.as_mut_slice().copy_from_slice(&a[..n]);
        lambda_from(lambda, rest)
    }
}

fn lambda_from<S: State>(lambda: &mut S, a: &[S::Elem]) -> bool {
    lambda.as_mut_slice().copy_from_slice(a);
    true
}

impl<V: Parametric<S>, S: State> VectorField<Array1<S::Elem>> for Backward<'_, V, S> {
    fn eval(&mut self, t: S::Elem, a: &Array1<S::Elem>, da: &mut Array1<S::Elem>) {
        let n = self.scratch[0].as_slice().len();
        let (a, da) = (a.as_slice(), da.as_mut_slice());
        if !self.open(t, a) {
            return da.fill(num_traits::Float::nan());
        }
        let [y, lambda, out] = &mut self.scratch;
        self.theta_bar.fill(S::Elem::of(0.0));
        let rest = if self.solution.is_some() {
            self.field.vjp(t, y, lambda, out, &mut self.theta_bar);
            da
        } else {
            self.field.record(0, t, y, out);
            let (to_y, rest) = da.split_at_mut(n);
            to_y.copy_from_slice(out.as_slice());
            self.field.vjp_recorded(0, t, y, lambda, out, &mut self.theta_bar);
            rest
        };
        let (to_lambda, to_theta) = rest.split_at_mut(n);
        self.pulls += 1;
        to_lambda.iter_mut().zip(out.as_slice()).for_each(|(d, &j)| *d = -j);
        to_theta.iter_mut().zip(&self.theta_bar).for_each(|(d, &j)| *d = -j);
    }

    /// Exact, of `(λ, θ̄)`, which is linear in `λ`.
    fn jacobian(&mut self, t: S::Elem, a: &Array1<S::Elem>, jac: &mut [S::Elem]) -> bool {
        let (n, all) = (self.scratch[0].as_slice().len(), a.len());
        let a = a.as_slice();
        if self.solution.is_none() || !self.open(t, a) {
            return false;
        }
        let [y, unit, out] = &mut self.scratch;
        unit.as_mut_slice().fill(S::Elem::of(0.0));
        for i in 0..n {
            unit.as_mut_slice()[i] = S::Elem::of(1.0);
            self.theta_bar.fill(S::Elem::of(0.0));
            self.field.vjp(t, y, unit, out, &mut self.theta_bar);
            unit.as_mut_slice()[i] = S::Elem::of(0.0);
            let column = out.as_slice().iter().chain(&self.theta_bar);
            column.enumerate().for_each(|(row, &v)| jac[row * all + i] = -v);
        }
        true
    }
}
