//! A closure with a derivative of the user's own.

use std::fmt;
use std::marker::PhantomData;

use super::Parametric;
use crate::{Real, State, VectorField};

/// A closure `f(t, y, θ, dy)` with its reverse derivative `vjp(t, y, θ, λ, ybar, θbar)`, which writes `λᵀ ∂f/∂y` to `ybar`
/// and adds `λᵀ ∂f/∂θ` to `θbar`.
///
/// ```
/// use flowfield::sensitivity::{Parametric, WithVjp};
/// let field = WithVjp::new(
///     |_t: f64, y: &[f64; 1], theta: &[f64], dy: &mut [f64; 1]| dy[0] = -theta[0] * y[0],
///     |_t, y: &[f64; 1], theta: &[f64], l: &[f64; 1], ybar: &mut [f64; 1], thetabar: &mut [f64]| {
///         ybar[0] = -theta[0] * l[0];
///         thetabar[0] -= y[0] * l[0];
///     },
///     &[0.7],
/// );
/// assert_eq!(field.params(), &[0.7]);
/// ```
pub struct WithVjp<E, R, S: State> {
    eval: E,
    vjp: R,
    theta: Vec<S::Elem>,
    /// A unit vector, its pull-back, and that of the parameters, for the forward mode.
    forward: Option<(S, S, Vec<S::Elem>)>,
    state: PhantomData<fn(&S)>,
}

impl<E, R, S> WithVjp<E, R, S>
where
    S: State,
    E: FnMut(S::Elem, &S, &[S::Elem], &mut S),
    R: FnMut(S::Elem, &S, &[S::Elem], &S, &mut S, &mut [S::Elem]),
{
    /// The field `eval` with derivative `vjp` and parameters `theta`.
    pub fn new(eval: E, vjp: R, theta: &[S::Elem]) -> Self {
        WithVjp { eval, vjp, theta: theta.to_vec(), forward: None, state: PhantomData }
    }
}

impl<E, R, S> VectorField<S> for WithVjp<E, R, S>
where
    S: State,
    E: FnMut(S::Elem, &S, &[S::Elem], &mut S),
    R: FnMut(S::Elem, &S, &[S::Elem], &S, &mut S, &mut [S::Elem]),
{
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        (self.eval)(t, y, &self.theta, dy);
    }

    /// A pull-back for each row.
    fn jacobian(&mut self, t: S::Elem, y: &S, jac: &mut [S::Elem]) -> bool {
        let (n, p) = (y.as_slice().len(), self.theta.len());
        let (unit, ybar, theta_bar) =
            self.forward.get_or_insert_with(|| (y.clone(), y.clone(), vec![S::Elem::of(0.0); p]));
        unit.as_mut_slice().fill(S::Elem::of(0.0));
        for (i, row) in jac.chunks_exact_mut(n).enumerate() {
            unit.as_mut_slice()[i] = S::Elem::of(1.0);
            (self.vjp)(t, y, &self.theta, unit, ybar, theta_bar);
            unit.as_mut_slice()[i] = S::Elem::of(0.0);
            row.copy_from_slice(ybar.as_slice());
        }
        true
    }
}

impl<E, R, S> Parametric<S> for WithVjp<E, R, S>
where
    S: State,
    E: FnMut(S::Elem, &S, &[S::Elem], &mut S),
    R: FnMut(S::Elem, &S, &[S::Elem], &S, &mut S, &mut [S::Elem]),
{
    fn params(&self) -> &[S::Elem] {
        &self.theta
    }

    fn set_params(&mut self, theta: &[S::Elem]) {
        self.theta.clear();
        self.theta.extend_from_slice(theta);
    }

    fn vjp(&mut self, t: S::Elem, y: &S, lambda: &S, ybar: &mut S, theta_bar: &mut [S::Elem]) {
        (self.vjp)(t, y, &self.theta, lambda, ybar, theta_bar);
    }

    /// One pull-back for each component.
    fn tangent(&mut self, t: S::Elem, y: &S, dy: &S, dtheta: &[S::Elem], out: &mut S) {
        let zero = S::Elem::of(0.0);
        let p = self.theta.len();
        let (unit, ybar, theta_bar) =
            self.forward.get_or_insert_with(|| (y.clone(), y.clone(), vec![zero; p]));
        unit.as_mut_slice().fill(zero);
        for i in 0..y.as_slice().len() {
            unit.as_mut_slice()[i] = S::Elem::of(1.0);
            theta_bar.fill(zero);
            (self.vjp)(t, y, &self.theta, unit, ybar, theta_bar);
            unit.as_mut_slice()[i] = zero;
            let state = ybar.as_slice().iter().zip(dy.as_slice());
            let params = theta_bar.iter().zip(dtheta);
            out.as_mut_slice()[i] = state.chain(params).map(|(&a, &b)| a * b).sum();
        }
    }
}

impl<E, R, S: State> fmt::Debug for WithVjp<E, R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithVjp").field("theta", &self.theta).finish_non_exhaustive()
    }
}
