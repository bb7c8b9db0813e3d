//! The straight line inside a tube.

use super::{Coefficients, Path, check_width};
use crate::Result;

/// `α = 1 - t, β = t, γ = σ` throughout: both ends are blurred by σ (Tong et al., *Improving and generalizing
/// flow-based generative models with minibatch optimal transport*, TMLR 2024, equation 14).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothed {
    /// The width σ.
    pub sigma: f64,
}

impl Path for Smoothed {
    fn name(&self) -> &'static str {
        "smoothed"
    }

    fn at(&self, t: f64) -> Coefficients {
        Coefficients::of((1.0 - t, -1.0), (t, 1.0)).with_noise(self.sigma, 0.0)
    }

    fn check(&self) -> Result<()> {
        check_width("the path's sigma", self.sigma)
    }
}
