//! A field that is a sum of a stiff part and the rest.

use std::fmt;

use crate::memory::Memories;
use crate::{Error, Result, State, VectorField};

/// The two parts of a split field.
pub struct Parts<'a, S: State> {
    /// What is to be treated implicitly.
    pub stiff: &'a mut (dyn VectorField<S> + 'a),
    /// What an explicit method can follow.
    pub rest: &'a mut (dyn VectorField<S> + 'a),
}

impl<S: State> fmt::Debug for Parts<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// The sum of a stiff field and another one, `dy/dt = stiff(t, y) + rest(t, y)`, for implicit–explicit methods: they solve
/// with the stiff part's Jacobian alone, which may be banded or sparse ([`Structured`](crate::Structured)) or your own
/// ([`WithJacobian`](crate::WithJacobian)) where the sum's is neither. [`KenCarp3`](crate::integrate::KenCarp3),
/// [`KenCarp4`](crate::integrate::KenCarp4) and [`KenCarp5`](crate::integrate::KenCarp5) do so; every other method takes the sum.
///
/// Reference: Ascher, Ruuth, Spiteri, *Implicit-explicit Runge–Kutta methods for time-dependent partial differential equations*,
/// Appl. Numer. Math. 25 (1997) 151–167.
///
/// ```
/// use flowfield::{Flow, Split, Structured, field, integrate::KenCarp4};
/// use ndarray::Array1;
/// // Allen–Cahn: diffusion is stiff and banded, the reaction mild.
/// let n: usize = 100;
/// let diffusion = field(move |_t, y: &Array1<f64>, d: &mut Array1<f64>| {
///     for i in 0..n {
///         let (left, right) = (y[i.saturating_sub(1)], y[(i + 1).min(n - 1)]);
///         d[i] = 1e3 * (left - 2.0 * y[i] + right);
///     }
/// });
/// let reaction = field(|_t, y: &Array1<f64>, d: &mut Array1<f64>| d.zip_mut_with(y, |d, &y| *d = y - y * y * y));
/// let start = Array1::from_shape_fn(n, |i| (0.1 * i as f64).sin());
/// let split = Split::new(Structured::banded(diffusion, 1, 1), reaction);
/// let sol = Flow::new(split, KenCarp4::new()).solve(0.0, 20.0, start)?;
/// assert!(sol.y_end().iter().all(|y| y.abs() < 1.01) && sol.stats.jacobians < sol.stats.accepted);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Split<A, B, S> {
    stiff: A,
    rest: B,
    term: Option<S>,
}

impl<S: State, A: VectorField<S>, B: VectorField<S>> Split<A, B, S> {
    /// `stiff` + `rest`.
    pub fn new(stiff: A, rest: B) -> Self {
        Split { stiff, rest, term: None }
    }
}

impl<S: State, A: VectorField<S>, B: VectorField<S>> VectorField<S> for Split<A, B, S> {
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.stiff.eval(t, y, dy);
        if !self.term.as_ref().is_some_and(|term| term.same_shape(y)) {
            self.term = Some(y.clone());
        }
        let Some(term) = &mut self.term else { return };
        self.rest.eval(t, y, term);
        dy.as_mut_slice().iter_mut().zip(term.as_slice()).for_each(|(d, &r)| *d += r);
    }

    fn split(&mut self) -> Option<Parts<'_, S>> {
        Some(Parts { stiff: &mut self.stiff, rest: &mut self.rest })
    }

    fn redraw(&mut self) -> bool {
        self.stiff.redraw() | self.rest.redraw()
    }

    fn memory(&mut self) -> Memories<'_, S> {
        let mut all = self.stiff.memory();
        all.extend(self.rest.memory());
        all
    }

    fn check(&self, y: &S) -> Result<()> {
        if self.stiff.mass().is_some() || self.rest.mass().is_some() {
            return Err(Error::Unsupported {
                what: "a mass matrix",
                with: "a part of a split field",
                instead: "give the sum as one field with its mass matrix, to Rodas5P, RadauIIA5 or Bdf",
            });
        }
        self.stiff.check(y)?;
        self.rest.check(y)
    }
}
