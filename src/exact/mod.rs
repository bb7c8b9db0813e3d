//! Closed forms: what gradient flows and samplers do exactly, to test against and to learn from.
//!
//! | flow | closed form |
//! |---|---|
//! | Fokker–Planck in a quadratic potential | [`OrnsteinUhlenbeck`] |
//! | transport between Gaussians | [`Gaussian`]: distance, map, geodesic, barycenter |
//! | one step of the minimising movement on Gaussians | [`gaussian_jko`] |
//! | porous medium, heat | [`Barenblatt`], [`heat_kernel`] |
//! | attraction and repulsion | [`aggregation`] |
//! | chemotaxis | [`keller_segel`] |
//! | birth and death, with and without transport | [`fisher_rao`], [`fisher_rao_gaussian`], [`wasserstein_fisher_rao_gaussian`] |
//! | maximum mean discrepancy on the line | [`energy_distance_flow`] |
//! | what a sampler's step size costs | [`sampler`] |
//!
//! May import `scalar`, `error`, `linalg`, `transport`.

pub mod aggregation;
mod barenblatt;
mod fisher_rao;
mod gamma;
mod gaussian_jko;
mod heat;
pub mod keller_segel;
mod mmd;
mod ornstein_uhlenbeck;
pub mod sampler;

pub use crate::transport::Gaussian;
pub use barenblatt::Barenblatt;
pub use fisher_rao::{fisher_rao, fisher_rao_gaussian, wasserstein_fisher_rao_gaussian};
pub use gaussian_jko::gaussian_jko;
pub use heat::heat_kernel;
pub use mmd::energy_distance_flow;
pub use ornstein_uhlenbeck::OrnsteinUhlenbeck;
