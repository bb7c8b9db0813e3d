//! Toy distributions, seeded: the same seed gives the same bits. Tests, benches and examples share them.
//!
//! Every sampler returns an `n × d` array, a row a sample. May import `scalar` and `rng`.

mod gaussians;
mod moons;

pub use gaussians::{eight_gaussians, grid_gaussians, normal};
pub use moons::moons;
