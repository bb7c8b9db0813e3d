//! Damped second-order flows: momentum in continuous time.

use std::fmt;

use num_traits::Float as _;

use super::Dissipative;
use crate::halves::{check_halves, halves, halves_mut};
use crate::{Half, Real, Result, State, VectorField};

/// The damping of a [`DampedFlow`].
#[derive(Debug, Clone, Copy, PartialEq)]
enum Damping {
    Constant(f64),
    /// 3/t.
    Vanishing,
}

/// A loss as a potential for a particle with friction, on states of positions followed by velocities:
///
/// ```text
/// x' = v,   v' = -γ v - ∇f(x)          heavy ball (Polyak 1964)
/// x' = v,   v' = -(3/t) v - ∇f(x)      Nesterov: f - f* <= 2 |x₀ - x*|² / t²
/// ```
///
/// Along it `H = ½|v|² + f` falls by `γ|v|²`. The second is the limit of Nesterov's method with step √s per iteration (Su,
/// Boyd and Candès, J. Mach. Learn. Res. 17, 2016); start it at t = 0 with v = 0. [`Momentum`](crate::integrate::Momentum) is
/// a discretisation of the first.
///
/// ```
/// use flowfield::{Flow, gradient::DampedFlow, integrate::Tsit5};
/// let bowl = |x: &[f64], g: &mut [f64]| { g[0] = x[0]; 0.5 * x[0] * x[0] };
/// let sol = Flow::new(DampedFlow::nesterov(bowl), Tsit5::new()).tol(1e-10).solve(0.0, 1.0, [1.0, 0.0])?;
/// assert!((sol.y_end()[0] - 2.0 * 0.440_050_585_744_933_5).abs() < 1e-9);        // 2 J₁(t) / t
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DampedFlow<L> {
    loss: L,
    damping: Damping,
}

impl<L> DampedFlow<L> {
    /// Constant friction γ; `loss(x, g)` writes ∇f(x) to `g` and returns f(x).
    pub fn heavy_ball<F: Real>(loss: L, gamma: f64) -> Self
    where
        L: FnMut(&[F], &mut [F]) -> F,
    {
        DampedFlow { loss, damping: Damping::Constant(gamma) }
    }

    /// Friction 3/t.
    pub fn nesterov<F: Real>(loss: L) -> Self
    where
        L: FnMut(&[F], &mut [F]) -> F,
    {
        DampedFlow { loss, damping: Damping::Vanishing }
    }

    fn friction<F: Real>(&self, t: F) -> F {
        match self.damping {
            Damping::Constant(gamma) => F::of(gamma),
            Damping::Vanishing => F::of(3.0) / t,
        }
    }
}

impl<L> fmt::Debug for DampedFlow<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DampedFlow").field("damping", &self.damping).finish_non_exhaustive()
    }
}

impl<S: State, L: FnMut(&[S::Elem], &mut [S::Elem]) -> S::Elem> VectorField<S> for DampedFlow<L> {
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        halves_mut(dy).0.copy_from_slice(halves(y).1);
        self.eval_half(Half::Momenta, t, y, dy);
    }

    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        let ((x, v), (dx, dv)) = (halves(y), halves_mut(dy));
        if half == Half::Positions {
            dx.copy_from_slice(v);
            return false;
        }
        (self.loss)(x, dv);
        if self.damping == Damping::Vanishing && t.abs() < S::Elem::of(1e-12) {
            // v = -t ∇f / 4 for small t.
            dv.iter_mut().for_each(|a| *a = -*a * S::Elem::of(0.25));
            return true;
        }
        let friction = self.friction(t);
        dv.iter_mut().zip(v).for_each(|(a, &v)| *a = -*a - friction * v);
        true
    }

    fn check(&self, y: &S) -> Result<()> {
        if let Damping::Constant(g) = self.damping {
            crate::Error::setting(g >= 0.0 && g.is_finite(), "the friction", g, "it must be 0 or positive")?;
        }
        check_halves(y)
    }
}

impl<S: State, L: FnMut(&[S::Elem], &mut [S::Elem]) -> S::Elem> Dissipative<S> for DampedFlow<L> {
    fn energy(&mut self, t: S::Elem, y: &S) -> (f64, f64) {
        let (x, v) = halves(y);
        let mut scratch = x.to_vec();
        let value = (self.loss)(x, &mut scratch).f64();
        let speed: f64 = v.iter().map(|v| v.f64() * v.f64()).sum();
        let lost = if speed == 0.0 { 0.0 } else { self.friction(t).f64() * speed };
        (value + 0.5 * speed, lost)
    }
}
