//! Exact transport: the network simplex, and the assignment problem.

mod assignment;
pub(crate) mod scan;
mod search;
mod simplex;
mod start;
mod strata;
mod tree;

pub use assignment::{Assignment, assignments};
pub use simplex::NetworkSimplex;

use ndarray::Array1;

use super::{Cost, Plan};
use crate::{Real, Result};

/// The cheapest plan between weights `a` (n) and `b` (m) of the same sum, by a [`NetworkSimplex`] of its own.
///
/// # Errors
/// Those of [`NetworkSimplex::solve`].
///
/// ```
/// use flowfield::transport::{MatrixCost, exact};
/// use ndarray::array;
/// let cost = MatrixCost::new(&array![[0.0, 2.0], [1.0, 5.0]]);
/// let plan = exact(&cost, &array![0.5, 0.5], &array![0.5, 0.5])?;
/// assert_eq!(plan.cost, 1.5);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn exact<F: Real, C: Cost + ?Sized>(cost: &C, a: &Array1<F>, b: &Array1<F>) -> Result<Plan> {
    NetworkSimplex::new().solve(cost, a, b)
}
