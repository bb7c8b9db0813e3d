//! Zeroed memory that starts on a cache line.

use std::ops::{Deref, DerefMut};

use crate::Real;

const LINE: usize = 64;

/// A fixed number of numbers starting on a cache line, so that vector loads never straddle two.
#[derive(Debug)]
pub(crate) struct Buffer<F> {
    data: Vec<F>,
    start: usize,
    len: usize,
}

impl<F: Real> Buffer<F> {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let data = vec![F::zero(); len + LINE / size_of::<F>()];
        let start = data.as_ptr().align_offset(LINE).min(data.len() - len);
        Buffer { data, start, len }
    }
}

impl<F> Deref for Buffer<F> {
    type Target = [F];
    fn deref(&self) -> &[F] {
        &self.data[self.start..][..self.len]
    }
}

impl<F> DerefMut for Buffer<F> {
    fn deref_mut(&mut self) -> &mut [F] {
        &mut self.data[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_line_and_holds_zeros() {
        for len in [0, 1, 15, 1000] {
            let b = Buffer::<f64>::zeros(len);
            assert_eq!((b.as_ptr().align_offset(LINE), b.len()), (0, len));
            assert!(b.iter().all(|&v| v == 0.0));
        }
    }
}
