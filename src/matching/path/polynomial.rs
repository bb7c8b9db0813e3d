//! A straight line at another pace.

use super::{Coefficients, Path};
use crate::{Error, Result};

/// `α = 1 - tⁿ, β = tⁿ`, with n >= 1; n = 1 is [`Straight`](super::Straight).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polynomial(
    /// The exponent n.
    pub f64,
);

impl Path for Polynomial {
    fn name(&self) -> &'static str {
        "polynomial"
    }

    fn at(&self, t: f64) -> Coefficients {
        let (share, rate) = (t.powf(self.0), self.0 * t.powf(self.0 - 1.0));
        Coefficients::of((1.0 - share, -rate), (share, rate))
    }

    fn check(&self) -> Result<()> {
        let good = self.0 >= 1.0 && self.0.is_finite();
        Error::setting(good, "the exponent of a polynomial path", self.0, "it must be at least 1")
    }
}
