//! Linear algebra that the implicit methods need and no well-kept crate gives in this form: generic over the number
//! type, in place, unrolled for small fixed sizes. May import `scalar`, `error`.

mod colour;
mod lu;
mod pattern;

pub(crate) use colour::Colouring;
pub(crate) use lu::Lu;
pub use pattern::Pattern;
