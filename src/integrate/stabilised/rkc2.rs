//! Runge–Kutta–Chebyshev.

use std::fmt;

use num_traits::Float as _;

use super::radius::Radius;
use crate::integrate::tolerance::Components;
use crate::integrate::{Integrator, Polynomial, Tolerance};
use crate::state::check_layout;
use crate::{Real, Result, State, VectorField};

/// Runge–Kutta–Chebyshev, order 2, adaptive, as many stages as stability asks for.
///
/// ```text
/// Y₀ = y₀,  Y₁ = y₀ + μ̃₁ h F₀,   Yⱼ = (1 − μⱼ − νⱼ) y₀ + μⱼ Yⱼ₋₁ + νⱼ Yⱼ₋₂ + μ̃ⱼ h Fⱼ₋₁ + γ̃ⱼ h F₀,   y₁ = Yₛ
/// ε = 2/13,  w₀ = 1 + ε/s²,  w₁ = Tₛ′(w₀) / Tₛ″(w₀),  bⱼ = Tⱼ″(w₀) / Tⱼ′(w₀)²,  b₀ = b₁ = b₂
/// μⱼ = 2 bⱼ w₀ / bⱼ₋₁,  νⱼ = −bⱼ / bⱼ₋₂,  μ̃ⱼ = 2 bⱼ w₁ / bⱼ₋₁,  γ̃ⱼ = −(1 − bⱼ₋₁ Tⱼ₋₁(w₀)) μ̃ⱼ
/// error ≈ (4 (y₀ − y₁) + 2 h (F₀ + F₁)) / 5
/// ```
///
/// Stable for `h ρ ≤ 0.65 (s² − 1)`, where `ρ` is the spectral radius of the Jacobian: estimated by power iteration every 25
/// steps and after a rejection (a few evaluations), or given by [`spectral_radius`](Self::spectral_radius). A step takes `s`
/// evaluations. Six states of memory. Values inside a step are cubic Hermite. The estimate is that of the solution carried
/// on, so the error at the end behaves as the tolerance to the power 2/3.
///
/// Reference: Sommeijer, Shampine, Verwer, *RKC: an explicit solver for parabolic PDEs*, J. Comput. Appl. Math. 88 (1998)
/// 315–326.
///
/// ```
/// use flowfield::{Flow, field, integrate::Rkc2};
/// use ndarray::Array1;
/// // The heat equation on 100 points: eigenvalues down to -40 000.
/// let heat = field(|_t, y: &Array1<f64>, dy| {
///     let at = |i: usize| y.get(i).copied().unwrap_or(0.0);
///     (0..100).for_each(|i| dy[i] = 1e4 * (at(i.wrapping_sub(1)) - 2.0 * y[i] + at(i + 1)));
/// });
/// let sol = Flow::new(heat, Rkc2::new()).tol(1e-4).solve(0.0, 1.0, Array1::ones(100))?;
/// assert!(sol.stats.evals < 2_000);      // an explicit method without stabilisation needs more than 70 000
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Rkc2<S: State> {
    memory: Option<Memory<S>>,
    f0_ready: bool,
    radius: Radius<S>,
    /// The step just taken was refused for its number of stages.
    too_long: bool,
}

#[derive(Debug)]
struct Memory<S> {
    f0: S,
    f1: S,
    stages: [S; 2],
}

impl<S: State> Rkc2<S> {
    /// The method, before it has seen a state.
    pub fn new() -> Self {
        Rkc2 { memory: None, f0_ready: false, radius: Radius::new(), too_long: false }
    }

    /// An upper bound of the spectral radius of `∂f/∂y` at `(t, y)`, asked for before every step: instead of the estimate.
    #[must_use]
    pub fn spectral_radius(mut self, bound: impl FnMut(S::Elem, &S) -> S::Elem + Send + 'static) -> Self {
        self.radius.bounded_by(bound);
        self
    }
}

impl<S: State> Default for Rkc2<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State> fmt::Debug for Rkc2<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rkc2").field("radius", &self.radius.value).finish_non_exhaustive()
    }
}

/// The number of stages that is stable for `h ρ`.
fn stages_for(h_rho: f64) -> f64 {
    1.0 + (1.0 + 1.54 * h_rho).sqrt().floor()
}

/// The most stages whose round-off, which grows with s², stays below EPS^(3/8) (24 000 in `f64`, 46 in `f32`).
fn most_stages<F: Real>() -> f64 {
    (F::EPS.f64().powf(0.375) / (10.0 * F::EPS.f64())).sqrt()
}

impl<S: State> Integrator<S> for Rkc2<S> {
    fn name(&self) -> &'static str {
        "Rkc2"
    }

    fn order(&self) -> Option<u32> {
        Some(2)
    }

    fn error_order(&self) -> Option<u32> {
        Some(2)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        if !self.memory.as_ref().is_some_and(|m| m.f0.same_shape(y0)) {
            self.memory = Some(Memory { f0: y0.clone(), f1: y0.clone(), stages: [y0.clone(), y0.clone()] });
        }
        self.radius.restart(y0);
        (self.f0_ready, self.too_long) = (false, false);
        Ok(())
    }

    fn prime(&mut self, slope: &S) {
        if let Some(memory) = &mut self.memory {
            memory.f0.clone_from(slope);
            self.f0_ready = true;
        }
    }

    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.memory.is_none() {
            self.init(y0)?;
        }
        let Some(memory) = &mut self.memory else { return Ok(()) };
        if !self.f0_ready {
            field.eval(t, y0, &mut memory.f0);
            self.f0_ready = true;
        }
        let radius = self.radius.update(field, t, (y0, &memory.f0))?;
        let s = stages_for((h * radius).abs().f64());
        self.too_long = s.is_nan() || s > most_stages::<S::Elem>();
        if self.too_long {
            // A rejection, or the end of a run with fixed steps.
            y1.as_mut_slice().fill(S::Elem::of(f64::NAN));
            return Ok(());
        }
        chebyshev(field, (t, h), y0, (&memory.f0, &mut memory.f1), &mut memory.stages, y1, s as usize);
        field.eval(t + h, y1, &mut memory.f1);
        Ok(())
    }

    fn accept(&mut self, smooth: bool) {
        self.f0_ready = smooth;
        self.radius.accept(smooth);
        let Some(memory) = &mut self.memory else { return };
        std::mem::swap(&mut memory.f0, &mut memory.f1);
    }

    fn error_norm(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        let e = self.estimate(h, y0, y1)?;
        Some(if self.too_long { S::Elem::of(f64::NAN) } else { tol.norm(y0.as_slice(), y1.as_slice(), &e) })
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, h: S::Elem, y0: &S, y1: &S) -> usize {
        self.estimate(h, y0, y1).map_or(0, |e| tol.worst(y0.as_slice(), y1.as_slice(), &e))
    }

    fn dense<V: VectorField<S> + ?Sized>(
        &mut self,
        _field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &S,
        out: &mut Polynomial<S::Elem>,
    ) -> Result<()> {
        let Some(m) = &self.memory else { return Ok(()) };
        out.hermite(t, h, (y0.as_slice(), m.f0.as_slice()), (y1.as_slice(), m.f1.as_slice()));
        Ok(())
    }
}

impl<S: State> Rkc2<S> {
    fn estimate<'a>(&'a self, h: S::Elem, y0: &'a S, y1: &'a S) -> Option<Estimate<'a, S::Elem>> {
        let m = self.memory.as_ref()?;
        Some(Estimate { h, y0: y0.as_slice(), y1: y1.as_slice(), f0: m.f0.as_slice(), f1: m.f1.as_slice() })
    }
}

struct Estimate<'a, F> {
    h: F,
    y0: &'a [F],
    y1: &'a [F],
    f0: &'a [F],
    f1: &'a [F],
}

impl<F: Real> Components<F> for Estimate<'_, F> {
    #[inline(always)]
    fn at(&self, i: usize) -> F {
        F::of(0.8) * (self.y0[i] - self.y1[i]) + F::of(0.4) * self.h * (self.f0[i] + self.f1[i])
    }
}

/// `Tⱼ`, `Tⱼ′`, `Tⱼ″` at `w₀`.
#[derive(Debug, Clone, Copy)]
struct Chebyshev(f64, f64, f64);

impl Chebyshev {
    /// The next polynomial from this one and the one before.
    fn next(self, before: Self, w0: f64) -> Self {
        Chebyshev(
            2.0 * w0 * self.0 - before.0,
            2.0 * (self.0 + w0 * self.1) - before.1,
            4.0 * self.1 + 2.0 * w0 * self.2 - before.2,
        )
    }

    fn b(self) -> f64 {
        self.2 / (self.1 * self.1)
    }
}

/// The recurrence over `s ≥ 2` stages; the result in `y1`, `f` is scratch.
fn chebyshev<S: State, V: VectorField<S> + ?Sized>(
    field: &mut V,
    (t, h): (S::Elem, S::Elem),
    y0: &S,
    (f0, f): (&S, &mut S),
    [before, current]: &mut [S; 2],
    y1: &mut S,
    s: usize,
) {
    let of = S::Elem::of;
    let w0 = 1.0 + 2.0 / 13.0 / (s * s) as f64;
    let first = [Chebyshev(1.0, 0.0, 0.0), Chebyshev(w0, 1.0, 0.0)];
    let (mut a, mut p) = (first[0], first[1]);
    (2..=s).for_each(|_| (a, p) = (p, p.next(a, w0)));
    let w1 = p.1 / p.2;
    let b2 = 1.0 / (4.0 * w0 * w0);
    let (mut b_before, mut b) = (b2, b2);
    let [mut a, mut p] = first;
    before.as_mut_slice().copy_from_slice(y0.as_slice());
    let mu_tilde = b * w1;
    let (mut c_before, mut c) = (0.0, mu_tilde);
    combine(current, (y0, f0, f0), [of(1.0), of(0.0), h * of(mu_tilde), of(0.0)], None);
    for _ in 2..=s {
        let a_b = 1.0 - b * p.0;
        (a, p) = (p, p.next(a, w0));
        let b_next = p.b();
        let (mu, nu) = (2.0 * b_next * w0 / b, -b_next / b_before);
        let mu_tilde = 2.0 * b_next * w1 / b;
        let gamma = -a_b * mu_tilde;
        field.eval(t + of(c) * h, current, f);
        let weights = [of(1.0 - mu - nu), of(nu), h * of(mu_tilde), h * of(gamma)];
        combine(before, (y0, f, f0), weights, Some((of(mu), current)));
        std::mem::swap(before, current);
        (c_before, c) = (c, mu * c + nu * c_before + mu_tilde + gamma);
        (b_before, b) = (b, b_next);
    }
    y1.as_mut_slice().copy_from_slice(current.as_slice());
}

/// `x ← w₀ y₀ + w₁ x + w₂ f + w₃ f₀ + μ y`, in one pass.
fn combine<S: State>(x: &mut S, (y0, f, f0): (&S, &S, &S), w: [S::Elem; 4], newest: Option<(S::Elem, &S)>) {
    let (mu, y) = newest.unwrap_or((S::Elem::of(0.0), y0));
    let n = y0.as_slice().len();
    let (y0, f, f0, y) = (&y0.as_slice()[..n], &f.as_slice()[..n], &f0.as_slice()[..n], &y.as_slice()[..n]);
    for (i, x) in x.as_mut_slice()[..n].iter_mut().enumerate() {
        *x = w[0] * y0[i] + w[1] * *x + w[2] * f[i] + w[3] * f0[i] + mu * y[i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stability polynomial at `z`, by running the recurrence on `y' = z y` with `h = 1`.
    fn amplification(s: usize, z: f64) -> f64 {
        let mut field = |_t: f64, y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = z * y[0];
        let mut y1 = [0.0];
        let mut stages = [[0.0], [0.0]];
        chebyshev(&mut field, (0.0, 1.0), &[1.0], (&[z], &mut [0.0]), &mut stages, &mut y1, s);
        y1[0]
    }

    #[test]
    fn stable_and_damped_on_the_negative_real_axis() {
        for s in [2, 3, 5, 10, 40, 200] {
            let most = 0.653 * (s * s - 1) as f64;
            assert!(stages_for(most * 0.99) <= s as f64);
            for i in 1..=2000 {
                let z = -most * f64::from(i) / 2000.0;
                let r = amplification(s, z);
                let bound = if z < -2.0 { 0.96 } else { 1.0 };
                assert!(r.abs() < bound, "s = {s}, z = {z}: {r}");
            }
        }
    }

    #[test]
    fn the_stability_polynomial_is_the_exponential_to_second_order() {
        for s in [2, 7, 30] {
            let error = |z: f64| (amplification(s, z) - z.exp()).abs();
            let order = (error(-0.02) / error(-0.01)).log2();
            assert!((order - 3.0).abs() < 0.1, "s = {s}: {order}");
        }
    }
}
