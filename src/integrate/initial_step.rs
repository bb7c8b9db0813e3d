//! The first step size (Hairer, Nørsett, Wanner I, II.4, "Starting Step Size").

use super::Tolerance;
use crate::{Real, State, VectorField};

/// Chooses the size (with the sign of `direction`) of the first step from `f0 = f(t0, y0)` and one
/// more evaluation, at most `longest` away. `scratch` is two states of the shape of `y0`; `order` the order of the error
/// estimate.
pub(crate) fn initial_step<S: State, V: VectorField<S>>(
    field: &mut V,
    (t0, y0, f0): (S::Elem, &S, &S),
    (direction, longest): (S::Elem, S::Elem),
    order: u32,
    tol: &Tolerance<S::Elem>,
    scratch: (&mut S, &mut S),
) -> S::Elem {
    let (y1, f1) = scratch;
    let (y, f) = (y0.as_slice(), f0.as_slice());
    let d0 = tol.norm(y, y, &y);
    let d1 = tol.norm(y, y, &f);
    let h0 = first_guess(d0, d1, longest);
    for (y1, (&y, &f)) in y1.as_mut_slice().iter_mut().zip(y.iter().zip(f)) {
        *y1 = y + direction * h0 * f;
    }
    field.eval(t0 + direction * h0, y1, f1);
    f1.as_mut_slice().iter_mut().zip(f).for_each(|(f1, &f)| *f1 -= f);
    let d2 = tol.norm(y, y, &f1.as_slice()) / h0;
    direction * second_guess(h0, d1, d2, order)
}

/// From the norms of the state and of its slope: a step of Euler's method that changes little, and does not lead to where
/// the field need not exist.
pub(crate) fn first_guess<F: Real>(d0: F, d1: F, longest: F) -> F {
    let small = F::of(1e-5);
    let h0 = F::of(0.01) * d0 / d1;
    // Also where a norm overflows: a component at zero without absolute tolerance.
    let h0 = if d0 < small || d1 < small || !h0.is_normal() { F::of(1e-6) } else { h0 };
    h0.min(longest)
}

/// From the norms of the slope and of the second derivative that the step `h0` has shown.
pub(crate) fn second_guess<F: Real>(h0: F, d1: F, d2: F, order: u32) -> F {
    let of = F::of;
    let largest = if d1 > d2 { d1 } else { d2 };
    let exponent = of(1.0 / (f64::from(order) + 1.0));
    let h1 = if largest.is_finite() && largest > of(1e-15) {
        (of(0.01) / largest).rough_pow(exponent)
    } else {
        (h0 * of(1e-3)).max(of(1e-6))
    };
    h1.min(of(100.0) * h0)
}
