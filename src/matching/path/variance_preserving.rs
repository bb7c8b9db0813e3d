//! The variance-preserving diffusion.

use super::{CUT, Coefficients, Path};
use crate::{Error, Result};

/// The probability-flow path of the variance-preserving diffusion with a linear rate:
///
/// ```text
/// β = exp(-(b1 - b0) s² / 4 - b0 s / 2),     α = √(1 - β²),     s = 1 - t
/// ```
///
/// Song et al., *Score-based generative modeling through stochastic differential equations*, ICLR 2021, equation 29. A
/// little data, β(0), is left at the start; α' grows like 1/√s and is cut off at s = 1e-5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VariancePreserving {
    /// The rate at the data, b0 (default 0.1).
    pub least: f64,
    /// The rate at the noise, b1 (default 20).
    pub most: f64,
}

impl Default for VariancePreserving {
    fn default() -> Self {
        VariancePreserving { least: 0.1, most: 20.0 }
    }
}

impl Path for VariancePreserving {
    fn name(&self) -> &'static str {
        "variance-preserving"
    }

    fn at(&self, t: f64) -> Coefficients {
        let s = (1.0 - t).max(CUT);
        let log = -0.25 * (self.most - self.least) * s * s - 0.5 * self.least * s;
        let beta = log.exp();
        let beta_dot = beta * (0.5 * (self.most - self.least) * s + 0.5 * self.least);
        let alpha = (-(2.0 * log).exp_m1()).sqrt();
        Coefficients::of((alpha, -beta * beta_dot / alpha), (beta, beta_dot))
    }

    fn check(&self) -> Result<()> {
        let need = "0 < least <= most, both finite";
        let good = self.least > 0.0 && self.most >= self.least && self.most.is_finite();
        Error::setting(good, "the rate of a variance-preserving path", self.least, need)
    }
}
