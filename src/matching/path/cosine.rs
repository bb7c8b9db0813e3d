//! The cosine schedule of diffusion models.

use std::f64::consts::FRAC_PI_2;

use super::{Coefficients, Path, check_width};
use crate::Result;

/// `α = sin φ, β = cos φ` with `φ = π/2 (1 - t + offset) / (1 + offset)`: a little noise, `α(1) = sin(π/2 · offset /
/// (1 + offset))`, is left at the end. Nichol and Dhariwal, *Improved denoising diffusion probabilistic models*, 2021,
/// equation 17, whose time runs the other way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cosine {
    /// 0 makes it [`Trigonometric`](super::Trigonometric) (default 0.008).
    pub offset: f64,
}

impl Default for Cosine {
    fn default() -> Self {
        Cosine { offset: 0.008 }
    }
}

impl Path for Cosine {
    fn name(&self) -> &'static str {
        "cosine"
    }

    fn at(&self, t: f64) -> Coefficients {
        let rate = FRAC_PI_2 / (1.0 + self.offset);
        let (sin, cos) = (rate * (1.0 - t + self.offset)).sin_cos();
        Coefficients::of((sin, -rate * cos), (cos, rate * sin))
    }

    fn check(&self) -> Result<()> {
        check_width("the cosine path's offset", self.offset)
    }
}
