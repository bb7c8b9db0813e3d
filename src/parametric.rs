//! Fields with parameters that can be differentiated.

use crate::{State, VectorField};

/// A field `f(t, y; θ)` that knows the derivatives gradients through its flow are made of.
///
/// A [`Formula`](crate::Formula) has them by dual numbers ([`Differentiable`](crate::Differentiable)),
/// [`WithVjp`](crate::sensitivity::WithVjp) takes them from the user, and
/// [`NeuralField`](crate::sensitivity::NeuralField) from a network's own passes.
pub trait Parametric<S: State>: VectorField<S> {
    /// The parameters.
    fn params(&self) -> &[S::Elem];

    /// Replaces the parameters by as many others.
    fn set_params(&mut self, theta: &[S::Elem]);

    /// Reverse mode at `(t, y)`: writes `λᵀ ∂f/∂y` to `ybar` and adds `λᵀ ∂f/∂θ` to `theta_bar`.
    fn vjp(&mut self, t: S::Elem, y: &S, lambda: &S, ybar: &mut S, theta_bar: &mut [S::Elem]);

    /// Forward mode at `(t, y)`: writes `∂f/∂y dy + ∂f/∂θ dθ` to `out`.
    fn tangent(&mut self, t: S::Elem, y: &S, dy: &S, dtheta: &[S::Elem], out: &mut S);

    /// [`eval`](VectorField::eval) of which [`vjp_recorded`](Self::vjp_recorded) will be asked the derivative; slots count
    /// from 0. Fields that need a forward pass for their derivatives keep it.
    fn record(&mut self, slot: usize, t: S::Elem, y: &S, dy: &mut S) {
        let _ = slot;
        self.eval(t, y, dy);
    }

    /// [`vjp`](Self::vjp) at the point that was recorded in this slot.
    fn vjp_recorded(
        &mut self,
        slot: usize,
        t: S::Elem,
        y: &S,
        lambda: &S,
        ybar: &mut S,
        theta_bar: &mut [S::Elem],
    ) {
        let _ = slot;
        self.vjp(t, y, lambda, ybar, theta_bar);
    }
}
