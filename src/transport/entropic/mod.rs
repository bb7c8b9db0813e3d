//! Entropic transport: Sinkhorn's iteration and what is built on it.

mod answer;
mod newton;
mod problem;
mod rows;
mod sinkhorn;
mod store;

pub use answer::Entropic;
pub use sinkhorn::Sinkhorn;
