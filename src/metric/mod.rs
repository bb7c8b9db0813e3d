//! Distances between samples. May import `scalar` and `error`.

mod energy_distance;
mod modes;

pub use energy_distance::energy_distance;
pub use modes::{Modes, modes};
