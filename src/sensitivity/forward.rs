//! The variational equations.

use ndarray::{Array1, Array2};

use super::Parametric;
use crate::integrate::{Integrator, PerComponent};
use crate::{Error, Flow, Real, Result, State, Stats, VectorField};

/// Forward sensitivities: the solution together with its derivatives,
///
/// ```text
/// dY/dt = (∂f/∂y) Y + ∂f/∂θ,   Y = ∂y/∂(y₀, θ),
/// ```
///
/// as one state, under error control as a whole. For few parameters; any method, stiff ones included.
///
/// ```
/// use flowfield::integrate::Tsit5;
/// use flowfield::sensitivity::ForwardSensitivity;
/// use flowfield::{Differentiable, Formula, Number};
/// struct Decay;
/// impl Formula for Decay {
///     fn eval<T: Number>(&self, _t: T, y: &[T], theta: &[T], dy: &mut [T]) { dy[0] = -theta[0] * y[0]; }
/// }
/// let mut field = Differentiable::new(Decay).parameters(&[0.7]);
/// let s = ForwardSensitivity::new(1e-10, 1e-10).solve(&mut field, Tsit5::new(), 0.0, &[2.0], &[1.0])?;
/// assert!((s.theta[0][[0, 0]] + 2.0 * (-1.4_f64).exp()).abs() < 1e-8);        // ∂y(2)/∂θ
/// assert!((s.y0[0][[0, 0]] - (-1.4_f64).exp()).abs() < 1e-8);                 // ∂y(2)/∂y₀
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ForwardSensitivity<F> {
    rtol: F,
    atol: PerComponent<F>,
}

/// A solution with its derivatives.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sensitivities<S: State> {
    /// The times.
    pub t: Vec<S::Elem>,
    /// The states.
    pub y: Vec<S>,
    /// `∂y/∂y₀` at each time, `n × n`.
    pub y0: Vec<Array2<S::Elem>>,
    /// `∂y/∂θ` at each time, `n × p`.
    pub theta: Vec<Array2<S::Elem>>,
    /// Work counts; an evaluation is one of the state and all its derivatives.
    pub stats: Stats,
}

impl<F: Real> ForwardSensitivity<F> {
    /// With these tolerances; `atol` may be a list for `(y, ∂y/∂y₀ by columns, ∂y/∂θ by columns)`.
    pub fn new(rtol: F, atol: impl Into<PerComponent<F>>) -> Self {
        ForwardSensitivity { rtol, atol: atol.into() }
    }

    /// The solution and its derivatives at these times.
    ///
    /// # Errors
    /// No times; what the solve refuses.
    pub fn solve<V, I, S>(
        &self,
        field: &mut V,
        method: I,
        t0: F,
        times: &[F],
        y0: &S,
    ) -> Result<Sensitivities<S>>
    where
        S: State<Elem = F>,
        V: Parametric<S>,
        I: Integrator<Array1<F>>,
    {
        let Some(&t1) = times.last() else { return Err(Error::Empty { what: "the list of times" }) };
        field.check(y0)?;
        let (n, p) = (y0.as_slice().len(), field.params().len());
        let mut state = Array1::zeros(n * (1 + n + p));
        state.iter_mut().zip(y0.as_slice()).for_each(|(s, &y)| *s = y);
        (0..n).for_each(|i| state[n + i * n + i] = F::one());
        let scratch = [y0.clone(), y0.clone(), y0.clone()];
        let variational = Variational { field, scratch, unit: vec![F::zero(); p] };
        let mut flow = Flow::new(variational, method).rtol(self.rtol).atol(self.atol.clone()).save_at(times);
        let sol = flow.solve(t0, t1, state)?;
        let mut out =
            Sensitivities { t: sol.t, y: Vec::new(), y0: Vec::new(), theta: Vec::new(), stats: sol.stats };
        for all in &sol.y {
            let mut y = y0.clone();
            y.standardise();
            y.as_mut_slice().iter_mut().zip(all).for_each(|(y, &a)| *y = a);
            out.y.push(y);
            out.y0.push(Array2::from_shape_fn((n, n), |(i, j)| all[n + j * n + i]));
            out.theta.push(Array2::from_shape_fn((n, p), |(i, j)| all[n + (n + j) * n + i]));
        }
        Ok(out)
    }
}

/// `(y, columns of ∂y/∂y₀, columns of ∂y/∂θ)` as a field.
struct Variational<'a, V, S: State> {
    field: &'a mut V,
    /// y, a column, and what is computed from it.
    scratch: [S; 3],
    /// A unit vector of the parameters.
    unit: Vec<S::Elem>,
}

impl<V: Parametric<S>, S: State> VectorField<Array1<S::Elem>> for Variational<'_, V, S> {
    fn eval(&mut self, t: S::Elem, a: &Array1<S::Elem>, da: &mut Array1<S::Elem>) {
        let [y, column, out] = &mut self.scratch;
        let n = y.as_slice().len();
        let (a, da) = (a.as_slice(), da.as_mut_slice());
        y.as_mut_slice().copy_from_slice(&a[..n]);
        self.field.eval(t, y, out);
        da[..n].copy_from_slice(out.as_slice());
        let columns = a[n..].chunks_exact(n).zip(da[n..].chunks_exact_mut(n));
        for (k, (from, to)) in columns.enumerate() {
            column.as_mut_slice().copy_from_slice(from);
            if let Some(u) = k.checked_sub(n).and_then(|j| self.unit.get_mut(j)) {
                *u = S::Elem::of(1.0);
            }
            self.field.tangent(t, y, column, &self.unit, out);
            self.unit.fill(S::Elem::of(0.0));
            to.copy_from_slice(out.as_slice());
        }
    }
}
