//! Gauss–Newton as a field: few parameters, and how certain they are.

use std::fmt;

use ndarray::{Array1, Array2};

use super::{ForwardSensitivity, Parametric};
use crate::integrate::Integrator;
use crate::{Error, Real, Result, State, VectorField};

/// Least squares as a flow: with the residuals `r = data - y(tₖ; θ)` and their sensitivities `J = ∂y/∂θ`,
///
/// ```text
/// dθ/ds = (JᵀJ)⁻¹ Jᵀ r.
/// ```
///
/// A step of Euler's method of size 1 is Gauss–Newton's; smaller ones are damped. `make` gives the method of each solve.
/// Reference: Nocedal, Wright, *Numerical Optimization* (2nd ed.), 10.3.
///
/// ```
/// use flowfield::integrate::{Euler, Tsit5};
/// use flowfield::sensitivity::LeastSquares;
/// use flowfield::{Differentiable, Flow, Formula, Number};
/// struct Decay;
/// impl Formula for Decay {
///     fn eval<T: Number>(&self, _t: T, y: &[T], theta: &[T], dy: &mut [T]) { dy[0] = -theta[0] * y[0]; }
/// }
/// let (times, data) = ([1.0, 2.0], [[0.51], [0.24]]);
/// let problem = LeastSquares::new(Differentiable::new(Decay).parameters(&[1.0]), Tsit5::new, 0.0, [1.0], &times, &data);
/// let mut theta = ndarray::array![1.0];
/// let mut flow = Flow::new(problem, Euler::new());
/// flow.steps(8, 1.0, &mut theta)?;
/// let errors = flow.field_mut().standard_errors(&theta)?;
/// assert!((theta[0] - 0.69).abs() < 0.02 && errors[0] < 0.05);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct LeastSquares<V, M, S: State> {
    field: V,
    make: M,
    t0: S::Elem,
    y0: S,
    times: Vec<S::Elem>,
    data: Vec<S>,
    tol: S::Elem,
    /// Sum of squares of the residuals at the last evaluation.
    sum: S::Elem,
    failed: Option<Error>,
}

/// `JᵀJ`, `Jᵀ r` and `rᵀr`.
type Normal<F> = (Array2<F>, Array1<F>, F);

impl<V, M, I, S> LeastSquares<V, M, S>
where
    S: State,
    V: Parametric<S>,
    M: Fn() -> I,
    I: Integrator<Array1<S::Elem>>,
{
    /// Fits the field, started from `y0` at `t0`, to `data` at `times`; the solves have tolerance 1e-8.
    pub fn new(field: V, make: M, t0: S::Elem, y0: S, times: &[S::Elem], data: &[S]) -> Self {
        let tol = S::Elem::of(1e-8_f64.max(100.0 * S::Elem::EPS.f64()));
        let (times, data) = (times.to_vec(), data.to_vec());
        LeastSquares { field, make, t0, y0, times, data, tol, sum: S::Elem::of(f64::NAN), failed: None }
    }

    /// Relative and absolute tolerance of the solves.
    #[must_use]
    pub fn tol(mut self, tol: S::Elem) -> Self {
        self.tol = tol;
        self
    }

    fn normal(&mut self, theta: &Array1<S::Elem>) -> Result<Normal<S::Elem>> {
        self.field.set_params(theta.as_slice());
        let solver = ForwardSensitivity::new(self.tol, self.tol);
        let found = solver.solve(&mut self.field, (self.make)(), self.t0, &self.times, &self.y0)?;
        let p = theta.len();
        let zero = S::Elem::of(0.0);
        let (mut square, mut right, mut sum) = (Array2::zeros((p, p)), Array1::zeros(p), zero);
        for ((y, jacobian), data) in found.y.iter().zip(&found.theta).zip(&self.data) {
            let pairs = data.as_slice().iter().zip(y.as_slice());
            for (row, (&d, &y)) in jacobian.rows().into_iter().zip(pairs) {
                let r = d - y;
                sum += r * r;
                for i in 0..p {
                    right[i] += row[i] * r;
                    (0..p).for_each(|j| square[[i, j]] += row[i] * row[j]);
                }
            }
        }
        self.sum = sum;
        Ok((square, right, sum))
    }

    /// The standard errors of the parameters at `theta`: `√(s² (JᵀJ)⁻¹ᵢᵢ)` with `s² = rᵀr / (numbers - p)`, for residuals
    /// that are independent, normal and of one variance.
    ///
    /// # Errors
    /// What the solve refuses; no more numbers than parameters; parameters that the data do not determine.
    pub fn standard_errors(&mut self, theta: &Array1<S::Elem>) -> Result<Array1<S::Elem>> {
        let (square, _, sum) = self.normal(theta)?;
        let p = theta.len();
        let numbers = self.data.len() * self.y0.as_slice().len();
        let freedom = numbers as f64 - p as f64;
        Error::setting(freedom > 0.0, "the numbers in the data", numbers as f64, "more than parameters")?;
        let variance = sum / S::Elem::of(freedom);
        let mut errors = Array1::zeros(p);
        for i in 0..p {
            let mut unit = Array1::zeros(p);
            unit[i] = S::Elem::of(1.0);
            errors[i] = num_traits::Float::sqrt(variance * solve(&square, unit)?[i]);
        }
        Ok(errors)
    }

    /// The sum of squared residuals at the last evaluation.
    pub fn residual(&self) -> S::Elem {
        self.sum
    }

    /// Why the last evaluation was not finite.
    pub fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }
}

/// Solves `a x = b` for a symmetric positive matrix, in units of its diagonal, by Cholesky's factors.
fn solve<F: Real>(a: &Array2<F>, mut b: Array1<F>) -> Result<Array1<F>> {
    let p = b.len();
    let scale: Vec<F> = (0..p).map(|i| a[[i, i]].sqrt().recip()).collect();
    let mut l = Array2::from_shape_fn((p, p), |(i, j)| a[[i, j]] * scale[i] * scale[j]);
    for j in 0..p {
        for i in j..p {
            let sum = (0..j).fold(l[[i, j]], |s, k| s - l[[i, k]] * l[[j, k]]);
            l[[i, j]] = if i == j { sum.sqrt() } else { sum / l[[j, j]] };
        }
        let pivot = l[[j, j]].f64();
        let need = "above round-off: the data must determine each of the parameters";
        Error::setting(pivot > F::EPS.f64(), "a pivot of the normal equations", pivot, need)?;
    }
    b.iter_mut().zip(&scale).for_each(|(b, &s)| *b *= s);
    for i in 0..p {
        b[i] = (0..i).fold(b[i], |s, k| s - l[[i, k]] * b[k]) / l[[i, i]];
    }
    for i in (0..p).rev() {
        b[i] = (i + 1..p).fold(b[i], |s, k| s - l[[k, i]] * b[k]) / l[[i, i]];
    }
    b.iter_mut().zip(&scale).for_each(|(b, &s)| *b *= s);
    Ok(b)
}

impl<V, M, I, S> VectorField<Array1<S::Elem>> for LeastSquares<V, M, S>
where
    S: State,
    V: Parametric<S>,
    M: Fn() -> I,
    I: Integrator<Array1<S::Elem>>,
{
    fn eval(&mut self, _t: S::Elem, theta: &Array1<S::Elem>, dtheta: &mut Array1<S::Elem>) {
        match self.normal(theta).and_then(|(square, right, _)| solve(&square, right)) {
            Ok(step) => dtheta.assign(&step),
            Err(error) => {
                self.failed = Some(error);
                dtheta.fill(S::Elem::of(f64::NAN));
            }
        }
    }

    fn check(&self, theta: &Array1<S::Elem>) -> Result<()> {
        if self.data.is_empty() {
            return Err(Error::Empty { what: "the data" });
        }
        Error::shape("the data, one state for each time", &[self.times.len()], &[self.data.len()])?;
        Error::shape("theta", &[self.field.params().len()], theta.shape())?;
        self.field.check(&self.y0)
    }
}

impl<V, M, S: State> fmt::Debug for LeastSquares<V, M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeastSquares")
            .field("times", &self.times)
            .field("sum", &self.sum)
            .finish_non_exhaustive()
    }
}
