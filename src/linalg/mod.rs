//! Linear algebra that no well-kept crate gives in this form: LU for the implicit methods (generic over the number
//! type, in place, unrolled for small fixed sizes), functions of small symmetric matrices. May import `scalar`.

mod complex;
mod lu;
pub(crate) mod symmetric;

pub(crate) use complex::ComplexLu;
pub(crate) use lu::Lu;
