//! What is known of the zeros of a Jacobian.

use std::sync::Arc;

use crate::linalg::Colouring;
use crate::{Error, Pattern, Result};

/// What a field knows of the zeros of its Jacobian, and with it how the values are stored.
///
/// | structure | values |
/// |---|---|
/// | `Dense` | `n × n`, row by row: entry (i, j) at `i n + j` |
/// | `Banded` | `n × (lower + 1 + upper)`, row by row: entry (i, j) at `i (lower + 1 + upper) + j + lower - i` |
/// | `Sparse` | as [`Pattern::places`] lists them |
/// | `MatrixFree` | none |
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Structure {
    /// Any entry may be other than zero.
    #[default]
    Dense,
    /// Zero outside `lower` diagonals below the main one and `upper` above it.
    Banded {
        /// Diagonals below the main one.
        lower: usize,
        /// Diagonals above the main one.
        upper: usize,
    },
    /// Zero outside a pattern.
    Sparse(Arc<Pattern>),
    /// No matrix is to be formed: linear systems are solved by products with vectors.
    MatrixFree,
}

impl Structure {
    /// Numbers that store a matrix of order `n`.
    pub fn len(&self, n: usize) -> usize {
        match self {
            Structure::Dense => n * n,
            Structure::Banded { lower, upper } => n * (lower + 1 + upper),
            Structure::Sparse(pattern) => pattern.len(),
            Structure::MatrixFree => 0,
        }
    }

    /// Where entry (i, j) is stored; `None` if it is zero by structure.
    pub fn position(&self, n: usize, i: usize, j: usize) -> Option<usize> {
        match self {
            Structure::Dense => Some(i * n + j),
            Structure::Banded { lower, upper } => {
                let inside = j + lower >= i && j <= i + upper;
                inside.then(|| i * (lower + 1 + upper) + j + lower - i)
            }
            Structure::Sparse(pattern) => pattern.position(i, j),
            Structure::MatrixFree => None,
        }
    }

    /// Columns that can be differentiated together; `None` for a dense matrix, in which none can.
    pub(crate) fn colouring(&self, n: usize) -> Option<Colouring> {
        match self {
            Structure::Dense | Structure::MatrixFree => None,
            &Structure::Banded { lower, upper } => Some(Colouring::of_band(n, lower, upper)),
            Structure::Sparse(pattern) => Some(Colouring::of_pattern(pattern)),
        }
    }

    /// Calls `visit(row, position)` for each entry of column `j`.
    #[inline(always)]
    pub(crate) fn for_column(&self, n: usize, j: usize, mut visit: impl FnMut(usize, usize)) {
        match self {
            Structure::Dense => (0..n).for_each(|i| visit(i, i * n + j)),
            &Structure::Banded { lower, upper } => {
                let rows = j.saturating_sub(upper)..(j + lower + 1).min(n);
                rows.for_each(|i| visit(i, i * (lower + 1 + upper) + j + lower - i));
            }
            Structure::Sparse(pattern) => {
                pattern.column(j).iter().zip(pattern.range(j)).for_each(|(&i, at)| visit(i as usize, at));
            }
            Structure::MatrixFree => {}
        }
    }

    /// Refuses a structure that is not one of matrices of order `n`.
    pub(crate) fn check(&self, n: usize) -> Result<()> {
        match self {
            Structure::Dense | Structure::MatrixFree => Ok(()),
            &Structure::Banded { lower, upper } => {
                let need = "a band must be narrower than the matrix";
                Error::setting(lower < n && upper < n, "bandwidth", lower.max(upper) as f64, need)
            }
            Structure::Sparse(pattern) => {
                Error::shape("the pattern of the Jacobian", &[n, n], &[pattern.n(), pattern.n()])
            }
        }
    }
}
