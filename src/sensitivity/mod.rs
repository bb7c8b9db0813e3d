//! Gradients through flows: of losses at any times, with respect to the initial state, the parameters and the end time.
//!
//! | way | exact derivative of | memory | where |
//! |---|---|---|---|
//! | [`DiscreteAdjoint`] | the steps taken | stated: [`Checkpoints`] | explicit Runge–Kutta and Rosenbrock methods; the default |
//! | [`ContinuousAdjoint`], interpolating | the solution, to tolerance | the forward steps' interpolants | any method either way, stiff ones too |
//! | [`ContinuousAdjoint`], backsolve | the solution, if it can be solved backwards | one state | nothing dissipative |
//! | [`ForwardSensitivity`] | the solution, to tolerance | `n (n + p)` numbers | few parameters |
//!
//! The field is a [`Parametric`]: a [`Formula`](crate::Formula) made [`Differentiable`](crate::Differentiable), a closure with its own
//! derivative ([`WithVjp`]), or a network ([`NeuralField`]). [`Fit`] makes the gradient a flow in parameter space, so that a
//! neural ODE trains by `Flow::new(Fit::new(..), Adam::default())`; [`LeastSquares`] is the same for few
//! parameters by Gauss–Newton, with standard errors.
//!
//! A driver: may import `flow`, `nn` and all below.

mod checkpoints;
mod continuous;
mod discrete;
mod event;
mod fit;
mod forward;
mod least_squares;
mod neural;
mod pull;
mod reverse;
mod run;
mod vjp;

pub use checkpoints::Checkpoints;
pub use continuous::ContinuousAdjoint;
pub use discrete::{AdjointStats, DiscreteAdjoint, Gradient};
pub use fit::Fit;
pub use forward::{ForwardSensitivity, Sensitivities};
pub use least_squares::LeastSquares;
pub use neural::NeuralField;
pub use pull::{PullWork, Reversible, Stages, Step};
pub use vjp::WithVjp;

pub use crate::parametric::Parametric;
