//! Linear algebra that the implicit methods need and no well-kept crate gives in this form: generic over the number
//! type, in place, unrolled for small fixed sizes. May import `scalar`.

mod complex;
mod lu;
mod qr;
mod svd;

pub(crate) use complex::ComplexLu;
pub(crate) use lu::Lu;
pub(crate) use qr::{orthonormal, qr, transposed};
pub(crate) use svd::svd;
