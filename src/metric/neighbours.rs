//! What nearest neighbours say about two samples: precision, recall, and whether they can be told apart.

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::check_pair;
use crate::rng::Rng;
use crate::{Error, Real, Result};

/// How much of each sample lies where the other does.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PrecisionRecall {
    /// Share of the samples that lie among the real rows: quality.
    pub precision: f64,
    /// Share of the real rows that lie among the samples: coverage.
    pub recall: f64,
}

/// Precision and recall of samples with respect to real rows.
///
/// A point counts as lying among a set if it is within some member's distance to its own k-th nearest neighbour in the set
/// (Kynkäänniemi et al., *Improved precision and recall metric for assessing generative models*, NeurIPS 2019,
/// section 2; k = 3 there).
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`], [`Error::Shape`], and [`Error::Setting`] unless `1 <= k <` rows of both.
///
/// ```
/// use flowfield::{dataset::normal, metric::precision_recall};
/// let (real, narrow) = (normal::<f64>((300, 2), 0), normal::<f64>((300, 2), 1) * 0.2);
/// let both = precision_recall(&narrow, &real, 3)?;
/// assert!(both.precision > 0.95 && both.recall < 0.3);          // good ones, but few kinds
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn precision_recall<F: Real>(samples: &Array2<F>, real: &Array2<F>, k: usize) -> Result<PrecisionRecall> {
    check_pair(samples, real)?;
    let most = samples.nrows().min(real.nrows());
    let need = "at least 1 and less than the rows of both samples";
    Error::setting(k >= 1 && k < most, "the number of neighbours", k as f64, need)?;
    Ok(PrecisionRecall { precision: among(samples, real, k), recall: among(real, samples, k) })
}

/// Share of the rows of `x` within reach of a row of `set`.
fn among<F: Real>(x: &Array2<F>, set: &Array2<F>, k: usize) -> f64 {
    let radius = |i: usize| {
        let mut all: Vec<f64> = set.rows().into_iter().map(|row| square(set.row(i), row)).collect();
        // Its own distance, zero, comes first.
        *all.select_nth_unstable_by(k, f64::total_cmp).1
    };
    let radii: Vec<f64> = (0..set.nrows()).into_par_iter().map(radius).collect();
    let inside = |i: &usize| set.rows().into_iter().zip(&radii).any(|(s, &r)| square(x.row(*i), s) <= r);
    (0..x.nrows()).into_par_iter().filter(inside).count() as f64 / x.nrows() as f64
}

/// The outcome of a classifier two-sample test.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TwoSample {
    /// Share of held-out rows whose sample the classifier names: near 1/2 if they cannot be told apart.
    pub accuracy: f64,
    /// Probability of so high an accuracy if both samples have one law.
    pub p_value: f64,
}

/// Classifier two-sample test: a k-nearest-neighbour classifier learns to tell `x` from `y` on one half of each and is
/// tried on the other half.
///
/// Under one law the accuracy is near N(1/2, 1/(4n)) for n tried rows (Lopez-Paz and Oquab, *Revisiting classifier
/// two-sample tests*, ICLR 2017, section 3). Both samples are cut to the same number of rows; k is the largest odd number
/// up to √n. Columns should have similar scales.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`], [`Error::Shape`], and [`Error::Setting`] for fewer than 4 rows.
///
/// ```
/// use flowfield::{dataset::normal, metric::classifier_test};
/// let (x, y) = (normal::<f64>((600, 2), 0), normal::<f64>((600, 2), 1));
/// assert!(classifier_test(&x, &y, 0)?.p_value > 0.01);
/// assert!(classifier_test(&x, &(&y * 2.0), 0)?.p_value < 1e-3);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn classifier_test<F: Real>(x: &Array2<F>, y: &Array2<F>, seed: u64) -> Result<TwoSample> {
    check_pair(x, y)?;
    let n = x.nrows().min(y.nrows());
    let need = "both samples need at least 4 rows";
    Error::setting(n >= 4, "the rows of the smaller sample", n as f64, need)?;
    let mut rng = Rng::new(seed, 0);
    let (left, right) = (shuffled(x.nrows(), n, &mut rng), shuffled(y.nrows(), n, &mut rng));
    let half = n / 2;
    let known: Vec<(ArrayView1<'_, F>, bool)> = left[..half]
        .iter()
        .map(|&i| (x.row(i), true))
        .chain(right[..half].iter().map(|&i| (y.row(i), false)))
        .collect();
    let k = (known.len() as f64).sqrt() as usize;
    let k = if k.is_multiple_of(2) { k.max(2) - 1 } else { k };
    let says = |row: ArrayView1<'_, F>| {
        let mut near: Vec<(f64, bool)> =
            known.iter().map(|&(other, of_x)| (square(row, other), of_x)).collect();
        near.select_nth_unstable_by(k - 1, |a, b| a.0.total_cmp(&b.0));
        2 * near[..k].iter().filter(|(_, of_x)| *of_x).count() > k
    };
    let right_on_x = left[half..].par_iter().filter(|&&i| says(x.row(i))).count();
    let right_on_y = right[half..].par_iter().filter(|&&i| !says(y.row(i))).count();
    let tried = 2 * (n - half);
    let accuracy = (right_on_x + right_on_y) as f64 / tried as f64;
    let score = (accuracy - 0.5) * 2.0 * (tried as f64).sqrt();
    Ok(TwoSample { accuracy, p_value: upper_tail(score) })
}

/// The first `n` of 0 .. rows in random order.
fn shuffled(rows: usize, n: usize, rng: &mut Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..rows).collect();
    for i in 0..n {
        all.swap(i, i + rng.below(rows - i));
    }
    all.truncate(n);
    all
}

fn square<F: Real>(a: ArrayView1<'_, F>, b: ArrayView1<'_, F>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a.f64() - b.f64()).powi(2)).sum()
}

/// Probability that a standard normal exceeds z: Abramowitz and Stegun 26.2.17, error below 7.5e-8.
fn upper_tail(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - upper_tail(-z);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let poly = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = poly.iter().rev().fold(0.0, |s, c| (s + c) * t);
    (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{eight_gaussians, normal};
    use ndarray::array;

    #[test]
    fn the_normal_tail() {
        for (z, p) in [(0.0, 0.5), (1.0, 0.158_655_254), (1.959_963_985, 0.025), (-3.0, 0.998_650_102)] {
            assert!((upper_tail(z) - p).abs() < 1e-7, "{z}");
        }
    }

    #[test]
    fn one_law_and_two_laws() {
        let (x, y) = (normal::<f64>((400, 3), 0), normal::<f64>((300, 3), 1));
        let same = precision_recall(&x, &y, 3).unwrap();
        assert!(same.precision > 0.85 && same.recall > 0.85, "{same:?}");
        let apart = precision_recall(&(&x + 20.0), &y, 3).unwrap();
        assert_eq!((apart.precision, apart.recall), (0.0, 0.0));
        // Of eight modes, five: everything is precise, five eighths are recalled.
        let all = eight_gaussians::<f64>(400, 10.0, 0.1, 0);
        let rows: Vec<usize> = (0..400).filter(|&i| all[[i, 1]] > 1.0 || all[[i, 0]] > 5.0).collect();
        let some = all.select(ndarray::Axis(0), &rows);
        let both = precision_recall(&some, &all, 3).unwrap();
        assert!(both.precision > 0.99 && (both.recall - 0.625).abs() < 0.1, "{both:?}");
        let p = |shift: f64| classifier_test(&x, &(&y + shift), 3).unwrap();
        assert!(p(0.0).p_value > 0.01 && p(1.0).p_value < 1e-4 && p(1.0).accuracy > 0.65);
        assert!(matches!(precision_recall(&x, &y, 300), Err(Error::Setting { .. })));
        let few = array![[1.0, 2.0, 3.0]];
        assert!(matches!(classifier_test(&few, &y, 0), Err(Error::Setting { .. })));
    }

    #[test]
    fn false_alarms_are_as_rare_as_they_should_be() {
        let alarms = (0..100)
            .filter(|&k| {
                let (x, y) = (normal::<f64>((100, 2), 2 * k), normal::<f64>((100, 2), 2 * k + 1));
                classifier_test(&x, &y, k).unwrap().p_value < 0.05
            })
            .count();
        assert!(alarms <= 12, "{alarms} of 100 at level 0.05");
    }
}
