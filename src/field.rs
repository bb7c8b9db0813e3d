//! What moves it: a vector field.

use std::ops::Range;

use crate::mass::MassMatrix;
use crate::memory::Memories;
use crate::noise::Noise;
use crate::split::Parts;
use crate::{Result, State, Structure};

/// A vector field `dy = f(t, y)` on states of type `S`.
///
/// Any closure `FnMut(t, &y, &mut dy)` is one (see [`field`]); implement the trait for fields with
/// scratch space of their own, minibatches or noise. The field owns its scratch: `eval` takes `&mut self`.
///
/// ```
/// use flowfield::VectorField;
/// struct Decay { rate: f64 }
/// impl VectorField<[f64; 1]> for Decay {
///     fn eval(&mut self, _t: f64, y: &[f64; 1], dy: &mut [f64; 1]) { dy[0] = -self.rate * y[0]; }
/// }
/// let mut dy = [0.0];
/// Decay { rate: 2.0 }.eval(0.0, &[3.0], &mut dy);
/// assert_eq!(dy, [-6.0]);
/// ```
pub trait VectorField<S: State> {
    /// Writes `f(t, y)` to `dy`, which has the shape of `y` and arbitrary contents.
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S);

    /// Writes the Jacobian `∂f/∂y` (stored as its [`structure`](Self::structure) says, zero on entry) and returns true; or
    /// returns false, the default, and implicit methods take finite differences. See [`WithJacobian`](crate::WithJacobian)
    /// and [`Differentiable`](crate::Differentiable).
    fn jacobian(&mut self, t: S::Elem, y: &S, jac: &mut [S::Elem]) -> bool {
        let _ = (t, y, jac);
        false
    }

    /// What is known of the zeros of the Jacobian; asked once a run, at its first step. By default nothing: a dense matrix.
    /// See [`Structured`](crate::Structured).
    fn structure(&mut self, t: S::Elem, y: &S) -> Structure {
        let _ = (t, y);
        Structure::Dense
    }

    /// Writes the directional derivative `(∂f/∂y) v` to `out` and returns true; or returns false, the default, and who
    /// needs one takes a finite difference.
    fn jvp(&mut self, t: S::Elem, y: &S, v: &S, out: &mut S) -> bool {
        let _ = (t, y, v, out);
        false
    }

    /// Overwrites `r` with an approximate solution of `(σ I − ∂f/∂y) z = r`, for linear systems that are solved without a
    /// matrix; by default `r` stays as it is. See [`MatrixFree`](crate::MatrixFree).
    fn apply_preconditioner(&mut self, t: S::Elem, y: &S, sigma: S::Elem, r: &mut S) {
        let _ = (t, y, sigma, r);
    }

    /// Writes `∂f/∂t` to `out` and returns true; or returns false, the default, and who needs it takes a finite difference.
    fn time_derivative(&mut self, t: S::Elem, y: &S, out: &mut S) -> bool {
        let _ = (t, y, out);
        false
    }

    /// The constant matrix `M` of `M dy/dt = f(t, y)`; by default none, which means the identity. See
    /// [`WithMass`](crate::WithMass).
    fn mass(&self) -> Option<&MassMatrix<S::Elem>> {
        None
    }

    /// Writes at least one half of `f(t, y)` to `dy`, for states that are positions followed by velocities or
    /// momenta; the other half of `dy` is then arbitrary. True if that took work worth counting as an evaluation.
    ///
    /// Splitting methods ask for one half at a time. By default the whole field is evaluated; [`separable`](crate::separable)
    /// and [`second_order`](crate::second_order) fields do no more than is asked.
    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        let _ = half;
        self.eval(t, y, dy);
        true
    }

    /// Writes at least the components `part` of `f(t, y)`, in row-major order, to `dy`; the others of `dy` are then
    /// arbitrary. Methods that move one part of a state at a time ask for no more than that; by default the whole field is
    /// evaluated.
    fn eval_part(&mut self, part: Range<usize>, t: S::Elem, y: &S, dy: &mut S) {
        let _ = part;
        self.eval(t, y, dy);
    }

    /// The two parts of a field that is a sum, for methods that treat a stiff part implicitly and the rest explicitly; `None`,
    /// the default, for a field in one piece. See [`Split`](crate::Split).
    fn split(&mut self) -> Option<Parts<'_, S>> {
        None
    }

    /// Draws the next minibatch or noise. Called once before every step, never between its stages.
    /// Returns true if the field jumped: nothing evaluated before may then be used again.
    fn redraw(&mut self) -> bool {
        false
    }

    /// The noise that drives the field beside its drift; `None`, the default, for an ordinary differential equation.
    /// See [`noise`](crate::noise).
    fn noise(&mut self) -> Option<&mut dyn Noise<S>> {
        None
    }

    /// The loss at the last evaluation, for a field that is minus its gradient; what step-size rules with rejection go by
    /// ([`AutoStep`](crate::integrate::AutoStep)).
    fn loss(&self) -> Option<S::Elem> {
        None
    }

    /// What the field remembers from one step to the next (counts of draws, seeds), for checkpoints; by default nothing.
    fn memory(&mut self) -> Memories<'_, S> {
        Vec::new()
    }

    /// The field's own proximal step, in the metric in which it is a gradient flow: writes to `y1` the minimiser of
    /// `E(y) + distance²(y, y0) / (2h)` and returns true; or returns false, the default. The
    /// [`Proximal`](crate::integrate::Proximal) method asks for it first.
    ///
    /// # Errors
    /// What the field's own solver cannot do.
    fn proximal(&mut self, h: S::Elem, y0: &S, y1: &mut S) -> Result<bool> {
        let _ = (h, y0, y1);
        Ok(false)
    }

    /// Whether this field can move this state. Called once on entry of a run, so that what a field
    /// is built from (shapes, data, settings) is refused with an error before the first step.
    fn check(&self, y: &S) -> Result<()> {
        let _ = y;
        Ok(())
    }
}

/// One half of a state: of its numbers in row-major order.
///
/// For `[F; 2 n]` and `Array1` the first `n` numbers are positions; for an array of higher rank, the first half of
/// its rows (of whatever its first axis counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The first: positions `q`.
    Positions,
    /// The second: velocities `v` or momenta `p`.
    Momenta,
}

impl<S: State, F: FnMut(S::Elem, &S, &mut S)> VectorField<S> for F {
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self(t, y, dy);
    }
}

impl<S: State> VectorField<S> for Box<dyn VectorField<S> + '_> {
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        (**self).eval(t, y, dy);
    }
    fn jacobian(&mut self, t: S::Elem, y: &S, jac: &mut [S::Elem]) -> bool {
        (**self).jacobian(t, y, jac)
    }
    fn structure(&mut self, t: S::Elem, y: &S) -> Structure {
        (**self).structure(t, y)
    }
    fn jvp(&mut self, t: S::Elem, y: &S, v: &S, out: &mut S) -> bool {
        (**self).jvp(t, y, v, out)
    }
    fn apply_preconditioner(&mut self, t: S::Elem, y: &S, sigma: S::Elem, r: &mut S) {
        (**self).apply_preconditioner(t, y, sigma, r);
    }
    fn time_derivative(&mut self, t: S::Elem, y: &S, out: &mut S) -> bool {
        (**self).time_derivative(t, y, out)
    }

    fn mass(&self) -> Option<&MassMatrix<S::Elem>> {
        (**self).mass()
    }
    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        (**self).eval_half(half, t, y, dy)
    }
    fn eval_part(&mut self, part: Range<usize>, t: S::Elem, y: &S, dy: &mut S) {
        (**self).eval_part(part, t, y, dy);
    }
    fn split(&mut self) -> Option<Parts<'_, S>> {
        (**self).split()
    }
    fn redraw(&mut self) -> bool {
        (**self).redraw()
    }
    fn noise(&mut self) -> Option<&mut dyn Noise<S>> {
        (**self).noise()
    }

    fn loss(&self) -> Option<S::Elem> {
        (**self).loss()
    }
    fn memory(&mut self) -> Memories<'_, S> {
        (**self).memory()
    }
    fn proximal(&mut self, h: S::Elem, y0: &S, y1: &mut S) -> Result<bool> {
        (**self).proximal(h, y0, y1)
    }
    fn check(&self, y: &S) -> Result<()> {
        (**self).check(y)
    }
}

/// Types a closure's arguments, so that only the state needs to be written:
/// `field(|_t, y: &[f64; 3], dy| ..)`.
pub fn field<S: State, F: FnMut(S::Elem, &S, &mut S)>(f: F) -> F {
    f
}

/// A field may have assigned an array of another memory layout (a transpose) to `dy`: it is brought to standard layout. One
/// of another size makes the step fail as not finite.
#[cold]
pub(crate) fn mend_layout<S: State>(y: &S, dy: &mut S) {
    dy.standardise();
    if dy.as_slice().len() != y.as_slice().len() {
        dy.clone_from(y);
        dy.as_mut_slice().fill(crate::Real::of(f64::NAN));
    }
}

/// Counts the evaluations of the field it lends out.
#[derive(Debug)]
pub(crate) struct Counted<'a, V> {
    pub(crate) field: &'a mut V,
    pub(crate) evals: &'a mut u64,
}

impl<S: State, V: VectorField<S>> VectorField<S> for Counted<'_, V> {
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        *self.evals += 1;
        self.field.eval(t, y, dy);
        if dy.as_slice().len() != y.as_slice().len() {
            mend_layout(y, dy);
        }
    }

    #[inline(always)]
    fn jacobian(&mut self, t: S::Elem, y: &S, jac: &mut [S::Elem]) -> bool {
        self.field.jacobian(t, y, jac)
    }
    fn structure(&mut self, t: S::Elem, y: &S) -> Structure {
        self.field.structure(t, y)
    }
    #[inline(always)]
    fn jvp(&mut self, t: S::Elem, y: &S, v: &S, out: &mut S) -> bool {
        self.field.jvp(t, y, v, out)
    }
    #[inline(always)]
    fn apply_preconditioner(&mut self, t: S::Elem, y: &S, sigma: S::Elem, r: &mut S) {
        self.field.apply_preconditioner(t, y, sigma, r);
    }
    #[inline(always)]
    fn time_derivative(&mut self, t: S::Elem, y: &S, out: &mut S) -> bool {
        self.field.time_derivative(t, y, out)
    }
    #[inline(always)]
    fn mass(&self) -> Option<&MassMatrix<S::Elem>> {
        self.field.mass()
    }
    #[inline(always)]
    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        let counts = self.field.eval_half(half, t, y, dy);
        *self.evals += u64::from(counts);
        counts
    }
    #[inline(always)]
    fn noise(&mut self) -> Option<&mut dyn Noise<S>> {
        self.field.noise()
    }

    fn eval_part(&mut self, part: Range<usize>, t: S::Elem, y: &S, dy: &mut S) {
        *self.evals += 1;
        self.field.eval_part(part, t, y, dy);
    }
    fn split(&mut self) -> Option<Parts<'_, S>> {
        self.field.split()
    }
    fn loss(&self) -> Option<S::Elem> {
        self.field.loss()
    }
    fn proximal(&mut self, h: S::Elem, y0: &S, y1: &mut S) -> Result<bool> {
        self.field.proximal(h, y0, y1)
    }
}
