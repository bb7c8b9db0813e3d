//! Which starting point goes with which data point.

use ndarray::Array2;

use crate::state::first_not_finite;
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

/// Refuses data with a NaN or an infinity, naming the row.
pub(crate) fn check_rows<F: Real>(what: &'static str, x: &Array2<F>) -> Result<()> {
    for (row, values) in x.rows().into_iter().enumerate() {
        let bad = match values.as_slice() {
            Some(v) => first_not_finite(v).map(|i| v[i]),
            None => values.iter().copied().find(|v| !v.is_finite()),
        };
        if let Some(value) = bad {
            return Err(Error::NotFinite { what, row, value: value.f64() });
        }
    }
    Ok(())
}
