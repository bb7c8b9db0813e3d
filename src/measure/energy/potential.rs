//! A potential.

use std::fmt;

use ndarray::Array2;

use super::{Cloud, Energy};
use crate::Real;

/// `F = ∫ V dμ`: every particle for itself, `x' = -∇V(x)`.
///
/// ```
/// use flowfield::{Flow, integrate::Heun, measure::{Descent, Potential}};
/// let bowl = Potential::new(|x: &[f64], g: &mut [f64]| { g[0] = x[0]; 0.5 * x[0] * x[0] });
/// let mut x = ndarray::array![[1.0], [-2.0]];
/// Flow::new(Descent(bowl), Heun::new()).steps(100, 0.01, &mut x)?;
/// assert!((x[[1, 0]] + 2.0 * (-1.0_f64).exp()).abs() < 1e-4);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Clone)]
pub struct Potential<V> {
    v: V,
}

/// Dimensions up to which a slope lies on the stack.
const STACK: usize = 16;

impl<V> Potential<V> {
    /// Of `v(x, g)`, which writes ∇V(x) for one particle to `g` and returns V(x).
    pub fn new<F: Real>(v: V) -> Self
    where
        V: FnMut(&[F], &mut [F]) -> F,
    {
        Potential { v }
    }
}

impl<V> fmt::Debug for Potential<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Potential").finish_non_exhaustive()
    }
}

/// Calls `each(i, V(x_i), ∇V(x_i))`.
fn rows<F: Real, V: FnMut(&[F], &mut [F]) -> F>(
    v: &mut V,
    x: &Array2<F>,
    mut each: impl FnMut(usize, F, &[F]),
) {
    let (mut stack, mut heap) = ([F::zero(); STACK], Vec::new());
    let g = match stack.get_mut(..x.ncols()) {
        Some(g) => g,
        None => {
            heap.resize(x.ncols(), F::zero());
            &mut heap[..]
        }
    };
    for (i, row) in x.rows().into_iter().enumerate() {
        if let Some(row) = row.as_slice() {
            let value = v(row, g);
            each(i, value, g);
        }
    }
}

impl<F: Real, V: FnMut(&[F], &mut [F]) -> F> Energy<F> for Potential<V> {
    fn value(&mut self, cloud: &Cloud<'_, F>) -> f64 {
        let mut sum = 0.0;
        rows(&mut self.v, cloud.x, |i, value, _| sum += cloud.weight(i) * value.f64());
        sum
    }

    fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) {
        self.gradient_at(cloud, cloud.x, g);
    }

    fn gradient_at(&mut self, _cloud: &Cloud<'_, F>, at: &Array2<F>, g: &mut Array2<F>) -> bool {
        rows(&mut self.v, at, |i, _, slope| g.row_mut(i).iter_mut().zip(slope).for_each(|(g, &s)| *g += s));
        true
    }

    fn variation(&mut self, cloud: &Cloud<'_, F>, out: &mut [f64]) -> bool {
        rows(&mut self.v, cloud.x, |i, value, _| out[i] += value.f64());
        true
    }
}
