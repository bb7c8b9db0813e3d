//! The drift of a Langevin diffusion.

use std::cell::RefCell;

use ndarray::Array2;

use crate::measure::target::{Target, check_score};
use crate::{Real, Result, VectorField};

/// The score of a density as a field, `x_i' = ∇ log π(x_i)`. With noise √2 it is overdamped Langevin dynamics, whose
/// Euler–Maruyama steps are the unadjusted Langevin algorithm.
///
/// ```
/// use flowfield::{Flow, integrate::Rk4, measure::{GaussianMixture, ScoreField}};
/// use ndarray::array;
/// let target = GaussianMixture::new(array![[-2.0, 0.0], [2.0, 0.0]], 1.0)?;
/// let mut x = array![[1.0, 1.0]];
/// Flow::new(ScoreField::new(target), Rk4::new()).steps(100, 0.1, &mut x)?;        // to the nearest mode
/// assert!((x[[0, 0]] - 2.0).abs() < 0.01 && x[[0, 1]].abs() < 1e-4);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct ScoreField<T> {
    target: RefCell<T>,
}

impl<T> ScoreField<T> {
    /// Of this density.
    pub fn new(target: T) -> Self {
        ScoreField { target: RefCell::new(target) }
    }
}

impl<F: Real, T: Target<F>> VectorField<Array2<F>> for ScoreField<T> {
    fn eval(&mut self, _t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        self.target.get_mut().score(x, dx);
    }

    fn redraw(&mut self) -> bool {
        self.target.get_mut().redraw()
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        check_score(&mut *self.target.borrow_mut(), x)
    }
}
