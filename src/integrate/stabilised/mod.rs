//! Stabilised explicit methods: stability far along the negative real axis, bought with cheap stages.
//!
//! For large systems whose Jacobian has eigenvalues near the negative real axis (diffusion, gradient flows): `s` stages are
//! stable for `h ρ` up to about `0.65 s²` ([`Rkc2`], order 2) or `0.35 s²` ([`Rock4`], order 4), so a step `100` times longer costs only `10` times the stages, without a linear
//! solve. Not for eigenvalues far off the real axis (convection, waves).

mod radius;
mod rkc2;
mod rock4;
mod rock4_numbers;

pub(crate) use radius::{Radius, fastest_rate};
pub use rkc2::Rkc2;
pub use rock4::Rock4;
