//! Distances between samples. May import `scalar` and `error`.

mod energy_distance;

pub use energy_distance::energy_distance;
