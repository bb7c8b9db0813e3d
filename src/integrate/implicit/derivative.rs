//! Derivatives of the field: its own, or by finite differences.

use num_traits::Float as _;

use crate::integrate::Tolerance;
use crate::linalg::Colouring;
use crate::{Real, State, Structure, VectorField};

/// The Jacobian `∂f/∂y` of a field at the point where it was last formed, stored as the field's structure says.
#[derive(Debug)]
pub(super) struct Jacobian<F> {
    structure: Structure,
    /// The field has been asked for its structure.
    asked: bool,
    values: Vec<F>,
    colouring: Option<Colouring>,
    /// One over each increment of a difference.
    inverses: Vec<F>,
}

impl<F: Real> Jacobian<F> {
    /// Of a field that has not been met.
    pub(super) fn new() -> Self {
        Jacobian {
            structure: Structure::Dense,
            asked: false,
            values: Vec::new(),
            colouring: None,
            inverses: Vec::new(),
        }
    }

    /// A new run begins, perhaps of another field.
    pub(super) fn restart(&mut self) {
        self.asked = false;
    }

    /// Asks the field for its structure, once a run. True if it is another than before.
    ///
    /// Where a `matrix` cannot be done without, a field that wants none gets a dense one.
    pub(super) fn look_at<S, V>(&mut self, field: &mut V, (t, y): (F, &S), matrix: bool) -> bool
    where
        S: State<Elem = F>,
        V: VectorField<S> + ?Sized,
    {
        if std::mem::replace(&mut self.asked, true) {
            return false;
        }
        let (mut structure, n) = (field.structure(t, y), y.as_slice().len());
        if matrix && structure == Structure::MatrixFree {
            structure = Structure::Dense;
        }
        if structure == self.structure && structure.len(n) == self.values.len() {
            return false;
        }
        self.colouring = structure.colouring(n);
        self.values.clear();
        self.values.resize(structure.len(n), F::zero());
        self.inverses.resize(if self.colouring.is_some() { n } else { 0 }, F::zero());
        self.structure = structure;
        true
    }

    pub(super) fn structure(&self) -> &Structure {
        &self.structure
    }

    /// The values, in the order of the structure.
    pub(super) fn values(&self) -> &[F] {
        &self.values
    }

    /// Forms it at (t, y) from the field itself or by differences to `f0 = f(t, y)`: as many as it has columns, or
    /// colours. `scratch`: two states of the shape of `y`.
    #[inline(always)]
    pub(super) fn form<S, V>(
        &mut self,
        field: &mut V,
        (t, y, f0): (F, &S, &S),
        (h, tol): (F, &Tolerance<F>),
        scratch: (&mut S, &mut S),
    ) where
        S: State<Elem = F>,
        V: VectorField<S> + ?Sized,
    {
        if self.structure == Structure::MatrixFree {
            return;
        }
        self.values.fill(F::zero());
        if field.jacobian(t, y, &mut self.values) {
            return;
        }
        let mut step = Increments::new(h, tol, y.as_slice(), f0.as_slice());
        if field.mass().is_some() {
            step = step.at_least(y.as_slice());
        }
        scratch.0.clone_from(y);
        match &self.colouring {
            None => self.dense(field, (t, f0), &step, scratch),
            Some(_) => self.coloured(field, (t, y, f0), &step, scratch),
        }
    }

    #[inline(always)]
    fn dense<S, V>(
        &mut self,
        field: &mut V,
        (t, f0): (F, &S),
        step: &Increments<F>,
        (moved, f1): (&mut S, &mut S),
    ) where
        S: State<Elem = F>,
        V: VectorField<S> + ?Sized,
    {
        let (f0, n) = (f0.as_slice(), f0.as_slice().len());
        for j in 0..n {
            let at = moved.as_slice()[j];
            let (next, inverse) = step.of(j, at);
            moved.as_mut_slice()[j] = next;
            field.eval(t, moved, f1);
            for (i, (&f1, &f0)) in f1.as_slice().iter().zip(f0).enumerate() {
                self.values[i * n + j] = (f1 - f0) * inverse;
            }
            moved.as_mut_slice()[j] = at;
        }
    }

    fn coloured<S, V>(
        &mut self,
        field: &mut V,
        (t, y, f0): (F, &S, &S),
        step: &Increments<F>,
        (moved, f1): (&mut S, &mut S),
    ) where
        S: State<Elem = F>,
        V: VectorField<S> + ?Sized,
    {
        let (y, f0) = (y.as_slice(), f0.as_slice());
        let Some(colouring) = &self.colouring else { return };
        for colour in 0..colouring.count() {
            let columns = colouring.columns(colour);
            for j in columns.iter().map(|&j| j as usize) {
                (moved.as_mut_slice()[j], self.inverses[j]) = step.of(j, y[j]);
            }
            field.eval(t, moved, f1);
            let f1 = f1.as_slice();
            for j in columns.iter().map(|&j| j as usize) {
                let inverse = self.inverses[j];
                self.structure.for_column(y.len(), j, |i, at| self.values[at] = (f1[i] - f0[i]) * inverse);
                moved.as_mut_slice()[j] = y[j];
            }
        }
    }
}

/// The increments of CVODE (its user guide, "Linear solvers": difference quotient Jacobian):
/// `δⱼ = max(√ε |yⱼ|, 1000 |h| ε n ‖f₀‖ wⱼ)` with the error weights `wⱼ = atol + rtol |yⱼ|`, so that components near
/// zero are moved by an amount that matters to the tolerance, no more.
struct Increments<'a, F> {
    tol: &'a Tolerance<F>,
    least: F,
    floor: F,
}

impl<'a, F: Real> Increments<'a, F> {
    #[inline(always)]
    fn new(h: F, tol: &'a Tolerance<F>, y: &[F], f0: &[F]) -> Self {
        let least = F::of(1000.0 * y.len() as f64) * h.abs() * F::EPS * tol.norm(y, y, &f0);
        Increments { tol, least: if least > F::zero() { least } else { F::one() }, floor: F::zero() }
    }

    /// For algebraic equations, whose values are differences of the components themselves: an increment that is lost beside
    /// the largest of them makes a column of zeros.
    fn at_least(self, y: &[F]) -> Self {
        let largest = y.iter().fold(F::zero(), |m, y| m.max(y.abs()));
        Increments { floor: F::of(1e-3) * F::EPS.sqrt() * largest, ..self }
    }

    /// Where to move component `j` from `at`, and one over what that adds after rounding.
    #[inline(always)]
    fn of(&self, j: usize, at: F) -> (F, F) {
        let next =
            at + (F::EPS.sqrt() * at.abs()).max(self.least * self.tol.weight(j, at, at)).max(self.floor);
        (next, (next - at).recip())
    }
}

/// Writes `∂f/∂t` at (t, y) to `slope`; the increment of a difference is RADAU5's, `√(ε max(1e-5, |t|))`.
pub(in crate::integrate) fn time_derivative<S: State, V: VectorField<S> + ?Sized>(
    field: &mut V,
    (t, y, f0): (S::Elem, &S, &S),
    direction: S::Elem,
    slope: &mut S,
) {
    if field.time_derivative(t, y, slope) {
        return;
    }
    // Into the step, so that the field is not asked for values before its start or after its end.
    let increment = (S::Elem::EPS * t.abs().max(S::Elem::of(1e-5))).sqrt();
    let later = t + direction * increment;
    let inverse = (later - t).recip();
    field.eval(later, y, slope);
    let pairs = slope.as_mut_slice().iter_mut().zip(f0.as_slice());
    pairs.for_each(|(f1, &f0)| *f1 = (*f1 - f0) * inverse);
}
