//! Networks as maps of (theta, x), with the derivatives that flows need.
//!
//! A [`Network`] is a map and its derivatives; [`Mlp`] is one, and [`VelocityField`] turns a trained
//! one into a field over rows. The parameters are always the caller's vector. Batches are cut into
//! blocks of rows that run through all layers while in cache; large ones are split over threads, with
//! results that do not depend on how many there are.
//! May import: `scalar`, `error`, `rng`, `field`. Knows nothing of integrators, losses or data.

mod activation;
mod initialisation;
pub(crate) mod kernel;
mod mlp;
mod network;
mod spectral;
mod time_features;
mod velocity;

pub use activation::Activation;
pub use initialisation::Init;
pub use mlp::{Mlp, MlpTape, Parameter};
pub use network::Network;
pub use spectral::{SpectralNorm, SpectralTape};
pub use time_features::TimeFeatures;
pub use velocity::{VelocityField, one_hot};
