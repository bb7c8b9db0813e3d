//! Exact derivatives of a right-hand side that was written once for every number.

use std::sync::Arc;

use num_traits::{One as _, Zero as _};

use super::structure::Structure;
use super::trace::trace;
use crate::linalg::Colouring;
use crate::parametric::Parametric;
use crate::{Dual, Formula, Number, Pattern, Real, Result, State, VectorField};

/// The field of a [`Formula`], with exact derivatives by forward-mode automatic differentiation: several columns of the
/// Jacobian come out of one evaluation on [`Dual`] numbers.
///
/// ```
/// use flowfield::{Differentiable, Formula, Number, VectorField};
/// struct Pendulum;
/// impl Formula for Pendulum {
///     fn eval<T: Number>(&self, _t: T, y: &[T], p: &[T], dy: &mut [T]) {
///         dy[0] = y[1];
///         dy[1] = -p[0] * y[0].sin();
///     }
/// }
/// let mut field = Differentiable::new(Pendulum).parameters(&[9.81]);
/// let mut jac = [0.0; 4];
/// assert!(field.jacobian(0.0, &[0.3, 0.0], &mut jac));
/// assert_eq!(jac, [0.0, 1.0, -9.81 * 0.3_f64.cos(), 0.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Differentiable<V, F: Real = f64> {
    formula: V,
    parameters: Vec<F>,
    zeros: Zeros,
    few: Duals<F, 4>,
    many: Duals<F, 8>,
    one: Duals<F, 1>,
    nested: Nested<F>,
}

/// What is known of the zeros of the Jacobian.
#[derive(Debug, Clone)]
enum Zeros {
    Untraced,
    Known(Structure, Option<Colouring>),
}

impl Zeros {
    /// The structure of a Jacobian of order `n`, its columns coloured.
    fn of<V: Formula>(
        &mut self,
        formula: &V,
        n: usize,
        parameters: usize,
    ) -> (&Structure, Option<&Colouring>) {
        if let Zeros::Untraced = self {
            *self = Zeros::Known(Structure::Sparse(Arc::new(trace(formula, n, parameters))), None);
        }
        let Zeros::Known(structure, colouring) = self else { return (&Structure::Dense, None) };
        if !matches!(structure, Structure::Dense) && colouring.as_ref().is_none_or(|c| c.n() != n) {
            *colouring = structure.colouring(n);
        }
        (structure, colouring.as_ref())
    }
}

/// Room for an evaluation on duals.
#[derive(Debug, Clone)]
struct Duals<F, const K: usize> {
    y: Vec<Dual<F, K>>,
    p: Vec<Dual<F, K>>,
    dy: Vec<Dual<F, K>>,
}

/// Room for an evaluation on duals of duals: a direction inside, variables outside.
#[derive(Debug, Clone)]
struct Nested<F> {
    y: Vec<Second<F>>,
    p: Vec<Second<F>>,
    dy: Vec<Second<F>>,
}

type Second<F> = Dual<Dual<F, 1>, 4>;

impl<V: Formula, F: Real + Number> Differentiable<V, F> {
    /// The field of a formula without parameters, its Jacobian dense.
    pub fn new(formula: V) -> Self {
        Differentiable {
            formula,
            parameters: Vec::new(),
            zeros: Zeros::Known(Structure::Dense, None),
            few: Duals::new(),
            many: Duals::new(),
            one: Duals::new(),
            nested: Nested { y: Vec::new(), p: Vec::new(), dy: Vec::new() },
        }
    }

    /// With these parameters `p`.
    #[must_use]
    pub fn parameters(mut self, p: &[F]) -> Self {
        self.parameters = p.to_vec();
        self
    }

    /// With a Jacobian of `lower` diagonals below the main one and `upper` above it.
    #[must_use]
    pub fn banded(mut self, lower: usize, upper: usize) -> Self {
        self.zeros = Zeros::Known(Structure::Banded { lower, upper }, None);
        self
    }

    /// With a Jacobian that is zero outside `pattern`.
    #[must_use]
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.zeros = Zeros::Known(Structure::Sparse(Arc::new(pattern)), None);
        self
    }

    /// With a sparse Jacobian, whose pattern is found by one evaluation that follows what depends on what; through both
    /// sides of a [`where_positive`](crate::Number::where_positive).
    #[must_use]
    pub fn sparse(mut self) -> Self {
        self.zeros = Zeros::Untraced;
        self
    }

    /// The formula.
    pub fn formula(&self) -> &V {
        &self.formula
    }

    /// The parameters, to be changed between runs.
    pub fn parameters_mut(&mut self) -> &mut [F] {
        &mut self.parameters
    }

    /// Writes the directional derivative `∂f/∂t s + ∂f/∂y v + ∂f/∂p w` to `out`; an empty `v` or `w` counts as zero.
    pub fn derivative(&mut self, t: (F, F), y: (&[F], &[F]), w: &[F], out: &mut [F]) {
        let Duals { y: duals, p, dy } = &mut self.one;
        let dual =
            |value: F, slope: Option<&F>| Dual { value, partials: [slope.copied().unwrap_or(F::zero())] };
        duals.clear();
        duals.extend(y.0.iter().enumerate().map(|(i, &value)| dual(value, y.1.get(i))));
        p.clear();
        p.extend(self.parameters.iter().enumerate().map(|(i, &value)| dual(value, w.get(i))));
        dy.resize(out.len(), Dual::constant(F::zero()));
        self.formula.eval(dual(t.0, Some(&t.1)), duals, p, dy);
        out.iter_mut().zip(dy).for_each(|(out, dy)| *out = dy.partials[0]);
    }
}

impl<F: Real + Number, const K: usize> Duals<F, K> {
    fn new() -> Self {
        Duals { y: Vec::new(), p: Vec::new(), dy: Vec::new() }
    }

    /// Brings the point to the duals, without directions.
    #[inline(always)]
    fn place(&mut self, y: &[F], p: &[F]) {
        self.y.clear();
        self.y.extend(y.iter().map(|&y| Dual::constant(y)));
        self.p.clear();
        self.p.extend(p.iter().map(|&p| Dual::constant(p)));
        self.dy.resize(y.len(), Dual::constant(F::zero()));
    }

    /// The dense Jacobian, `K` columns at a time.
    #[inline(always)]
    fn dense<V: Formula>(&mut self, formula: &V, t: F, jac: &mut [F]) {
        let n = self.y.len();
        for first in (0..n).step_by(K) {
            let width = K.min(n - first);
            (0..width).for_each(|k| self.y[first + k].partials[k] = F::one());
            formula.eval(Dual::constant(t), &self.y, &self.p, &mut self.dy);
            for (dy, row) in self.dy.iter().zip(jac.chunks_exact_mut(n)) {
                row[first..first + width].copy_from_slice(&dy.partials[..width]);
            }
            (0..width).for_each(|k| self.y[first + k].partials[k] = F::zero());
        }
    }

    /// The entries inside a structure, `K` colours at a time.
    fn coloured<V: Formula>(
        &mut self,
        formula: &V,
        t: F,
        (structure, colours): (&Structure, &Colouring),
        jac: &mut [F],
    ) {
        let n = self.y.len();
        for first in (0..colours.count()).step_by(K) {
            let directions = || {
                (0..K.min(colours.count() - first))
                    .flat_map(|k| colours.columns(first + k).iter().map(move |&j| (k, j as usize)))
            };
            directions().for_each(|(k, j)| self.y[j].partials[k] = F::one());
            formula.eval(Dual::constant(t), &self.y, &self.p, &mut self.dy);
            for (k, j) in directions() {
                structure.for_column(n, j, |i, at| jac[at] = self.dy[i].partials[k]);
                self.y[j].partials[k] = F::zero();
            }
        }
    }
}

impl<S: State<Elem: Number>, V: Formula> VectorField<S> for Differentiable<V, S::Elem> {
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.formula.eval(t, y.as_slice(), &self.parameters, dy.as_mut_slice());
    }

    fn structure(&mut self, _t: S::Elem, y: &S) -> Structure {
        self.zeros.of(&self.formula, y.as_slice().len(), self.parameters.len()).0.clone()
    }

    #[inline(always)]
    fn jacobian(&mut self, t: S::Elem, y: &S, jac: &mut [S::Elem]) -> bool {
        let (y, p) = (y.as_slice(), &self.parameters[..]);
        let (structure, colours) = self.zeros.of(&self.formula, y.len(), p.len());
        match colours {
            None if y.len() <= 4 => {
                self.few.place(y, p);
                self.few.dense(&self.formula, t, jac);
            }
            None => {
                self.many.place(y, p);
                self.many.dense(&self.formula, t, jac);
            }
            Some(colours) => {
                self.many.place(y, p);
                self.many.coloured(&self.formula, t, (structure, colours), jac);
            }
        }
        true
    }

    fn jvp(&mut self, t: S::Elem, y: &S, v: &S, out: &mut S) -> bool {
        self.derivative((t, S::Elem::zero()), (y.as_slice(), v.as_slice()), &[], out.as_mut_slice());
        true
    }

    fn time_derivative(&mut self, t: S::Elem, y: &S, out: &mut S) -> bool {
        self.derivative((t, S::Elem::one()), (y.as_slice(), &[]), &[], out.as_mut_slice());
        true
    }

    fn check(&self, y: &S) -> Result<()> {
        match &self.zeros {
            Zeros::Known(structure, _) => structure.check(y.as_slice().len()),
            Zeros::Untraced => Ok(()),
        }
    }
}

impl<S: State<Elem: Number>, V: Formula> Parametric<S> for Differentiable<V, S::Elem> {
    fn params(&self) -> &[S::Elem] {
        &self.parameters
    }

    fn set_params(&mut self, theta: &[S::Elem]) {
        self.parameters.clear();
        self.parameters.extend_from_slice(theta);
    }

    /// One column of the Jacobian after another, four at a time.
    fn vjp(&mut self, t: S::Elem, y: &S, lambda: &S, ybar: &mut S, theta_bar: &mut [S::Elem]) {
        let (y, lambda, ybar) = (y.as_slice(), lambda.as_slice(), ybar.as_mut_slice());
        let (n, all) = (y.len(), y.len() + self.parameters.len());
        let duals = &mut self.few;
        duals.place(y, &self.parameters);
        for first in (0..all).step_by(4) {
            let columns = || (first..(first + 4).min(all)).enumerate();
            for (k, j) in columns() {
                let variable = if j < n { &mut duals.y[j] } else { &mut duals.p[j - n] };
                variable.partials[k] = S::Elem::one();
            }
            self.formula.eval(Dual::constant(t), &duals.y, &duals.p, &mut duals.dy);
            for (k, j) in columns() {
                let sum = duals.dy.iter().zip(lambda).map(|(d, &l)| d.partials[k] * l).sum();
                if j < n {
                    ybar[j] = sum;
                } else {
                    theta_bar[j - n] += sum;
                }
                let variable = if j < n { &mut duals.y[j] } else { &mut duals.p[j - n] };
                variable.partials[k] = S::Elem::zero();
            }
        }
    }

    fn vjp_of_tangent(
        &mut self,
        (t, y): (S::Elem, &S),
        (dt, dy): (S::Elem, &S),
        lambda: &S,
        ybar: &mut S,
        theta_bar: &mut [S::Elem],
    ) {
        let (y, lambda, ybar) = (y.as_slice(), lambda.as_slice(), ybar.as_mut_slice());
        let (n, all) = (y.len(), y.len() + self.parameters.len());
        let inner = |value, slope| Dual::constant(Dual { value, partials: [slope] });
        let duals = &mut self.nested;
        duals.y.clear();
        duals.y.extend(y.iter().zip(dy.as_slice()).map(|(&y, &dy)| inner(y, dy)));
        duals.p.clear();
        duals.p.extend(self.parameters.iter().map(|&p| inner(p, S::Elem::zero())));
        duals.dy.resize(n, inner(S::Elem::zero(), S::Elem::zero()));
        for first in (0..all).step_by(4) {
            let columns = || (first..(first + 4).min(all)).enumerate();
            let Nested { y, p, dy } = duals;
            for (k, j) in columns() {
                let variable = if j < n { &mut y[j] } else { &mut p[j - n] };
                variable.partials[k].value = S::Elem::one();
            }
            self.formula.eval(inner(t, dt), y, p, dy);
            for (k, j) in columns() {
                let sum = dy.iter().zip(lambda).map(|(d, &l)| d.partials[k].partials[0] * l).sum();
                if j < n {
                    ybar[j] = sum;
                } else {
                    theta_bar[j - n] += sum;
                }
                let variable = if j < n { &mut y[j] } else { &mut p[j - n] };
                variable.partials[k].value = S::Elem::zero();
            }
        }
    }

    fn tangent(&mut self, t: S::Elem, y: &S, dy: &S, dtheta: &[S::Elem], out: &mut S) {
        let point = (y.as_slice(), dy.as_slice());
        self.derivative((t, S::Elem::zero()), point, dtheta, out.as_mut_slice());
    }
}
