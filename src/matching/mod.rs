//! Velocity-field training: flow matching, rectified flow, reflow and distillation.
//!
//! [`Matching`] is a field in parameter space whose flow trains a velocity network; its parts are the nouns of the
//! method: [`Coupling`] (which noise goes with which data), [`TimeLaw`] (where on the path). Distillation is matching
//! at the times of a coarse grid ([`TimeLaw::Grid`]). Drivers that need a [`Flow`](crate::Flow): [`Reflow`] (rounds of
//! pairs and retraining) and [`straightness`].
//!
//! May import `nn`, `dataset`, `metric` and what lies below; the drivers also `flow` and `integrate`.

mod coupling;
mod divergence;
mod field;
mod likelihood;
mod reflow;
mod stochastic;
mod straightness;
mod time_law;

pub use coupling::Coupling;
pub use divergence::{Divergence, NetworkDivergence, VelocityDivergence};
pub use field::Matching;
pub use likelihood::{Followed, Likelihood, bits_per_dim};
pub use reflow::{Pairs, Reflow, Round};
pub use stochastic::{Fading, Scored, stochastic};
pub use straightness::{Straightness, normalised_path_energy, straightness};
pub use time_law::TimeLaw;
