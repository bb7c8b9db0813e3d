//! Gradient flows of functions, and the certificate that goes with every gradient flow.
//!
//! | flow of a loss f | field | by Euler's method, by implicit Euler |
//! |---|---|---|
//! | `x' = -∇f` | [`GradientFlow`] | gradient descent, [`Proximal`](crate::integrate::Proximal) point |
//! | `x' = -G(x)⁻¹ ∇f` | [`GradientFlow::metric`] | natural gradient, preconditioned descent |
//! | `∇φ(x)' = -∇f` | [`Mirrored`](crate::integrate::Mirrored) | [`Mirror`](crate::integrate::Mirror) descent |
//! | `x'' = -γ x' - ∇f` | [`DampedFlow`] | heavy ball, Nesterov |
//!
//! A field that knows what it loses is [`Dissipative`]: [`Flow::steps_certified`](crate::Flow::steps_certified) and
//! [`Flow::solve_certified`](crate::Flow::solve_certified) then account for it in a [`Certificate`].
//!
//! May import `flow` (the driver alone), `field`, `state`, `scalar`, `error`.

mod certificate;
mod damped;
mod dissipative;
mod driver;
mod gradient_flow;

pub(crate) use certificate::Ledger;
pub use certificate::{Certificate, Status};
pub use damped::DampedFlow;
pub use dissipative::Dissipative;
pub use gradient_flow::{Flat, GradientFlow, Metric};
