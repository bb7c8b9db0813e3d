//! The optimal-transport path to a narrow Gaussian around each data point.

use super::{Coefficients, Path, check_width};
use crate::Result;

/// `α = 1 - (1 - σ_min) t, β = t`: noise shrinks to a Gaussian of width σ_min around the data point. Lipman et al.,
/// *Flow matching for generative modeling*, ICLR 2023, equations 20 to 23 (their velocity `(x1 - (1 - σ_min) x) /
/// (1 - (1 - σ_min) t)` is `x1 - (1 - σ_min) x0`, so that the source need not be Gaussian here).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditional {
    /// The width σ_min left at the data, in [0, 1].
    pub sigma_min: f64,
}

impl Path for Conditional {
    fn name(&self) -> &'static str {
        "conditional"
    }

    fn at(&self, t: f64) -> Coefficients {
        let shrink = 1.0 - self.sigma_min;
        Coefficients::of((1.0 - shrink * t, -shrink), (t, 1.0))
    }

    fn check(&self) -> Result<()> {
        check_width("the path's sigma_min", self.sigma_min)
    }
}
