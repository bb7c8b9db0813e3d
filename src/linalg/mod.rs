//! Linear algebra that the implicit methods need and no well-kept crate gives in this form: generic over the number
//! type, in place, unrolled for small sizes. Functions of small symmetric
//! matrices beside them. May import `scalar`, `error`, `simd`.

mod banded;
mod colour;
mod dense;
mod hessenberg;
mod pattern;
mod qr;
mod scalar;
mod svd;
pub(crate) mod symmetric;
mod update;

pub(crate) use banded::BandLu;
pub(crate) use colour::Colouring;
pub(crate) use dense::Lu;
pub(crate) use hessenberg::hessenberg_eigenvalues;
pub use pattern::Pattern;
pub(crate) use qr::{orthonormal, qr, transposed};
pub(crate) use scalar::{Complex, Scalar};
pub(crate) use svd::svd;
