//! Rows of an array, regrouped for vector loops.

use ndarray::ArrayView2;

use super::strip::{Group, LANES};
use crate::Real;
use crate::simd::Buffer;

/// Rows in groups of [`LANES`], and in each group one column after the other; what is missing in the last is zero.
#[derive(Debug)]
pub(super) struct Groups<F> {
    data: Buffer<F>,
    pub rows: usize,
    pub columns: usize,
}

impl<F: Real> Groups<F> {
    pub(super) fn new() -> Self {
        Groups { data: Buffer::zeros(0), rows: 0, columns: 0 }
    }

    /// Holds these rows from now on; allocates only where their number or width is new.
    pub(super) fn fill(&mut self, from: ArrayView2<'_, F>) {
        self.resize(from.dim());
        let width = self.columns;
        for (j, row) in from.rows().into_iter().enumerate() {
            let group = &mut self.data[j / LANES * width * LANES..][..width * LANES];
            for (k, &v) in row.iter().enumerate() {
                group[k * LANES + j % LANES] = v;
            }
        }
    }

    /// One column of so many equal numbers.
    pub(super) fn constant(&mut self, rows: usize, value: F) {
        self.resize((rows, 1));
        self.data[..rows].fill(value);
    }

    fn resize(&mut self, (rows, columns): (usize, usize)) {
        if (rows, columns) != (self.rows, self.columns) {
            (self.rows, self.columns) = (rows, columns);
            self.data = Buffer::zeros(rows.next_multiple_of(LANES) * columns);
        }
    }

    pub(super) fn groups(&self) -> &[Group<F>] {
        self.data.as_chunks().0.as_chunks().0
    }

    /// All numbers, the missing ones of the last group included.
    pub(super) fn numbers_mut(&mut self) -> &mut [F] {
        &mut self.data
    }
}

impl<F: Real> Clone for Groups<F> {
    fn clone(&self) -> Self {
        let mut data = Buffer::zeros(self.data.len());
        data.copy_from_slice(&self.data);
        Groups { data, ..*self }
    }
}
