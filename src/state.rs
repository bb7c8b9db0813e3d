//! What moves: a block of numbers with a shape.

use ndarray::{Array, Array1, Array2, ArrayRef, Dimension, s};

use crate::{Error, Real, Result};

/// A state: a contiguous block of numbers with a shape.
///
/// Implemented for `[F; N]` (small systems: everything unrolls and stays in registers) and for
/// `ndarray::Array<F, D>` of any rank (everything else), with `F` = `f32` or `f64`.
///
/// An array of any memory layout may be given to a [`Flow`](crate::Flow): it is brought to standard
/// (row-major) layout on entry, and every field and integrator sees it so.
///
/// ```
/// use flowfield::State;
/// let y = ndarray::array![[1.0, 2.0], [3.0, 4.0]];
/// assert_eq!(State::as_slice(&y), &[1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(State::shape(&[0.0_f32; 3]), &[3]);
/// ```
pub trait State: Clone {
    /// The number type.
    type Elem: Real;

    /// The numbers in row-major order; empty for an array that is not in standard layout
    /// (call [`standardise`](Self::standardise) first).
    fn as_slice(&self) -> &[Self::Elem];

    /// The numbers in row-major order, to be written; empty for an array that is not in standard layout.
    fn as_mut_slice(&mut self) -> &mut [Self::Elem];

    /// Brings the numbers into row-major order in memory, if they are not.
    fn standardise(&mut self);

    /// The shape, for messages and checks.
    fn shape(&self) -> Vec<usize>;

    /// Whether two states have the same shape.
    fn same_shape(&self, other: &Self) -> bool;

    /// Zeros in the shape of this state, to be gone through together with it and others: the `place`-th of them, from 1.
    ///
    /// Large allocations all start at the same place of a memory page, and loops over several arrays that do so have the same few lines
    /// of the cache to share. Large arrays therefore start apart.
    #[must_use]
    fn zeros_apart(&self, place: usize) -> Self {
        let _ = place;
        let mut zeros = self.clone();
        zeros.as_mut_slice().fill(Self::Elem::of(0.0));
        zeros
    }

    /// Rows that are samples of their own: what the first axis counts, or 1 for a state of one axis.
    fn samples(&self) -> usize {
        match self.shape().as_slice() {
            [n, _, ..] => *n,
            _ => 1,
        }
    }
}

impl<F: Real, const N: usize> State for [F; N] {
    type Elem = F;

    #[inline(always)]
    fn as_slice(&self) -> &[F] {
        self
    }
    #[inline(always)]
    fn as_mut_slice(&mut self) -> &mut [F] {
        self
    }
    #[inline(always)]
    fn standardise(&mut self) {}
    fn shape(&self) -> Vec<usize> {
        vec![N]
    }
    #[inline(always)]
    fn same_shape(&self, _: &Self) -> bool {
        true
    }
    #[inline(always)]
    fn samples(&self) -> usize {
        1
    }
}

impl<F: Real, D: Dimension> State for Array<F, D> {
    type Elem = F;

    #[inline(always)]
    fn as_slice(&self) -> &[F] {
        ArrayRef::as_slice(self).unwrap_or(&[])
    }
    #[inline(always)]
    fn as_mut_slice(&mut self) -> &mut [F] {
        ArrayRef::as_slice_mut(self).unwrap_or(&mut [])
    }
    fn standardise(&mut self) {
        if !self.is_standard_layout() {
            *self = self.as_standard_layout().into_owned();
        }
    }
    fn shape(&self) -> Vec<usize> {
        self.raw_dim().slice().to_vec()
    }
    #[inline]
    fn same_shape(&self, other: &Self) -> bool {
        self.raw_dim() == other.raw_dim()
    }
    fn zeros_apart(&self, place: usize) -> Self {
        let lead = if self.len() * size_of::<F>() < LARGE { 0 } else { place * APART / size_of::<F>() };
        let numbers = Array1::zeros(lead + self.len()).slice_move(s![lead..]);
        numbers.into_shape_with_order(self.raw_dim()).unwrap_or_else(|_| Array::zeros(self.raw_dim()))
    }
    #[inline]
    fn samples(&self) -> usize {
        if let [n, _, ..] = self.raw_dim().slice() { *n } else { 1 }
    }
}

/// Bytes from which the system gives an array pages of its own (the least threshold of the usual allocators).
const LARGE: usize = 128 << 10;

/// Bytes by which arrays start apart: whole cache lines, and up to the fourth multiple no two within 700 bytes of each other in pages
/// of 4096.
const APART: usize = 5696;

/// Index of the first number that is NaN or infinite.
#[inline]
pub(crate) fn first_not_finite<F: Real>(y: &[F]) -> Option<usize> {
    // v · 0 is zero for a finite v and NaN otherwise; eight sums, so that the loop runs in vector registers.
    let mut lanes = [F::zero(); 8];
    let blocks = y.chunks_exact(8);
    let rest: F = blocks.remainder().iter().fold(F::zero(), |s, &v| s + v * F::zero());
    for block in blocks {
        lanes.iter_mut().zip(block).for_each(|(s, &v)| *s += v * F::zero());
    }
    let sum = lanes.iter().fold(rest, |s, &v| s + v);
    if sum == F::zero() { None } else { y.iter().position(|v| !v.is_finite()) }
}

/// Refuses an array whose numbers cannot be read as one row-major slice.
pub(crate) fn check_layout<S: State>(y: &S) -> Result<()> {
    if y.as_slice().is_empty() && y.shape().iter().product::<usize>() > 0 {
        return Err(Error::Layout { shape: y.shape() });
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ShapeBuilder;

    #[test]
    fn a_column_major_array_is_brought_to_row_major_order() {
        let mut y = Array2::from_shape_vec((2, 2).f(), vec![1.0, 3.0, 2.0, 4.0]).unwrap();
        assert!(State::as_slice(&y).is_empty());
        assert!(matches!(check_layout(&y), Err(Error::Layout { .. })));
        y.standardise();
        assert_eq!(State::as_slice(&y), &[1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn large_arrays_start_apart_and_are_zeros_in_row_major_order() {
        for n in [3, 1000] {
            let y = Array2::<f32>::ones((n, 70));
            for place in 1..5 {
                let zeros = y.zeros_apart(place);
                assert_eq!(State::as_slice(&zeros), &vec![0.0; 70 * n][..]);
                assert!(zeros.same_shape(&y) && zeros.clone() == zeros);
            }
        }
        assert_eq!([1.0, 2.0].zeros_apart(1), [0.0, 0.0]);
        let phases: Vec<usize> = (0..5).map(|k| k * APART % 4096).collect();
        let near = |a: usize, b: usize| a.abs_diff(b).min(4096 - a.abs_diff(b));
        let pairs =
            phases.iter().enumerate().flat_map(|(i, &a)| phases[..i].iter().map(move |&b| near(a, b)));
        assert!(APART.is_multiple_of(64) && pairs.min() >= Some(700));
    }

    #[test]
    fn finds_what_is_not_finite() {
        assert_eq!(first_not_finite(&[1.0, f64::MAX, -3.0, f64::MAX]), None);
        assert_eq!(first_not_finite(&[1.0, f64::NAN]), Some(1));
        assert_eq!(first_not_finite(&[f32::INFINITY, f32::NEG_INFINITY]), Some(0));
    }
}
