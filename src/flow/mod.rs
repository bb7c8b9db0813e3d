//! A flow is a vector field plus an integrator: the drivers.
//!
//! [`Flow`] holds both and what the user wants of a run; [`Stepper`] is its loop, one accepted step after another;
//! [`Event`]s are found on each step's interpolant (`watch`), what is kept goes into a [`Solution`] (`record`).
//!
//! May import `integrate` and what lies below it. Nothing here knows what a field or an integrator does inside.

mod access;
mod driver;
mod event;
mod export;
mod record;
mod solution;
mod stepper;
mod watch;

pub use driver::{Flow, Progress};
pub use event::{Event, Occurrence};
pub use solution::{Failure, Solution};
pub use stepper::Stepper;
