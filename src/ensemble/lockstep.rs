//! Many copies of one small system in SIMD lanes, each with its own step sizes.

use std::fmt;

use rayon::prelude::*;

use super::members::{Member, Members};
use super::sweep::{Sweep, Task};
use crate::integrate::explicit::tableau::Method;
use crate::integrate::explicit::tableaux::{Dop853, Tsit5, Vern7};
use crate::{Error, Number, Result};

/// A vector field of `D` components and `P` parameters, written once for numbers and for lanes of numbers.
///
/// Put `#[inline(always)]` on `eval`: only then can it be compiled with the vector instructions of the machine it runs on.
///
/// ```
/// use flowfield::{Number, ensemble::LaneField};
/// struct Lorenz;
/// impl LaneField<3, 1> for Lorenz {
///     #[inline(always)]
///     fn eval<T: Number>(&self, _t: T, y: &[T; 3], [rho]: &[T; 1], dy: &mut [T; 3]) {
///         dy[0] = T::of(10.0) * (y[1] - y[0]);
///         dy[1] = y[0] * (*rho - y[2]) - y[1];
///         dy[2] = y[0] * y[1] - T::of(8.0 / 3.0) * y[2];
///     }
/// }
/// ```
pub trait LaneField<const D: usize, const P: usize>: Sync {
    /// Writes `f(t, y)` with parameters `p` to `dy`.
    fn eval<T: Number>(&self, t: T, y: &[T; D], p: &[T; P], dy: &mut [T; D]);
}

/// Solves many copies of one small system at once, with different initial states and parameters.
///
/// A bundle of copies steps together, a SIMD lane each, with a step size and error control for each lane; a lane that has
/// reached the end takes the next copy that waits. Bundles run on all threads of the current rayon pool. Uses AVX-512 or
/// AVX2 where the machine has them. The result of a copy is bit for bit the same in any lane, on any thread and with any of
/// these instruction sets; its step sizes follow the rules of [`Flow::solve`](crate::Flow::solve).
///
/// ```
/// use flowfield::{Number, ensemble::{LaneField, Lockstep}};
/// struct Decay;
/// impl LaneField<1, 1> for Decay {
///     #[inline(always)]
///     fn eval<T: Number>(&self, _t: T, y: &[T; 1], [rate]: &[T; 1], dy: &mut [T; 1]) { dy[0] = -*rate * y[0]; }
/// }
/// let rates: Vec<[f64; 1]> = (0..1000).map(|i| [f64::from(i) / 1000.0]).collect();
/// let ends = Lockstep::tsit5(Decay).tol(1e-8).solve(0.0, 1.0, &vec![[1.0]; 1000], &rates)?;
/// for (i, end) in ends.successes() {
///     assert!((end.y[0] - (-rates[i][0]).exp()).abs() < 1e-7);
/// }
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Clone)]
pub struct Lockstep<V, M> {
    field: V,
    /// Names the method; its numbers are constants.
    _method: M,
    rtol: f64,
    atol: f64,
    max_steps: u32,
    portable: bool,
}

impl<V, M> fmt::Debug for Lockstep<V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lockstep").field("rtol", &self.rtol).field("atol", &self.atol).finish_non_exhaustive()
    }
}

impl<V> Lockstep<V, Tsit5> {
    /// By Tsitouras 5(4).
    pub fn tsit5(field: V) -> Self {
        Self::with_method(field, Tsit5)
    }
}

impl<V> Lockstep<V, Vern7> {
    /// By Verner 7(6).
    pub fn vern7(field: V) -> Self {
        Self::with_method(field, Vern7)
    }
}

impl<V> Lockstep<V, Dop853> {
    /// By Dormand–Prince 8(5,3).
    pub fn dop853(field: V) -> Self {
        Self::with_method(field, Dop853)
    }
}

impl<V, M> Lockstep<V, M> {
    /// By any explicit Runge–Kutta method that has an error estimate.
    pub fn with_method(field: V, method: M) -> Self {
        Lockstep { field, _method: method, rtol: 1e-6, atol: 1e-9, max_steps: 1_000_000, portable: false }
    }

    /// Relative and absolute tolerance alike.
    #[must_use]
    pub fn tol(self, tol: f64) -> Self {
        self.rtol(tol).atol(tol)
    }

    /// Relative tolerance (default 1e-6).
    #[must_use]
    pub fn rtol(mut self, rtol: f64) -> Self {
        self.rtol = rtol;
        self
    }

    /// Absolute tolerance (default 1e-9).
    #[must_use]
    pub fn atol(mut self, atol: f64) -> Self {
        self.atol = atol;
        self
    }

    /// The most steps a copy may take, rejected ones included (default a million).
    #[must_use]
    pub fn max_steps(mut self, steps: u32) -> Self {
        self.max_steps = steps;
        self
    }

    /// Uses no instructions beyond those of every machine of its kind: for comparison.
    #[must_use]
    pub fn portable(mut self) -> Self {
        self.portable = true;
        self
    }

    /// Solves copy `i` from `y0[i]` with parameters `p[i]`, all from `t0` to `t1`.
    ///
    /// # Errors
    /// Settings out of range, a method without error estimate, or lists of different lengths. What goes wrong with a single
    /// copy is in its own result.
    pub fn solve<const N: usize, const D: usize, const P: usize>(
        &self,
        t0: f64,
        t1: f64,
        y0: &[[f64; D]],
        p: &[[f64; P]],
    ) -> Result<Members<Member<[f64; D]>>>
    where
        V: LaneField<D, P>,
        M: Method<N>,
    {
        Error::shape("p (a row of parameters for each initial state)", &[y0.len()], &[p.len()])?;
        crate::integrate::Tolerance { rtol: self.rtol.into(), atol: self.atol.into() }.check(D)?;
        for (what, t) in [("t0", t0), ("t1", t1)] {
            Error::setting(t.is_finite(), what, t, "a time must be finite")?;
        }
        if M::TABLEAU.e.is_none() {
            return Err(Error::NoErrorEstimate { method: M::TABLEAU.name });
        }
        if D == 0 {
            return Err(Error::Empty { what: "the state" });
        }
        let task =
            Task { field: &self.field, t0, t1, rtol: self.rtol, atol: self.atol, max_steps: self.max_steps };
        let (block, portable) = (block_size(y0.len()), self.portable);
        let blocks = y0.par_chunks(block).zip(p.par_chunks(block));
        let results = blocks.map(|(y0, p)| Sweep::<V, M, N, D, P>::solve(&task, y0, p, portable));
        Ok(Members(results.flatten_iter().collect()))
    }
}

/// Members a block: enough blocks to keep threads busy to the end, enough members to keep lanes full.
fn block_size(members: usize) -> usize {
    members.div_ceil(4 * rayon::current_num_threads()).clamp(256, 4096)
}
