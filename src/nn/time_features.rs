//! How the time column is presented to the first layer of a velocity network.

use super::kernel::{Arith, Kernel, sin_cos};
use crate::Real;
use crate::rng::Rng;

/// Features of the time t, appended to a velocity network's input: all sines, then all cosines. The time
/// itself is always kept.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

/// Writes sin(ω_k t) for all k, then cos(ω_k t) for all k, in every row of a block.
pub(crate) struct Present<'a, F> {
    pub frequencies: &'a [f64],
    /// Rows of x, and the distance between them; `column` is t.
    pub x: &'a [F],
    pub inputs: usize,
    pub column: usize,
    /// Rows of features, from column `inputs` on, and the distance between them.
    pub a: &'a mut [F],
    pub stride: usize,
}

impl<F: Real> Kernel for Present<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let (n, pairs) = (self.inputs, self.frequencies.len());
        for (x, a) in self.x.chunks_exact(n).zip(self.a.chunks_exact_mut(self.stride)) {
            let (sin, cos) = a[n..n + 2 * pairs].split_at_mut(pairs);
            for ((&omega, sin), cos) in self.frequencies.iter().zip(sin).zip(cos) {
                (*sin, *cos) = sin_cos::<A, F>(F::of(omega) * x[self.column]);
            }
        }
    }
}

/// (ω, sin, cos) of features, and a (sin, cos) pair of something like them.
fn pairs<'a, F: Real>(
    frequencies: &'a [f64],
    features: &'a [F],
    like: &'a [F],
) -> impl Iterator<Item = (F, [F; 4])> {
    let n = frequencies.len();
    let pair = move |k: usize| [features[k], features[n + k], like[k], like[n + k]];
    frequencies.iter().enumerate().map(move |(k, &omega)| (F::of(omega), pair(k)))
}

/// Writes the tangent of the features for the tangent `dt` of t.
pub(crate) fn tangent<F: Real>(frequencies: &[f64], features: &[F], dt: F, out: &mut [F]) {
    let (sin, cos) = features.split_at(frequencies.len());
    let (sin_out, cos_out) = out.split_at_mut(frequencies.len());
    for (k, &omega) in frequencies.iter().enumerate() {
        let rate = F::of(omega) * dt;
        (sin_out[k], cos_out[k]) = (rate * cos[k], -rate * sin[k]);
    }
}

/// <cotangent, d features / dt>.
pub(crate) fn pull_back<F: Real>(frequencies: &[f64], features: &[F], cotangent: &[F]) -> F {
    pairs(frequencies, features, cotangent)
        .map(|(omega, [sin, cos, gs, gc])| omega * (cos * gs - sin * gc))
        .sum()
}

/// <cotangent, d² features / dt²>.
pub(crate) fn pull_back_curvature<F: Real>(frequencies: &[f64], features: &[F], cotangent: &[F]) -> F {
    pairs(frequencies, features, cotangent)
        .map(|(omega, [sin, cos, gs, gc])| -omega * omega * (sin * gs + cos * gc))
        .sum()
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
