//! The energy distance between two samples.

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::check_pair;
use crate::{Real, Result};

/// Energy distance between the rows of `x` (n × d) and of `y` (m × d):
///
/// ```text
/// D² = 2 E|X - Y| - E|X - X'| - E|Y - Y'|,    returned: D² ≥ 0
/// ```
///
/// zero only if the distributions agree (Székely and Rizzo, *Energy statistics*, J. Stat. Plan. Inference 143,
/// 2013, section 2). The sums run over all pairs, the same point included, so that the distance of a sample to
/// itself is zero. O((n + m)² d) time, summed in a fixed order.
///
/// # Errors
/// [`Error::Empty`](crate::Error::Empty), [`NotFinite`](crate::Error::NotFinite), or [`Shape`](crate::Error::Shape) where the numbers of columns differ.
///
/// ```
/// use flowfield::{dataset::normal, metric::energy_distance};
/// let (x, y) = (normal::<f64>((400, 3), 0), normal::<f64>((400, 3), 1));
/// assert!(energy_distance(&x, &y)? < 0.02);
/// assert!(energy_distance(&x, &(&y + 1.0))? > 0.5);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn energy_distance<F: Real>(x: &Array2<F>, y: &Array2<F>) -> Result<f64> {
    check_pair(x, y)?;
    Ok((2.0 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)).max(0.0))
}

fn mean_distance<F: Real>(x: &Array2<F>, y: &Array2<F>) -> f64 {
    let row_sum = |a: ArrayView1<'_, F>| y.rows().into_iter().map(|b| distance(a, b)).sum::<f64>();
    // Collected before summing: the order, and so the bits, do not depend on the threads.
    let sums: Vec<f64> = (0..x.nrows()).into_par_iter().map(|i| row_sum(x.row(i))).collect();
    sums.iter().sum::<f64>() / (x.nrows() * y.nrows()) as f64
}

fn distance<F: Real>(a: ArrayView1<'_, F>, b: ArrayView1<'_, F>) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (a.f64() - b.f64()).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use ndarray::array;

    #[test]
    fn two_points_by_hand() {
        let (x, y) = (array![[0.0], [2.0]], array![[1.0], [5.0]]);
        // E|X-Y| = (1+5+1+3)/4, E|X-X'| = 1, E|Y-Y'| = 2.
        assert!((energy_distance(&x, &y).unwrap() - (5.0 - 1.0 - 2.0)).abs() < 1e-15);
        assert_eq!(energy_distance(&x, &x).unwrap(), 0.0);
        assert!(energy_distance(&x, &array![[1.0, 2.0]]).is_err());
        assert!(energy_distance(&x, &Array2::zeros((0, 1))).is_err());
        let nan = energy_distance(&array![[0.0], [f64::NAN]], &y);
        assert!(matches!(nan, Err(Error::NotFinite { row: 1, .. })));
    }
}
