//! A field that knows its Jacobian.

use std::marker::PhantomData;

use crate::mass::MassMatrix;
use crate::{Half, Result, State, VectorField};

/// A field with its Jacobian `∂f/∂y`, for the implicit methods; without one they take finite differences.
///
/// The second closure writes `n × n` numbers in row-major order, `jac[i * n + j] = ∂fᵢ/∂yⱼ`; the matrix is zero on entry.
///
/// ```
/// use flowfield::{Flow, WithJacobian, field, integrate::Rodas5P};
/// let mu = 1e3;
/// let van_der_pol = field(move |_t, y: &[f64; 2], dy| *dy = [y[1], mu * (1.0 - y[0] * y[0]) * y[1] - y[0]]);
/// let jacobian = move |_t: f64, y: &[f64; 2], jac: &mut [f64]| {
///     jac.copy_from_slice(&[0.0, 1.0, -2.0 * mu * y[0] * y[1] - 1.0, mu * (1.0 - y[0] * y[0])]);
/// };
/// let stiff = WithJacobian::new(van_der_pol, jacobian);
/// let sol = Flow::new(stiff, Rodas5P::new()).tol(1e-8).solve(0.0, 2000.0, [2.0, 0.0])?;
/// assert!((sol.y_end()[0] - 1.706167).abs() < 1e-3 && sol.stats.accepted < 2000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct WithJacobian<V, J, S> {
    field: V,
    jacobian: J,
    state: PhantomData<fn(&S)>,
}

impl<S: State, V: VectorField<S>, J: FnMut(S::Elem, &S, &mut [S::Elem])> WithJacobian<V, J, S> {
    /// `field` with `jacobian`.
    pub fn new(field: V, jacobian: J) -> Self {
        WithJacobian { field, jacobian, state: PhantomData }
    }
}

impl<S, V, J> VectorField<S> for WithJacobian<V, J, S>
where
    S: State,
    V: VectorField<S>,
    J: FnMut(S::Elem, &S, &mut [S::Elem]),
{
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.field.eval(t, y, dy);
    }

    #[inline(always)]
    fn jacobian(&mut self, t: S::Elem, y: &S, jac: &mut [S::Elem]) -> bool {
        (self.jacobian)(t, y, jac);
        true
    }

    #[inline(always)]
    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        self.field.eval_half(half, t, y, dy)
    }

    fn mass(&self) -> Option<&MassMatrix<S::Elem>> {
        self.field.mass()
    }

    fn redraw(&mut self) -> bool {
        self.field.redraw()
    }

    fn check(&self, y: &S) -> Result<()> {
        self.field.check(y)
    }
}
