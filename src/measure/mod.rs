//! Gradient flows of measures: densities on grids, quantiles, clouds of particles.
//!
//! | a measure as | state | field |
//! |---|---|---|
//! | a density on cells | `Array1`, `Array2` | [`DensityFlow`] (finite volumes) of a [`FreeEnergy`] |
//! | the same, with Wasserstein proximal steps | | [`EntropicJko`], [`BackAndForth`] (plane) |
//! | quantiles on the line, with exact proximal steps | `Array1`, sorted | [`QuantileFlow`] |
//! | particles | `Array2`, a row each | [`Descent`] of an [`Energy`], [`Injected`] noise, [`Svgd`] |
//! | the same, with proximal steps in W2 | | [`ParticleJko`] |
//! | weighted particles | `Array2`, the last column log weights | [`WassersteinFisherRao`] |
//! | samples | `Array2` | [`ScoreField`] with noise: Langevin |
//!
//! Each is a field for every integrator, and those that lose an energy account for it in a
//! [`Certificate`](crate::gradient::Certificate). [`Proximal`](crate::integrate::Proximal) takes the
//! Jordan–Kinderlehrer–Otto steps. Densities to sample from are [`Target`]s.
//!
//! May import `gradient`, `integrate`, `transport`, `pairs`, `field` and what lies below, and the matrix product
//! of `nn`; never `matching` or `game`.

mod energy;
mod grid;
mod jko;
mod particles;
mod target;

pub use energy::{
    BlobEntropy, Cloud, Energy, FeatureMmd, Interaction, Mmd, Potential, RelativeEntropy, SinkhornEnergy,
    SlicedEnergy, SteinDiscrepancy, relative_entropy,
};
pub use grid::{Boundary, DensityFlow, FreeEnergy, Grid};
pub use jko::{BackAndForth, EntropicJko, ParticleJko, QuantileFlow};
pub use particles::{Bandwidth, Descent, Injected, ScoreField, SteinKernel, Svgd, WassersteinFisherRao};
pub use target::{GaussianMixture, Target};
