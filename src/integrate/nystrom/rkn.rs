//! The one loop that steps every Runge–Kutta–Nyström method.

use std::fmt;
use std::marker::PhantomData;

use crate::halves::{check_halves, halves, halves_mut};
use crate::integrate::explicit::tableau::{row, unrolled};
use crate::integrate::{Integrator, Polynomial, Tolerance};
use crate::state::check_layout;
use crate::{Half, Real, Result, State, VectorField};

/// An explicit Runge–Kutta–Nyström method with `N` stages (HNW II.14, 14.13).
///
/// ```text
/// kᵢ = a(t + cᵢ h, q₀ + cᵢ h v₀ + h² Σⱼ₍ⱼ₍ᵢ aᵢⱼ kⱼ)
/// q₁ = q₀ + h v₀ + h² Σᵢ bᵢ kᵢ        v₁ = v₀ + h Σᵢ b̄ᵢ kᵢ
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NystromTableau<const N: usize> {
    /// The method's name, as its users call it.
    pub name: &'static str,
    /// Order of positions and velocities.
    pub order: u32,
    /// Order of the embedded solution behind the error estimate.
    pub embedded_order: u32,
    /// Stage weights, strictly lower triangular; the last row equals `b` if `fsal`.
    pub a: [[f64; N]; N],
    /// Position weights.
    pub b: [f64; N],
    /// Velocity weights.
    pub bv: [f64; N],
    /// Stage times.
    pub c: [f64; N],
    /// Error weights of the positions.
    pub e: [f64; N],
    /// Error weights of the velocities.
    pub ev: [f64; N],
    /// First same as last: the last stage is `a(t + h, q₁)`.
    pub fsal: bool,
}

/// A Nyström method as a type, so that the compiler knows its numbers; implement it to bring your own.
pub trait NystromMethod<const N: usize>: 'static {
    /// The numbers.
    const TABLEAU: NystromTableau<N>;
}

/// The Runge–Kutta–Nyström method `M` on states `(q, v)` of type `S`. See [the module](super).
///
/// The acceleration must not depend on the velocity: the method would lose its order without a sign of it. Values inside a
/// step are quintic in the positions and quartic in the velocities, from positions, velocities and accelerations at both
/// ends.
///
/// ```
/// use flowfield::{Flow, integrate::Dprkn8, second_order};
/// let orbit = second_order(|_t: f64, q, _v, a| {
///     let r3 = (q[0] * q[0] + q[1] * q[1]).powf(1.5);
///     (a[0], a[1]) = (-q[0] / r3, -q[1] / r3);
/// });
/// let sol = Flow::new(orbit, Dprkn8::new()).tol(1e-10).solve(0.0, std::f64::consts::TAU, [1.0, 0.0, 0.0, 1.0])?;
/// assert!((sol.y_end()[0] - 1.0).abs() < 1e-9 && sol.stats.evals < 500);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Nystrom<M, S, const N: usize> {
    /// Stages: the second half of each holds kᵢ.
    k: Option<Box<[S; N]>>,
    k1_ready: bool,
    /// The difference of the two solutions.
    error: Option<S>,
    /// Acceleration at the end of the step, if it has been asked for.
    end: Option<S>,
    end_ready: bool,
    method: PhantomData<fn() -> M>,
}

impl<M: NystromMethod<N>, S: State, const N: usize> Nystrom<M, S, N> {
    const T: NystromTableau<N> = M::TABLEAU;

    /// The method, before it has seen a state.
    pub fn new() -> Self {
        const { assert!(N <= 17, "at most 17 stages are unrolled") };
        Nystrom { k: None, k1_ready: false, error: None, end: None, end_ready: false, method: PhantomData }
    }
}

impl<M: NystromMethod<N>, S: State, const N: usize> Default for Nystrom<M, S, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: NystromMethod<N>, S: State, const N: usize> fmt::Debug for Nystrom<M, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(Self::T.name).field("stages", &N).finish_non_exhaustive()
    }
}

/// `out[i] = start(i) + Σ_{j < J} (factor weights[j]) k[j][i]`, in one pass.
#[inline(always)]
fn sum<const J: usize, const N: usize, S: State>(
    (weights, factor): (&[f64; N], S::Elem),
    k: &[S; N],
    start: impl Fn(usize) -> S::Elem,
    out: &mut [S::Elem],
) {
    let n = out.len();
    let scaled: [S::Elem; N] = std::array::from_fn(|j| factor * S::Elem::of(weights[j]));
    let k: [&[S::Elem]; N] =
        std::array::from_fn(|j| if j < J { &halves(&k[j]).1[..n] } else { &[] as &[S::Elem] });
    for i in 0..n {
        let mut sum = S::Elem::of(0.0);
        for j in 0..J.min(N) {
            if weights[j] != 0.0 {
                sum += scaled[j] * k[j][i];
            }
        }
        out[i] = start(i) + sum;
    }
}

impl<M: NystromMethod<N>, S: State, const N: usize> Integrator<S> for Nystrom<M, S, N> {
    fn name(&self) -> &'static str {
        Self::T.name
    }

    fn order(&self) -> Option<u32> {
        Some(Self::T.order)
    }

    fn error_order(&self) -> Option<u32> {
        Some(Self::T.embedded_order)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        check_halves(y0)?;
        if !self.k.as_ref().is_some_and(|k| k[0].same_shape(y0)) {
            self.k = Some(Box::new(std::array::from_fn(|_| y0.clone())));
            (self.error, self.end) = (Some(y0.clone()), Some(y0.clone()));
        }
        (self.k1_ready, self.end_ready) = (false, false);
        Ok(())
    }

    fn prime(&mut self, slope: &S) {
        if let Some(k) = &mut self.k {
            k[0].clone_from(slope);
            self.k1_ready = true;
        }
    }

    #[inline(always)]
    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.k.is_none() {
            self.init(y0)?;
        }
        // One pointer for all stages: what a stage has just stored then stays in registers for the next.
        let (Some(k), Some(error)) = (self.k.as_deref_mut(), &mut self.error) else { return Ok(()) };
        if !self.k1_ready {
            field.eval_half(Half::Momenta, t, y0, &mut k[0]);
            self.k1_ready = true;
        }
        self.end_ready = false;
        let (q0, v0) = halves(y0);
        // y1 holds each stage's argument in turn.
        halves_mut(y1).1.copy_from_slice(v0);
        unrolled!(N, I => {
            let c = S::Elem::of(const { if I < N { Self::T.c[I] } else { 0.0 } }) * h;
            let weights = &const { row(&Self::T.a, I) };
            sum::<I, N, S>((weights, h * h), k, |i| q0[i] + c * v0[i], halves_mut(y1).0);
            field.eval_half(Half::Momenta, t + c, y1, &mut k[I]);
        });
        let (q1, v1) = halves_mut(y1);
        if !Self::T.fsal {
            sum::<N, N, S>((&const { Self::T.b }, h * h), k, |i| q0[i] + h * v0[i], q1);
        }
        sum::<N, N, S>((&const { Self::T.bv }, h), k, |i| v0[i], v1);
        let (eq, ev) = halves_mut(error);
        sum::<N, N, S>((&const { Self::T.e }, h * h), k, |_| S::Elem::of(0.0), eq);
        sum::<N, N, S>((&const { Self::T.ev }, h), k, |_| S::Elem::of(0.0), ev);
        Ok(())
    }

    #[inline(always)]
    fn accept(&mut self, smooth: bool) {
        self.k1_ready = false;
        if let Some(k) = &mut self.k {
            if smooth && Self::T.fsal {
                k.swap(0, N - 1);
                self.k1_ready = true;
            } else if let (true, Some(end)) = (smooth && self.end_ready, &mut self.end) {
                std::mem::swap(&mut k[0], end);
                self.k1_ready = true;
            }
        }
        self.end_ready = false;
    }

    #[inline(always)]
    fn error_norm(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        Some(tol.norm(y0.as_slice(), y1.as_slice(), &self.error.as_ref()?.as_slice()))
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> usize {
        self.error.as_ref().map_or(0, |e| tol.worst(y0.as_slice(), y1.as_slice(), &e.as_slice()))
    }

    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        let (Some(k), Some(end)) = (&self.k, &mut self.end) else { return Ok(()) };
        let a1 = if Self::T.fsal {
            &k[N - 1]
        } else {
            if !self.end_ready {
                field.eval_half(Half::Momenta, t + h, y1, end);
                self.end_ready = true;
            }
            end
        };
        quintic(t, h, (y0, halves(&k[0]).1), (y1, halves(a1).1), out);
        Ok(())
    }
}

/// Positions: the quintic through positions, velocities and accelerations at both ends. Velocities: the quartic through
/// velocities and accelerations at both ends whose integral is the way gone.
fn quintic<S: State>(
    t: S::Elem,
    h: S::Elem,
    (y0, a0): (&S, &[S::Elem]),
    (y1, a1): (&S, &[S::Elem]),
    out: &mut Polynomial<S::Elem>,
) {
    let of = S::Elem::of;
    let ((q0, v0), (q1, v1)) = (halves(y0), halves(y1));
    let n = q0.len();
    out.start(t, h, 5, y0.as_slice());
    for i in 0..n {
        let (d, s0, s1) = (q1[i] - q0[i], h * v0[i], h * v1[i]);
        let (b0, b1) = (of(0.5) * h * h * a0[i], of(0.5) * h * h * a1[i]);
        let (c2, c3) = (s0 - d, (d - s0) + (d - s1));
        let c4 = b0 + c2 - c3;
        let c5 = b1 + c2 + c3 + c3 - c4;
        let dv = v1[i] - v0[i];
        let (e2, e3) = (h * a0[i] - dv, (dv - h * a0[i]) + (dv - h * a1[i]));
        let e4 = of(30.0) * (d / h - v0[i] - of(0.5) * dv) - of(5.0) * e2 - of(2.5) * e3;
        for (k, (position, velocity)) in
            [(d, dv), (c2, e2), (c3, e3), (c4, e4), (c5, of(0.0))].into_iter().enumerate()
        {
            let row = out.coefficient_mut(k + 1);
            (row[i], row[n + i]) = (position, velocity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrate::nystrom::methods::{Dprkn6, Dprkn8, Dprkn12};

    /// Conditions on quadratures up to the order, b = b̄ (1 - c), and Σⱼ aᵢⱼ = cᵢ² / 2 (HNW II.14, 14.14 and 14.16).
    fn check<M: NystromMethod<N>, const N: usize>() {
        let m = M::TABLEAU;
        let moment = |w: &[f64; N], k: i32| w.iter().zip(m.c).map(|(w, c)| w * c.powi(k)).sum::<f64>();
        for k in 0..m.order as i32 {
            let want = 1.0 / f64::from(k + 1);
            assert!((moment(&m.bv, k) - want).abs() < 2e-15, "{}: velocity condition {k}", m.name);
            let hat: [f64; N] = std::array::from_fn(|i| m.bv[i] - m.ev[i]);
            assert!(k >= m.embedded_order as i32 || (moment(&hat, k) - want).abs() < 4e-15, "{} {k}", m.name);
        }
        for i in 0..N {
            assert!((m.b[i] - m.bv[i] * (1.0 - m.c[i])).abs() < 1e-15, "{}: b and b̄ at {i}", m.name);
            let scale = m.a[i].iter().fold(1.0_f64, |s, a| s.max(a.abs()));
            let sum: f64 = m.a[i].iter().sum();
            assert!((sum - 0.5 * m.c[i] * m.c[i]).abs() < 4e-16 * scale, "{}: row {i}: {sum}", m.name);
            assert!(!m.fsal || m.a[N - 1][i] == m.b[i]);
        }
    }

    #[test]
    fn tableaux_satisfy_quadrature_conditions() {
        check::<Dprkn6, 6>();
        check::<Dprkn8, 9>();
        check::<Dprkn12, 17>();
    }

    #[test]
    fn the_quintic_reproduces_a_quintic() {
        let q = |t: f64| 1.0 + t * (2.0 - t * (3.0 - t * (0.5 + t * (0.7 - 0.2 * t))));
        let v = |t: f64| 2.0 - 6.0 * t + 1.5 * t * t + 2.8 * t.powi(3) - t.powi(4);
        let a = |t: f64| -6.0 + 3.0 * t + 8.4 * t * t - 4.0 * t.powi(3);
        let (t, h) = (0.4, 0.9);
        let mut p = Polynomial::default();
        let end = t + h;
        quintic(t, h, (&[q(t), v(t)], &[a(t)]), (&[q(end), v(end)], &[a(end)]), &mut p);
        let mut out = [0.0; 2];
        for theta in [0.0, 0.3, 0.8, 1.0] {
            p.value(theta, &mut out);
            let s = t + theta * h;
            assert!((out[0] - q(s)).abs() < 1e-13 && (out[1] - v(s)).abs() < 1e-13, "{out:?}");
        }
    }
}
