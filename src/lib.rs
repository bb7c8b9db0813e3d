//! **A flow is a vector field plus an integrator.**

mod clip;
pub mod ensemble;
pub mod error;
mod event;
mod field;
mod flow;
mod halves;
pub mod integrate;
pub mod nn;
mod record;
mod rng;
mod scalar;
mod solution;
mod state;
mod stepper;
mod watch;

pub use clip::ClipNorm;
pub use error::{Error, Result};
pub use event::{Event, Occurrence};
pub use field::{VectorField, field};
pub use flow::{Flow, Progress};
pub use halves::{Half, SecondOrder, Separable, second_order, separable};
pub use scalar::Real;
pub use solution::{Failure, Solution, Stats};
pub use state::State;
pub use stepper::Stepper;
