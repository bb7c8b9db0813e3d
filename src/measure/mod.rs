//! Gradient flows of measures: densities on grids, quantiles, clouds of particles.
//!
//! | a measure as | state | field | its own proximal (JKO) step |
//! |---|---|---|---|
//! | a density on cells | `Array1`, `Array2` | [`DensityFlow`] (finite volumes) | [`EntropicJko`] |
//! | quantiles on the line | `Array1`, sorted | [`QuantileFlow`] | exact |
//!
//! Each is a field for every integrator, and accounts for its energy in a [`Certificate`](crate::gradient::Certificate).
//! [`Proximal`](crate::integrate::Proximal) takes the Jordan–Kinderlehrer–Otto steps.
//!
//! May import `gradient`, `integrate`, `transport`, `field` and what lies below; never `matching` or `game`.

mod grid;
mod jko;

pub use grid::{Boundary, DensityFlow, FreeEnergy, Grid};
pub use jko::{EntropicJko, QuantileFlow};
