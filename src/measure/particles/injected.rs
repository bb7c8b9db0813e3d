//! Noise injection.

use ndarray::Array2;

use crate::measure::{Cloud, Energy};
use crate::rng::Rng;
use crate::{Error, Real, Result, VectorField};

/// Descent with noise injection: the slope is taken at `x_i + β u_i` with fresh normal u for each step,
/// `x_i' = -∇F'(x_i + β u_i)`, while the cloud stays where it is. It carries particles out of flat places where the MMD flow
/// stalls, and needs β to fall slowly (Σ β² = ∞): β_k = β₀ / (1 + k)^a with a <= ½.
///
/// Arbel, Korba, Salim and Gretton, NeurIPS 2019, section 4.
///
/// ```
/// use flowfield::{Flow, dataset::normal, integrate::Euler, measure::{Injected, Mmd}, pairs::RadialKernel};
/// let (mut x, y) = (normal::<f32>((100, 2), 0) * 0.1, normal((200, 2), 1) + 4.0);
/// let flow = Injected::new(Mmd::new(RadialKernel::Gaussian { width: 1.0 }, &y)?, 2.5, 0.05, 0);
/// Flow::new(flow, Euler::new()).steps(1200, 1.0, &mut x)?;
/// assert!(x.mean().unwrap() > 2.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Injected<E, F: Real> {
    energy: E,
    level: f64,
    decay: f64,
    seed: u64,
    step: u64,
    /// Drawn anew before each step.
    noise: Option<Array2<F>>,
    probe: Array2<F>,
}

impl<E: Energy<F>, F: Real> Injected<E, F> {
    /// With the level β₀ and its decay a.
    pub fn new(energy: E, level: f64, decay: f64, seed: u64) -> Self {
        Injected { energy, level, decay, seed, step: 0, noise: None, probe: Array2::zeros((0, 0)) }
    }
}

impl<F: Real, E: Energy<F>> VectorField<Array2<F>> for Injected<E, F> {
    fn eval(&mut self, _t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        if self.noise.as_ref().is_none_or(|n| n.dim() != x.dim()) {
            let mut noise = Array2::zeros(x.dim());
            Rng::new(self.seed, self.step).fill_normal(crate::State::as_mut_slice(&mut noise));
            self.noise = Some(noise);
        }
        let beta = F::of(self.level / (1.0 + self.step as f64).powf(self.decay));
        self.probe.clone_from(x);
        if let Some(noise) = &self.noise {
            self.probe.scaled_add(beta, noise);
        }
        dx.fill(F::zero());
        if !self.energy.gradient_at(&Cloud::uniform(x), &self.probe, dx) {
            dx.fill(F::nan());
        }
        dx.mapv_inplace(|v| -v);
    }

    fn redraw(&mut self) -> bool {
        self.step += 1;
        if let Some(noise) = &mut self.noise {
            Rng::new(self.seed, self.step).fill_normal(crate::State::as_mut_slice(noise));
        }
        true
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        let good = self.level >= 0.0 && self.level.is_finite();
        Error::setting(
            good,
            "the level of injected noise",
            self.level,
            "it must be 0 or positive, and finite",
        )?;
        self.energy.check(&Cloud::uniform(x))
    }
}
