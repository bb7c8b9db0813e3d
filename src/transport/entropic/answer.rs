//! The answer of an entropic solver.

use ndarray::{Array1, Array2};

use super::sinkhorn::plan;
use crate::transport::Cost;
use crate::{Error, Real, Result};

/// Potentials of an entropic problem, and how well they solve it.
///
/// The plan is `π_ij = a_i b_j exp((f_i + g_j - c_ij) / ε)`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entropic {
    /// Potentials of the sources.
    pub f: Array1<f64>,
    /// Potentials of the targets.
    pub g: Array1<f64>,
    /// `⟨π, c⟩ + ε KL(π | a ⊗ b)` by the dual, plus the marginals' penalties where they are soft.
    pub value: f64,
    /// The temperature.
    pub eps: f64,
    /// L1 error of the marginals relative to the mass (soft marginals: the potentials' last change over ε).
    pub residual: f64,
    /// Passes over all pairs.
    pub passes: usize,
    /// Whether `residual` is within the tolerance.
    pub converged: bool,
    pub(super) tol: f64,
}

impl Entropic {
    /// This answer, or an error if it has not converged.
    ///
    /// # Errors
    /// [`Error::NotConverged`].
    pub fn ensure(self) -> Result<Self> {
        if self.converged {
            return Ok(self);
        }
        let Entropic { passes, residual, tol, .. } = self;
        Err(Error::NotConverged { what: "Sinkhorn's iteration", iterations: passes, residual, tol })
    }

    /// The plan as an n × m matrix.
    ///
    /// # Errors
    /// [`Error::Shape`] where costs or weights are not those of the problem.
    pub fn plan<F: Real, C: Cost + ?Sized>(
        &self,
        cost: &C,
        a: &Array1<F>,
        b: &Array1<F>,
    ) -> Result<Array2<F>> {
        let (n, m) = (self.f.len(), self.g.len());
        Error::shape("the cost", &[n, m], &[cost.shape().0, cost.shape().1])?;
        Error::shape("the weights", &[n, m], &[a.len(), b.len()])?;
        Ok(plan(self, cost, a, b))
    }
}
