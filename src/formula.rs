//! A right-hand side written once for every kind of number.

use crate::Number;
use crate::ensemble::LaneField;

/// A right-hand side `dy = f(t, y; p)` written once over a generic [`Number`].
///
/// * [`Differentiable`](crate::Differentiable) makes a field of it whose Jacobian is exact, for stiff problems.
/// * [`Lockstep`](crate::ensemble::Lockstep) solves many copies of it side by side in SIMD lanes.
///
/// Put `#[inline(always)]` on `eval`: only then can it be compiled with the vector instructions of the machine it runs on.
///
/// ```
/// use flowfield::{Differentiable, Flow, Formula, Number, integrate::Rodas5P};
/// struct Robertson;
/// impl Formula for Robertson {
///     #[inline(always)]
///     fn eval<T: Number>(&self, _t: T, y: &[T], p: &[T], dy: &mut [T]) {
///         let (slow, fast, faster) = (p[0] * y[0], p[1] * y[1] * y[2], p[2] * y[1] * y[1]);
///         dy[0] = fast - slow;
///         dy[1] = slow - fast - faster;
///         dy[2] = faster;
///     }
/// }
/// let reaction = Differentiable::new(Robertson).parameters(&[0.04, 1e4, 3e7]);
/// let sol = Flow::new(reaction, Rodas5P::new()).rtol(1e-6).atol(1e-10).solve(0.0, 1e5, [1.0, 0.0, 0.0])?;
/// assert!((sol.y_end()[0] - 1.786592e-2).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Formula {
    /// Writes `f(t, y)` with parameters `p` to `dy`, which has as many numbers as `y` and arbitrary contents.
    fn eval<T: Number>(&self, t: T, y: &[T], p: &[T], dy: &mut [T]);
}

impl<V: Formula + Sync, const D: usize, const P: usize> LaneField<D, P> for V {
    #[inline(always)]
    fn eval<T: Number>(&self, t: T, y: &[T; D], p: &[T; P], dy: &mut [T; D]) {
        Formula::eval(self, t, y, p, dy);
    }
}
