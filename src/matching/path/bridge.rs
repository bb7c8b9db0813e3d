//! The Brownian bridge.

use super::{CUT, Coefficients, Path, check_width};
use crate::Result;

/// The marginals of a Brownian bridge: `α = 1 - t, β = t, γ = σ √(t (1 - t))`.
///
/// With a [`Sinkhorn`](crate::matching::Coupling::Sinkhorn) coupling at `eps = 2σ²` its flow has the marginals of the
/// Schrödinger bridge with diffusion σ (Tong et al., *Improving and generalizing flow-based generative models with
/// minibatch optimal transport*, TMLR 2024, section 3.3; their equation 18 is γ'z). γ' grows like `1/√t` at both
/// ends, where it is cut off at 1e-5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bridge {
    /// The diffusion σ.
    pub sigma: f64,
}

impl Path for Bridge {
    fn name(&self) -> &'static str {
        "Brownian bridge"
    }

    fn at(&self, t: f64) -> Coefficients {
        let inner = t.clamp(CUT, 1.0 - CUT);
        let width = (inner * (1.0 - inner)).sqrt();
        let gamma = self.sigma * (t * (1.0 - t)).max(0.0).sqrt();
        let gamma_dot = self.sigma * (1.0 - 2.0 * inner) / (2.0 * width);
        Coefficients::of((1.0 - t, -1.0), (t, 1.0)).with_noise(gamma, gamma_dot)
    }

    fn check(&self) -> Result<()> {
        check_width("the bridge's sigma", self.sigma)
    }
}
