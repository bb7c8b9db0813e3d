//! Methods for stiff problems. They take the same closure as the explicit ones; Jacobians are the field's own
//! ([`WithJacobian`](crate::WithJacobian), [`Differentiable`](crate::Differentiable)) or finite differences, and dense, banded
//! or sparse ([`Structured`](crate::Structured)).

mod bdf;
mod consistent;
mod derivative;
mod krylov;
mod matrix;
mod radau;
mod rosenbrock;
#[allow(dead_code, reason = "what one method needs another does not")]
mod system;
pub mod tableau;

pub use bdf::Bdf;
pub(crate) use consistent::check_start;
pub use consistent::consistent_start;
pub(super) use derivative::time_derivative;
pub(super) use krylov::product;
pub use radau::RadauIIA5;
pub use rosenbrock::Rosenbrock;

/// Rodas5P: order 5(4), eight stages, L-stable; the first choice for stiff systems of up to some hundred equations.
pub type Rodas5P<S> = Rosenbrock<tableau::Rodas5P, S, 8>;
/// Rodas4: order 4(3), six stages, L-stable; Hairer and Wanner's RODAS.
pub type Rodas4<S> = Rosenbrock<tableau::Rodas4, S, 6>;
/// ROS3P: order 3(2), three stages, A-stable; for loose tolerances and parabolic problems.
pub type Ros3P<S> = Rosenbrock<tableau::Ros3P, S, 3>;
