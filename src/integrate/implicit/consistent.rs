//! Initial states of systems with algebraic equations.

use num_traits::Float as _;

use super::system::System;
use crate::integrate::Tolerance;
use crate::{Error, Real, Result, State, VectorField};

/// One linearly implicit Euler step, `(M/ε − J) d = f`, so short that only what algebraic equations decide moves.
struct Correction<S: State> {
    system: System<S>,
    d: S,
}

impl<S: State> Correction<S> {
    /// At `(t, y)`, with a new Jacobian.
    fn new<V: VectorField<S> + ?Sized>(
        field: &mut V,
        t: S::Elem,
        y: &S,
        tol: &Tolerance<S::Elem>,
    ) -> Result<(Self, S)> {
        let (mut system, mut f) = (System::new(y), y.clone());
        system.look_at(field)?;
        field.eval(t, y, &mut f);
        system.refresh(field, (t, y, &f), (S::Elem::of(1e-6), tol));
        Ok((Correction { system, d: y.clone() }, f))
    }

    /// Writes the correction for a step of size `eps`.
    fn solve<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        f: &S,
        eps: S::Elem,
    ) -> Result<()> {
        if !self.system.factor(eps.recip()) {
            return Err(Error::SingularMatrix { method: "the consistent start", t: t.f64(), h: eps.f64() });
        }
        self.d.clone_from(f);
        self.system.solve(field, &mut self.d);
        Ok(())
    }
}

/// Refuses an initial state that does not satisfy the algebraic equations of `M dy/dt = f(t, y)` to the tolerance.
pub(crate) fn check_start<S: State, V: VectorField<S> + ?Sized>(
    field: &mut V,
    t: S::Elem,
    y: &S,
    tol: &Tolerance<S::Elem>,
) -> Result<()> {
    let (mut correction, f) = Correction::new(field, t, y, tol)?;
    // Differential variables move in proportion to the step; what does not become smaller with it is inconsistent.
    for exponent in [-6, -9, -12, -15] {
        correction.solve(field, t, &f, S::Elem::of(10f64.powi(exponent)))?;
        let d = correction.d.as_slice();
        if tol.norm(y.as_slice(), y.as_slice(), &d) <= S::Elem::of(1.0) {
            return Ok(());
        }
    }
    let d = correction.d.as_slice();
    let component = tol.worst(y.as_slice(), y.as_slice(), &d);
    Err(Error::InconsistentStart { t: t.f64(), component, correction: d[component].f64() })
}

/// A state near `y` that satisfies the algebraic equations of `M dy/dt = f(t, y)` at time `t`: Newton's iteration in
/// the variables that they decide, while `M y` stays.
///
/// ```
/// use flowfield::{WithMass, consistent_start, field};
/// let circle = field(|_t, y: &[f64; 2], d| *d = [y[1], y[0] * y[0] + y[1] * y[1] - 1.0]);
/// let y = consistent_start(&mut WithMass::new(circle, [1.0, 0.0]), 0.0, &[0.6, 0.7])?;
/// assert!((y[0] - 0.6).abs() < 1e-9 && (y[1] - 0.8).abs() < 1e-9);
/// # Ok::<(), flowfield::Error>(())
/// ```
///
/// # Errors
/// [`Error::SingularMatrix`] where the algebraic equations do not decide their variables (index above 1), and
/// [`Error::InconsistentStart`] where the iteration does not converge from `y`.
pub fn consistent_start<S: State, V: VectorField<S> + ?Sized>(field: &mut V, t: S::Elem, y: &S) -> Result<S> {
    field.check(y)?;
    let (mut y, tol) = (y.clone(), Tolerance::default());
    let eps = S::Elem::of(1e-12) * t.abs().max(S::Elem::of(1.0));
    let mut last = (0, 0.0);
    let mut before = vec![S::Elem::ZERO; y.as_slice().len()];
    for _ in 0..50 {
        let (mut correction, f) = Correction::new(field, t, &y, &tol)?;
        correction.solve(field, t, &f, eps)?;
        let d = correction.d.as_slice();
        // Differential variables move by ε times their slope, again and again: that is not a lack of convergence.
        before.iter_mut().zip(d).for_each(|(b, &d)| *b = d - *b);
        let size = tol.norm(y.as_slice(), y.as_slice(), &before.as_slice());
        let worst = tol.worst(y.as_slice(), y.as_slice(), &before.as_slice());
        last = (worst, d[worst].f64());
        y.as_mut_slice().iter_mut().zip(d).for_each(|(y, &d)| *y += d);
        if size <= S::Elem::of(1e-4) {
            return Ok(y);
        }
        before.copy_from_slice(d);
    }
    Err(Error::InconsistentStart { t: t.f64(), component: last.0, correction: last.1 })
}
