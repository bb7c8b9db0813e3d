//! Wasserstein distances between samples, beside what two samples of one law have.

use ndarray::Array2;

use crate::transport::{Assignment, NetworkSimplex, PointCost, Sliced, uniform};
use crate::{Real, Result};

/// Up to this many rows on both sides, assignment is faster than the network simplex.
const SMALL: usize = 300;

/// The 2-Wasserstein distance between the rows of `x` (n × d) and of `y` (m × d), exactly: `W2² = min Σ π_ij |x_i - y_j|²`.
///
/// Between finite samples it does not vanish even if both come from one law; see [`w2_with_floor`].
///
/// # Errors
/// [`Error::Empty`](crate::Error::Empty), [`NotFinite`](crate::Error::NotFinite), or
/// [`Shape`](crate::Error::Shape) where the numbers of columns differ.
///
/// ```
/// use flowfield::metric::w2;
/// use ndarray::array;
/// assert_eq!(w2(&array![[0.0, 0.0], [1.0, 0.0]], &array![[1.0, 2.0], [0.0, 2.0]])?, 2.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn w2<F: Real>(x: &Array2<F>, y: &Array2<F>) -> Result<f64> {
    let cost = PointCost::squared_euclidean(x, y)?;
    let (n, m) = (x.nrows(), y.nrows());
    let squared = match n == m && n <= SMALL {
        true => {
            let mut solver = Assignment::new();
            let pairs = solver.permutation(&cost)?;
            let square = |(i, &j): (usize, &usize)| crate::transport::Cost::at(&cost, i, j);
            pairs.iter().enumerate().map(square).sum::<f64>() / n as f64
        }
        false => NetworkSimplex::new().solve(&cost, &uniform::<f64>(n), &uniform::<f64>(m))?.cost,
    };
    Ok(squared.max(0.0).sqrt())
}

/// A W2 distance beside its finite-sample floor.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct WithFloor {
    /// Between the samples and the target's draws.
    pub w2: f64,
    /// Between those same draws of the target and others of it.
    pub floor: f64,
}

/// [`w2`] of samples to draws of a target, beside that of other draws of the target (as many as there are samples) to
/// the same ones: samples cannot be expected to come nearer than those.
///
/// # Errors
/// Those of [`w2`].
pub fn w2_with_floor<F: Real>(
    samples: &Array2<F>,
    target: &Array2<F>,
    other_draws: &Array2<F>,
) -> Result<WithFloor> {
    Ok(WithFloor { w2: w2(samples, target)?, floor: w2(other_draws, target)? })
}

/// The sliced 2-Wasserstein distance along `directions` random directions; see [`Sliced`].
///
/// # Errors
/// Those of [`w2`], and [`Error::Empty`](crate::Error::Empty) for no directions.
///
/// ```
/// use flowfield::{dataset::normal, metric::sliced_w2};
/// let x = normal::<f64>((500, 3), 0);
/// assert!((sliced_w2(&x, &(&x + 1.0), 200, 0)? - 1.0).abs() < 0.1);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn sliced_w2<F: Real>(x: &Array2<F>, y: &Array2<F>, directions: usize, seed: u64) -> Result<f64> {
    Sliced::new(x.ncols(), directions, seed)?.distance(x, y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::dataset::normal;
    use ndarray::array;

    #[test]
    fn equal_and_unequal_numbers_of_rows_agree() {
        let (x, y) = (normal::<f64>((30, 2), 0), normal::<f64>((30, 2), 1));
        let twice = ndarray::concatenate(ndarray::Axis(0), &[y.view(), y.view()]).unwrap();
        assert!((w2(&x, &y).unwrap() - w2(&x, &twice).unwrap()).abs() < 1e-12);
        assert!(w2(&x, &x).unwrap() == 0.0);
        let both = w2_with_floor(&(&x + 3.0), &y, &x).unwrap();
        assert!(both.w2 > 3.0 && both.floor < 1.0);
        assert!(matches!(w2(&x, &array![[1.0]]), Err(Error::Shape { .. })));
        assert!(matches!(w2(&x, &Array2::zeros((0, 2))), Err(Error::Empty { .. })));
        assert!(matches!(w2(&x, &array![[1.0, f64::NAN]]), Err(Error::NotFinite { row: 0, .. })));
    }
}
