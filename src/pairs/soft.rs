//! Soft minima of squared distances, and means under their weights.

use ndarray::{Array1, Array2};

use super::check_points;
use super::engine::{SoftSums, Targets, reduce};
use crate::{Error, Real, Result};

/// Targets with a log weight `h_j` each, ready to be summed over, many times:
///
/// ```text
/// t_ij = h_j - |x_i - y_j|² / ε,   s_i = log Σ_j exp(t_ij),   T_i = Σ_j exp(t_ij - s_i) y_j
/// ```
///
/// `-ε s_i` is the soft minimum of `|x_i - y_j|² - ε h_j`, and `T` the barycentric map; `∇ s_i = 2 (T_i - x_i) / ε`.
///
/// ```
/// use flowfield::dataset::normal;
/// use flowfield::pairs::SoftMin;
/// use ndarray::{Array1, array};
/// let y = normal::<f32>((1000, 3), 0);
/// let sum = SoftMin::new(&y, &Array1::zeros(1000), 0.5)?;
/// let x = array![[0.0_f32, 0.0, 0.0]];
/// let by_hand: f64 = y.rows().into_iter().map(|y| f64::from(-y.dot(&y) / 0.5).exp()).sum();
/// assert!((sum.log_sum_exp(&x)?[0] - by_hand.ln()).abs() < 1e-5);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SoftMin<F: Real> {
    targets: Targets<F>,
    scale: F,
}

/// The log weight of what is not there: far below any other, and not infinite, so that differences stay numbers.
const NEVER: f64 = -1e30;

impl<F: Real> SoftMin<F> {
    /// For targets `y` (m × d), log weights `h` (m; minus infinity leaves a target out) and `ε > 0`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], [`Error::Shape`], [`Error::Setting`].
    pub fn new(y: &Array2<F>, h: &Array1<F>, eps: f64) -> Result<Self> {
        check_points("the target points", y)?;
        Error::shape("the log weights", &[y.nrows()], h.shape())?;
        Error::setting(eps > 0.0 && eps.is_finite(), "eps", eps, "it must be positive and finite")?;
        let mut targets = Targets::new();
        targets.points.fill(y.view());
        targets.payload.fill(y.view());
        let weights = targets.weights.column(y.nrows());
        weights.fill(F::of(NEVER));
        weights.iter_mut().zip(h).for_each(|(w, &h)| *w = h.max(F::of(NEVER)));
        Ok(SoftMin { targets, scale: F::of(1.0 / eps) })
    }

    /// `log Σ_j exp(h_j - |x_i - y_j|² / ε)` for every row of `x` (n × d).
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ.
    pub fn log_sum_exp(&self, x: &Array2<F>) -> Result<Array1<f64>> {
        Ok(self.rows(x, false)?.chunks_exact(2).map(|row| row[0] + row[1].ln()).collect())
    }

    /// The mean of the targets under the weights `exp(h_j - |x_i - y_j|² / ε)` for every row of `x` (n × d):
    /// the barycentric map, from which the gradients of the sums follow.
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ.
    pub fn mean(&self, x: &Array2<F>) -> Result<Array2<F>> {
        let (rows, d) = (self.rows(x, true)?, x.ncols());
        Ok(Array2::from_shape_fn(x.dim(), |(i, k)| {
            let row = &rows[i * (2 + d)..][..2 + d];
            F::of(row[2 + k] / row[1])
        }))
    }

    fn rows(&self, x: &Array2<F>, means: bool) -> Result<Vec<f64>> {
        Error::shape("the source points", &[x.nrows(), self.targets.points.columns], x.shape())?;
        let how = SoftSums { targets: &self.targets, scale: self.scale, means };
        let mut sums = vec![0.0; x.nrows() * (2 + if means { x.ncols() } else { 0 })];
        let x = x.as_standard_layout();
        reduce(&how, x.as_slice().unwrap_or_default(), &self.targets, &mut sums);
        Ok(sums)
    }
}
