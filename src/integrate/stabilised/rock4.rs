//! ROCK4.

use std::fmt;

use num_traits::Float as _;

use super::radius::Radius;
use super::rock4_numbers::{Degree, degrees};
use crate::integrate::{Integrator, Polynomial, Tolerance, Verdict};
use crate::state::check_layout;
use crate::{Real, Result, State, VectorField};

/// ROCK4: orthogonal Runge–Kutta–Chebyshev of order 4, adaptive, as many stages as stability asks for, 5 to 152.
///
/// ```text
/// g₁ = y₀ + μ₁ h f(y₀),   gⱼ = μⱼ h f(gⱼ₋₁) + (1 + κⱼ) gⱼ₋₁ − κⱼ gⱼ₋₂   up to gₘ,   s = m + 4
/// ```
///
/// and from `gₘ` four stages of a Runge–Kutta method of order 4 that is composed with the recurrence. Stable for
/// `h ρ ≤ 0.353 s² − 3`, where `ρ` is the spectral radius of the Jacobian, estimated or given as for
/// [`Rkc2`](super::Rkc2); a step that would need more stages is shortened, which costs no evaluations but counts as rejected.
/// For tolerances below `1e-4`, where [`Rkc2`](super::Rkc2) would take too many steps. The estimate is the difference to an
/// embedded solution of order 3. Values inside a step are cubic Hermite.
///
/// Reference: A. Abdulle, *Fourth order Chebyshev methods with recurrence relation*, SIAM J. Sci. Comput. 23 (2002)
/// 2041–2054. Numbers as in the author's `rock4.f`, from OrdinaryDiffEq.jl's `ROCK4`.
///
/// ```
/// use flowfield::{Flow, field, integrate::Rock4};
/// use ndarray::Array1;
/// let heat = field(|_t, y: &Array1<f64>, dy| {
///     let at = |i: usize| y.get(i).copied().unwrap_or(0.0);
///     (0..100).for_each(|i| dy[i] = 1e4 * (at(i.wrapping_sub(1)) - 2.0 * y[i] + at(i + 1)));
/// });
/// let sol = Flow::new(heat, Rock4::new()).tol(1e-7).solve(0.0, 1.0, Array1::ones(100))?;
/// assert!(sol.stats.evals < 6_000);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Rock4<S: State> {
    memory: Option<Memory<S>>,
    f0_ready: bool,
    radius: Radius<S>,
    /// The share of the step that stability allows, if the step just tried was refused for its length.
    refused: Option<f64>,
}

#[derive(Debug)]
struct Memory<S> {
    f0: S,
    f1: S,
    stages: [S; 2],
    k: [S; 4],
    error: S,
}

impl<S: State> Rock4<S> {
    /// The method, before it has seen a state.
    pub fn new() -> Self {
        Rock4 { memory: None, f0_ready: false, radius: Radius::new(), refused: None }
    }

    /// An upper bound of the spectral radius of `∂f/∂y` at `(t, y)`, asked for before every step: instead of the estimate.
    #[must_use]
    pub fn spectral_radius(mut self, bound: impl FnMut(S::Elem, &S) -> S::Elem + Send + 'static) -> Self {
        self.radius.bounded_by(bound);
        self
    }
}

impl<S: State> Default for Rock4<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: State> fmt::Debug for Rock4<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rock4").field("radius", &self.radius.value).finish_non_exhaustive()
    }
}

/// Stages of the longest member.
const MOST_STAGES: f64 = 152.0;

/// The member with the fewest stages that is stable for `h ρ`; the share of the step that is, if there is none.
fn degree_for(h_rho: f64) -> Result<&'static Degree, f64> {
    let s = 1.0 + ((3.0 + h_rho) / 0.353).sqrt().floor();
    let most = MOST_STAGES - 1.0;
    degrees().find(|d| (d.m + 4) as f64 >= s).ok_or((0.353 * most * most - 3.0) / h_rho)
}

impl<S: State> Integrator<S> for Rock4<S> {
    fn name(&self) -> &'static str {
        "Rock4"
    }

    fn order(&self) -> Option<u32> {
        Some(4)
    }

    fn error_order(&self) -> Option<u32> {
        Some(3)
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        check_layout(y0)?;
        if !self.memory.as_ref().is_some_and(|m| m.f0.same_shape(y0)) {
            let [f0, f1, error] = std::array::from_fn(|_| y0.clone());
            let (stages, k) = (std::array::from_fn(|_| y0.clone()), std::array::from_fn(|_| y0.clone()));
            self.memory = Some(Memory { f0, f1, stages, k, error });
        }
        self.radius.restart(y0);
        (self.f0_ready, self.refused) = (false, None);
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
        let degree = degree_for((h * radius).abs().f64());
        self.refused = degree.as_ref().err().copied();
        match degree {
            Ok(degree) => memory.step(field, (t, h), y0, y1, degree),
            // A rejection, or the end of a run with fixed steps.
            Err(_) => y1.as_mut_slice().fill(S::Elem::of(f64::NAN)),
        }
        Ok(())
    }

    fn accept(&mut self, smooth: bool) {
        self.f0_ready = smooth;
        self.radius.accept(smooth);
        let Some(memory) = &mut self.memory else { return };
        std::mem::swap(&mut memory.f0, &mut memory.f1);
    }

    fn error_norm(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> Option<S::Elem> {
        let error = &self.memory.as_ref()?.error;
        Some(tol.norm(y0.as_slice(), y1.as_slice(), &error.as_slice()))
    }

    fn judge(
        &mut self,
        _tol: &Tolerance<S::Elem>,
        h: S::Elem,
        _err: S::Elem,
        _y: (&S, &S),
    ) -> Option<Verdict<S::Elem>> {
        // A radius that is not finite leaves no share: the usual retreat.
        let share = self.refused.map(|share| if share > 0.0 { 0.95 * share } else { 0.1 });
        share.map(|share| Verdict { accept: false, h: h * S::Elem::of(share) })
    }

    fn worst_component(&self, tol: &Tolerance<S::Elem>, _h: S::Elem, y0: &S, y1: &S) -> usize {
        self.memory.as_ref().map_or(0, |m| tol.worst(y0.as_slice(), y1.as_slice(), &m.error.as_slice()))
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

impl<S: State> Memory<S> {
    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
        y1: &mut S,
        degree: &Degree,
    ) {
        let of = S::Elem::of;
        let c = self.recurrence(field, (t, h), y0, degree.recurrence);
        let g = &self.stages[1];
        let [a21, a31, a32, a41, a42, a43] = degree.a;
        let rows: [&[f64]; 4] = [&[], &[a21], &[a31, a32], &[a41, a42, a43]];
        for (i, row) in rows.into_iter().enumerate() {
            let (done, rest) = self.k.split_at_mut(i);
            add(h, g, done, row, y1);
            let c = c + row.iter().sum::<f64>();
            field.eval(t + of(c) * h, y1, &mut rest[0]);
        }
        add(h, g, &self.k, &degree.b, y1);
        field.eval(t + h, y1, &mut self.f1);
        let last = h * of(degree.e[4]);
        let error = self.error.as_mut_slice().iter_mut().zip(self.f1.as_slice());
        error.for_each(|(e, &f)| *e = last * f);
        for (k, (e, b)) in self.k.iter().zip(degree.e.iter().zip(degree.b)) {
            let weight = h * of(e - b);
            self.error.as_mut_slice().iter_mut().zip(k.as_slice()).for_each(|(e, &k)| *e += weight * k);
        }
    }

    /// Leaves `gₘ` in the second stage; gives its time within the step.
    fn recurrence<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
        numbers: &[f64],
    ) -> f64 {
        let of = S::Elem::of;
        let [before, g] = &mut self.stages;
        before.as_mut_slice().copy_from_slice(y0.as_slice());
        let (mut c_before, mut c) = (0.0, numbers[0]);
        add(h, y0, std::slice::from_ref(&self.f0), &numbers[..1], g);
        for pair in numbers[1..].chunks_exact(2) {
            let (mu, kappa) = (pair[0], pair[1]);
            let slope = &mut self.k[0];
            field.eval(t + of(c) * h, g, slope);
            (c_before, c) = (c, mu + (1.0 + kappa) * c - kappa * c_before);
            let (mu, now, past) = (h * of(mu), of(1.0 + kappa), of(kappa));
            let from = g.as_slice().iter().zip(slope.as_slice());
            for (x, (&g, &f)) in before.as_mut_slice().iter_mut().zip(from) {
                *x = mu * f + now * g - past * *x;
            }
            std::mem::swap(before, g);
        }
        c
    }
}

/// `out = y + h Σ weights[j] kⱼ`.
fn add<S: State>(h: S::Elem, y: &S, k: &[S], weights: &[f64], out: &mut S) {
    let out = out.as_mut_slice();
    out.copy_from_slice(y.as_slice());
    for (k, &w) in k.iter().zip(weights) {
        let w = h * S::Elem::of(w);
        out.iter_mut().zip(k.as_slice()).for_each(|(o, &k)| *o += w * k);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stability polynomial of a degree at `z`, by a step of `y' = z y` with `h = 1`.
    fn amplification(degree: &Degree, z: f64) -> (f64, f64) {
        let mut memory = Memory { f0: [z], f1: [0.0], stages: [[0.0]; 2], k: [[0.0]; 4], error: [0.0] };
        let mut y1 = [0.0];
        let mut field = |_t: f64, y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = z * y[0];
        memory.step(&mut field, (0.0, 1.0), &[1.0], &mut y1, degree);
        (y1[0], memory.error[0])
    }

    #[test]
    fn every_degree_is_stable_as_far_as_it_is_used() {
        for degree in degrees() {
            let s = (degree.m + 4) as f64;
            assert_eq!(degree.recurrence.len(), 2 * degree.m - 1);
            let most = 0.353 * (s - 1.0) * (s - 1.0) - 3.0;
            for i in 1..=4000 {
                let z = -most * f64::from(i) / 4000.0;
                let r = amplification(degree, z).0;
                assert!(r.abs() < 1.0, "s = {s}, z = {z}: {r}");
            }
        }
    }

    #[test]
    fn every_degree_is_the_exponential_to_fourth_order_and_its_estimate_to_third() {
        for degree in degrees() {
            let at = |z: f64| amplification(degree, z);
            let error = ((at(-0.4).0 - (-0.4f64).exp()) / (at(-0.2).0 - (-0.2f64).exp())).abs().log2();
            assert!((error - 5.0).abs() < 0.7, "m = {}: {error}", degree.m);
            let estimate = (at(-0.04).1 / at(-0.02).1).abs().log2();
            assert!((estimate - 4.0).abs() < 0.2, "m = {}: {estimate}", degree.m);
        }
    }

    #[test]
    fn a_step_that_is_too_long_is_cut_to_what_is_stable() {
        assert_eq!(degrees().last().map(|d| (d.m + 4) as f64), Some(MOST_STAGES));
        assert_eq!(degree_for(0.0).map(|d| d.m).unwrap(), 1);
        let share = degree_for(1e6).map(|_| ()).unwrap_err();
        assert!(degree_for(0.99 * share * 1e6).is_ok());
        assert!(degree_for(f64::NAN).is_err());
    }
}
