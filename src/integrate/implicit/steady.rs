//! Where a flow comes to rest: pseudo-transient continuation.

use num_traits::Float as _;

use super::system::System;
use crate::integrate::{PerComponent, Tolerance};
use crate::{Error, Real, Result, State, Stats, VectorField};

/// Finds `y` with `f(t, y) = 0` by following the flow towards it, with steps that grow as it slows down:
///
/// ```text
/// (M/δₙ − J(yₙ)) dₙ = f(yₙ),   yₙ₊₁ = yₙ + dₙ,   δₙ₊₁ = δₙ |f(yₙ)| / |f(yₙ₊₁)|, at least 2 δₙ while y hardly moves
/// ```
///
/// Linearly implicit Euler far away, which keeps to the basin of the state it starts in; Newton's method close by. Jacobians are as in
/// the other implicit methods: differences, the field's own, banded, sparse, or none. `t` is held fixed.
///
/// Reference: Kelley, Keyes, *Convergence analysis of pseudo-transient continuation*, SIAM J. Numer. Anal. 35 (1998) 508–523; the rule for δ
/// is Mulder and van Leer's switched evolution relaxation.
///
/// ```
/// use flowfield::{SteadyState, field};
/// let mut brusselator = field(|_t, y: &[f64; 2], d| {
///     let r = y[0] * y[0] * y[1];
///     *d = [1.0 + r - 2.5 * y[0], 1.5 * y[0] - r];
/// });
/// let rest = SteadyState::new().tol(1e-10).solve(&mut brusselator, 0.0, [1.2, 1.2])?;
/// assert!((rest.y[0] - 1.0).abs() < 1e-9 && (rest.y[1] - 1.5).abs() < 1e-9);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SteadyState<F> {
    tol: Tolerance<F>,
    first: Option<F>,
    steps: u64,
}

/// A state at rest, and what it took to find it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rest<S: State> {
    /// The state.
    pub y: S,
    /// What is left of the field there: its largest absolute value.
    pub residual: f64,
    /// The last correction in units of the tolerance.
    pub correction: f64,
    /// The last pseudo-time step.
    pub step: f64,
    /// Work.
    pub stats: Stats,
}

/// Growth of a step at most; the relative change of a state that hardly moves; and where corrections are Newton's own: short of what
/// the slope asks for.
const GROWTH: f64 = 20.0;
const STILL: f64 = 0.1;
const NEWTON: f64 = 0.1;

impl<F: Real> Default for SteadyState<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Real> SteadyState<F> {
    /// With the default tolerance and at most 500 steps.
    pub fn new() -> Self {
        SteadyState { tol: Tolerance::default(), first: None, steps: 500 }
    }

    /// Sets both tolerances: the last correction of each component is at most `atol + rtol |y|`.
    #[must_use]
    pub fn tol(self, tol: F) -> Self {
        self.rtol(tol).atol(tol)
    }

    /// The relative tolerance.
    #[must_use]
    pub fn rtol(mut self, rtol: impl Into<PerComponent<F>>) -> Self {
        self.tol.rtol = rtol.into();
        self
    }

    /// The absolute tolerance.
    #[must_use]
    pub fn atol(mut self, atol: impl Into<PerComponent<F>>) -> Self {
        self.tol.atol = atol.into();
        self
    }

    /// The first pseudo-time step; by default one in which the state would move by a hundredth of its size.
    #[must_use]
    pub fn first_step(mut self, delta: F) -> Self {
        self.first = Some(delta);
        self
    }

    /// How many steps may be tried.
    #[must_use]
    pub fn max_steps(mut self, n: u64) -> Self {
        self.steps = n;
        self
    }

    /// Follows `field`, frozen at time `t`, from `y` to rest.
    ///
    /// # Errors
    /// Settings out of range, a state or field that is not finite, [`Error::SingularMatrix`], and [`Error::NotConverged`] with the last
    /// correction (in units of the tolerance) where the flow does not come to rest within the steps.
    pub fn solve<S, V>(&self, field: &mut V, t: F, y: S) -> Result<Rest<S>>
    where
        S: State<Elem = F>,
        V: VectorField<S> + ?Sized,
    {
        self.tol.check(y.as_slice().len())?;
        if let Some(h) = self.first {
            let good = h > F::zero() && h.is_finite();
            Error::setting(good, "the first pseudo-time step", h.f64(), "it must be positive and finite")?;
        }
        field.check(&y)?;
        let mut run = Run::new(field, t, y)?;
        let mut delta = self.first.unwrap_or_else(|| run.first_step());
        let mut correction = f64::INFINITY;
        for _ in 0..self.steps {
            if !run.try_step(field, delta, &self.tol)? {
                delta *= F::of(0.2);
                continue;
            }
            correction = self.tol.norm(run.y.as_slice(), run.next.as_slice(), &run.d.as_slice()).f64();
            let newton = size(&run.d) <= NEWTON * delta.f64() * run.slope;
            let moved = size(&run.d) / size(&run.next).max(f64::MIN_POSITIVE);
            let ratio = run.slope / run.next_slope.max(f64::MIN_POSITIVE);
            run.accept();
            if run.slope == 0.0 || (newton && correction <= 1.0) {
                return Ok(run.rest(correction, delta));
            }
            // While the state hardly moves, the slope says nothing of how long a step may be.
            let least = if moved <= STILL { 2.0 } else { 0.1 };
            delta = (delta * F::of(ratio.clamp(least, GROWTH))).min(F::of(1e30));
        }
        Err(Error::NotConverged {
            what: "the way to a steady state (its correction in units of the tolerance)",
            iterations: self.steps as usize,
            residual: correction,
            tol: 1.0,
        })
    }
}

fn size<S: State>(x: &S) -> f64 {
    x.as_slice().iter().map(|x| x.f64().powi(2)).sum::<f64>().sqrt()
}

/// The state on its way.
struct Run<S: State> {
    system: System<S>,
    t: S::Elem,
    y: S,
    f: S,
    slope: f64,
    d: S,
    next: S,
    next_f: S,
    next_slope: f64,
    stats: Stats,
    fresh: bool,
}

impl<S: State> Run<S> {
    fn new<V: VectorField<S> + ?Sized>(field: &mut V, t: S::Elem, y: S) -> Result<Self> {
        let (mut system, mut f) = (System::new(&y), y.clone());
        system.look_at(field)?;
        field.eval(t, &y, &mut f);
        let slope = size(&f);
        if !slope.is_finite() {
            let row = f.as_slice().iter().position(|f| !f.is_finite()).unwrap_or(0);
            let value = f.as_slice().get(row).map_or(f64::NAN, |f| f.f64());
            return Err(Error::NotFinite {
                what: "the field at the start of the way to a steady state",
                row,
                value,
            });
        }
        let (d, next, next_f) = (y.clone(), y.clone(), y.clone());
        let stats = Stats { evals: 1, ..Stats::default() };
        Ok(Run { system, t, y, f, slope, d, next, next_f, next_slope: slope, stats, fresh: false })
    }

    fn first_step(&self) -> S::Elem {
        let h = 0.01 * size(&self.y).max(1e-3) / self.slope.max(f64::MIN_POSITIVE);
        S::Elem::of(h.clamp(1e-12, 1e6))
    }

    /// Tries a step; false if it leaves the domain of the field or blows its slope up.
    fn try_step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        delta: S::Elem,
        tol: &Tolerance<S::Elem>,
    ) -> Result<bool> {
        if !self.fresh {
            self.system.refresh(field, (self.t, &self.y, &self.f), (delta, tol));
            self.fresh = true;
        }
        if !self.system.factor(delta.recip()) {
            if delta.f64() < 1e-20 {
                return Err(Error::SingularMatrix {
                    method: "steady state",
                    t: self.t.f64(),
                    h: delta.f64(),
                });
            }
            return Ok(false);
        }
        self.d.clone_from(&self.f);
        self.system.solve(field, &mut self.d);
        self.next.clone_from(&self.y);
        let moved = self.next.as_mut_slice().iter_mut().zip(self.d.as_slice());
        moved.for_each(|(y, &d)| *y += d);
        field.eval(self.t, &self.next, &mut self.next_f);
        self.stats.evals += 1;
        self.next_slope = size(&self.next_f);
        let good = self.next_slope.is_finite() && self.next_slope <= 10.0 * self.slope + f64::MIN_POSITIVE;
        self.stats.accepted += u64::from(good);
        self.stats.rejected += u64::from(!good);
        Ok(good)
    }

    fn accept(&mut self) {
        std::mem::swap(&mut self.y, &mut self.next);
        std::mem::swap(&mut self.f, &mut self.next_f);
        (self.slope, self.fresh) = (self.next_slope, false);
    }

    fn rest(self, correction: f64, delta: S::Elem) -> Rest<S> {
        let residual = self.f.as_slice().iter().fold(0.0_f64, |m, f| m.max(f.f64().abs()));
        let stats = self.stats.with(self.system.counts());
        Rest { residual, correction, step: delta.f64(), y: self.y, stats }
    }
}
