//! Fields that lose something.

use crate::{State, VectorField};

/// A field along which an energy falls.
pub trait Dissipative<S: State>: VectorField<S> {
    /// The energy E at (t, y), and its rate of loss along the field, `-dE/dt`.
    fn energy(&mut self, t: S::Elem, y: &S) -> (f64, f64);

    /// The mass of a state that is a density or weights.
    fn total_mass(&self, y: &S) -> Option<f64> {
        let _ = y;
        None
    }

    /// The least density or weight.
    fn least(&self, y: &S) -> Option<f64> {
        let _ = y;
        None
    }
}
