//! How the time column is presented to the first layer of a velocity network.

use crate::Real;
use crate::rng::Rng;

/// Features of the time t, appended to a velocity network's input; t itself is always kept.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum TimeFeatures {
    /// t alone.
    #[default]
    Plain,
    /// sin(ω_k t) and cos(ω_k t) with ω_k = max_freq^(k / (pairs - 1)), k = 0 .. pairs - 1: from 1 to
    /// `max_freq` radians per unit of time in geometric progression (Vaswani et al. 2017, section 3.5).
    Sinusoidal {
        /// Number of frequencies.
        pairs: usize,
        /// The highest frequency, positive, in radians per unit of time.
        max_freq: f64,
    },
    /// sin(ω_k t) and cos(ω_k t) with ω_k = 2π · scale · g_k, g_k standard normal (Tancik et al. 2020).
    Fourier {
        /// Number of frequencies.
        pairs: usize,
        /// Standard deviation of the frequencies, in cycles per unit of time.
        scale: f64,
        /// Seed of the frequencies.
        seed: u64,
    },
}

impl TimeFeatures {
    /// The angular frequencies.
    pub fn frequencies(&self) -> Vec<f64> {
        match *self {
            TimeFeatures::Plain => Vec::new(),
            TimeFeatures::Sinusoidal { pairs, max_freq } => {
                let last = pairs.saturating_sub(1).max(1) as f64;
                (0..pairs).map(|k| max_freq.powf(k as f64 / last)).collect()
            }
            TimeFeatures::Fourier { pairs, scale, seed } => {
                let mut rng = Rng::new(seed, 0);
                (0..pairs).map(|_| std::f64::consts::TAU * scale * rng.normal::<f64>()).collect()
            }
        }
    }
}

/// Writes sin(ω t), cos(ω t) for every ω.
pub(crate) fn features<F: Real>(frequencies: &[f64], t: F, out: &mut [F]) {
    for (&omega, out) in frequencies.iter().zip(out.chunks_exact_mut(2)) {
        let (sin, cos) = (F::of(omega) * t).sin_cos();
        out.copy_from_slice(&[sin, cos]);
    }
}

/// Writes the tangent of the features for the tangent `dt` of t.
pub(crate) fn tangent<F: Real>(frequencies: &[f64], features: &[F], dt: F, out: &mut [F]) {
    for ((&omega, f), out) in frequencies.iter().zip(features.chunks_exact(2)).zip(out.chunks_exact_mut(2)) {
        let omega = F::of(omega) * dt;
        out.copy_from_slice(&[omega * f[1], -omega * f[0]]);
    }
}

/// <cotangent, d features / dt>.
pub(crate) fn pull_back<F: Real>(frequencies: &[f64], features: &[F], cotangent: &[F]) -> F {
    let mut sum = F::zero();
    for ((&omega, f), g) in frequencies.iter().zip(features.chunks_exact(2)).zip(cotangent.chunks_exact(2)) {
        sum += F::of(omega) * (f[1] * g[0] - f[0] * g[1]);
    }
    sum
}

/// <cotangent, d² features / dt²>.
pub(crate) fn pull_back_curvature<F: Real>(frequencies: &[f64], features: &[F], cotangent: &[F]) -> F {
    let mut sum = F::zero();
    for ((&omega, f), g) in frequencies.iter().zip(features.chunks_exact(2)).zip(cotangent.chunks_exact(2)) {
        sum -= F::of(omega * omega) * (f[0] * g[0] + f[1] * g[1]);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_of_both_kinds() {
        let s = TimeFeatures::Sinusoidal { pairs: 3, max_freq: 100.0 }.frequencies();
        assert!(s.iter().zip([1.0, 10.0, 100.0]).all(|(a, b)| (a - b).abs() < 1e-12));
        assert_eq!(TimeFeatures::Sinusoidal { pairs: 1, max_freq: 9.0 }.frequencies(), [1.0]);
        let f = TimeFeatures::Fourier { pairs: 5, scale: 2.0, seed: 4 };
        assert_eq!(f.frequencies(), f.frequencies());
        assert!(TimeFeatures::Plain.frequencies().is_empty());
    }
}
