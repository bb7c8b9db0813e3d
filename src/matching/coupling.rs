//! Which starting point goes with which data point.

use ndarray::Array2;

use crate::state::check_rows;
use crate::{Error, Real, Result};

/// The joint law of a path's ends: the source `x0` (t = 0) and the data `x1` (t = 1).
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub enum Coupling<'a, F> {
    /// Fresh standard normal noise for every draw, independent of the data.
    #[default]
    Independent,
    /// Row `i` of the data always with row `i` of this array: the pairs of a reflow, or any paired data.
    Paired(&'a Array2<F>),
}

impl<F: Real> Coupling<'_, F> {
    /// Checks the coupling against data of this shape.
    pub(super) fn check(&self, rows: usize, columns: usize) -> Result<()> {
        match self {
            Coupling::Independent => Ok(()),
            Coupling::Paired(x0) => {
                Error::shape("the paired source", &[rows, columns], x0.shape())?;
                check_rows("the paired source", x0)
            }
        }
    }
}
