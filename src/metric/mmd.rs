//! The maximum mean discrepancy between two samples.

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::check_pair;
use crate::{Error, Real, Result};

/// Squared maximum mean discrepancy under a sum of Gaussian kernels, `k(x, y) = Σ_b exp(-|x - y|² / b)`:
///
/// ```text
/// MMD² = E k(X, X') - 2 E k(X, Y) + E k(Y, Y')
/// ```
///
/// over all pairs, the same point included, so that it is never negative and zero for a sample and itself (Gretton et
/// al., *A kernel two-sample test*, JMLR 13, 2012, equation 5). O((n + m)² d) time, summed in a fixed order.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`], [`Error::Shape`], and [`Error::Setting`] for a bandwidth that is not positive.
///
/// ```
/// use flowfield::{dataset::normal, metric::mmd};
/// let (x, y) = (normal::<f64>((400, 2), 0), normal::<f64>((400, 2), 1));
/// let widths = [0.01, 0.1, 1.0, 10.0, 100.0];
/// assert!(mmd(&x, &(&y + 1.0), &widths)? > 5.0 * mmd(&x, &y, &widths)?);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn mmd<F: Real>(x: &Array2<F>, y: &Array2<F>, bandwidths: &[f64]) -> Result<f64> {
    check_pair(x, y)?;
    if bandwidths.is_empty() {
        return Err(Error::Empty { what: "the list of bandwidths" });
    }
    for &b in bandwidths {
        Error::setting(b > 0.0 && b.is_finite(), "a bandwidth", b, "it must be positive and finite")?;
    }
    let mean = |x: &Array2<F>, y: &Array2<F>| mean_kernel(x, y, bandwidths);
    Ok((mean(x, x) - 2.0 * mean(x, y) + mean(y, y)).max(0.0))
}

fn mean_kernel<F: Real>(x: &Array2<F>, y: &Array2<F>, bandwidths: &[f64]) -> f64 {
    let kernel = |a: ArrayView1<'_, F>, b: ArrayView1<'_, F>| {
        let square: f64 = a.iter().zip(b).map(|(a, b)| (a.f64() - b.f64()).powi(2)).sum();
        bandwidths.iter().map(|width| (-square / width).exp()).sum::<f64>()
    };
    let row = |i: usize| y.rows().into_iter().map(|b| kernel(x.row(i), b)).sum::<f64>();
    let sums: Vec<f64> = (0..x.nrows()).into_par_iter().map(row).collect();
    sums.iter().sum::<f64>() / (x.nrows() * y.nrows()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn by_hand() {
        let (x, y) = (array![[0.0]], array![[1.0]]);
        let want = 2.0 - 2.0 * (-1.0_f64).exp();
        assert!((mmd(&x, &y, &[1.0]).unwrap() - want).abs() < 1e-15);
        assert_eq!(mmd(&x, &x, &[1.0, 3.0]).unwrap(), 0.0);
        assert!(matches!(mmd(&x, &y, &[0.0]), Err(Error::Setting { .. })));
        assert!(matches!(mmd(&x, &y, &[]), Err(Error::Empty { .. })));
    }
}
