//! A field whose Jacobian's zeros are known.

use std::sync::Arc;

use super::detect::detect;
use super::structure::Structure;
use crate::mass::MassMatrix;
use crate::{Half, Pattern, Result, State, VectorField};

/// A field with the [`Structure`] of its Jacobian, which implicit methods then find by coloured finite differences: as many
/// evaluations as there are colours, few however large the system, and store and factorise as such.
///
/// ```
/// use flowfield::{Flow, Structured, field, integrate::Rodas4};
/// use ndarray::Array1;
/// let n = 200;
/// let heat = field(move |_t, y: &Array1<f64>, dy: &mut Array1<f64>| {
///     let at = |i: usize| y.get(i).copied().unwrap_or(0.0);
///     for i in 0..n {
///         dy[i] = 4e4 * (at(i.wrapping_sub(1)) - 2.0 * y[i] + at(i + 1));
///     }
/// });
/// let start = Array1::from_shape_fn(n, |i| (std::f64::consts::PI * (i + 1) as f64 / 201.0).sin());
/// let sol = Flow::new(Structured::banded(heat, 1, 1), Rodas4::new()).solve(0.0, 0.1, start)?;
/// assert!((sol.y_end()[100] - 0.377).abs() < 1e-2 && sol.stats.evals < 2000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Structured<V> {
    field: V,
    /// None: to be detected.
    structure: Option<Structure>,
}

impl<V> Structured<V> {
    /// A Jacobian with `lower` diagonals below the main one and `upper` above it.
    pub fn banded(field: V, lower: usize, upper: usize) -> Self {
        Structured { field, structure: Some(Structure::Banded { lower, upper }) }
    }

    /// A Jacobian that is zero outside `pattern`.
    pub fn sparse(field: V, pattern: Pattern) -> Self {
        Structured { field, structure: Some(Structure::Sparse(Arc::new(pattern))) }
    }

    /// A sparse Jacobian whose pattern is found by probing at the start of the first run: groups of components are set to
    /// NaN or moved, and what changes depends on them. Takes some hundred evaluations, depending on the pattern.
    ///
    /// A dependence that appears only later in a run (behind a branch, or a product with something that is zero at the
    /// start and at points near it) may be missed: give the pattern then, or a [`Formula`](crate::Formula), whose pattern
    /// [`Differentiable::sparse`](crate::Differentiable::sparse) finds without probing.
    pub fn detected(field: V) -> Self {
        Structured { field, structure: None }
    }

    /// The structure, once it is known.
    pub fn known(&self) -> Option<&Structure> {
        self.structure.as_ref()
    }
}

impl<S: State, V: VectorField<S>> VectorField<S> for Structured<V> {
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.field.eval(t, y, dy);
    }

    fn structure(&mut self, t: S::Elem, y: &S) -> Structure {
        let field = &mut self.field;
        self.structure.get_or_insert_with(|| Structure::Sparse(Arc::new(detect(field, t, y)))).clone()
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
        self.structure.as_ref().map_or(Ok(()), |s| s.check(y.as_slice().len()))?;
        self.field.check(y)
    }
}
