//! A cloud of particles.

use ndarray::{Array1, Array2};

use crate::Real;

/// Particles, a row each, with weights.
#[derive(Debug, Clone, Copy)]
pub struct Cloud<'a, F> {
    /// Positions, n × d.
    pub x: &'a Array2<F>,
    /// Weights (n) of sum 1; absent: 1/n each.
    pub weights: Option<&'a Array1<F>>,
}

impl<'a, F: Real> Cloud<'a, F> {
    /// Equal weights.
    pub fn uniform(x: &'a Array2<F>) -> Self {
        Cloud { x, weights: None }
    }

    /// These weights.
    pub fn weighted(x: &'a Array2<F>, weights: &'a Array1<F>) -> Self {
        Cloud { x, weights: Some(weights) }
    }

    /// Number of particles.
    pub fn len(&self) -> usize {
        self.x.nrows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.x.nrows() == 0
    }

    /// Weight of particle i.
    pub fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0 / self.x.nrows() as f64, |w| w[i].f64())
    }

    /// Writes all weights to a vector of the right length.
    pub(crate) fn weights_into(&self, to: &mut Array1<F>) {
        if to.len() != self.len() {
            *to = Array1::zeros(self.len());
        }
        match self.weights {
            Some(w) => to.assign(w),
            None => to.fill(F::of(1.0 / self.len() as f64)),
        }
    }
}
