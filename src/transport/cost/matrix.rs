//! Costs that are stored, or given by a function of the indices.

use std::fmt;

use ndarray::Array2;

use super::Cost;
use crate::Real;

/// A stored cost matrix (n × m).
///
/// ```
/// use flowfield::transport::{Cost, MatrixCost};
/// use ndarray::array;
/// let c = MatrixCost::new(&array![[0.0_f32, 1.0], [2.0, 3.0]]);
/// assert_eq!((c.shape(), c.at(1, 0)), ((2, 2), 2.0));
/// ```
#[derive(Debug, Clone, Default)]
pub struct MatrixCost {
    entries: Vec<f64>,
    columns: usize,
}

impl MatrixCost {
    /// Copies a matrix, into double precision.
    pub fn new<F: Real>(matrix: &Array2<F>) -> Self {
        MatrixCost { entries: matrix.iter().map(|c| c.f64()).collect(), columns: matrix.ncols() }
    }

    /// All entries of another cost.
    pub(crate) fn collect<C: Cost + ?Sized>(cost: &C) -> Self {
        let mut matrix = Self::default();
        matrix.copy(cost, &mut vec![0.0; cost.shape().1]);
        matrix
    }

    /// Becomes another cost, with room for a row as scratch; allocates only to grow.
    pub(crate) fn copy<C: Cost + ?Sized>(&mut self, cost: &C, scratch: &mut [f64]) {
        let (n, m) = cost.shape();
        self.columns = m;
        self.entries.resize(n * m, 0.0);
        for (i, out) in self.entries.chunks_exact_mut(m).enumerate() {
            out.copy_from_slice(cost.row(i, scratch));
        }
    }

    /// The entries in some rows and columns of another cost.
    pub(crate) fn thinned<C: Cost + ?Sized>(cost: &C, rows: &[usize], columns: &[usize]) -> Self {
        let entries = rows.iter().flat_map(|&i| columns.iter().map(move |&j| cost.at(i, j))).collect();
        MatrixCost { entries, columns: columns.len() }
    }
}

impl Cost for MatrixCost {
    fn shape(&self) -> (usize, usize) {
        (self.entries.len().checked_div(self.columns).unwrap_or(0), self.columns)
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.entries[i * self.columns + j]
    }

    fn row<'a>(&'a self, i: usize, _: &'a mut [f64]) -> &'a [f64] {
        &self.entries[i * self.columns..][..self.columns]
    }

    fn work(&self) -> usize {
        0
    }
}

/// A cost given by a function of the two indices.
///
/// ```
/// use flowfield::transport::{Cost, CostFn};
/// let circle = CostFn::new(8, 8, |i, j| { let k = i.abs_diff(j); k.min(8 - k) as f64 });
/// assert_eq!(circle.at(0, 7), 1.0);
/// ```
pub struct CostFn<G> {
    shape: (usize, usize),
    cost: G,
}

impl<G: Fn(usize, usize) -> f64 + Sync> CostFn<G> {
    /// `cost(i, j)` for `i < n` and `j < m`.
    pub fn new(n: usize, m: usize, cost: G) -> Self {
        CostFn { shape: (n, m), cost }
    }
}

impl<G> fmt::Debug for CostFn<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CostFn").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl<G: Fn(usize, usize) -> f64 + Sync> Cost for CostFn<G> {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        (self.cost)(i, j)
    }

    fn work(&self) -> usize {
        64
    }
}
