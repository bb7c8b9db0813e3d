//! Masses of the points on one side.

use ndarray::Array1;

use crate::{Error, Real, Result};

/// `n` equal weights that sum to one.
///
/// ```
/// assert_eq!(flowfield::transport::uniform::<f64>(4)[2], 0.25);
/// ```
pub fn uniform<F: Real>(n: usize) -> Array1<F> {
    Array1::from_elem(n, F::of(1.0 / n.max(1) as f64))
}

/// How far the sums of two sets of weights may differ, relatively; the rest is spread over the second.
const SUMS: f64 = 1e-6;

/// Weights of `n` points in double precision, each finite and not negative, their sum positive.
pub(crate) fn checked<F: Real>(what: &'static str, w: &Array1<F>, n: usize) -> Result<Vec<f64>> {
    Error::shape(what, &[n], w.shape())?;
    let w: Vec<f64> = w.iter().map(|w| w.f64()).collect();
    if let Some(row) = w.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
        return Err(Error::Weight { what, row, value: w[row] });
    }
    let sum: f64 = w.iter().sum();
    Error::setting(sum > 0.0, what, sum, "the weights must have a positive, finite sum")?;
    Ok(w)
}

/// Two sets of weights with the same sum: the second is scaled by the little that the first differs.
pub(crate) fn balanced<F: Real>(
    a: &Array1<F>,
    b: &Array1<F>,
    (n, m): (usize, usize),
) -> Result<(Vec<f64>, Vec<f64>)> {
    let (a, mut b) = (checked("the source weights", a, n)?, checked("the target weights", b, m)?);
    let (sum_a, sum_b) = (sum(&a), sum(&b));
    if (sum_a - sum_b).abs() > SUMS.max(f64::from(f32::EPSILON) * (n + m) as f64) * sum_a {
        return Err(Error::WeightSums { source_sum: sum_a, target_sum: sum_b });
    }
    b.iter_mut().for_each(|w| *w *= sum_a / sum_b);
    Ok((a, b))
}

/// The sum, with the round-off of each addition added up beside it (Neumaier 1974): what two sums differ by is what
/// their plans cannot send.
fn sum(w: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for &w in w {
        let new = sum + w;
        lost += if sum >= w { (sum - new) + w } else { (w - new) + sum };
        sum = new;
    }
    sum + lost
}
