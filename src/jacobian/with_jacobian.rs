//! A field that knows its Jacobian.

use std::marker::PhantomData;
use std::sync::Arc;

use super::structure::Structure;
use crate::mass::MassMatrix;
use crate::{Half, Pattern, Real, Result, State, VectorField};

/// A field with its Jacobian `∂f/∂y`, for the implicit methods; without one they take finite differences.
///
/// The second closure writes the values in the order of the Jacobian's [`Structure`]: for a dense one ([`new`](Self::new))
/// `n × n` numbers in row-major order, `jac[i * n + j] = ∂fᵢ/∂yⱼ`. They are zero on entry.
///
/// [`check_jacobian`](crate::check_jacobian) compares it with differences before a run. In a run in which many steps fail, an
/// entry that differences contradict beyond doubt is named by [`Error::WrongJacobian`](crate::Error::WrongJacobian).
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
pub struct WithJacobian<V, J, S: State> {
    field: V,
    jacobian: J,
    structure: Structure,
    /// Values in the user's order, where that is not the pattern's own.
    values: Vec<S::Elem>,
    state: PhantomData<fn(&S)>,
}

impl<S: State, V: VectorField<S>, J: FnMut(S::Elem, &S, &mut [S::Elem])> WithJacobian<V, J, S> {
    /// `field` with its dense `jacobian`, row by row.
    pub fn new(field: V, jacobian: J) -> Self {
        Self::with(field, Structure::Dense, jacobian)
    }

    /// `field` with a `jacobian` of `lower` diagonals below the main one and `upper` above it: entry (i, j) is
    /// `jac[i * (lower + 1 + upper) + j + lower - i]`.
    pub fn banded(field: V, lower: usize, upper: usize, jacobian: J) -> Self {
        Self::with(field, Structure::Banded { lower, upper }, jacobian)
    }

    /// `field` with a sparse `jacobian`: one value for each place given to [`Pattern::new`], in the order in which they
    /// were given (values of a place given twice are added).
    ///
    /// ```
    /// use flowfield::{Flow, Pattern, WithJacobian, field, integrate::Rodas4};
    /// let chain = field(|_t, y: &[f64; 3], d| *d = [-1e4 * y[0], 1e4 * y[0] - y[1], y[1]]);
    /// let places = Pattern::new(3, &[(0, 0), (1, 0), (1, 1), (2, 1)])?;
    /// let jacobian = |_t: f64, _y: &[f64; 3], jac: &mut [f64]| jac.copy_from_slice(&[-1e4, 1e4, -1.0, 1.0]);
    /// let chain = WithJacobian::sparse(chain, places, jacobian);
    /// let sol = Flow::new(chain, Rodas4::new()).solve(0.0, 10.0, [1.0, 0.0, 0.0])?;
    /// assert!((sol.y_end().iter().sum::<f64>() - 1.0).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sparse(field: V, pattern: Pattern, jacobian: J) -> Self {
        Self::with(field, Structure::Sparse(Arc::new(pattern)), jacobian)
    }

    fn with(field: V, structure: Structure, jacobian: J) -> Self {
        let values = match &structure {
            Structure::Sparse(p) if !p.in_order() => vec![S::Elem::of(0.0); p.given().len()],
            _ => Vec::new(),
        };
        WithJacobian { field, jacobian, structure, values, state: PhantomData }
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
        match &self.structure {
            Structure::Sparse(pattern) if !self.values.is_empty() => {
                self.values.fill(S::Elem::of(0.0));
                (self.jacobian)(t, y, &mut self.values);
                pattern.given().iter().zip(&self.values).for_each(|(&at, &value)| jac[at as usize] += value);
            }
            _ => (self.jacobian)(t, y, jac),
        }
        true
    }

    fn structure(&mut self, _t: S::Elem, _y: &S) -> Structure {
        self.structure.clone()
    }

    fn jvp(&mut self, t: S::Elem, y: &S, v: &S, out: &mut S) -> bool {
        self.field.jvp(t, y, v, out)
    }

    fn apply_preconditioner(&mut self, t: S::Elem, y: &S, sigma: S::Elem, r: &mut S) {
        self.field.apply_preconditioner(t, y, sigma, r);
    }

    fn time_derivative(&mut self, t: S::Elem, y: &S, out: &mut S) -> bool {
        self.field.time_derivative(t, y, out)
    }

    #[inline(always)]
    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        self.field.eval_half(half, t, y, dy)
    }

    fn mass(&self) -> Option<&MassMatrix<S::Elem>> {
        self.field.mass()
    }

    fn noise(&mut self) -> Option<&mut dyn crate::noise::Noise<S>> {
        self.field.noise()
    }

    fn redraw(&mut self) -> bool {
        self.field.redraw()
    }

    fn check(&self, y: &S) -> Result<()> {
        self.structure.check(y.as_slice().len())?;
        self.field.check(y)
    }
}
