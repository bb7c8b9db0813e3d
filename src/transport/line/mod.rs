//! Transport on the line, along random directions, and the sorting behind it.

mod max_sliced;
mod quantile;
mod sliced;
mod sort;
mod wasserstein;

pub use max_sliced::MaxSliced;
pub use quantile::QuantileMap;
pub use sliced::Sliced;
pub use wasserstein::{wasserstein_1d, wasserstein_1d_weighted};
