//! Linear algebra that the implicit methods need and no well-kept crate gives in this form: generic over the number
//! type, in place, unrolled for small fixed sizes. May import `scalar`.

mod hessenberg;
mod lu;

pub(crate) use hessenberg::hessenberg_eigenvalues;
pub(crate) use lu::Lu;
