//! Transport between Gaussians, in closed form.

mod normal;

pub use normal::{AffineMap, Gaussian};
