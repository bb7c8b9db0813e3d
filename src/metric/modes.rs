//! Which modes of a mixture samples are in.

use ndarray::{Array2, Axis};

use crate::state::check_rows;
use crate::{Error, Real, Result};

/// Where samples fall among the centres of a mixture of narrow Gaussians.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Modes {
    /// Samples within three standard deviations of each centre.
    pub counts: Vec<usize>,
    /// Their share of all samples: a sample of the mixture itself is one with probability 0.989 in the plane.
    pub high_quality: f64,
}

impl Modes {
    /// Modes that hold at least `share` of the samples that each would hold if all were equally full; with 0, at least one sample.
    pub fn captured(&self, share: f64, samples: usize) -> usize {
        let least = (share * samples as f64 / self.counts.len() as f64).max(1.0);
        self.counts.iter().filter(|&&n| n as f64 >= least).count()
    }
}

/// Assigns each row of `x` (n × d) to the nearest of the `centres` (k × d), if within three standard deviations `std`: the measure of
/// Lin, Khetan, Fanti, Oh, *PacGAN*, NeurIPS 2018, section 4.1.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`], [`Error::Shape`] where the numbers of columns differ.
///
/// ```
/// use flowfield::metric::modes;
/// use ndarray::array;
/// let m = modes(&array![[0.1], [1.9], [1.0]], &array![[0.0], [2.0]], 0.1)?;
/// assert_eq!((m.counts.as_slice(), m.captured(0.2, 3)), ([1, 1].as_slice(), 2));
/// assert!((m.high_quality - 2.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn modes<F: Real>(x: &Array2<F>, centres: &Array2<F>, std: f64) -> Result<Modes> {
    for (what, a) in [("the samples", x), ("the centres", centres)] {
        if a.is_empty() {
            return Err(Error::Empty { what });
        }
        check_rows(what, a)?;
    }
    Error::shape("the centres", &[centres.nrows(), x.ncols()], centres.shape())?;
    let mut counts = vec![0; centres.nrows()];
    for row in x.axis_iter(Axis(0)) {
        let distance = |c: ndarray::ArrayView1<'_, F>| -> f64 {
            row.iter().zip(c).map(|(&a, &b)| (a.f64() - b.f64()).powi(2)).sum::<f64>().sqrt()
        };
        let all = centres.axis_iter(Axis(0)).map(distance).enumerate();
        let nearest = all.min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((k, _)) = nearest.filter(|(_, distance)| *distance < 3.0 * std) {
            counts[k] += 1;
        }
    }
    let high_quality = counts.iter().sum::<usize>() as f64 / x.nrows() as f64;
    Ok(Modes { counts, high_quality })
}
