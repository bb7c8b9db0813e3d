//! The Radau IIA method of order 5.

mod control;
mod estimate;
mod newton;
mod tableau;
mod tolerance;
mod workspace;

use std::fmt;

use num_traits::Float as _;

use crate::integrate::{Integrator, Polynomial, Tolerance, Verdict, Work};
use crate::state::{check_layout, first_not_finite};
use crate::{Error, Real, Result, State, VectorField};
use tableau::bend;
use tolerance::Inner;
use workspace::Workspace;

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
        Some(w.judge(h, err.f64()))
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
