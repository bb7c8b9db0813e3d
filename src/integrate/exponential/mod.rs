//! Exponential integrators: the linear part of a stiff field is solved exactly, without a linear system.

mod krylov;
mod small;

use std::fmt;

use num_traits::Float as _;

use self::krylov::{Krylov, Linear};
use super::implicit::{product, time_derivative};
use super::{Integrator, Polynomial, Tolerance, Work};
use crate::state::check_layout;
use crate::{Real, Result, State, VectorField};

/// The exponential Rosenbrock–Euler method: order 2, one evaluation a step, exact for linear fields.
pub type ExponentialEuler<S> = Exponential<S, false>;
/// EXPRB32: the exponential Rosenbrock method of order 3 with an embedded one of order 2.
pub type Exprb32<S> = Exponential<S, true>;

/// Exponential Rosenbrock methods for large semilinear problems (reaction and diffusion, Schrödinger, convection): no step
/// restriction, no linear system, no preconditioner. [`ExponentialEuler`] (`THIRD` false) and [`Exprb32`] (true):
///
/// ```text
/// u  = y₀ + h φ₁(hJ) f(t₀, y₀) + h² φ₂(hJ) ∂f/∂t          J = ∂f/∂y (t₀, y₀)
/// d  = f(t₁, u) − f(t₀, y₀) − J (u − y₀) − h ∂f/∂t
/// y₁ = u                                                 ExponentialEuler, estimate h/3 d
/// y₁ = u + 2h φ₃(hJ) d                                   Exprb32, estimate 2h φ₃(hJ) d
/// ```
///
/// with `φₖ(z) = ∫₀¹ e^((1−θ)z) θ^(k−1) / (k−1)! dθ`. As `φ₃(0) = 1/6`, the estimate of [`ExponentialEuler`] is the one of
/// [`Exprb32`] where the nonlinear part is not stiff, and larger where it is (diffusion that depends on the solution): take
/// [`Exprb32`] there.
///
/// The φ functions act on vectors by Krylov spaces of at most 64 directions, as many as the tolerance needs; where these do not
/// suffice the linear part is solved in up to 100 parts, and beyond that the step is repeated with a shorter one (with a fixed
/// step: [`Error::Diverged`](crate::Error::Diverged)). The Jacobian enters by its products with vectors: the field's
/// [`jvp`](VectorField::jvp), or else a difference, which costs an evaluation and holds about eight digits of the largest rate
/// (three in `f32`): for tight tolerances on stiff problems give the products. Memory: up to 70 states. Values inside a step are
/// cubic Hermite. [`Stats`](super::Stats) counts products with the Jacobian as `iterations` and actions of φ functions as `solves`.
///
/// Reference: Hochbruck, Ostermann, Schweitzer, *Exponential Rosenbrock-type methods*, SIAM J. Numer. Anal. 47 (2009) 786–803,
/// sections 2 and 5; Hochbruck, Ostermann, *Exponential integrators*, Acta Numerica 19 (2010) 209–286.
///
/// ```
/// use flowfield::{Flow, field, integrate::Exprb32};
/// use ndarray::Array1;
/// // Fronts that form: u_t = 1e-3 u_xx + u - u³ on 100 points, insulated ends.
/// let n = 100;
/// let rate = 1e-3 * (n * n) as f64;
/// let allen_cahn = field(move |_t, u: &Array1<f64>, du: &mut Array1<f64>| {
///     for i in 0..n {
///         let (left, right) = (u[i.max(1) - 1], u[(i + 1).min(n - 1)]);
///         du[i] = rate * (left - 2.0 * u[i] + right) + u[i] - u[i].powi(3);
///     }
/// });
/// let start = Array1::from_shape_fn(n, |i| (0.2 * i as f64).sin());
/// let sol = Flow::new(allen_cahn, Exprb32::new()).tol(1e-4).solve(0.0, 10.0, start)?;
/// assert!(sol.y_end().iter().all(|u| u.abs() < 1.001));
/// assert!(sol.stats.accepted < 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Exponential<S: State, const THIRD: bool> {
    work: Option<Box<Workspace<S>>>,
    tol: Tolerance<S::Elem>,
}

/// What a step needs; all of it allocated once.
struct Workspace<S: State> {
    krylov: Krylov<S>,
    /// f and ∂f/∂t at the start of the step, f at its end.
    slope: S,
    in_time: S,
    end: S,
    /// u − y₀, d, the estimate, and a scratch state.
    increment: S,
    defect: S,
    estimate: S,
    moved: S,
    inverse: Vec<S::Elem>,
    slope_ready: bool,
    in_time_ready: bool,
    solves: u64,
}

impl<S: State, const THIRD: bool> Exponential<S, THIRD> {
    /// The method, before it has seen a state.
    pub fn new() -> Self {
        Exponential { work: None, tol: Tolerance::default() }
    }
}

impl<S: State, const THIRD: bool> Default for Exponential<S, THIRD> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State, const THIRD: bool> fmt::Debug for Exponential<S, THIRD> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name(THIRD)).field("tol", &self.tol).finish_non_exhaustive()
    }
}

const fn name(third: bool) -> &'static str {
    if third { "Exprb32" } else { "ExponentialEuler" }
}

impl<S: State> Workspace<S> {
    fn new(y0: &S) -> Self {
        let state = || y0.clone();
        Workspace {
            krylov: Krylov::new(y0),
            slope: state(),
            in_time: state(),
            end: state(),
            increment: state(),
            defect: state(),
            estimate: state(),
            moved: state(),
            inverse: vec![S::Elem::ZERO; y0.as_slice().len()],
            slope_ready: false,
            in_time_ready: false,
            solves: 0,
        }
    }

    /// The field and its derivative in time at the start of a step; kept when the step is repeated.
    fn differentiate<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h, y0): (S::Elem, S::Elem, &S),
    ) {
        if !self.slope_ready {
            field.eval(t, y0, &mut self.slope);
            self.slope_ready = true;
        }
        if !self.in_time_ready {
            time_derivative(field, (t, y0, &self.slope), h.signum(), &mut self.in_time);
            self.in_time_ready = true;
        }
    }

    /// Writes `u` to `y1` and `d`; false if the φ functions fail.
    fn predict<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h, y0): (S::Elem, S::Elem, &S),
        y1: &mut S,
    ) -> bool {
        let at = (t, y0, &self.slope);
        let moves = self.in_time.as_slice().iter().any(|&d| d != S::Elem::ZERO);
        let forcing = [Some((h, &self.slope)), moves.then_some((h * h, &self.in_time)), None];
        self.solves += 1;
        let linear = Linear { at, h, forcing, inverse: &self.inverse };
        if !self.krylov.solve(field, &linear, &mut self.increment) {
            return false;
        }
        y1.clone_from(y0);
        add(&self.increment, y1);
        field.eval(t + h, y1, &mut self.end);
        product(field, at, &self.increment, (&mut self.defect, &mut self.moved));
        self.krylov.products += 1;
        let (end, slope, in_time) = (self.end.as_slice(), self.slope.as_slice(), self.in_time.as_slice());
        for (i, d) in self.defect.as_mut_slice().iter_mut().enumerate() {
            *d = (end[i] - slope[i]) - *d - h * in_time[i];
        }
        true
    }

    /// Writes `2h φ₃(hJ) d` to the estimate; false if the φ functions fail.
    fn correct<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h, y0): (S::Elem, S::Elem, &S),
    ) -> bool {
        let forcing = [None, None, Some((h + h, &self.defect))];
        let linear = Linear { at: (t, y0, &self.slope), h, forcing, inverse: &self.inverse };
        self.solves += 1;
        self.krylov.solve(field, &linear, &mut self.estimate)
    }
}

fn add<S: State>(x: &S, to: &mut S) {
    to.as_mut_slice().iter_mut().zip(x.as_slice()).for_each(|(t, &x)| *t += x);
}

impl<S: State, const THIRD: bool> Integrator<S> for Exponential<S, THIRD> {
    fn name(&self) -> &'static str {
        name(THIRD)
    }

    fn order(&self) -> Option<u32> {
        Some(if THIRD { 3 } else { 2 })
    }

    fn error_order(&self) -> Option<u32> {
        Some(2)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        match &mut self.work {
            Some(w) if w.slope.same_shape(y0) => {
                (w.slope_ready, w.in_time_ready) = (false, false);
                (w.solves, w.krylov.products) = (0, 0);
            }
            _ => self.work = Some(Box::new(Workspace::new(y0))),
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
        self.tol.invert(y0.as_slice(), &mut w.inverse);
        w.differentiate(field, (t, h, y0));
        let mut solved = w.predict(field, (t, h, y0), y1);
        if THIRD {
            solved = solved && w.correct(field, (t, h, y0));
            add(&w.estimate, y1);
        } else {
            w.estimate.clone_from(&w.defect);
            w.estimate.as_mut_slice().iter_mut().for_each(|e| *e *= h / S::Elem::of(3.0));
        }
        if !solved {
            // A NaN makes the step be repeated with a shorter one.
            y1.as_mut_slice().fill(S::Elem::nan());
            w.estimate.as_mut_slice().fill(S::Elem::nan());
        }
        Ok(())
    }

    fn accept(&mut self, smooth: bool) {
        let Some(w) = &mut self.work else { return };
        (w.slope_ready, w.in_time_ready) = (false, false);
        if !THIRD && smooth {
            std::mem::swap(&mut w.slope, &mut w.end);
            w.slope_ready = true;
        }
    }

    fn error_norm(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        let w = self.work.as_deref()?;
        Some(tol.norm(y0.as_slice(), y1.as_slice(), &w.estimate.as_slice()))
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> usize {
        let Some(w) = self.work.as_deref() else { return 0 };
        tol.worst(y0.as_slice(), y1.as_slice(), &w.estimate.as_slice())
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
        if THIRD {
            field.eval(t + h, y1, &mut w.end);
        }
        out.hermite(t, h, (y0.as_slice(), w.slope.as_slice()), (y1.as_slice(), w.end.as_slice()));
        Ok(())
    }

    fn work(&self) -> Work {
        let Some(w) = self.work.as_deref() else { return Work::default() };
        Work { iterations: w.krylov.products, solves: w.solves, ..Work::default() }
    }
}
