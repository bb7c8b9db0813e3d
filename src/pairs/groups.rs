//! Rows of an array, regrouped for vector loops.

use std::ops::Range;

use ndarray::ArrayView2;

use super::strip::{LANES, strip_len};
use crate::Real;
use crate::simd::Buffer;

/// Rows in strips of [`strip_len`], and in each strip one column after the other; the last strip is padded with zeros to
/// a multiple of [`LANES`].
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
        for strip in strips::<F>(self.rows) {
            let (start, len) = (strip.start, strip.len());
            let rows = start..strip.end.min(self.rows);
            let out = &mut self.data[start * self.columns..][..len * self.columns];
            for (j, row) in from.slice(ndarray::s![rows, ..]).rows().into_iter().enumerate() {
                row.iter().zip(out[j..].iter_mut().step_by(len)).for_each(|(&v, out)| *out = v);
            }
        }
    }

    /// One column of so many numbers, all zero until they are written.
    pub(super) fn column(&mut self, rows: usize) -> &mut [F] {
        self.resize((rows, 1));
        &mut self.data
    }

    fn resize(&mut self, (rows, columns): (usize, usize)) {
        if (rows, columns) != (self.rows, self.columns) {
            (self.rows, self.columns) = (rows, columns);
            self.data = Buffer::zeros(rows.next_multiple_of(LANES) * columns);
        }
    }

    /// The columns of a strip, one after the other.
    #[inline(always)]
    pub(super) fn strip(&self, strip: &Range<usize>) -> &[F] {
        &self.data[strip.start * self.columns..strip.end * self.columns]
    }
}

/// The strips of so many rows, padding included.
#[inline(always)]
pub(super) fn strips<F>(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let end = rows.next_multiple_of(LANES);
    (0..end).step_by(strip_len::<F>()).map(move |first| first..(first + strip_len::<F>()).min(end))
}

impl<F: Real> Clone for Groups<F> {
    fn clone(&self) -> Self {
        let mut data = Buffer::zeros(self.data.len());
        data.copy_from_slice(&self.data);
        Groups { data, ..*self }
    }
}
