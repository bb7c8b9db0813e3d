//! Toy distributions, seeded: the same seed gives the same bits. Tests, benches and examples share them.
//!
//! Every sampler returns an `n × d` array, a row a sample. May import `scalar` and `rng`.

mod gaussians;
mod moons;
mod s_curve;
mod standard;
mod table;

pub use gaussians::{eight_gaussians, grid_gaussians, normal};
pub use moons::moons;
pub use s_curve::s_curve;
pub use standard::Standard;
pub use table::{read_table, write_table};
