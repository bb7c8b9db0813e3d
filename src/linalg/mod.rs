//! Linear algebra that the implicit methods need and no well-kept crate gives in this form: generic over the number
//! type, in place, unrolled for small sizes. May import `scalar`, `error`, `simd`.

mod banded;
mod colour;
mod dense;
mod hessenberg;
mod pattern;
mod rotations;
mod scalar;
mod sparse;
mod update;

pub(crate) use banded::BandLu;
pub(crate) use colour::Colouring;
pub(crate) use dense::Lu;
pub(crate) use hessenberg::hessenberg_eigenvalues;
pub use pattern::Pattern;
pub(crate) use rotations::Rotations;
pub(crate) use scalar::{Complex, Scalar};
pub(crate) use sparse::SparseLu;
