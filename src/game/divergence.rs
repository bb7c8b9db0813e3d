//! f-divergences, and how fast samples move down them.

use super::loss::{sigmoid, softplus};
use crate::Real;

/// An f-divergence `D_f(p | q) = E_q f(p/q)` between data `p` and samples `q`, and its Wasserstein gradient flow.
///
/// With `d = log(p/q)`, the samples move with velocity `v = -∇ δD_f/δq = r² f″(r) ∇d = h′(d) ∇d`, `r = exp d`: a generator that
/// ascends `E h(D)` for a critic `D` that has learnt `d` is this flow, pulled back to its parameters.
///
/// | divergence | `f(r)` | weight `h′(d)` |
/// |---|---|---|
/// | `ReverseKl`, KL(q‖p) | `-log r` | 1 |
/// | `Kl`, KL(p‖q) | `r log r` | `e^d` |
/// | `PearsonChi2` | `(r - 1)²` | `2 e^{2d}` |
/// | `NeymanChi2` | `(1 - r)²/r` | `2 e^{-d}` |
/// | `SquaredHellinger` | `(√r - 1)²` | `e^{d/2}/2` |
/// | `JensenShannon`, twice it | `r log r - (r + 1) log((r + 1)/2)` | `σ(d)` |
/// | `LogD` | `(1 + r) log((1 + 1/r)/2)` | `σ(-d)` |
///
/// Yi, Zhu, Xu, *MonoFlow*, ICML 2023, section 4; Gao et al., *Deep generative learning via variational gradient flow*, ICML 2019.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FDivergence {
    /// KL(q‖p).
    ReverseKl,
    /// KL(p‖q).
    Kl,
    /// E_q (r - 1)².
    PearsonChi2,
    /// E_p (1/r - 1)², up to a constant.
    NeymanChi2,
    /// E_q (√r - 1)².
    SquaredHellinger,
    /// Twice the Jensen–Shannon divergence: the minimax GAN.
    JensenShannon,
    /// What the non-saturating GAN goes down.
    LogD,
}

impl FDivergence {
    /// Every divergence, for tests and tables.
    pub const ALL: [FDivergence; 7] = [
        FDivergence::ReverseKl,
        FDivergence::Kl,
        FDivergence::PearsonChi2,
        FDivergence::NeymanChi2,
        FDivergence::SquaredHellinger,
        FDivergence::JensenShannon,
        FDivergence::LogD,
    ];

    /// `f(r)`, convex with `f(1) = 0`, for a density ratio `r = p/q > 0`.
    pub fn f(self, r: f64) -> f64 {
        match self {
            FDivergence::ReverseKl => -r.ln(),
            FDivergence::Kl => r * r.ln(),
            FDivergence::PearsonChi2 => (r - 1.0).powi(2),
            FDivergence::NeymanChi2 => (1.0 - r).powi(2) / r,
            FDivergence::SquaredHellinger => (r.sqrt() - 1.0).powi(2),
            FDivergence::JensenShannon => r * r.ln() - (r + 1.0) * (0.5 * (r + 1.0)).ln(),
            FDivergence::LogD => (1.0 + r) * (0.5 * (1.0 + 1.0 / r)).ln(),
        }
    }

    /// `h(d)`, `h′(d)` and `h″(d)` at the logarithm `d` of a density ratio: what the generator ascends, and the weight of
    /// `∇d` in the velocity of its samples.
    pub fn potential<F: Real>(self, d: F) -> [F; 3] {
        let (one, two) = (F::one(), F::of(2.0));
        match self {
            FDivergence::ReverseKl => [d, one, F::zero()],
            FDivergence::Kl => [d.exp(); 3],
            FDivergence::PearsonChi2 => {
                let r2 = (two * d).exp();
                [r2, two * r2, two * two * r2]
            }
            FDivergence::NeymanChi2 => {
                let inverse = (-d).exp();
                [-two * inverse, two * inverse, -two * inverse]
            }
            FDivergence::SquaredHellinger => {
                let root = (F::of(0.5) * d).exp();
                [root, F::of(0.5) * root, F::of(0.25) * root]
            }
            FDivergence::JensenShannon => [softplus(d), sigmoid(d), sigmoid(d) * sigmoid(-d)],
            FDivergence::LogD => [-softplus(-d), sigmoid(-d), -sigmoid(d) * sigmoid(-d)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean over N(m, s²) by the trapezoidal rule, which converges faster than any power here.
    fn mean(m: f64, s: f64, g: impl Fn(f64) -> f64) -> f64 {
        let (n, width) = (4000, 12.0);
        let dz = 2.0 * width / f64::from(n);
        let point = |i: i32| {
            let z = f64::from(i) * dz - width;
            (-0.5 * z * z).exp() * g(m + s * z)
        };
        (0..=n).map(point).sum::<f64>() * dz / (2.0 * std::f64::consts::PI).sqrt()
    }

    /// log(p/q) at x for p = N(0, 1), q = N(m, s²), and its derivative.
    fn ratio(m: f64, s: f64, x: f64) -> (f64, f64) {
        let z = (x - m) / s;
        (0.5 * z * z + s.ln() - 0.5 * x * x, z / s - x)
    }

    #[test]
    fn samples_move_down_their_divergence_at_the_rate_of_its_gradient_flow() {
        // dD_f/ds = -E_q <v, u> as the samples move with u: u = 1 shifts q, u = (x - m)/s widens it.
        let (m, s) = (0.2, 0.9);
        for f in FDivergence::ALL {
            let divergence = |m: f64, s: f64| mean(m, s, |x| f.f(ratio(m, s, x).0.exp()));
            assert!(divergence(0.0, 1.0).abs() < 1e-12, "{f:?}");
            let velocity = |x: f64| {
                let (d, slope) = ratio(m, s, x);
                f.potential(d)[1] * slope
            };
            let h = 1e-4;
            let shift = (divergence(m + h, s) - divergence(m - h, s)) / (2.0 * h);
            let widen = (divergence(m, s + h) - divergence(m, s - h)) / (2.0 * h);
            let near = |a: f64, b: f64| assert!((a + b).abs() < 1e-5 * (1.0 + a.abs()), "{f:?}: {a} {b}");
            near(shift, mean(m, s, velocity));
            near(widen, mean(m, s, |x| velocity(x) * (x - m) / s));
            // Every one of them also goes down KL(q|p): the weight is positive.
            assert!([-3.0, 0.0, 2.0].iter().all(|&d| f.potential(d)[1] > 0.0));
        }
    }
}
