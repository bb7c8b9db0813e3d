//! The gradient flow of a loss.

use std::fmt;

use super::Dissipative;
use crate::{Real, State, VectorField};

/// The metric of a gradient flow: turns a covector (minus a gradient) into a velocity.
pub trait Metric<F: Real> {
    /// `v ← G(x)⁻¹ v`, G symmetric and positive.
    fn raise(&mut self, x: &[F], v: &mut [F]);
}

impl<F: Real, M: FnMut(&[F], &mut [F])> Metric<F> for M {
    fn raise(&mut self, x: &[F], v: &mut [F]) {
        self(x, v);
    }
}

/// The metric in which nothing needs to be done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flat;

impl<F: Real> Metric<F> for Flat {
    fn raise(&mut self, _x: &[F], _v: &mut [F]) {}
}

/// The gradient flow `x' = -∇f(x)` of a loss, or `x' = -G(x)⁻¹ ∇f(x)` in a [`metric`](Self::metric), as a field on states
/// of any shape.
///
/// The loss writes its gradient and returns its value. Euler's method is gradient descent with the learning rate `h`
/// (stable below 2/L), [`Proximal`](crate::integrate::Proximal) the proximal point method, and an adaptive method the
/// flow itself, along which `df/dt = -⟨∇f, G⁻¹∇f⟩`.
///
/// ```
/// use flowfield::{Flow, gradient::GradientFlow, integrate::{Euler, Tsit5}};
/// let rosenbrock = |x: &[f64], g: &mut [f64]| {
///     let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
///     g[0] = -2.0 * a - 40.0 * x[0] * b;
///     g[1] = 20.0 * b;
///     a * a + 10.0 * b * b
/// };
/// let mut x = [-1.0, 1.0];
/// Flow::new(GradientFlow::new(rosenbrock), Euler::new()).steps(2_000, 0.01, &mut x)?;      // gradient descent
/// let flow = Flow::new(GradientFlow::new(rosenbrock), Tsit5::new()).solve(0.0, 20.0, [-1.0, 1.0])?;
/// assert!((x[0] - 1.0).abs() < 1e-3 && (flow.y_end()[0] - 1.0).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct GradientFlow<L, M = Flat> {
    loss: L,
    metric: M,
    last: Option<f64>,
}

impl<L> GradientFlow<L> {
    /// Of `loss(x, g)`, which writes ∇f(x) to `g` and returns f(x). (`g` comes with arbitrary contents.)
    pub fn new<F: Real>(loss: L) -> Self
    where
        L: FnMut(&[F], &mut [F]) -> F,
    {
        GradientFlow { loss, metric: Flat, last: None }
    }

    /// In another metric: `raise(x, v)` overwrites the covector `v` with `G(x)⁻¹ v` (natural gradient, preconditioning).
    ///
    /// ```
    /// use flowfield::{Flow, gradient::GradientFlow, integrate::Euler};
    /// // Newton's method is descent in the metric of the Hessian: a quadratic is solved by one step of h = 1.
    /// let bowl = |x: &[f64], g: &mut [f64]| { g[0] = x[0]; g[1] = 100.0 * x[1]; 0.5 * x[0] * x[0] + 50.0 * x[1] * x[1] };
    /// let newton = GradientFlow::new(bowl).metric(|_x: &[f64], v: &mut [f64]| v[1] /= 100.0);
    /// let mut x = [1.0, 1.0];
    /// Flow::new(newton, Euler::new()).step(1.0, &mut x)?;
    /// assert_eq!(x, [0.0, 0.0]);
    /// # Ok::<(), flowfield::Error>(())
    /// ```
    pub fn metric<F: Real, M: FnMut(&[F], &mut [F])>(self, raise: M) -> GradientFlow<L, M> {
        GradientFlow { loss: self.loss, metric: raise, last: None }
    }
}

impl<L, M> fmt::Debug for GradientFlow<L, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GradientFlow").finish_non_exhaustive()
    }
}

impl<S, L, M> VectorField<S> for GradientFlow<L, M>
where
    S: State,
    L: FnMut(&[S::Elem], &mut [S::Elem]) -> S::Elem,
    M: Metric<S::Elem>,
{
    fn eval(&mut self, _t: S::Elem, x: &S, dx: &mut S) {
        let (x, dx) = (x.as_slice(), dx.as_mut_slice());
        self.last = Some((self.loss)(x, dx).f64());
        dx.iter_mut().for_each(|v| *v = -*v);
        self.metric.raise(x, dx);
    }

    fn loss(&self) -> Option<S::Elem> {
        self.last.map(S::Elem::of)
    }
}

impl<S, L, M> Dissipative<S> for GradientFlow<L, M>
where
    S: State,
    L: FnMut(&[S::Elem], &mut [S::Elem]) -> S::Elem,
    M: Metric<S::Elem>,
{
    fn energy(&mut self, _t: S::Elem, x: &S) -> (f64, f64) {
        let mut gradient = x.clone();
        let value = (self.loss)(x.as_slice(), gradient.as_mut_slice());
        let mut raised = gradient.clone();
        self.metric.raise(x.as_slice(), raised.as_mut_slice());
        let pairs = gradient.as_slice().iter().zip(raised.as_slice());
        (value.f64(), pairs.map(|(g, v)| g.f64() * v.f64()).sum())
    }
}
