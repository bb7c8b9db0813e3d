//! Columns brought to mean 0 and standard deviation 1, and back.

use ndarray::{Array1, Array2, Axis};

use crate::state::check_rows;
use crate::{Error, Real, Result};

/// The means and standard deviations of a table's columns. A constant column has scale 1, so that it becomes zero and
/// comes back as it was.
///
/// ```
/// use flowfield::dataset::Standard;
/// use ndarray::array;
/// let x = array![[1.0, 7.0], [3.0, 7.0]];
/// let standard = Standard::of(&x)?;
/// assert_eq!(standard.apply(&x)?, array![[-1.0, 0.0], [1.0, 0.0]]);
/// assert_eq!(standard.undo(&array![[2.0, 0.0]])?, array![[4.0, 7.0]]);
/// assert_eq!(standard.constant(), [1]);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Standard<F> {
    /// Mean of each column.
    pub mean: Array1<F>,
    /// Standard deviation of each column; 1 where it is constant.
    pub scale: Array1<F>,
    constant: Vec<usize>,
}

impl<F: Real> Standard<F> {
    /// Those of the rows of `x`.
    ///
    /// # Errors
    /// [`Error::Empty`], and [`Error::NotFinite`] with the row.
    pub fn of(x: &Array2<F>) -> Result<Self> {
        if x.is_empty() {
            return Err(Error::Empty { what: "the table" });
        }
        check_rows("the table", x)?;
        let n = x.nrows() as f64;
        let mean: Vec<f64> =
            x.axis_iter(Axis(1)).map(|c| c.iter().map(|v| v.f64()).sum::<f64>() / n).collect();
        let spread = |(c, m): (ndarray::ArrayView1<'_, F>, &f64)| {
            (c.iter().map(|v| (v.f64() - m).powi(2)).sum::<f64>() / n).sqrt()
        };
        let scale: Vec<f64> = x.axis_iter(Axis(1)).zip(&mean).map(spread).collect();
        // Below the rounding of its own mean a column does not vary.
        let constant: Vec<usize> =
            (0..scale.len()).filter(|&k| scale[k] <= 4.0 * F::EPS.f64() * mean[k].abs()).collect();
        let mut scale = Array1::from_iter(scale.into_iter().map(F::of));
        constant.iter().for_each(|&k| scale[k] = F::one());
        Ok(Standard { mean: mean.into_iter().map(F::of).collect(), scale, constant })
    }

    /// The columns that do not vary.
    pub fn constant(&self) -> &[usize] {
        &self.constant
    }

    /// `(x - mean) / scale`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns.
    pub fn apply(&self, x: &Array2<F>) -> Result<Array2<F>> {
        self.check(x)?;
        Ok((x - &self.mean) / &self.scale)
    }

    /// `mean + scale x`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns.
    pub fn undo(&self, x: &Array2<F>) -> Result<Array2<F>> {
        self.check(x)?;
        Ok(x * &self.scale + &self.mean)
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        Error::shape("the table", &[x.nrows(), self.mean.len()], x.shape())
    }
}
