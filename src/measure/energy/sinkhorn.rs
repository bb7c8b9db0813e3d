//! The Sinkhorn divergence to a sample.

use ndarray::{Array1, Array2};

use super::{Cloud, Energy};
use crate::transport::{SinkhornDivergence, uniform};
use crate::{Error, Real, Result};

/// `F = ½ S_ε(μ, ν)`, half the [`SinkhornDivergence`] of |x - y|² to a sample ν: `x_i' = T_{μν}(x_i) - T_{μμ}(x_i)` with
/// the barycentric maps of the two entropic plans. A translation by s costs ½|s|² and is undone along straight
/// lines, whatever ε. Starts each evaluation from the last one's potentials. Feydy et al., AISTATS 2019.
///
/// ```
/// use flowfield::{Flow, dataset::normal, integrate::Euler, measure::{Descent, SinkhornEnergy}};
/// let x = normal::<f64>((60, 2), 0);
/// let flow = Descent(SinkhornEnergy::new(1.0, &(&x + 2.0))?);
/// let mut y = x.clone();
/// Flow::new(flow, Euler::new()).step(0.5, &mut y)?;
/// assert!((&y - &x).iter().all(|s| (s - 1.0).abs() < 1e-4));
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SinkhornEnergy<F> {
    divergence: SinkhornDivergence,
    y: Array2<F>,
    b: Array1<F>,
    a: Array1<F>,
}

impl<F: Real> SinkhornEnergy<F> {
    /// At temperature `eps` in the units of |x - y|², to the rows of `y`, equally weighted.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Setting`].
    pub fn new(eps: f64, y: &Array2<F>) -> Result<Self> {
        if y.is_empty() {
            return Err(Error::Empty { what: "the target sample" });
        }
        Error::setting(eps > 0.0 && eps.is_finite(), "eps", eps, "it must be positive and finite")?;
        let divergence = SinkhornDivergence::new(eps);
        Ok(SinkhornEnergy { divergence, y: y.clone(), b: uniform(y.nrows()), a: Array1::zeros(0) })
    }

    /// Tolerance of the inner problems, see [`SinkhornDivergence::tol`].
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.divergence = self.divergence.tol(tol);
        self
    }
}

impl<F: Real> Energy<F> for SinkhornEnergy<F> {
    fn value(&mut self, cloud: &Cloud<'_, F>) -> f64 {
        cloud.weights_into(&mut self.a);
        let answer = self.divergence.between(cloud.x, &self.a, &self.y, &self.b);
        answer.map_or(f64::NAN, |s| 0.5 * s.value)
    }

    fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) {
        cloud.weights_into(&mut self.a);
        let Ok(s) = self.divergence.between(cloud.x, &self.a, &self.y, &self.b) else {
            g.fill(F::nan());
            return;
        };
        for (i, (mut g, s)) in g.rows_mut().into_iter().zip(s.gradient.rows()).enumerate() {
            g.scaled_add(F::of(0.5 / cloud.weight(i)), &s);
        }
    }

    fn check(&self, cloud: &Cloud<'_, F>) -> Result<()> {
        Error::shape("the particles", &[cloud.len(), self.y.ncols()], cloud.x.shape())
    }
}
