//! Optimal transport.

mod cost;
mod entropic;
mod exact;
mod plan;
mod reduce;
mod weights;

pub use cost::{Cost, CostFn, MatrixCost, Metric, PointCost};
pub use entropic::{Entropic, Sinkhorn};
pub use exact::{Assignment, NetworkSimplex, assignments};
pub use reduce::PairSum;
pub use plan::{Certificate, Plan};
pub use weights::uniform;

use ndarray::Array1;

use crate::{Real, Result};

/// The cheapest plan between two sets of weights.
pub fn exact<F: Real, C: Cost + ?Sized>(cost: &C, a: &Array1<F>, b: &Array1<F>) -> Result<Plan> {
    NetworkSimplex::new().solve(cost, a, b)
}
