//! Flows in parameter space report their losses.

use ndarray::Array1;

use crate::{Real, VectorField};

/// A field on parameters `theta`: minus the gradient of a loss, or each player's own descent.
pub trait ParameterFlow<F: Real>: VectorField<Array1<F>> {
    /// The losses at the last evaluation, one for each player.
    fn losses(&self) -> &[F];
}
