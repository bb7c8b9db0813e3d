//! Underdamped Langevin dynamics as a field.

use std::fmt;

use super::{Calculus, Kind, Noise, Source, Structure};
use crate::halves::{check_halves, halves, halves_mut};
use crate::{Error, Half, Real, Result, State, VectorField};

/// Underdamped Langevin dynamics of unit masses: positions `q`, then as many velocities `v` (see [`Half`]),
///
/// ```text
/// dq = v dt,   dv = (a(t, q) - γ v) dt + √(2 γ T) dW
/// ```
///
/// whose stationary density is `exp(-(U(q) + |v|²/2) / T)` for `a = -∇U`. Made for the splittings
/// [`Baoab`](crate::integrate::Baoab) and [`Obabo`](crate::integrate::Obabo), which treat friction and noise exactly; any
/// other stochastic integrator moves it, too.
///
/// ```
/// use flowfield::{Flow, integrate::Baoab, noise::Langevin};
/// use ndarray::Array2;
/// // A thousand oscillators: the first 1000 rows are positions, the others velocities.
/// let well = Langevin::new(|_t: f64, q: &[f64], a: &mut [f64]| {
///     a.iter_mut().zip(q).for_each(|(a, q)| *a = -q);
/// });
/// let mut y = Array2::zeros((2000, 1));
/// Flow::new(well.friction(1.0).temperature(0.5).fresh(1), Baoab::new()).steps(100, 0.5, &mut y)?;
/// let variance = y.iter().take(1000).map(|q| q * q).sum::<f64>() / 1000.0;
/// assert!((variance - 0.5).abs() < 0.1);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Langevin<A> {
    acceleration: A,
    friction: f64,
    temperature: f64,
    seed: Option<(u64, bool)>,
    source: Source,
}

impl<A> Langevin<A> {
    /// Dynamics under an acceleration `a(t, q)`, with friction 1 and temperature 1.
    pub fn new<F: Real>(acceleration: A) -> Self
    where
        A: FnMut(F, &[F], &mut [F]),
    {
        Langevin { acceleration, friction: 1.0, temperature: 1.0, seed: None, source: Source::Unseeded }
    }

    /// The friction `γ` (default 1).
    #[must_use]
    pub fn friction(self, friction: f64) -> Self {
        Langevin { friction, ..self }
    }

    /// The temperature `T` (default 1): the variance of each velocity.
    #[must_use]
    pub fn temperature(self, temperature: f64) -> Self {
        Langevin { temperature, ..self }
    }

    /// Takes the noise from the Brownian path of this seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Langevin { seed: Some((seed, true)), source: Source::Unseeded, ..self }
    }

    /// Draws the noise anew at every step, from this seed: cheaper for many particles.
    #[must_use]
    pub fn fresh(self, seed: u64) -> Self {
        Langevin { seed: Some((seed, false)), source: Source::Fresh { seed, step: 0 }, ..self }
    }
}

impl<S: State, A: FnMut(S::Elem, &[S::Elem], &mut [S::Elem])> VectorField<S> for Langevin<A> {
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        let ((q, v), (dq, dv)) = (halves(y), halves_mut(dy));
        dq.copy_from_slice(v);
        (self.acceleration)(t, q, dv);
        let friction = S::Elem::of(self.friction);
        dv.iter_mut().zip(v).for_each(|(dv, &v)| *dv -= friction * v);
    }

    fn eval_half(&mut self, half: Half, t: S::Elem, y: &S, dy: &mut S) -> bool {
        let ((q, v), (dq, dv)) = (halves(y), halves_mut(dy));
        match half {
            Half::Positions => dq.copy_from_slice(v),
            // Without friction: the splittings treat that with the noise.
            Half::Momenta => (self.acceleration)(t, q, dv),
        }
        half == Half::Momenta
    }

    fn redraw(&mut self) -> bool {
        self.source.redraw();
        false
    }

    fn noise(&mut self) -> Option<&mut dyn Noise<S>> {
        Some(self)
    }

    fn check(&self, y: &S) -> Result<()> {
        if self.seed.is_none() {
            return Err(Error::MissingSeed);
        }
        for (what, value) in [("the friction", self.friction), ("the temperature", self.temperature)] {
            Error::setting(value >= 0.0 && value.is_finite(), what, value, "finite, and zero or positive")?;
        }
        check_halves(y)
    }
}

impl<S: State, A: FnMut(S::Elem, &[S::Elem], &mut [S::Elem])> Noise<S> for Langevin<A> {
    fn structure(&self) -> Structure {
        Structure { kind: Kind::Diagonal, calculus: Calculus::Ito, additive: true, commutative: true }
    }

    fn diffusion(&mut self, _t: S::Elem, _y: &S, g: &mut [S::Elem]) {
        let (q, v) = g.split_at_mut(g.len() / 2);
        q.fill(S::Elem::of(0.0));
        v.fill(S::Elem::of((2.0 * self.friction * self.temperature).sqrt()));
    }

    fn increments(
        &mut self,
        t: S::Elem,
        h: S::Elem,
        dw: &mut [S::Elem],
        area: Option<&mut [S::Elem]>,
    ) -> Result<()> {
        let fits = matches!(&self.source, Source::Path(path, _) if path.motions() == dw.len());
        if let (Some((seed, true)), false) = (self.seed, fits) {
            self.source = Source::path(seed, dw.len(), 1.0);
        }
        self.source.increments(t, h, dw, area)
    }

    fn coins(&mut self, t: S::Elem, out: &mut [f64]) -> Result<()> {
        self.source.coins(t, out)
    }

    fn is_path(&self) -> bool {
        matches!(self.seed, Some((_, true)))
    }

    fn friction(&self) -> Option<(f64, f64)> {
        Some((self.friction, self.temperature))
    }
}

impl<A> fmt::Debug for Langevin<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Langevin")
            .field("friction", &self.friction)
            .field("temperature", &self.temperature)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
