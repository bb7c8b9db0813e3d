//! Entropic transport: Sinkhorn's iteration and what is built on it.

mod answer;
mod divergence;
mod newton;
mod problem;
mod rows;
mod sinkhorn;
mod store;
mod symmetric;

pub use answer::Entropic;
pub use divergence::{Divergence, SinkhornDivergence, entropic_map};
pub use sinkhorn::Sinkhorn;
