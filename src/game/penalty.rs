//! Penalties on the slope of a critic.

use crate::{Error, Real, Result};

/// Where the slope is penalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum PenaltyPoints {
    /// `u real + (1 - u) fake`, `u` uniform on [0, 1]: the points of the straight paths.
    Interpolates,
    /// The real rows (R1).
    Real,
    /// The generated rows (R2).
    Fake,
}

/// A penalty `E φ(|∇D(x)|)` that the critic goes down, beside going up its objective.
///
/// ```
/// use flowfield::game::{Penalty, PenaltyPoints};
/// let wgan_gp = Penalty::wgan_gp(10.0);
/// assert_eq!(wgan_gp.value_and_slope(3.0), (40.0, 40.0));
/// assert_eq!(Penalty::reflow().points, PenaltyPoints::Interpolates);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Penalty {
    /// Where.
    pub points: PenaltyPoints,
    weight: f64,
    centre: f64,
    power: f64,
}

impl Penalty {
    /// WGAN-GP: `λ E(|∇D| - 1)²` on interpolates (Gulrajani et al., NeurIPS 2017, equation 3).
    pub fn wgan_gp(lambda: f64) -> Self {
        Penalty { points: PenaltyPoints::Interpolates, weight: lambda, centre: 1.0, power: 2.0 }
    }

    /// `½ E|∇D|²` on interpolates: with it, the Wasserstein objective is the rectified-flow loss of the velocity `∇D`, up
    /// to a constant. The critic is then the potential of a flow of unit time from the samples to the data.
    pub fn reflow() -> Self {
        Penalty::zero_centred(PenaltyPoints::Interpolates, 0.5)
    }

    /// `weight E|∇D|²`; with `weight = γ/2` on real rows R1, on generated rows R2 (Mescheder, Geiger, Nowozin, ICML 2018).
    pub fn zero_centred(points: PenaltyPoints, weight: f64) -> Self {
        Penalty { points, weight, centre: 0.0, power: 2.0 }
    }

    /// WGAN-div: `k E|∇D|^p` on interpolates (Wu et al., ECCV 2018; the paper's choice is k = 2, p = 6).
    pub fn wgan_div(k: f64, p: f64) -> Self {
        Penalty { points: PenaltyPoints::Interpolates, weight: k, centre: 0.0, power: p }
    }

    /// `φ(n)` and `φ'(n)` at a slope of length `n`.
    pub fn value_and_slope(&self, n: f64) -> (f64, f64) {
        if self.centre != 0.0 {
            let off = n - self.centre;
            return (self.weight * off * off, 2.0 * self.weight * off);
        }
        let below = self.weight * if self.power == 2.0 { n } else { n.powf(self.power - 1.0) };
        (below * n, self.power * below)
    }

    /// Writes `dφ(|v|)/dv` of a row's slope `v` to `vbar`; returns `φ(|v|)`.
    pub(super) fn differentiate<F: Real>(&self, v: &[F], vbar: &mut [F]) -> f64 {
        let n = v.iter().map(|v| v.f64() * v.f64()).sum::<f64>().sqrt();
        let (value, slope) = self.value_and_slope(n);
        // φ'(n) v / n; at n = 0 the direction is undefined and the penalty exerts no force.
        let factor = if n > 0.0 { F::of(slope / n) } else { F::zero() };
        vbar.iter_mut().zip(v).for_each(|(bar, &v)| *bar = factor * v);
        value
    }

    pub(super) fn check(&self) -> Result<()> {
        let good = self.weight >= 0.0 && self.weight.is_finite();
        Error::setting(good, "the penalty's weight", self.weight, "it must be 0 or positive, and finite")?;
        Error::setting(self.power >= 1.0, "the penalty's power", self.power, "it must be at least 1")
    }
}
