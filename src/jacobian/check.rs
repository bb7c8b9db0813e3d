//! A Jacobian written by hand, against finite differences.

use num_traits::Float as _;

use super::structure::Structure;
use crate::{Error, Real, Result, State, VectorField};

/// Compares the Jacobian that a field gives at `(t, y)` with central differences of the field, entry by entry, also where its
/// structure says zero.
///
/// Differences are wrong themselves by about ε^(2/3) of the largest entry of a column: entries are compared to `1e-4` of
/// their own size and `1e-6` of the column's largest (1e-2 and 1e-3 in `f32`). Takes two evaluations a column.
///
/// ```
/// use flowfield::{Error, WithJacobian, check_jacobian, field};
/// let oscillator = field(|_t, y: &[f64; 2], dy| *dy = [y[1], -4.0 * y[0]]);
/// let wrong = |_t: f64, _y: &[f64; 2], jac: &mut [f64]| jac.copy_from_slice(&[0.0, 1.0, 4.0, 0.0]);
/// let e = check_jacobian(&mut WithJacobian::new(oscillator, wrong), 0.0, &[1.0, 0.5]);
/// assert!(matches!(e, Err(Error::WrongJacobian { row: 1, column: 0, .. })));
/// ```
///
/// # Errors
/// [`Error::WrongJacobian`] for the entry that is furthest off; what the field's own check finds.
pub fn check_jacobian<S: State, V: VectorField<S>>(field: &mut V, t: S::Elem, y: &S) -> Result<()> {
    field.check(y)?;
    let (n, structure) = (y.as_slice().len(), field.structure(t, y));
    let mut values = vec![S::Elem::ZERO; structure.len(n)];
    if structure == Structure::MatrixFree || !field.jacobian(t, y, &mut values) {
        return Ok(());
    }
    let double = S::Elem::EPS.f64() < 1e-10;
    let (relative, absolute) = if double { (1e-4, 1e-6) } else { (1e-2, 1e-3) };
    let mut scratch = [y.clone(), y.clone(), y.clone()];
    let mut worst = (1.0, Ok(()));
    for column in 0..n {
        let differences = difference(field, t, column, &mut scratch);
        let largest = differences.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        for (row, &found) in differences.iter().enumerate() {
            let given = structure.position(n, row, column).map_or(0.0, |at| values[at].f64());
            let off =
                (given - found).abs() / (relative * found.abs() + absolute * largest + f64::MIN_POSITIVE);
            // A NaN is off by more than anything.
            let off = if off.is_nan() { f64::INFINITY } else { off };
            if off > worst.0 {
                worst = (off, Err(Error::WrongJacobian { t: t.f64(), row, column, given, found }));
            }
        }
    }
    worst.1
}

/// `∂f/∂yⱼ` by a central difference. The first state of `scratch` is y, and stays so.
fn difference<S, V>(field: &mut V, t: S::Elem, j: usize, [y, up, down]: &mut [S; 3]) -> Vec<f64>
where
    S: State,
    V: VectorField<S>,
{
    let at = y.as_slice()[j];
    let step = S::Elem::EPS.cbrt() * at.abs().max(S::Elem::of(1e-3));
    y.as_mut_slice()[j] = at + step;
    field.eval(t, y, up);
    y.as_mut_slice()[j] = at - step;
    field.eval(t, y, down);
    y.as_mut_slice()[j] = at;
    let pairs = up.as_slice().iter().zip(down.as_slice());
    pairs.map(|(&up, &down)| ((up - down) / (step + step)).f64()).collect()
}
