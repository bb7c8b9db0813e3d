//! Backward differentiation formulas of variable order and step size.

mod coefficients;
mod control;
mod history;
mod newton;
mod workspace;

use std::fmt;

use num_traits::Float as _;

use crate::integrate::{Integrator, Polynomial, Tolerance, Verdict, Work};
use crate::state::{check_layout, first_not_finite};
use crate::{Error, Real, Result, State, VectorField};
use coefficients::MOST;
use newton::Trouble;
use workspace::{Progress, Workspace};

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
