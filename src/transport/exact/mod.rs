//! Exact transport: the network simplex, and the assignment problem.

pub(crate) mod scan;
mod assignment;
mod search;
mod simplex;
mod start;
mod tree;

pub use assignment::{Assignment, assignments};
pub use simplex::NetworkSimplex;
