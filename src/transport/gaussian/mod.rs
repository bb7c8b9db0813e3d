//! Transport between Gaussians, in closed form.

mod eigen;
mod normal;

pub use normal::{AffineMap, Gaussian};
