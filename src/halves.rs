//! Fields on states of two halves: positions first, then as many velocities or momenta.

use crate::{Error, Half, Real, Result, State, VectorField};

/// Refuses a state without two equal halves.
pub(crate) fn check_halves<S: State>(y: &S) -> Result<()> {
    let len = y.as_slice().len();
    if len.is_multiple_of(2) { Ok(()) } else { Err(Error::OddState { len }) }
}

/// Both halves of a state.
#[inline(always)]
pub(crate) fn halves<S: State>(y: &S) -> (&[S::Elem], &[S::Elem]) {
    let y = y.as_slice();
    y.split_at(y.len() / 2)
}

/// Both halves of a state, to be written.
#[inline(always)]
pub(crate) fn halves_mut<S: State>(y: &mut S) -> (&mut [S::Elem], &mut [S::Elem]) {
    let y = y.as_mut_slice();
    y.split_at_mut(y.len() / 2)
}

/// A second-order system `q″ = a(t, q, q′)` as a field on states `(q, v)`; see [`second_order`].
#[derive(Debug, Clone)]
pub struct SecondOrder<A> {
    acceleration: A,
}

/// A second-order system `q″ = a(t, q, v)`, `v = q′`, as a field: `d(q, v)/dt = (v, a)`.
///
/// The state holds positions first, then as many velocities (see [`Half`]). Every integrator takes it; those under
/// [`nystrom`](crate::integrate::nystrom) and [`symplectic`](crate::integrate::symplectic) make use of its form, if `a`
/// does not depend on `v`.
///
/// ```
/// use flowfield::{Flow, integrate::Dprkn6, second_order};
/// let pendulum = second_order(|_t: f64, q, _v, a| a[0] = -q[0].sin());
/// let sol = Flow::new(pendulum, Dprkn6::new()).tol(1e-10).solve(0.0, 10.0, [1.0, 0.0])?;
/// let energy = |y: &[f64; 2]| 0.5 * y[1] * y[1] - y[0].cos();
/// assert!((energy(sol.y_end()) - energy(&[1.0, 0.0])).abs() < 1e-8);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn second_order<F: Real, A: FnMut(F, &[F], &[F], &mut [F])>(acceleration: A) -> SecondOrder<A> {
    SecondOrder { acceleration }
}

impl<S, A> VectorField<S> for SecondOrder<A>
where
    S: State,
    A: FnMut(S::Elem, &[S::Elem], &[S::Elem], &mut [S::Elem]),
{
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        let ((q, v), (dq, dv)) = (halves(y), halves_mut(dy));
        dq.copy_from_slice(v);
        (self.acceleration)(t, q, v, dv);
    }

    #[inline(always)]
    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        let ((q, v), (dq, dv)) = (halves(y), halves_mut(dy));
        match half {
            Half::Positions => dq.copy_from_slice(v),
            Half::Momenta => (self.acceleration)(t, q, v, dv),
        }
        half == Half::Momenta
    }

    fn check(&self, y: &S) -> Result<()> {
        check_halves(y)
    }
}

/// A separable system `q′ = v(t, p)`, `p′ = f(t, q)` as a field on states `(q, p)`; see [`separable`].
#[derive(Debug, Clone)]
pub struct Separable<V, P> {
    velocity: V,
    force: P,
}

/// A separable system: `q′ = velocity(t, p)`, `p′ = force(t, q)`, as Hamiltonians `T(p) + U(q)` give.
///
/// Methods that move positions and momenta in turn ([`symplectic`](crate::integrate::symplectic)) then evaluate only the
/// side they need. A call of either side counts as an evaluation.
///
/// ```
/// use flowfield::{Flow, integrate::Yoshida4, separable};
/// // A relativistic particle in a harmonic well: T = √(1 + p²), U = q²/2.
/// let well = separable(|_t: f64, p, dq| dq[0] = p[0] / (1.0 + p[0] * p[0]).sqrt(), |_t, q, dp| dp[0] = -q[0]);
/// let energy = |y: &[f64; 2]| (1.0 + y[1] * y[1]).sqrt() + 0.5 * y[0] * y[0];
/// let mut y = [2.0, 0.0];
/// Flow::new(well, Yoshida4::new()).steps(10_000, 0.05, &mut y)?;
/// assert!((energy(&y) - 3.0).abs() < 1e-5);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn separable<F, V, P>(velocity: V, force: P) -> Separable<V, P>
where
    F: Real,
    V: FnMut(F, &[F], &mut [F]),
    P: FnMut(F, &[F], &mut [F]),
{
    Separable { velocity, force }
}

impl<S, V, P> VectorField<S> for Separable<V, P>
where
    S: State,
    V: FnMut(S::Elem, &[S::Elem], &mut [S::Elem]),
    P: FnMut(S::Elem, &[S::Elem], &mut [S::Elem]),
{
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        let ((q, p), (dq, dp)) = (halves(y), halves_mut(dy));
        (self.velocity)(t, p, dq);
        (self.force)(t, q, dp);
    }

    #[inline(always)]
    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        let ((q, p), (dq, dp)) = (halves(y), halves_mut(dy));
        match half {
            Half::Positions => (self.velocity)(t, p, dq),
            Half::Momenta => (self.force)(t, q, dp),
        }
        true
    }

    fn check(&self, y: &S) -> Result<()> {
        check_halves(y)
    }
}
