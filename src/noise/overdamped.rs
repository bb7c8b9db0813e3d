//! Overdamped Langevin dynamics in a potential, as a field.

use std::fmt;

use super::{Calculus, Kind, Noise, Source, Structure};
use crate::{Error, Real, Result, State, VectorField};

/// Overdamped Langevin dynamics `dx = -∇U(x) dt + √(2T) dW`, whose stationary density is `exp(-U / T)`.
///
/// [`EulerMaruyama`](crate::integrate::EulerMaruyama) gives the unadjusted Langevin algorithm,
/// [`Mala`](crate::integrate::Mala) the adjusted one, which has the exact density. Each row of an array is a sample with its
/// own noise; a state of one axis is one sample.
///
/// ```
/// use flowfield::{Flow, integrate::Mala, noise::Overdamped};
/// use ndarray::Array2;
/// let energy = |x: &[f64]| 0.5 * x[0] * x[0];
/// let gradient = |x: &[f64], g: &mut [f64]| g[0] = x[0];
/// let mut x = Array2::zeros((2000, 1));
/// let mut chains = Flow::new(Overdamped::new(energy, gradient).fresh(1), Mala::new());
/// chains.steps(100, 0.8, &mut x)?;
/// let variance = x.iter().map(|x| x * x).sum::<f64>() / 2000.0;
/// assert!((variance - 1.0).abs() < 0.1 && chains.integrator().acceptance() > 0.8);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Overdamped<U, G> {
    energy: U,
    gradient: G,
    temperature: f64,
    seed: Option<(u64, bool)>,
    source: Source,
}

impl<U, G> Overdamped<U, G> {
    /// Dynamics in the potential `energy(x)` of a sample, whose `gradient(x, g)` is written to `g`.
    pub fn new<F: Real>(energy: U, gradient: G) -> Self
    where
        U: FnMut(&[F]) -> F,
        G: FnMut(&[F], &mut [F]),
    {
        Overdamped { energy, gradient, temperature: 1.0, seed: None, source: Source::Unseeded }
    }

    /// The temperature `T` (default 1).
    #[must_use]
    pub fn temperature(self, temperature: f64) -> Self {
        Overdamped { temperature, ..self }
    }

    /// Takes the noise from the Brownian path of this seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Overdamped { seed: Some((seed, true)), source: Source::Unseeded, ..self }
    }

    /// Draws the noise anew at every step, from this seed: cheaper for many particles.
    #[must_use]
    pub fn fresh(self, seed: u64) -> Self {
        Overdamped { seed: Some((seed, false)), source: Source::Fresh { seed, step: 0 }, ..self }
    }
}

impl<S, U, G> VectorField<S> for Overdamped<U, G>
where
    S: State,
    U: FnMut(&[S::Elem]) -> S::Elem,
    G: FnMut(&[S::Elem], &mut [S::Elem]),
{
    fn eval(&mut self, _t: S::Elem, y: &S, dy: &mut S) {
        let width = y.as_slice().len() / y.samples();
        let pairs = y.as_slice().chunks_exact(width).zip(dy.as_mut_slice().chunks_exact_mut(width));
        for (x, dx) in pairs {
            (self.gradient)(x, dx);
            dx.iter_mut().for_each(|d| *d = -*d);
        }
    }

    fn redraw(&mut self) -> bool {
        self.source.redraw();
        false
    }

    fn noise(&mut self) -> Option<&mut dyn Noise<S>> {
        Some(self)
    }

    fn check(&self, _y: &S) -> Result<()> {
        if self.seed.is_none() {
            return Err(Error::MissingSeed);
        }
        let t = self.temperature;
        Error::setting(t > 0.0 && t.is_finite(), "the temperature", t, "it must be positive and finite")
    }
}

impl<S, U, G> Noise<S> for Overdamped<U, G>
where
    S: State,
    U: FnMut(&[S::Elem]) -> S::Elem,
    G: FnMut(&[S::Elem], &mut [S::Elem]),
{
    fn structure(&self) -> Structure {
        Structure { kind: Kind::Diagonal, calculus: Calculus::Ito, additive: true, commutative: true }
    }

    fn diffusion(&mut self, _t: S::Elem, _y: &S, g: &mut [S::Elem]) {
        g.fill(S::Elem::of((2.0 * self.temperature).sqrt()));
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

    fn energies(&mut self, y: &S, out: &mut [f64]) -> bool {
        let width = y.as_slice().len() / out.len();
        for (u, x) in out.iter_mut().zip(y.as_slice().chunks_exact(width)) {
            *u = (self.energy)(x).f64() / self.temperature;
        }
        true
    }
}

impl<U, G> fmt::Debug for Overdamped<U, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overdamped")
            .field("temperature", &self.temperature)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
