//! What critic and generator of a GAN go for, as functions of the critic's output.

use super::FDivergence;
use crate::Real;

/// A GAN objective: how the critic's output `D` on real and generated rows moves both players.
///
/// The generator moves its samples with velocity `w(D) ∇D`: each loss is the particle flow of a divergence between data
/// and samples, `D` standing for the logarithm of their density ratio (Yi et al., *MonoFlow*, ICML 2023, table 1).
///
/// | loss | critic ascends | weight `w(D)` |
/// |---|---|---|
/// | `Wasserstein` | `E D(real) - E D(fake)` | 1 |
/// | `NonSaturating` | `E log σ(D(real)) + E log σ(-D(fake))` | `σ(-D)` |
/// | `Saturating` | the same | `σ(D)` |
/// | `FDivergence(f)` | the same | that of [`f`](FDivergence) |
/// | `LeastSquares` | `-E (D(real) - 1)²/2 - E D(fake)²/2` | `1 - D` |
/// | `Hinge` | `E min(0, D(real) - 1) + E min(0, -1 - D(fake))` | 1 |
///
/// Each part is given with its first two derivatives with respect to `D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum GanLoss {
    /// Arjovsky, Chintala, Bottou, ICML 2017; needs a penalty on the critic's slope.
    Wasserstein,
    /// Goodfellow et al., NeurIPS 2014, with the generator's "log D" objective: `FDivergence(LogD)`.
    #[default]
    NonSaturating,
    /// Goodfellow et al., NeurIPS 2014, the minimax objective: `FDivergence(JensenShannon)`.
    Saturating,
    /// A critic that learns the logarithm of the density ratio, and a generator that goes down this divergence.
    FDivergence(FDivergence),
    /// Mao et al., ICCV 2017, with targets 1 and 0.
    LeastSquares,
    /// Lim and Ye, 2017.
    Hinge,
}

/// σ(x) = 1 / (1 + exp(-x)).
pub(super) fn sigmoid<F: Real>(x: F) -> F {
    F::one() / (F::one() + (-x).exp())
}

/// log(1 + exp(x)) without overflow.
pub(super) fn softplus<F: Real>(x: F) -> F {
    x.max(F::zero()) + (-x.abs()).exp().ln_1p()
}

impl GanLoss {
    /// Every loss, for tests and tables.
    pub const ALL: [GanLoss; 10] = [
        GanLoss::Wasserstein,
        GanLoss::NonSaturating,
        GanLoss::Saturating,
        GanLoss::FDivergence(FDivergence::ReverseKl),
        GanLoss::FDivergence(FDivergence::Kl),
        GanLoss::FDivergence(FDivergence::PearsonChi2),
        GanLoss::FDivergence(FDivergence::NeymanChi2),
        GanLoss::FDivergence(FDivergence::SquaredHellinger),
        GanLoss::LeastSquares,
        GanLoss::Hinge,
    ];

    /// The critic's objective on a real row.
    pub fn on_real<F: Real>(self, d: F) -> [F; 3] {
        let (zero, one) = (F::zero(), F::one());
        match self {
            GanLoss::Wasserstein => [d, one, zero],
            GanLoss::NonSaturating | GanLoss::Saturating | GanLoss::FDivergence(_) => {
                [-softplus(-d), sigmoid(-d), -sigmoid(d) * sigmoid(-d)]
            }
            GanLoss::LeastSquares => [-F::of(0.5) * (d - one) * (d - one), one - d, -one],
            GanLoss::Hinge if d < one => [d - one, one, zero],
            GanLoss::Hinge => [zero; 3],
        }
    }

    /// The critic's objective on a generated row.
    pub fn on_fake<F: Real>(self, d: F) -> [F; 3] {
        let (zero, one) = (F::zero(), F::one());
        match self {
            GanLoss::Wasserstein => [-d, -one, zero],
            GanLoss::NonSaturating | GanLoss::Saturating | GanLoss::FDivergence(_) => {
                [-softplus(d), -sigmoid(d), -sigmoid(d) * sigmoid(-d)]
            }
            GanLoss::LeastSquares => [-F::of(0.5) * d * d, -d, -one],
            GanLoss::Hinge if d > -one => [-one - d, -one, zero],
            GanLoss::Hinge => [zero; 3],
        }
    }

    /// The generator's objective (to be increased) on a generated row; its derivative is the weight `w(D)`.
    pub fn for_generator<F: Real>(self, d: F) -> [F; 3] {
        let (zero, one) = (F::zero(), F::one());
        match self {
            GanLoss::Wasserstein | GanLoss::Hinge => [d, one, zero],
            GanLoss::NonSaturating => FDivergence::LogD.potential(d),
            GanLoss::Saturating => FDivergence::JensenShannon.potential(d),
            GanLoss::FDivergence(f) => f.potential(d),
            GanLoss::LeastSquares => [-F::of(0.5) * (d - one) * (d - one), one - d, -one],
        }
    }

    /// Whether what the generator ascends on its rows is what the critic descends there.
    pub(super) fn is_zero_sum(self) -> bool {
        matches!(self, GanLoss::Wasserstein | GanLoss::Saturating)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Part = fn(GanLoss, f64) -> [f64; 3];

    #[test]
    fn derivatives_are_those_of_the_values() {
        for loss in GanLoss::ALL {
            for d in [-3.1, -0.4, 0.3, 2.7, 40.0, -40.0] {
                let parts: [Part; 3] = [GanLoss::on_real, GanLoss::on_fake, GanLoss::for_generator];
                for (part, k) in parts.into_iter().flat_map(|p| [(p, 0), (p, 1)]) {
                    let slope = (part(loss, d + 1e-6)[k] - part(loss, d - 1e-6)[k]) / 2e-6;
                    let [value, given] = [part(loss, d)[k], part(loss, d)[k + 1]];
                    let error = (slope - given).abs();
                    assert!(error < 1e-6 * (1.0 + d.abs() + value.abs()), "{loss:?} at {d}: {slope} {given}");
                }
            }
        }
    }

    #[test]
    fn zero_sum_is_what_it_says() {
        for loss in GanLoss::ALL {
            let opposed = |d: f64| (loss.for_generator(d)[1] + loss.on_fake(d)[1]).abs() < 1e-15;
            assert_eq!(loss.is_zero_sum(), [-2.0, -0.5, 0.1, 3.0].into_iter().all(opposed), "{loss:?}");
        }
    }
}
