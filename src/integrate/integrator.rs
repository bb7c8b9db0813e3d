//! What an integrator is: one step of size `h` for any field on any state.

use std::fmt;

use super::{Polynomial, Tolerance, Verdict};
use crate::memory::Memories;
use crate::{Error, Result, State, VectorField};

/// A method that takes a state from `t` to `t + h` along a field. It never knows what it moves.
///
/// The caller (normally a [`Flow`](crate::Flow)) owns the clock, the state and the decision to accept:
///
/// ```text
/// [aim(tol)]   init(y0)   step(t, h, y0 → y1)   [error_norm]   [dense]   accept(smooth)   step(t + h, ..)  ..
/// ```
///
/// After a rejected step, `step` is simply called again with the same `t` and `y0` and another `h`.
pub trait Integrator<S: State> {
    /// The method's name, as its users call it.
    fn name(&self) -> &'static str;

    /// Order of convergence towards the solution of `dy/dt = f(t, y)`; `None` if the method does not
    /// converge to it (Adam, for instance).
    fn order(&self) -> Option<u32>;

    /// Order `q` of the error estimate, which behaves as `h^(q+1)`; `None` without an estimate.
    fn error_order(&self) -> Option<u32> {
        None
    }

    /// Whether the method follows stochastic differential equations: then it needs a field with noise, else it refuses one.
    fn takes_noise(&self) -> bool {
        false
    }

    /// Prepares for states of the shape of `y0`. The only method that allocates (values inside a step
    /// may do so once).
    ///
    /// # Errors
    /// The method's own settings out of range, or a shape it cannot move.
    fn init(&mut self, y0: &S) -> Result<()>;

    /// Tells the method how accurate the run is to be: implicit methods solve their stages, and take finite differences,
    /// with that in view. Called before [`init`](Self::init); without it they assume the default tolerance.
    fn aim(&mut self, tol: &Tolerance<S::Elem>) {
        let _ = tol;
    }

    /// Hands over `f(t, y0)` for the coming step, where the caller happens to have it.
    fn prime(&mut self, slope: &S) {
        let _ = slope;
    }

    /// One step: writes to `y1` the state at `t + h`.
    ///
    /// # Errors
    /// Whatever the method cannot do, such as solving its stage equations.
    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()>;

    /// Whether the method saw, as it wrote it, that the state of the step just taken is finite: then the caller need not read it
    /// again to know.
    fn wrote_finite(&self) -> bool {
        false
    }

    /// The step just taken stands. `smooth`: the field did not jump and `y1` was not changed, so what
    /// was evaluated at its end may serve the next step.
    fn accept(&mut self, smooth: bool) {
        let _ = smooth;
    }

    /// Norm of the error estimate of the step just taken (good if at most 1).
    fn error_norm(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        let _ = (tol, h, y0, y1);
        None
    }

    /// The method's own verdict on a step of error norm `err`, instead of the [`Controller`](super::Controller)'s: for
    /// multistep methods, which choose their order together with the step size and know errors at several orders.
    fn judge(
        &mut self,
        tol: &Tolerance<S::Elem>,
        h: S::Elem,
        err: S::Elem,
        (y0, y1): (&S, &S),
    ) -> Option<Verdict<S::Elem>> {
        let _ = (tol, h, err, y0, y1);
        None
    }

    /// The component with the largest scaled error in the step just taken.
    fn worst_component(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> usize {
        let _ = (tol, h, y0, y1);
        0
    }

    /// The step just taken, as a polynomial in time. May evaluate the field.
    ///
    /// # Errors
    /// [`Error::NotConsistent`] for a method that has no continuous extension.
    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        let _ = (field, t, h, y0, y1, out);
        Err(Error::NotConsistent { method: self.name() })
    }

    /// Whether the method solves `M dy/dt = f` for a mass matrix `M` (see [`WithMass`](crate::WithMass)).
    fn takes_mass(&self) -> bool {
        false
    }

    /// The largest `|hλ|`, for real negative `λ`, at which the method is stable, if it is explicit and knows.
    fn stability_bound(&self) -> Option<f64> {
        None
    }

    /// An estimate of `|hλ|` for the fastest mode of the step just taken, at no cost.
    fn stiffness(&self, h: S::Elem) -> Option<S::Elem> {
        let _ = h;
        None
    }

    /// Why steps from time `t` fail or stay tiny, where the method knows better than the step's error tells; asked when a
    /// run gives up. `steps`: the run's step budget is used up, and not its step size.
    fn explain(&self, t: S::Elem, h: S::Elem, steps: Option<u64>) -> Option<Error> {
        let _ = (t, h, steps);
        None
    }

    /// What the method remembers from step to step, once it is prepared, for checkpoints: nothing left out, so that a run
    /// resumed from it goes on bit by bit. `None` (the default) if it cannot be kept.
    fn memory(&mut self) -> Option<Memories<'_, S>> {
        None
    }

    /// Work beyond evaluations of the field since [`init`](Self::init).
    fn work(&self) -> Work {
        Work::default()
    }
}

/// What implicit methods do beside evaluating the field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Work {
    /// Jacobians formed (by differences their evaluations are counted as such, too).
    pub jacobians: u64,
    /// Matrices factorised.
    pub factorisations: u64,
    /// Iterations of Newton's method.
    pub iterations: u64,
    /// Linear systems solved with those matrices.
    pub solves: u64,
}

/// How much work a run took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stats {
    /// Evaluations of the field.
    pub evals: u64,
    /// Steps that stand.
    pub accepted: u64,
    /// Steps that were repeated with a smaller size.
    pub rejected: u64,
    /// Jacobians formed; by finite differences, their evaluations are in [`evals`](Self::evals).
    pub jacobians: u64,
    /// Matrices factorised.
    pub factorisations: u64,
    /// Iterations of Newton's method.
    pub iterations: u64,
    /// Linear systems solved.
    pub solves: u64,
}

impl Stats {
    /// With what the integrator has counted.
    pub(crate) fn with(self, work: Work) -> Self {
        let Work { jacobians, factorisations, iterations, solves } = work;
        Stats { jacobians, factorisations, iterations, solves, ..self }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps, {} rejected, {} evaluations", self.accepted, self.rejected, self.evals)?;
        if self.jacobians > 0 {
            write!(f, ", {} Jacobians, {} factorisations", self.jacobians, self.factorisations)?;
        }
        Ok(())
    }
}
