//! Derivatives of the field by finite differences.

use num_traits::Float as _;

use crate::integrate::Tolerance;
use crate::{Real, State, VectorField};

/// Writes `∂f/∂y` at (t, y) to `jac`, from the field itself or by `n` differences to `f0 = f(t, y)`.
/// `scratch`: two states of the shape of `y`.
///
/// The increments are those of CVODE (its user guide, "Linear solvers": difference quotient Jacobian):
/// `δⱼ = max(√ε |yⱼ|, 1000 |h| ε n ‖f₀‖ wⱼ)` with the error weights `wⱼ = atol + rtol |yⱼ|`, so that components near
/// zero are moved by an amount that matters to the tolerance, no more.
pub(super) fn jacobian<S: State, V: VectorField<S> + ?Sized>(
    field: &mut V,
    (t, y, f0): (S::Elem, &S, &S),
    (h, tol): (S::Elem, &Tolerance<S::Elem>),
    jac: &mut [S::Elem],
    scratch: (&mut S, &mut S),
) {
    jac.fill(S::Elem::of(0.0));
    if field.jacobian(t, y, jac) {
        return;
    }
    let (moved, f1) = scratch;
    moved.clone_from(y);
    let (values, f0) = (y.as_slice(), f0.as_slice());
    let n = values.len();
    let norm = tol.norm(values, values, &f0);
    let least = S::Elem::of(1000.0 * n as f64) * h.abs() * S::Elem::EPS * norm;
    let least = if least > S::Elem::of(0.0) { least } else { S::Elem::of(1.0) };
    for (j, &at) in values.iter().enumerate() {
        let increment = (S::Elem::EPS.sqrt() * at.abs()).max(least * tol.weight(j, at, at));
        moved.as_mut_slice()[j] = at + increment;
        // What was added after rounding, not what was meant to be.
        let inverse = (moved.as_slice()[j] - at).recip();
        field.eval(t, moved, f1);
        for (i, (&f1, &f0)) in f1.as_slice().iter().zip(f0).enumerate() {
            jac[i * n + j] = (f1 - f0) * inverse;
        }
        moved.as_mut_slice()[j] = at;
    }
}

/// Writes `∂f/∂t` at (t, y) to `slope`; the increment is RADAU5's, `√(ε max(1e-5, |t|))`.
pub(super) fn time_derivative<S: State, V: VectorField<S> + ?Sized>(
    field: &mut V,
    (t, y, f0): (S::Elem, &S, &S),
    direction: S::Elem,
    slope: &mut S,
) {
    // Into the step, so that the field is not asked for values before its start or after its end.
    let increment = (S::Elem::EPS * t.abs().max(S::Elem::of(1e-5))).sqrt();
    let later = t + direction * increment;
    let inverse = (later - t).recip();
    field.eval(later, y, slope);
    let pairs = slope.as_mut_slice().iter_mut().zip(f0.as_slice());
    pairs.for_each(|(f1, &f0)| *f1 = (*f1 - f0) * inverse);
}
