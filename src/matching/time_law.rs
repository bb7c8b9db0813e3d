//! Where on the path a training draw lies.

use std::fmt;

use crate::rng::Rng;
use crate::{Error, Real, Result};

/// The law of the time `t` in [0, 1] at which a path is sampled.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub enum TimeLaw<'a> {
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
    /// Density proportional to `exp(a t) + exp(-a t)` around the ends: more weight on both of them, for reflow (Lee, Lin,
    /// Fanti, *Improving the training of rectified flows*, 2024, section 4.1, a = 4).
    UShaped {
        /// How much more: the density at the ends is about cosh(a/2) times that in the middle. Positive.
        a: f64,
    },
    /// Uniform on `{0, 1/k, .., (k-1)/k}`: distillation to `k` Euler steps (`k = 1`: always at t = 0), with a
    /// [`Paired`](super::Coupling::Paired) coupling (Liu, Gong, Liu, *Flow straight and fast*, 2022, section 2.2).
    Grid(usize),
    /// A law of one's own: this function of a uniform number, its quantile function, which must stay in [0, 1].
    Quantile(&'a (dyn Fn(f64) -> f64 + Sync)),
}

impl TimeLaw<'_> {
    pub(super) fn check(&self) -> Result<()> {
        let need = "it must be positive and finite";
        match *self {
            TimeLaw::Uniform => Ok(()),
            TimeLaw::LogitNormal { mean, std } => {
                Error::setting(mean.is_finite(), "the logit-normal mean", mean, "it must be finite")?;
                Error::setting(std > 0.0 && std.is_finite(), "the logit-normal std", std, need)
            }
            TimeLaw::UShaped { a } => Error::setting(a > 0.0 && a.is_finite(), "the U-shape's a", a, need),
            TimeLaw::Grid(k) => {
                Error::setting(k > 0, "the number of grid times", k as f64, "it must be at least 1")
            }
            TimeLaw::Quantile(quantile) => {
                let times = (0..=64).map(|k| quantile(f64::from(k) / 64.0));
                let outside = times.into_iter().find(|t| !(0.0..=1.0).contains(t));
                let need = "a law of times must stay in [0, 1]";
                Error::setting(outside.is_none(), "a time of the user's law", outside.unwrap_or(0.0), need)
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
            TimeLaw::UShaped { a } => {
                // Exponential on [0, 1], turned round every other time.
                let t = -(1.0 + rng.uniform::<f64>() * (-a).exp_m1()).ln() / a;
                F::of(if rng.below(2) == 0 { t } else { 1.0 - t })
            }
            TimeLaw::Grid(k) => F::of(rng.below(k) as f64 / k as f64),
            TimeLaw::Quantile(quantile) => F::of(quantile(rng.uniform())),
        }
    }
}

impl fmt::Debug for TimeLaw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeLaw::Uniform => f.write_str("Uniform"),
            TimeLaw::LogitNormal { mean, std } => write!(f, "LogitNormal {{ mean: {mean}, std: {std} }}"),
            TimeLaw::UShaped { a } => write!(f, "UShaped {{ a: {a} }}"),
            TimeLaw::Grid(k) => write!(f, "Grid({k})"),
            TimeLaw::Quantile(_) => f.write_str("Quantile(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_have_their_moments() {
        let mean_square = |law: TimeLaw<'_>| {
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
        // Density a (e^(-at) + e^(-a(1-t))) / (2 (1 - e^-a)), a = 4; moments by quadrature.
        let (m, s) = mean_square(TimeLaw::UShaped { a: 4.0 });
        let (mut want, n) = (0.0, 100_000);
        for k in 0..n {
            let t = (f64::from(k) + 0.5) / f64::from(n);
            let density =
                4.0 * ((-4.0 * t).exp() + (-4.0 * (1.0 - t)).exp()) / (2.0 * (1.0 - (-4.0_f64).exp()));
            want += t * t * density / f64::from(n);
        }
        assert!((m - 0.5).abs() < 0.01 && (s - want).abs() < 0.01, "{m} {s} {want}");
        let (m, s) = mean_square(TimeLaw::Grid(2));
        assert!((m - 0.25).abs() < 0.01 && (s - 0.125).abs() < 0.01);
        assert_eq!(mean_square(TimeLaw::Grid(1)), (0.0, 0.0));
        let (m, s) = mean_square(TimeLaw::Quantile(&|u| u * u));
        assert!((m - 1.0 / 3.0).abs() < 0.01 && (s - 0.2).abs() < 0.01);
    }
}
