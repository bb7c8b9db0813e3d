//! Where on the path a training draw lies.

use crate::rng::Rng;
use crate::{Error, Real, Result};

/// The law of the time `t` in [0, 1] at which a path is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum TimeLaw {
    /// Uniform on [0, 1].
    #[default]
    Uniform,
    /// `t = 1 / (1 + exp(-(mean + std z)))`, z standard normal: more weight on the middle of the path
    /// (Esser et al., *Scaling rectified flow transformers*, 2024, equation 19).
    LogitNormal {
        /// Mean of the logit.
        mean: f64,
        /// Standard deviation of the logit, positive.
        std: f64,
    },
    /// Uniform on `{0, 1/k, .., (k-1)/k}`: distillation to `k` Euler steps (`k = 1`: always at t = 0), with a
    /// [`Paired`](super::Coupling::Paired) coupling (Liu, Gong, Liu, *Flow straight and fast*, 2022, section 2.2).
    Grid(usize),
}

impl TimeLaw {
    pub(super) fn check(&self) -> Result<()> {
        match *self {
            TimeLaw::Uniform => Ok(()),
            TimeLaw::LogitNormal { mean, std } => {
                Error::setting(mean.is_finite(), "the logit-normal mean", mean, "it must be finite")?;
                let need = "it must be positive and finite";
                Error::setting(std > 0.0 && std.is_finite(), "the logit-normal std", std, need)
            }
            TimeLaw::Grid(k) => {
                Error::setting(k > 0, "the number of grid times", k as f64, "it must be at least 1")
            }
        }
    }

    #[inline]
    pub(super) fn draw<F: Real>(&self, rng: &mut Rng) -> F {
        match *self {
            TimeLaw::Uniform => rng.uniform(),
            TimeLaw::LogitNormal { mean, std } => {
                let logit = mean + std * rng.normal::<f64>();
                F::of(1.0 / (1.0 + (-logit).exp()))
            }
            TimeLaw::Grid(k) => F::of(rng.below(k) as f64 / k as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_have_their_moments() {
        let mean_square = |law: TimeLaw| {
            let mut rng = Rng::new(5, 0);
            let draws: Vec<f64> = (0..40_000).map(|_| law.draw(&mut rng)).collect();
            assert!(draws.iter().all(|t| (0.0..=1.0).contains(t)));
            let n = draws.len() as f64;
            (draws.iter().sum::<f64>() / n, draws.iter().map(|t| t * t).sum::<f64>() / n)
        };
        let (m, s) = mean_square(TimeLaw::Uniform);
        assert!((m - 0.5).abs() < 0.01 && (s - 1.0 / 3.0).abs() < 0.01);
        // Standard logit-normal: mean 1/2, variance 0.0433793 (numerical quadrature).
        let (m, s) = mean_square(TimeLaw::LogitNormal { mean: 0.0, std: 1.0 });
        assert!((m - 0.5).abs() < 0.01 && (s - m * m - 0.0433793).abs() < 0.002);
        let (m, s) = mean_square(TimeLaw::Grid(2));
        assert!((m - 0.25).abs() < 0.01 && (s - 0.125).abs() < 0.01);
        assert_eq!(mean_square(TimeLaw::Grid(1)), (0.0, 0.0));
    }
}
