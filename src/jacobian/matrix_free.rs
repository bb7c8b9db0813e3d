//! A field whose linear systems are solved without a matrix.

use std::marker::PhantomData;

use super::structure::Structure;
use crate::mass::MassMatrix;
use crate::{Half, Result, State, VectorField};

/// A field whose implicit steps are solved by a Krylov method (GMRES) on products of the Jacobian with vectors: no matrix is
/// formed, stored or factorised. For systems so large that a factorisation does not fit, or fields with a good
/// [`preconditioner`](Self::preconditioner). Methods with complex linear systems (Radau) form a dense matrix nevertheless.
///
/// ```
/// use flowfield::{Flow, MatrixFree, field, integrate::Bdf};
/// use ndarray::Array1;
/// let n = 50;
/// let heat = field(move |_t, y: &Array1<f64>, dy: &mut Array1<f64>| {
///     let at = |i: usize| y.get(i).copied().unwrap_or(0.0);
///     for i in 0..n {
///         dy[i] = 2601.0 * (at(i.wrapping_sub(1)) - 2.0 * y[i] + at(i + 1));
///     }
/// });
/// let start = Array1::from_shape_fn(n, |i| (std::f64::consts::PI * (i + 1) as f64 / 51.0).sin());
/// let sol = Flow::new(MatrixFree::new(heat), Bdf::new()).solve(0.0, 0.1, start)?;
/// assert!((sol.y_end()[25] - 0.372).abs() < 1e-2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MatrixFree<V, P = NoPreconditioner> {
    field: V,
    preconditioner: P,
}

/// Solves `(σ I − J) z = r` approximately, in place.
pub trait Preconditioner<S: State> {
    /// Overwrites `r` with `z`; `J` is the Jacobian at `(t, y)`.
    fn apply(&mut self, t: S::Elem, y: &S, sigma: S::Elem, r: &mut S);
}

/// None.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPreconditioner;

impl<S: State> Preconditioner<S> for NoPreconditioner {
    fn apply(&mut self, _t: S::Elem, _y: &S, _sigma: S::Elem, _r: &mut S) {}
}

/// A closure as a preconditioner.
#[derive(Debug, Clone)]
pub struct ByClosure<P, S>(P, PhantomData<fn(&S)>);

impl<S: State, P: FnMut(S::Elem, &S, S::Elem, &mut S)> Preconditioner<S> for ByClosure<P, S> {
    fn apply(&mut self, t: S::Elem, y: &S, sigma: S::Elem, r: &mut S) {
        (self.0)(t, y, sigma, r);
    }
}

impl<V> MatrixFree<V> {
    /// `field`, its linear systems solved without a matrix and without a preconditioner.
    pub fn new(field: V) -> Self {
        MatrixFree { field, preconditioner: NoPreconditioner }
    }

    /// With a preconditioner `(t, y, σ, r)`, which overwrites `r` by an approximate solution of `(σ I − J) z = r`: where a
    /// part of `J` is stiff, by solving with that part, say.
    pub fn preconditioner<S, P>(self, precondition: P) -> MatrixFree<V, ByClosure<P, S>>
    where
        S: State,
        P: FnMut(S::Elem, &S, S::Elem, &mut S),
    {
        MatrixFree { field: self.field, preconditioner: ByClosure(precondition, PhantomData) }
    }
}

impl<S: State, V: VectorField<S>, P: Preconditioner<S>> VectorField<S> for MatrixFree<V, P> {
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.field.eval(t, y, dy);
    }

    fn structure(&mut self, _t: S::Elem, _y: &S) -> Structure {
        Structure::MatrixFree
    }

    fn jvp(&mut self, t: S::Elem, y: &S, v: &S, out: &mut S) -> bool {
        self.field.jvp(t, y, v, out)
    }

    fn apply_preconditioner(&mut self, t: S::Elem, y: &S, sigma: S::Elem, r: &mut S) {
        self.preconditioner.apply(t, y, sigma, r);
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

    fn redraw(&mut self) -> bool {
        self.field.redraw()
    }

    fn check(&self, y: &S) -> Result<()> {
        self.field.check(y)
    }
}
