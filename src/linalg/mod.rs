//! Linear algebra that the implicit methods need and no well-kept crate gives in this form: generic over the number
//! type, in place, unrolled for small fixed sizes. May import `scalar`.

mod complex;
mod lu;

pub(crate) use complex::ComplexLu;
pub(crate) use lu::Lu;
