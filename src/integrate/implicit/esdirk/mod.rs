//! Diagonally implicit Runge–Kutta methods: tableaux (data) and one loop that steps them all.

use std::fmt;
use std::marker::PhantomData;

use num_traits::Float as _;

use crate::integrate::{Integrator, Polynomial, Tolerance, Work};
use crate::state::{check_layout, first_not_finite};
use crate::{Error, Real, Result, State, VectorField};

pub mod methods;
mod part;
mod predict;
mod stages;
pub mod tableau;

use part::Part;
use stages::{Stages, Step};
pub use tableau::{EsdirkMethod, EsdirkTableau, Estimate};

/// A diagonally implicit Runge–Kutta method `M` with `N` stages, the first of them explicit: one real matrix for all stages,
/// and for all steps while Newton's iteration converges fast. For stiff systems at loose and middle tolerances, rough
/// right-hand sides, and large systems, whose matrix it factorises seldom.
///
/// Of a [`Split`](crate::Split) field the additive pairs ([`KenCarp3`](super::KenCarp3), [`KenCarp4`](super::KenCarp4),
/// [`KenCarp5`](super::KenCarp5)) treat the stiff part implicitly and the rest explicitly; the other methods take the sum.
///
/// Users take it by its method's name.
///
/// ```
/// use flowfield::{Flow, field, integrate::KenCarp4};
/// let van_der_pol = field(|_t, y: &[f64; 2], dy| *dy = [y[1], ((1.0 - y[0] * y[0]) * y[1] - y[0]) * 1e6]);
/// let sol = Flow::new(van_der_pol, KenCarp4::new()).tol(1e-6).solve(0.0, 2.0, [2.0, 0.0])?;
/// assert!((sol.y_end()[0] - 1.706167732170469).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Esdirk<M, S: State, const N: usize> {
    work: Option<Box<Stages<S, N>>>,
    tol: Tolerance<S::Elem>,
    /// The field has been asked whether it is split, and is taken so.
    asked: bool,
    split: bool,
    method: PhantomData<fn() -> M>,
}

impl<M: EsdirkMethod<N>, S: State, const N: usize> Esdirk<M, S, N> {
    const T: EsdirkTableau<N> = M::TABLEAU;

    /// The method, before it has seen a state.
    pub fn new() -> Self {
        Esdirk { work: None, tol: Tolerance::default(), asked: false, split: false, method: PhantomData }
    }

    /// Asks the field, once a run, whether it is split.
    #[cold]
    fn look_at<V: VectorField<S> + ?Sized>(&mut self, field: &mut V, y0: &S) {
        self.asked = true;
        self.split = Self::T.explicit.is_some() && field.split().is_some();
        let Some(w) = self.work.as_deref_mut() else { return };
        if self.split {
            // The slope that may have been handed over is the sum's.
            w.first_ready = false;
            w.rest.get_or_insert_with(|| Box::new(std::array::from_fn(|_| y0.clone())));
        } else {
            w.rest = None;
        }
    }
}

impl<M: EsdirkMethod<N>, S: State, const N: usize> Default for Esdirk<M, S, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: EsdirkMethod<N>, S: State, const N: usize> fmt::Debug for Esdirk<M, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::T.name).field("newton", &self.work.as_ref().map(|w| w.newton)).finish()
    }
}

impl<M: EsdirkMethod<N>, S: State, const N: usize> Integrator<S> for Esdirk<M, S, N> {
    fn name(&self) -> &'static str {
        Self::T.name
    }

    fn order(&self) -> Option<u32> {
        Some(Self::T.order)
    }

    fn error_order(&self) -> Option<u32> {
        Some(Self::T.error_order())
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        self.asked = false;
        match &mut self.work {
            Some(w) if w.system.fits(y0) => {
                w.restart();
                w.system.restart();
                w.evals = 0;
            }
            w => *w = Some(Box::new(Stages::new(y0, &Self::T))),
        }
        Ok(())
    }

    fn aim(&mut self, tol: &Tolerance<S::Elem>) {
        self.tol = tol.clone();
    }

    fn prime(&mut self, slope: &S) {
        if let Some(w) = &mut self.work {
            w.k[0].clone_from(slope);
            w.first_ready = true;
        }
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
        if !self.asked {
            self.look_at(field, y0);
        }
        let Some(w) = self.work.as_deref_mut() else { return Ok(()) };
        let mut part = Part { field, split: self.split, evals: 0 };
        let step = Step { t, h, tableau: const { &Self::T } };
        if !w.step(&mut part, &step, (y0, y1), &self.tol) {
            // A NaN makes the step be repeated with a smaller size.
            y1.as_mut_slice().fill(S::Elem::nan());
            w.error.as_mut_slice().fill(S::Elem::nan());
        }
        w.evals += part.evals;
        Ok(())
    }

    fn accept(&mut self, smooth: bool) {
        if let Some(w) = self.work.as_deref_mut() {
            w.accept(smooth, const { Self::T.closes() });
        }
    }

    #[inline(always)]
    fn error_norm(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        let w = self.work.as_deref()?;
        Some(tol.norm(y0.as_slice(), y1.as_slice(), &w.error.as_slice()))
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> usize {
        let Some(w) = self.work.as_deref() else { return 0 };
        tol.worst(y0.as_slice(), y1.as_slice(), &w.error.as_slice())
    }

    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        let Some(w) = self.work.as_deref_mut() else { return Ok(()) };
        let mut part = Part { field, split: self.split, evals: 0 };
        let (f0, f1) = w.ends(&mut part, &Step { t, h, tableau: &Self::T }, y1);
        let (f0, f1) = (f0.as_slice(), f1.as_slice());
        let quartic = Self::T.quartic.filter(|_| !self.split);
        out.hermite_of_degree(
            3 + usize::from(quartic.is_some()),
            (t, h),
            (y0.as_slice(), f0),
            (y1.as_slice(), f1),
        );
        w.evals += part.evals;
        if let Some(q) = quartic {
            for (k, q) in w.k.iter().zip(q).filter(|(_, q)| *q != 0.0) {
                let factor = h * S::Elem::of(q);
                out.coefficient_mut(4).iter_mut().zip(k.as_slice()).for_each(|(c, &k)| *c += factor * k);
            }
        }
        Ok(())
    }

    fn explain(&self, t: S::Elem, h: S::Elem, steps: Option<u64>) -> Option<Error> {
        let w = self.work.as_deref()?;
        let finite = first_not_finite(w.k[0].as_slice()).is_none();
        if steps.is_some() || w.newton.failures == 0 || !finite {
            return None;
        }
        let (method, t, h) = (Self::T.name, t.f64(), h.f64());
        Some(if w.newton.singular {
            Error::SingularMatrix { method, t, h }
        } else {
            Error::NewtonFailed { method, t, h, tries: w.newton.failures }
        })
    }

    fn work(&self) -> Work {
        self.work.as_ref().map_or(Work::default(), |w| Work { evals: w.evals, ..w.system.counts() })
    }
}
