//! What critic and generator of a GAN go for, as functions of the critic's output.

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
/// | `LeastSquares` | `-E (D(real) - 1)²/2 - E D(fake)²/2` | `1 - D` |
/// | `Hinge` | `E min(0, D(real) - 1) + E min(0, -1 - D(fake))` | 1 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GanLoss {
    /// Arjovsky, Chintala, Bottou, ICML 2017; needs a penalty on the critic's slope.
    Wasserstein,
    /// Goodfellow et al., NeurIPS 2014, with the generator's "log D" objective.
    #[default]
    NonSaturating,
    /// Goodfellow et al., NeurIPS 2014, the minimax objective.
    Saturating,
    /// Mao et al., ICCV 2017, with targets 1 and 0.
    LeastSquares,
    /// Lim and Ye, 2017.
    Hinge,
}

/// σ(x) = 1 / (1 + exp(-x)).
fn sigmoid<F: Real>(x: F) -> F {
    F::one() / (F::one() + (-x).exp())
}

/// log(1 + exp(x)) without overflow.
fn softplus<F: Real>(x: F) -> F {
    x.max(F::zero()) + (-x.abs()).exp().ln_1p()
}

impl GanLoss {
    /// Every loss, for tests and tables.
    pub const ALL: [GanLoss; 5] = [
        GanLoss::Wasserstein,
        GanLoss::NonSaturating,
        GanLoss::Saturating,
        GanLoss::LeastSquares,
        GanLoss::Hinge,
    ];

    /// The critic's objective on a real row, and its derivative with respect to `D`.
    pub fn on_real<F: Real>(self, d: F) -> (F, F) {
        let one = F::one();
        match self {
            GanLoss::Wasserstein => (d, one),
            GanLoss::NonSaturating | GanLoss::Saturating => (-softplus(-d), sigmoid(-d)),
            GanLoss::LeastSquares => (-F::of(0.5) * (d - one) * (d - one), one - d),
            GanLoss::Hinge if d < one => (d - one, one),
            GanLoss::Hinge => (F::zero(), F::zero()),
        }
    }

    /// The critic's objective on a generated row, and its derivative with respect to `D`.
    pub fn on_fake<F: Real>(self, d: F) -> (F, F) {
        let one = F::one();
        match self {
            GanLoss::Wasserstein => (-d, -one),
            GanLoss::NonSaturating | GanLoss::Saturating => (-softplus(d), -sigmoid(d)),
            GanLoss::LeastSquares => (-F::of(0.5) * d * d, -d),
            GanLoss::Hinge if d > -one => (-one - d, -one),
            GanLoss::Hinge => (F::zero(), F::zero()),
        }
    }

    /// The generator's objective (to be increased) on a generated row, and the weight `w(D)`, its derivative.
    pub fn for_generator<F: Real>(self, d: F) -> (F, F) {
        let one = F::one();
        match self {
            GanLoss::Wasserstein | GanLoss::Hinge => (d, one),
            GanLoss::NonSaturating => (-softplus(-d), sigmoid(-d)),
            GanLoss::Saturating => (softplus(d), sigmoid(d)),
            GanLoss::LeastSquares => (-F::of(0.5) * (d - one) * (d - one), one - d),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Part = fn(GanLoss, f64) -> (f64, f64);

    #[test]
    fn derivatives_are_those_of_the_values() {
        for loss in GanLoss::ALL {
            for d in [-3.1, -0.4, 0.3, 2.7, 40.0, -40.0] {
                let parts: [Part; 3] = [GanLoss::on_real, GanLoss::on_fake, GanLoss::for_generator];
                for part in parts {
                    let slope = (part(loss, d + 1e-6).0 - part(loss, d - 1e-6).0) / 2e-6;
                    let error = (slope - part(loss, d).1).abs();
                    assert!(error < 1e-6 * (1.0 + d.abs()), "{loss:?} at {d}: {slope} {}", part(loss, d).1);
                }
            }
        }
    }
}
