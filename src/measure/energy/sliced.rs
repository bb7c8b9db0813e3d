//! The sliced Wasserstein distance to a sample.

use ndarray::Array2;

use super::{Cloud, Energy};
use crate::transport::Sliced;
use crate::{Error, Real, Result};

/// `F = ½ SW2²(μ, ν)` to a sample ν, for equally weighted particles: `x_i' = -E_θ[(θ·x_i - T_θ(θ·x_i)) θ]` with the monotone
/// maps T_θ of the projections. A translation decays like e^{-t/d}. Bonneel et al., J. Math. Imaging Vision 51 (2015);
/// Liutkus et al., ICML 2019.
///
/// ```
/// use flowfield::{Flow, dataset::{moons, normal}, integrate::Euler, measure::{Descent, SlicedEnergy}};
/// let (mut x, y) = (normal::<f32>((300, 2), 0), moons(300, 0.05, 1));
/// let flow = Descent(SlicedEnergy::new(&y, 32, 0)?);
/// let certificate = Flow::new(flow, Euler::new()).steps_certified(40, 0.5, &mut x)?;
/// assert!(certificate.energy_end() < 0.02 * certificate.energy[0].1);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SlicedEnergy<F> {
    sliced: Sliced<F>,
    y: Array2<F>,
}

impl<F: Real> SlicedEnergy<F> {
    /// To the rows of `y`, along `directions` random directions, the same at every evaluation.
    ///
    /// # Errors
    /// [`Error::Empty`].
    pub fn new(y: &Array2<F>, directions: usize, seed: u64) -> Result<Self> {
        if y.is_empty() {
            return Err(Error::Empty { what: "the target sample" });
        }
        Ok(SlicedEnergy { sliced: Sliced::new(y.ncols(), directions, seed)?, y: y.clone() })
    }
}

impl<F: Real> Energy<F> for SlicedEnergy<F> {
    fn value(&mut self, cloud: &Cloud<'_, F>) -> f64 {
        self.sliced.squared(cloud.x, &self.y).map_or(f64::NAN, |s| 0.5 * s)
    }

    fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) {
        match self.sliced.gradient(cloud.x, &self.y) {
            Ok((_, s)) => g.scaled_add(F::of(0.5 * cloud.len() as f64), &s),
            Err(_) => g.fill(F::nan()),
        }
    }

    fn check(&self, cloud: &Cloud<'_, F>) -> Result<()> {
        if cloud.weights.is_some() {
            return Err(Error::Unsupported {
                what: "the sliced distance",
                with: "weighted particles",
                instead: "take the Sinkhorn energy, or equal weights",
            });
        }
        Error::shape("the particles", &[cloud.len(), self.y.ncols()], cloud.x.shape())
    }
}
