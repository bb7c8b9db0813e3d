//! Velocity-field training: flow matching, rectified flow, reflow and distillation.
//!
//! [`Matching`] is a field in parameter space whose flow trains a velocity network; its parts are the nouns of the
//! method: [`Source`] and [`Coupling`] (which start goes with which data), [`Path`] (how they are joined), [`TimeLaw`]
//! (where on the path), [`Prediction`] and [`Objective`] (what is learnt there). Distillation is matching at the times
//! of a coarse grid ([`TimeLaw::Grid`]). [`Regression`] fits given velocities. Drivers that need a
//! [`Flow`](crate::Flow): [`Reflow`] (rounds of pairs and retraining), [`Progressive`] (halving the number of steps), [`Sampler`],
//! [`NfeCurve`], [`train`] and [`straightness`].
//!
//! May import `nn`, `dataset`, `metric`, `transport` and what lies below; the drivers also `flow` and `integrate`.

mod action;
mod coupling;
mod divergence;
mod draws;
mod field;
mod floor;
mod likelihood;
mod nfe_curve;
mod objective;
mod path;
mod prediction;
mod progressive;
mod reflow;
mod regression;
mod sample;
mod source;
mod stochastic;
mod straightness;
mod time_law;
mod train;

pub use coupling::{Coupling, Pairing};
pub use divergence::{Divergence, NetworkDivergence, VelocityDivergence};
pub use field::Matching;
pub use floor::Assessment;
pub use likelihood::{Followed, Likelihood, bits_per_dim};
pub use nfe_curve::{NfeCurve, NfePoint};
pub use objective::Objective;
pub use path::{
    Bridge, Coefficients, Conditional, Cosine, LinearVp, Path, Polynomial, Smoothed, Straight, Trigonometric,
    VariancePreserving, paths,
};
pub use prediction::{Converted, Prediction};
pub use progressive::{Halving, Progressive};
pub use reflow::{Pairs, Reflow, Round};
pub use regression::Regression;
pub use sample::{Sampler, TimeGrid, slerp};
pub use source::Source;
pub use stochastic::{Fading, Scored, stochastic};
pub use straightness::{Straightness, normalised_path_energy, straightness};
pub use time_law::TimeLaw;
pub use train::{MeanLoss, Report, train};
