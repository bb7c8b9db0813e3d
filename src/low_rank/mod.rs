//! Flows on matrices of low rank: factors, and integrators that stay on the manifold.
//!
//! Two geometries. [`LowRankFactors`] (W = W₀ + s A B) let A and B flow: LoRA, a preconditioned gradient that keeps
//! AᵀA - B Bᵀ. [`LowRank`] (W = U S Vᵀ with orthonormal U, V) is moved by integrators whose error does not depend on small singular
//! values: [`ProjectorSplitting`], [`Bug`], [`AugmentedBug`] and [`ParallelBug`] drive any matrix field, through the same
//! [`Flow`](crate::Flow) as everything else.
//!
//! May import: `error`, `scalar`, `state`, `field`, `integrate`, `linalg`.

mod additive;
mod bug;
mod factors;
mod parallel;
mod sandwich;
mod splitting;
mod usv;

pub use additive::AdditiveFactors;
pub use bug::{AugmentedBug, Bug};
pub use factors::{LoraScale, LowRankFactors};
pub use parallel::ParallelBug;
pub use splitting::ProjectorSplitting;
pub use usv::{LowRank, Truncation};
