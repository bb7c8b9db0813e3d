//! The stages of a diagonally implicit step: Newton's iteration, the matrix behind it, the estimate.

use num_traits::Float as _;

use super::part::Part;
use super::predict::{nearest, with_history};
use super::tableau::{EsdirkTableau, Estimate};
use crate::integrate::Tolerance;
use crate::integrate::implicit::system::System;
use crate::{Real, State, VectorField};

/// Most Newton iterations for a stage, and what may be left of its error, in units of the tolerance.
const ITERATIONS: u32 = 8;
const SHARE: f64 = 0.02;
/// The Jacobian is kept as long as no stage converges slower than this, and no longer than so many steps.
const KEEP: f64 = 0.1;
const LONGEST: u32 = 50;
/// How far a step may be from the one the matrix was factorised for, where a factorisation costs more than iterations.
const NEAR: f64 = 0.25;
const SMALL: usize = 16;

/// What a step needs; all of it allocated once.
pub(super) struct Stages<S: State, const N: usize> {
    pub(super) system: System<S>,
    /// Slopes: of the stiff part, where the field is split.
    pub(super) k: [S; N],
    /// Slopes of the other part.
    pub(super) rest: Option<Box<[S; N]>>,
    /// The stiff part's slope at the start of the last step, and that step's size; zero: there is none.
    old: S,
    old_h: f64,
    pub(super) h: f64,
    /// Slopes at the end, where they are not those of the last stage.
    end: S,
    end_ready: bool,
    pub(super) first_ready: bool,
    /// y₀ plus what the stages before contribute; a residual, then a correction; the inverse weights of the tolerance.
    base: S,
    residual: S,
    weights: S,
    pub(super) error: S,
    guesses: [[f64; N]; N],
    pub(super) newton: Newton,
    /// Evaluations of a part of the field.
    pub(super) evals: u64,
}

/// The state of Newton's iteration over stages and steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newton {
    /// The slowest rate of this step; and what is left after an iteration, in its size, as last seen.
    rate: f64,
    carry: f64,
    /// Step size to which the matrix belongs, zero: none; steps since the Jacobian was formed.
    factored: f64,
    age: u32,
    formed: bool,
    pub(super) failures: u32,
    pub(super) singular: bool,
}

impl Newton {
    const NEW: Self =
        Newton { rate: 0.0, carry: 1.0, factored: 0.0, age: 0, formed: false, failures: 0, singular: false };
}

/// A step: the field's implicit part, time and size, and its method.
pub(super) struct Step<'t, F, const N: usize> {
    pub(super) t: F,
    pub(super) h: F,
    pub(super) tableau: &'t EsdirkTableau<N>,
}

impl<S: State, const N: usize> Stages<S, N> {
    pub(super) fn new(y0: &S, tableau: &EsdirkTableau<N>) -> Self {
        let c: [f64; N] = std::array::from_fn(|i| tableau.time(i));
        Stages {
            system: System::new(y0),
            k: std::array::from_fn(|_| y0.clone()),
            rest: None,
            old: y0.clone(),
            old_h: 0.0,
            h: 0.0,
            end: y0.clone(),
            end_ready: false,
            first_ready: false,
            base: y0.clone(),
            residual: y0.clone(),
            weights: y0.clone(),
            error: y0.clone(),
            guesses: std::array::from_fn(|i| nearest(&c, i)),
            newton: Newton::NEW,
            evals: 0,
        }
    }

    /// The field jumped, or a new run begins.
    pub(super) fn restart(&mut self) {
        (self.first_ready, self.end_ready, self.old_h) = (false, false, 0.0);
        self.newton = Newton::NEW;
    }

    /// One step; false if Newton's iteration failed, with a new Jacobian too.
    #[inline(always)]
    pub(super) fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut Part<'_, V>,
        step: &Step<'_, S::Elem, N>,
        (y0, y1): (&S, &mut S),
        tol: &Tolerance<S::Elem>,
    ) -> bool {
        self.h = step.h.f64();
        self.end_ready = false;
        if !self.first_ready {
            field.eval(step.t, y0, &mut self.k[0]);
            if let Some(rest) = &mut self.rest {
                field.rest(step.t, y0, &mut rest[0]);
            }
            self.first_ready = true;
        }
        tol.invert(y0.as_slice(), self.weights.as_mut_slice());
        let mut good = self.prepare(field, step, y0, tol) && self.all(field, step, (y0, y1));
        if !good && !self.newton.singular && self.newton.age > 0 {
            self.newton.formed = false;
            good = self.prepare(field, step, y0, tol) && self.all(field, step, (y0, y1));
        }
        if good {
            self.newton.failures = 0;
            self.close(step, (y0, y1));
            self.estimate(field, step);
        } else {
            self.newton.failures += 1;
            self.newton.carry = 1.0;
        }
        good
    }

    /// A matrix for this step, with a new Jacobian where the old one has become slow; false if it is singular.
    #[inline(always)]
    fn prepare<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut Part<'_, V>,
        step: &Step<'_, S::Elem, N>,
        y0: &S,
        tol: &Tolerance<S::Elem>,
    ) -> bool {
        let newton = &mut self.newton;
        let stale = newton.age > 0 && (newton.rate > KEEP || newton.age > LONGEST || newton.failures > 0);
        if !newton.formed || stale {
            // Not the slope of the last stage: what Newton's iteration left of its equation would spoil differences.
            field.eval(step.t, y0, &mut self.residual);
            self.system.refresh(field, (step.t, y0, &self.residual), (step.h, tol));
            (newton.formed, newton.age, newton.factored) = (true, 0, 0.0);
        }
        let off = (self.h / newton.factored - 1.0).abs();
        let near = if y0.as_slice().len() > SMALL && newton.rate < KEEP { NEAR } else { 1e-8 };
        newton.rate = 0.0;
        if off <= near {
            return true;
        }
        newton.factored = self.h;
        newton.singular = !self.system.factor(S::Elem::of(1.0 / (self.h * step.tableau.gamma)));
        if newton.singular {
            newton.factored = 0.0;
        }
        !newton.singular
    }

    /// All implicit stages; `y1` holds the argument of the last one then.
    #[inline(always)]
    fn all<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut Part<'_, V>,
        step: &Step<'_, S::Elem, N>,
        (y0, y1): (&S, &mut S),
    ) -> bool {
        for i in 1..N {
            self.base.clone_from(y0);
            add(&step.tableau.a[i], i, step.h, &self.k, &mut self.base);
            if let (Some(rest), Some(explicit)) = (&self.rest, &step.tableau.explicit) {
                add(&explicit[i], i, step.h, rest, &mut self.base);
            }
            self.guess(step, i, y1);
            if !self.solve(field, step, i, y1) {
                return false;
            }
            if let Some(rest) = &mut self.rest {
                field.rest(step.t + S::Elem::of(step.tableau.time(i)) * step.h, y1, &mut rest[i]);
            }
        }
        true
    }

    /// Writes a first guess of stage `i` to `y`: its slope is extrapolated from those known.
    #[inline(always)]
    fn guess(&mut self, step: &Step<'_, S::Elem, N>, i: usize, y: &mut S) {
        y.clone_from(&self.base);
        let scale = S::Elem::of(step.tableau.gamma) * step.h;
        let ratio = self.old_h / self.h;
        let history = (i < 3 && ratio > 0.0)
            .then(|| with_history(ratio, (i == 2).then(|| step.tableau.time(1)), step.tableau.time(i)))
            .flatten();
        let Some([old, first, second]) = history else {
            return add(&self.guesses[i], i, scale, &self.k, y);
        };
        let factors = [old, first, second].map(|w| scale * S::Elem::of(w));
        let known = [&self.old, &self.k[0], &self.k[1]];
        for (k, factor) in known.into_iter().zip(factors).take(i + 1) {
            y.as_mut_slice().iter_mut().zip(k.as_slice()).for_each(|(y, &k)| *y += factor * k);
        }
    }

    /// Newton's iteration for stage `i`, whose `base` stands and whose argument `y` holds a guess; writes its slope.
    #[inline(always)]
    fn solve<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut Part<'_, V>,
        step: &Step<'_, S::Elem, N>,
        i: usize,
        y: &mut S,
    ) -> bool {
        let t = step.t + S::Elem::of(step.tableau.time(i)) * step.h;
        let sigma = (S::Elem::of(step.tableau.gamma) * step.h).recip();
        // A matrix of another step size is right for stiff modes and off by this ratio for slow ones: halfway.
        let ratio = self.h / self.newton.factored;
        let damp = S::Elem::of(2.0 * ratio / (1.0 + ratio));
        let mut before = 0.0;
        self.newton.carry = self.newton.carry.max(S::Elem::EPS.f64()).rough_pow(0.8);
        for m in 1..=ITERATIONS {
            self.system.count_iterations(1);
            field.eval(t, y, &mut self.residual);
            let ends = y.as_slice().iter().zip(self.base.as_slice());
            let residual = self.residual.as_mut_slice().iter_mut().zip(ends);
            residual.for_each(|(r, (&y, &base))| *r -= sigma * (y - base));
            self.system.solve(field, &mut self.residual);
            let pairs = y.as_mut_slice().iter_mut().zip(self.residual.as_slice());
            pairs.for_each(|(y, &d)| *y += damp * d);
            let size = Tolerance::weighted(self.residual.as_slice(), self.weights.as_slice()).f64();
            if !size.is_finite() || !self.converges(m, size, before) {
                return false;
            }
            // A large first correction is not taken on the word of earlier rates: they were those of smaller ones.
            if self.newton.carry * size <= SHARE && (m > 1 || size <= 1.0) {
                let ends = y.as_slice().iter().zip(self.base.as_slice());
                let slope = self.k[i].as_mut_slice().iter_mut().zip(ends);
                slope.for_each(|(k, (&y, &base))| *k = sigma * (y - base));
                return true;
            }
            before = size;
        }
        false
    }

    /// Takes note of the rate of convergence; false if the iteration will not get there.
    #[inline(always)]
    fn converges(&mut self, m: u32, size: f64, before: f64) -> bool {
        if m == 1 || size == 0.0 {
            return true;
        }
        let rate: f64 = size / before;
        let newton = &mut self.newton;
        newton.rate = newton.rate.max(rate);
        if rate >= 0.9 {
            // What round-off leaves does not shrink any more.
            newton.carry = 1.0;
            return size <= SHARE;
        }
        newton.carry = rate / (1.0 - rate);
        newton.carry * size * rate.powi((ITERATIONS - m) as i32) <= SHARE
    }

    /// The new state, where the last stage is not.
    #[inline(always)]
    fn close(&mut self, step: &Step<'_, S::Elem, N>, (y0, y1): (&S, &mut S)) {
        if step.tableau.closes() && self.rest.is_none() {
            return;
        }
        y1.clone_from(y0);
        add(&step.tableau.b, N, step.h, &self.k, y1);
        if let Some(rest) = &self.rest {
            add(&step.tableau.b, N, step.h, rest, y1);
        }
    }

    /// The estimate, smoothed by the matrix so that stiff modes do not count for more than they are.
    #[inline(always)]
    fn estimate<V: VectorField<S> + ?Sized>(&mut self, field: &mut Part<'_, V>, step: &Step<'_, S::Elem, N>) {
        self.error.as_mut_slice().fill(S::Elem::of(0.0));
        // The matrix is σ − J for σ = 1/(hγ): the estimate times σ.
        let sigma = S::Elem::of(1.0 / step.tableau.gamma);
        match &step.tableau.estimate {
            Estimate::Embedded { e, .. } => {
                add(e, N, sigma, &self.k, &mut self.error);
                if let Some(rest) = &self.rest {
                    add(e, N, sigma, rest, &mut self.error);
                }
            }
            Estimate::ThirdDerivative { c } => {
                let last = step.tableau.time(N - 1);
                let weights = third_derivative(self.h, self.old_h, last).map(|w| S::Elem::of(c * w) * sigma);
                let known = [&self.old, &self.k[0], &self.k[N - 1]];
                for (k, weight) in known.into_iter().zip(weights).filter(|(_, w)| *w != S::Elem::of(0.0)) {
                    let pairs = self.error.as_mut_slice().iter_mut().zip(k.as_slice());
                    pairs.for_each(|(o, &k)| *o += weight * k);
                }
            }
        }
        self.system.solve(field, &mut self.error);
    }

    /// The slopes at both ends, for values inside the step; evaluated at most once.
    pub(super) fn ends<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut Part<'_, V>,
        step: &Step<'_, S::Elem, N>,
        y1: &S,
    ) -> (&S, &S) {
        let t = step.t + step.h;
        match &mut self.rest {
            None if step.tableau.closes() => (&self.k[0], &self.k[N - 1]),
            None => {
                if !std::mem::replace(&mut self.end_ready, true) {
                    field.eval(t, y1, &mut self.end);
                }
                (&self.k[0], &self.end)
            }
            Some(rest) => {
                // The sums go where residuals were.
                field.eval(t, y1, &mut self.end);
                field.rest(t, y1, &mut self.residual);
                let sum = self.residual.as_mut_slice().iter_mut().zip(self.end.as_slice());
                sum.for_each(|(s, &k)| *s += k);
                let pairs = self.k[0].as_slice().iter().zip(rest[0].as_slice());
                self.base.as_mut_slice().iter_mut().zip(pairs).for_each(|(s, (&a, &b))| *s = a + b);
                (&self.base, &self.residual)
            }
        }
    }

    /// The step stands: what was found at its end is the start of the next.
    pub(super) fn accept(&mut self, smooth: bool, closes: bool) {
        if !smooth {
            self.restart();
            return;
        }
        self.newton.age += 1;
        std::mem::swap(&mut self.old, &mut self.k[0]);
        self.old_h = self.h;
        self.first_ready = self.rest.is_none() && (closes || self.end_ready);
        if self.first_ready && closes {
            self.k.swap(0, N - 1);
        } else if self.first_ready {
            std::mem::swap(&mut self.end, &mut self.k[0]);
        }
        self.end_ready = false;
    }
}

/// Weights of the slopes at `-old_h`, 0 and `at h` in `h² y‴`; without a step before, in the change of the slope over `h`.
fn third_derivative(h: f64, old_h: f64, at: f64) -> [f64; 3] {
    if old_h == 0.0 {
        return [0.0, -6.0 / at, 6.0 / at];
    }
    let ratio = old_h / h;
    let scale = 2.0 / (at + ratio);
    [scale / ratio, -scale * (1.0 / at + 1.0 / ratio), scale / at]
}

/// `out += Σ_{j < count} weights[j] · scale · k[j]`, skipping zero weights.
#[inline(always)]
fn add<S: State, const N: usize>(weights: &[f64; N], count: usize, scale: S::Elem, k: &[S; N], out: &mut S) {
    let out = out.as_mut_slice();
    for (&weight, k) in weights.iter().zip(k).take(count).filter(|(w, _)| **w != 0.0) {
        let weight = scale * S::Elem::of(weight);
        out.iter_mut().zip(k.as_slice()).for_each(|(o, &k)| *o += weight * k);
    }
}
