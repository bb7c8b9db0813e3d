//! Where paths start.

use std::fmt;

use ndarray::Array2;

use crate::rng::Rng;
use crate::state::check_rows;
use crate::{Error, Real, Result};

/// The law of the source x0 (t = 0).
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub enum Source<'a, F> {
    /// Standard normal noise.
    #[default]
    Normal,
    /// Rows of this array, drawn at random: transport from data to data.
    Data(&'a Array2<F>),
    /// Whatever this writes into the rows of the array that it is given; the same seed must give the same rows.
    Sampler(&'a (dyn Fn(u64, &mut Array2<F>) + 'a)),
}

impl<F: Real> Source<'_, F> {
    /// Fills the rows of `x0`.
    pub(super) fn fill(&self, rng: &mut Rng, x0: &mut Array2<F>) {
        match self {
            Source::Normal => x0.iter_mut().for_each(|x| *x = rng.normal()),
            Source::Data(data) => {
                x0.rows_mut().into_iter().for_each(|mut row| row.assign(&data.row(rng.below(data.nrows()))));
            }
            Source::Sampler(sample) => sample(rng.word(), x0),
        }
    }

    pub(super) fn check(&self, columns: usize) -> Result<()> {
        let Source::Data(data) = self else { return Ok(()) };
        Error::shape("the source", &[data.nrows(), columns], data.shape())?;
        if data.is_empty() {
            return Err(Error::Empty { what: "the source" });
        }
        check_rows("the source", data)
    }
}

impl<F> fmt::Debug for Source<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Normal => f.write_str("Normal"),
            Source::Data(data) => write!(f, "Data({:?})", data.shape()),
            Source::Sampler(_) => f.write_str("Sampler(..)"),
        }
    }
}
