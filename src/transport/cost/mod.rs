//! What it costs to move a unit of mass from a source to a target.

mod matrix;
mod points;

pub use matrix::{CostFn, MatrixCost};
pub use points::{Metric, PointCost};

use crate::{Error, Result};

/// The cost `c(i, j)` of moving a unit from source `i` to target `j`.
///
/// A solver asks for whole rows; a cost that is computed on the fly writes the row into the scratch it is
/// handed, a stored one lends its own memory. Costs are finite and may be negative.
///
/// ```
/// use flowfield::transport::{Cost, CostFn};
/// let c = CostFn::new(3, 4, |i, j| (i as f64 - j as f64).abs().sqrt());
/// assert_eq!(c.at(2, 1), 1.0);
/// assert_eq!(c.row(0, &mut [0.0; 4])[1], 1.0);
/// ```
pub trait Cost: Sync {
    /// Numbers of sources and of targets.
    fn shape(&self) -> (usize, usize);

    /// One entry.
    fn at(&self, i: usize, j: usize) -> f64;

    /// Row `i`; `scratch` has room for one row.
    fn row<'a>(&'a self, i: usize, scratch: &'a mut [f64]) -> &'a [f64] {
        scratch.iter_mut().enumerate().for_each(|(j, c)| *c = self.at(i, j));
        scratch
    }

    /// Rough number of multiplications behind one entry: whether storing the matrix pays.
    fn work(&self) -> usize {
        8
    }
}

/// Largest number of entries that a solver stores instead of computing them again and again.
const STORED: usize = 1 << 24;

/// Number of entries that stay in a core's cache: reading them is cheaper than any arithmetic.
const CACHED: usize = 1 << 17;

/// Whether a matrix pays, and there is room for it.
pub(crate) fn pays<C: Cost + ?Sized>(cost: &C) -> bool {
    let (n, m) = cost.shape();
    let most = if cost.work() > 8 { STORED } else { CACHED };
    cost.work() > 0 && n * m <= most
}

/// The matrix itself, where that pays; otherwise nothing.
pub(crate) fn stored<C: Cost + ?Sized>(cost: &C) -> Option<MatrixCost> {
    pays(cost).then(|| MatrixCost::collect(cost))
}

/// Refuses empty problems and costs that are not finite, naming the first such row.
pub(crate) fn check<C: Cost + ?Sized>(cost: &C) -> Result<()> {
    check_rows(cost, &mut vec![0.0; cost.shape().1])
}

/// The same with room for a row.
pub(crate) fn check_rows<C: Cost + ?Sized>(cost: &C, scratch: &mut [f64]) -> Result<()> {
    let (n, m) = cost.shape();
    if n == 0 || m == 0 {
        return Err(Error::Empty { what: "one side of the transport problem" });
    }
    for row in 0..n {
        let c = cost.row(row, scratch);
        if let Some(column) = crate::state::first_not_finite(c) {
            return Err(Error::CostNotFinite { row, column, value: c[column] });
        }
    }
    Ok(())
}
