//! A field with a mass matrix: M dy/dt = f(t, y).

use std::marker::PhantomData;

use ndarray::{Array1, Array2};

use crate::{Error, Half, Real, Result, State, Structure, VectorField};

/// A constant mass matrix `M` of `M dy/dt = f(t, y)`, singular where an equation is algebraic.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MassMatrix<F> {
    /// The diagonal; a zero makes its equation algebraic, `0 = fᵢ(t, y)`.
    Diagonal(Vec<F>),
    /// All `n × n` numbers.
    Dense(Array2<F>),
}

impl<F: Real> From<Vec<F>> for MassMatrix<F> {
    fn from(diagonal: Vec<F>) -> Self {
        MassMatrix::Diagonal(diagonal)
    }
}
impl<F: Real, const N: usize> From<[F; N]> for MassMatrix<F> {
    fn from(diagonal: [F; N]) -> Self {
        MassMatrix::Diagonal(diagonal.to_vec())
    }
}
impl<F: Real> From<Array1<F>> for MassMatrix<F> {
    fn from(diagonal: Array1<F>) -> Self {
        MassMatrix::Diagonal(diagonal.to_vec())
    }
}
impl<F: Real> From<Array2<F>> for MassMatrix<F> {
    fn from(matrix: Array2<F>) -> Self {
        MassMatrix::Dense(matrix.as_standard_layout().into_owned())
    }
}

impl<F: Real> MassMatrix<F> {
    /// Refuses a matrix that is not n × n, or not finite.
    pub(crate) fn check(&self, n: usize) -> Result<()> {
        let (shape, values) = match self {
            MassMatrix::Diagonal(d) => (vec![d.len(), d.len()], d.as_slice()),
            MassMatrix::Dense(m) => (m.shape().to_vec(), State::as_slice(m)),
        };
        Error::shape("the mass matrix", &[n, n], &shape)?;
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(i) => Err(Error::NotFinite {
                what: "the mass matrix",
                row: i / (values.len() / n),
                value: values[i].f64(),
            }),
        }
    }

    /// `out = M x`.
    #[inline(always)]
    pub(crate) fn times(&self, x: &[F], out: &mut [F]) {
        match self {
            MassMatrix::Diagonal(d) => {
                out.iter_mut().zip(d.iter().zip(x)).for_each(|(o, (&d, &x))| *o = d * x);
            }
            MassMatrix::Dense(m) => {
                for (o, row) in out.iter_mut().zip(m.rows()) {
                    *o = row.iter().zip(x).map(|(&m, &x)| m * x).sum();
                }
            }
        }
    }

    /// `out -= M x`.
    #[inline(always)]
    pub(crate) fn take_from(&self, x: &[F], out: &mut [F]) {
        match self {
            MassMatrix::Diagonal(d) => {
                out.iter_mut().zip(d.iter().zip(x)).for_each(|(o, (&d, &x))| *o -= d * x);
            }
            MassMatrix::Dense(m) => {
                for (o, row) in out.iter_mut().zip(m.rows()) {
                    *o -= row.iter().zip(x).map(|(&m, &x)| m * x).sum::<F>();
                }
            }
        }
    }
}

/// A field with a constant mass matrix, `M dy/dt = f(t, y)`: a system with algebraic equations (of index 1) where `M` is
/// singular. For the implicit methods that say so; the others refuse it.
///
/// The matrix is its diagonal (a list of numbers) or an `Array2`.
///
/// ```
/// use flowfield::{Flow, WithMass, field, integrate::Rodas5P};
/// // Robertson's reaction with the conservation of mass in place of the third equation.
/// let robertson = field(|_t, y: &[f64; 3], d| {
///     let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
///     *d = [fast - slow, slow - fast - faster, y[0] + y[1] + y[2] - 1.0];
/// });
/// let dae = WithMass::new(robertson, [1.0, 1.0, 0.0]);
/// # let _ = dae;
/// ```
#[derive(Debug, Clone)]
pub struct WithMass<V, S: State> {
    field: V,
    mass: MassMatrix<S::Elem>,
    state: PhantomData<fn(&S)>,
}

impl<S: State, V: VectorField<S>> WithMass<V, S> {
    /// `field` with the mass matrix `mass`.
    pub fn new(field: V, mass: impl Into<MassMatrix<S::Elem>>) -> Self {
        WithMass { field, mass: mass.into(), state: PhantomData }
    }
}

impl<S: State, V: VectorField<S>> VectorField<S> for WithMass<V, S> {
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.field.eval(t, y, dy);
    }

    #[inline(always)]
    fn jacobian(&mut self, t: S::Elem, y: &S, jac: &mut [S::Elem]) -> bool {
        self.field.jacobian(t, y, jac)
    }

    fn structure(&mut self, t: S::Elem, y: &S) -> Structure {
        self.field.structure(t, y)
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
        Some(&self.mass)
    }

    fn redraw(&mut self) -> bool {
        self.field.redraw()
    }

    fn check(&self, y: &S) -> Result<()> {
        self.mass.check(y.as_slice().len())?;
        self.field.check(y)
    }
}
