//! Fields with parameters that can be differentiated.

use num_traits::Float as _;

use crate::{Real, State, VectorField};

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

    /// Size in bytes of the record of one evaluation at states like `y`, if evaluations can be recorded as an integrator makes
    /// them: from [`record_from`](Self::record_from) on. Such a field takes nothing from the `y` of
    /// [`vjp_recorded`](Self::vjp_recorded).
    fn record_bytes(&self, y: &S) -> Option<usize> {
        let _ = y;
        None
    }

    /// From now on each [`eval`](VectorField::eval) is recorded, in slots that count up from this one; `None`: no longer.
    fn record_from(&mut self, slot: Option<usize>) {
        let _ = slot;
    }

    /// The slot of the next record, if there is to be one.
    fn next_record(&self) -> Option<usize> {
        None
    }

    /// Writes what [`eval`](VectorField::eval) gave when this slot was recorded; false if it is not known.
    fn recorded(&self, slot: usize, dy: &mut S) -> bool {
        let _ = (slot, dy);
        false
    }

    /// Exchanges the records of two slots.
    fn swap_records(&mut self, a: usize, b: usize) {
        let _ = (a, b);
    }

    /// Second order at `(t, y)`: the gradient of `s = λᵀ (∂f/∂y dy + ∂f/∂t dt)`, with `dt` and `dy` held fixed. Writes `∂s/∂y` to
    /// `ybar` and adds `∂s/∂θ` to `theta_bar`. What the reverse of a Rosenbrock method needs.
    ///
    /// By default a central difference of [`vjp`](Self::vjp), of which the last third of the digits is noise.
    fn vjp_of_tangent(
        &mut self,
        (t, y): (S::Elem, &S),
        (dt, dy): (S::Elem, &S),
        lambda: &S,
        ybar: &mut S,
        theta_bar: &mut [S::Elem],
    ) {
        let size = |x: &S| x.as_slice().iter().fold(S::Elem::of(0.0), |m, x| m.max(x.abs()));
        let most = size(dy).max(dt.abs());
        ybar.as_mut_slice().fill(S::Elem::of(0.0));
        if most == S::Elem::of(0.0) {
            return;
        }
        let step = S::Elem::EPS.cbrt() * size(y).max(S::Elem::of(1e-3)) / most;
        let (mut moved, mut side) = (y.clone(), y.clone());
        let mut bars = vec![S::Elem::of(0.0); theta_bar.len()];
        for by in [step, -step] {
            let point = moved.as_mut_slice().iter_mut().zip(y.as_slice()).zip(dy.as_slice());
            point.for_each(|((m, &y), &d)| *m = y + by * d);
            bars.fill(S::Elem::of(0.0));
            self.vjp(t + by * dt, &moved, lambda, &mut side, &mut bars);
            let weight = (by + by).recip();
            ybar.as_mut_slice().iter_mut().zip(side.as_slice()).for_each(|(o, &s)| *o += weight * s);
            theta_bar.iter_mut().zip(&bars).for_each(|(o, &s)| *o += weight * s);
        }
    }
}
