//! The straight line.

use super::{Coefficients, Path};

/// Rectified flow: `α = 1 - t, β = t`. Liu, Gong, Liu, *Flow straight and fast*, 2022, equation 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Straight;

impl Path for Straight {
    fn name(&self) -> &'static str {
        "straight"
    }

    #[inline]
    fn at(&self, t: f64) -> Coefficients {
        Coefficients::of((1.0 - t, -1.0), (t, 1.0))
    }
}
