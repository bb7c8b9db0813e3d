//! Wasserstein distances on the line.

use ndarray::Array1;

use super::sort::{number, order, sorted_keys};
use crate::transport::weights::balanced;
use crate::{Error, Real, Result};

/// `W_p` between two samples on the line, each point with the same weight: the L^p distance of their quantile
/// functions. O(n log n) time; sizes may differ.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`], and [`Error::Setting`] for p < 1.
///
/// ```
/// use flowfield::transport::wasserstein_1d;
/// use ndarray::array;
/// assert_eq!(wasserstein_1d(&array![0.0, 1.0], &array![4.0, 3.0], 2.0)?, 3.0);
/// assert_eq!(wasserstein_1d(&array![0.0], &array![-1.0, 1.0], 1.0)?, 1.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn wasserstein_1d<F: Real>(u: &Array1<F>, v: &Array1<F>, p: f64) -> Result<f64> {
    check(u, v, p)?;
    let (u, v) = (sorted_keys(u.iter().copied()), sorted_keys(v.iter().copied()));
    Ok((sorted_power::<F>(&u, &v, p)).powf(1.0 / p))
}

/// `W_p^p` of two sorted samples.
fn sorted_power<F: Real>(u: &[u64], v: &[u64], p: f64) -> f64 {
    let (n, m) = (u.len(), v.len());
    if n == m {
        let gaps = u.iter().zip(v).map(|(&u, &v)| (number::<F>(u) - number::<F>(v)).abs());
        let sum: f64 = match p {
            1.0 => gaps.sum(),
            2.0 => gaps.map(|d| d * d).sum(),
            _ => gaps.map(|d| d.powf(p)).sum(),
        };
        return sum / n as f64;
    }
    let pieces = overlaps(n, m);
    pieces.map(|(i, j, w)| w * (number::<F>(u[i]) - number::<F>(v[j])).abs().powf(p)).sum()
}

/// The monotone plan between `n` and `m` equal weights: (rank, rank, mass), in exact integer arithmetic.
pub(super) fn overlaps(n: usize, m: usize) -> impl Iterator<Item = (usize, usize, f64)> {
    let (mut i, mut j, mut at) = (0, 0, 0_u128);
    let whole = n as u128 * m as u128;
    std::iter::from_fn(move || {
        if at == whole {
            return None;
        }
        let (end_i, end_j) = ((i as u128 + 1) * m as u128, (j as u128 + 1) * n as u128);
        let end = end_i.min(end_j);
        let piece = (i, j, (end - at) as f64 / whole as f64);
        at = end;
        i += usize::from(end == end_i);
        j += usize::from(end == end_j);
        Some(piece)
    })
}

/// The same with weights `a` and `b`, whose sums agree. Returns `(Σ mass · |u - v|^p)^(1/p)`, for weights that sum
/// to one the distance.
///
/// # Errors
/// Those of [`wasserstein_1d`], and for weights [`Error::Shape`], [`Error::Weight`], [`Error::WeightSums`].
///
/// ```
/// use flowfield::transport::wasserstein_1d_weighted;
/// use ndarray::array;
/// let w = wasserstein_1d_weighted(&array![0.0, 9.0], &array![1.0, 0.0], &array![1.0, 3.0], &array![0.5, 0.5], 1.0)?;
/// assert_eq!(w, 2.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn wasserstein_1d_weighted<F: Real>(
    u: &Array1<F>,
    a: &Array1<F>,
    v: &Array1<F>,
    b: &Array1<F>,
    p: f64,
) -> Result<f64> {
    check(u, v, p)?;
    let (a, b) = balanced(a, b, (u.len(), v.len()))?;
    let (u, v) = (order(u.iter().copied()), order(v.iter().copied()));
    let (mut i, mut j, mut left_i, mut left_j, mut sum) = (0, 0, 0.0, 0.0, 0.0);
    while i < u.len() && j < v.len() {
        if left_i == 0.0 {
            left_i = a[u[i].1 as usize];
        }
        if left_j == 0.0 {
            left_j = b[v[j].1 as usize];
        }
        let mass = f64::min(left_i, left_j);
        sum += mass * (number::<F>(u[i].0) - number::<F>(v[j].0)).abs().powf(p);
        (left_i, left_j) = (left_i - mass, left_j - mass);
        i += usize::from(left_i == 0.0);
        j += usize::from(left_j == 0.0);
    }
    Ok(sum.powf(1.0 / p))
}

fn check<F: Real>(u: &Array1<F>, v: &Array1<F>, p: f64) -> Result<()> {
    Error::setting(p >= 1.0 && p.is_finite(), "p", p, "a Wasserstein distance needs 1 <= p < infinity")?;
    for (what, x) in [("the first sample", u), ("the second sample", v)] {
        check_line(what, x)?;
    }
    Ok(())
}

pub(super) fn check_line<F: Real>(what: &'static str, x: &Array1<F>) -> Result<()> {
    if x.is_empty() {
        return Err(Error::Empty { what });
    }
    match x.iter().position(|v| !v.is_finite()) {
        Some(row) => Err(Error::NotFinite { what, row, value: x[row].f64() }),
        None => Ok(()),
    }
}
