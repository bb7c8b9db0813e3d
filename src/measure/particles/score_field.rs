//! The drift of a Langevin diffusion.

use std::cell::RefCell;

use ndarray::Array2;

use crate::measure::target::{Target, check_score};
use crate::{Real, Result, VectorField};

/// The score of a density as a field, `x_i' = ∇ log π(x_i)`. With noise √2 it is overdamped Langevin dynamics, whose
/// Euler–Maruyama steps are the unadjusted Langevin algorithm.
///
/// ```
/// use flowfield::{Flow, integrate::EulerMaruyama, measure::{GaussianMixture, ScoreField}, noise::Sde};
/// use ndarray::{Array2, array};
/// let target = GaussianMixture::new(array![[-2.0_f32, 0.0], [2.0, 0.0]], 1.0)?;
/// let langevin = Sde::additive(ScoreField::new(target), &[2.0_f32.sqrt()]).fresh(0);
/// let mut x = Array2::zeros((2000, 2));
/// Flow::new(langevin, EulerMaruyama::new()).steps(200, 0.05, &mut x)?;
/// let second = x.column(0).mapv(|x| x * x).mean().unwrap();
/// assert!((second - 5.0).abs() < 0.4);
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
