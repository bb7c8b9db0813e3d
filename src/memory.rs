//! What fields and integrators remember from step to step, lent out by name: what a checkpoint keeps.

use crate::State;

/// A remembered thing, to be read or overwritten.
#[derive(Debug)]
#[non_exhaustive]
pub enum Remembered<'a, S: State> {
    /// A state's worth of numbers: a moment, an average.
    State(&'a mut S),
    /// A count: of steps, of draws; a seed.
    Count(&'a mut u64),
    /// A single number.
    Number(&'a mut f64),
}

/// Remembered things by name, as [`VectorField::memory`](crate::VectorField::memory) and
/// [`Integrator::memory`](crate::integrate::Integrator::memory) lend them.
pub type Memories<'a, S> = Vec<(&'static str, Remembered<'a, S>)>;
