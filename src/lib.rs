//! **A flow is a vector field plus an integrator.**

pub mod error;
pub mod integrate;
pub mod nn;
mod rng;
pub mod scalar;

pub use error::{Error, Result};
pub use scalar::Real;
