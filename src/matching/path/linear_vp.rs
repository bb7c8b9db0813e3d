//! Variance-preserving with a linear share of the data.

use super::{CUT, Coefficients, Path};

/// `α = √(1 - t²), β = t`. α' grows like `1/√(1 - t)` and is cut off at `1 - t = 1e-5`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LinearVp;

impl Path for LinearVp {
    fn name(&self) -> &'static str {
        "linear variance-preserving"
    }

    fn at(&self, t: f64) -> Coefficients {
        let t = t.min(1.0 - CUT);
        let alpha = (1.0 - t * t).sqrt();
        Coefficients::of((alpha, -t / alpha), (t, 1.0))
    }
}
