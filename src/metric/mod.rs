//! Distances between samples, and tests of whether they have one law. May import `transport`, `rng` and what lies below.

mod energy_distance;
mod mmd;
mod modes;
mod neighbours;
mod wasserstein;

use ndarray::Array2;

pub use energy_distance::energy_distance;
pub use mmd::mmd;
pub use modes::{Modes, modes};
pub use neighbours::{PrecisionRecall, TwoSample, classifier_test, precision_recall};
pub use wasserstein::{WithFloor, sliced_w2, w2, w2_with_floor};

use crate::state::check_rows;
use crate::{Error, Real, Result};

/// Refuses samples that are empty, not finite, or of different widths.
fn check_pair<F: Real>(x: &Array2<F>, y: &Array2<F>) -> Result<()> {
    for (what, a) in [("x", x), ("y", y)] {
        if a.is_empty() {
            return Err(Error::Empty { what });
        }
    }
    Error::shape("y", &[y.nrows(), x.ncols()], y.shape())?;
    check_rows("x", x)?;
    check_rows("y", y)
}
