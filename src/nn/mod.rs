//! Networks as maps of (theta, x), with the derivatives that flows need.
//!
//! A [`Network`] is a map and its derivatives; [`Mlp`] is one, and [`VelocityField`] turns a trained
//! one into a field over rows, and a [`Plan`] is one compiled for a number of rows. The parameters are always the caller's vector. Batches are cut into
//! blocks of rows that run through all layers while in cache; large ones are split over threads, with
//! results that do not depend on how many there are.
//! May import: `scalar`, `error`, `rng`, `field`, and the scales of `low_rank`. Knows nothing of integrators, losses or data.

mod activation;
mod film;
mod initialisation;
pub(crate) mod kernel;
mod lora;
mod mlp;
mod network;
mod norm;
mod plan;
mod potential;
mod residual;
mod spectral;
mod time_features;
mod velocity;

pub use activation::Activation;
pub use film::{Film, FilmTape};
pub use initialisation::Init;
pub use lora::{Lora, LoraTape};
pub use mlp::{Mlp, MlpTape};
pub use network::{Network, Parameter};
pub use norm::Norm;
pub use plan::Plan;
pub use potential::{Potential, PotentialTape};
pub use residual::{
    DeepNorm, DepthField, DepthReport, DepthStep, NormPlacement, Optimiser, Residual, ResidualTape,
    admin_omega,
};
pub use spectral::{SpectralNorm, SpectralTape};
pub use time_features::TimeFeatures;
pub use velocity::{VelocityField, one_hot};
