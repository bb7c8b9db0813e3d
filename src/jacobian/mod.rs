//! Derivatives of fields: where the implicit methods have them from.
//!
//! * nothing said: dense finite differences;
//! * [`Structured`]: the zeros are known, or detected, and the differences are coloured;
//! * [`Differentiable`]: exact, by forward-mode automatic differentiation of a [`Formula`](crate::Formula);
//! * [`MatrixFree`]: products with vectors instead of a matrix;
//! * [`WithJacobian`]: written by the user, dense, banded or sparse.
//!
//! May import `scalar`, `error`, `number`, `linalg`, `state`, `field`.

mod check;
mod detect;
mod differentiable;
mod matrix_free;
mod structure;
mod structured;
mod trace;
mod with_jacobian;
mod wrong_entry;

pub use check::check_jacobian;
pub use differentiable::Differentiable;
pub use matrix_free::{ByClosure, MatrixFree, NoPreconditioner, Preconditioner};
pub use structure::Structure;
pub use structured::Structured;
pub use with_jacobian::WithJacobian;
pub(crate) use wrong_entry::wrong_entry;
