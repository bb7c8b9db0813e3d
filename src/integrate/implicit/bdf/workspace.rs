//! What a run of backward differentiation formulas holds.

use num_traits::Float as _;

use super::coefficients::Coefficients;
use super::control::Control;
use super::history::History;
use super::newton::Newton;
use crate::integrate::Tolerance;
use crate::integrate::implicit::system::System;
use crate::state::first_not_finite;
use crate::{Real, Result, State, VectorField};

pub(super) struct Workspace<S: State> {
    pub(super) history: History<S>,
    pub(super) system: System<S>,
    pub(super) newton: Newton,
    pub(super) control: Control,
    pub(super) coefficients: Coefficients,
    /// Error weights at the last point, inverted.
    pub(super) weights: S,
    pub(super) slope: S,
    pub(super) residual: S,
    pub(super) progress: Progress,
    /// Norm of the correction in those weights; not finite if Newton's iteration failed.
    pub(super) norm: f64,
    pub(super) slope_ready: bool,
    /// Steps in a row whose size the coefficients know.
    pub(super) steady: usize,
    pub(super) last_order: usize,
}

/// How far a step has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing is behind: the next step starts at order 1.
    Fresh,
    /// The history ends where the next step starts.
    Ready,
    /// A step has been tried.
    Tried,
    /// It stands, and the history holds it.
    Completed,
}

impl<S: State> Workspace<S> {
    pub(super) fn new(y0: &S) -> Self {
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

    pub(super) fn restart(&mut self) {
        (self.newton, self.control, self.progress) = (Newton::NEW, Control::NEW, Progress::Fresh);
        (self.slope_ready, self.steady) = (false, 0);
    }

    /// Starts at order 1.
    #[cold]
    pub(super) fn start<V: VectorField<S> + ?Sized>(
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

    /// The step stands: brings the history to its end.
    #[inline(always)]
    pub(super) fn complete(&mut self) {
        if self.progress == Progress::Tried {
            self.history.complete(&self.coefficients.l);
            self.progress = Progress::Completed;
        }
    }
}
