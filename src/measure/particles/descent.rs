//! The Wasserstein gradient flow of an energy.

use ndarray::Array2;

use crate::gradient::Dissipative;
use crate::measure::{Cloud, Energy};
use crate::{Real, Result, VectorField};

/// Particles down an energy: `x_i' = -∇F'(x_i)`, the Wasserstein gradient flow of equally weighted particles, as a field for
/// every integrator. `dF/dt = -(1/n) Σ |x_i'|²`, which [`solve_certified`](crate::Flow::solve_certified) accounts for.
///
/// ```
/// use flowfield::{Flow, integrate::Tsit5, measure::{Descent, Interaction, Potential}};
/// let well = Potential::new(|x: &[f64], g: &mut [f64]| { g.copy_from_slice(x); 0.5 * x.iter().map(|x| x * x).sum::<f64>() });
/// let crowd = Interaction::attraction_repulsion(2.0, 1.0);
/// let x = ndarray::array![[0.1, 0.0], [1.0, 1.0], [-1.0, 0.5]];
/// let (x, certificate) = Flow::new(Descent((well, crowd)), Tsit5::new()).tol(1e-8).solve_certified(0.0, 5.0, x)?;
/// assert!(certificate.is_monotone() && certificate.identity_gap < 1e-5);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Descent<E>(
    /// The energy.
    pub E,
);

impl<F: Real, E: Energy<F>> VectorField<Array2<F>> for Descent<E> {
    fn eval(&mut self, _t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        dx.fill(F::zero());
        self.0.gradient(&Cloud::uniform(x), dx);
        dx.mapv_inplace(|v| -v);
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        self.0.check(&Cloud::uniform(x))
    }
}

impl<F: Real, E: Energy<F>> Dissipative<Array2<F>> for Descent<E> {
    fn energy(&mut self, t: F, x: &Array2<F>) -> (f64, f64) {
        let mut v = x.clone();
        self.eval(t, x, &mut v);
        let lost = v.iter().map(|v| v.f64() * v.f64()).sum::<f64>() / x.nrows() as f64;
        (self.0.value(&Cloud::uniform(x)), lost)
    }
}
