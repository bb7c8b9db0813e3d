//! Methods for stiff problems. They take the same closure as the explicit ones; Jacobians are the field's own
//! ([`WithJacobian`](crate::WithJacobian), [`Differentiable`](crate::Differentiable)) or finite differences, and dense, banded
//! or sparse ([`Structured`](crate::Structured)).
//!
//! | methods | for |
//! |---|---|
//! | [`Rodas5P`], [`Rodas4`], [`Ros3P`] | up to some hundred unknowns; a Jacobian and a factorisation every step, no iteration |
//! | [`TrBdf2`], [`KenCarp3`], [`KenCarp4`], [`KenCarp5`], [`Kvaerno5`] | loose and middle tolerances, Jacobians kept over many steps; the KenCarp pairs also implicit–explicit, of a [`Split`](crate::Split) field |
//! | [`RadauIIA5`] | middle and tight tolerances, eigenvalues near the imaginary axis, algebraic equations |
//! | [`Bdf`] | large systems, cheap steps, algebraic equations |
//! | [`ImplicitEuler`], [`ImplicitMidpoint`], [`CrankNicolson`] | fixed steps; they choose their own steps too, at loose tolerances |

mod bdf;
mod consistent;
mod derivative;
pub mod esdirk;
mod krylov;
mod matrix;
mod radau;
mod rosenbrock;
mod steady;
#[allow(dead_code, reason = "what one method needs another does not")]
mod system;
pub mod tableau;

pub use bdf::Bdf;
pub(crate) use consistent::check_start;
pub use consistent::consistent_start;
pub(super) use derivative::time_derivative;
pub use esdirk::Esdirk;
pub(super) use krylov::product;
pub use radau::RadauIIA5;
pub use rosenbrock::Rosenbrock;
pub use steady::{Rest, SteadyState};

/// Rodas5P: order 5(4), eight stages, L-stable; the first choice for stiff systems of up to some hundred equations.
pub type Rodas5P<S> = Rosenbrock<tableau::Rodas5P, S, 8>;
/// Rodas4: order 4(3), six stages, L-stable; Hairer and Wanner's RODAS.
pub type Rodas4<S> = Rosenbrock<tableau::Rodas4, S, 6>;
/// ROS3P: order 3(2), three stages, A-stable; for loose tolerances and parabolic problems.
pub type Ros3P<S> = Rosenbrock<tableau::Ros3P, S, 3>;
/// Implicit Euler: order 1, L-stable.
pub type ImplicitEuler<S> = Esdirk<esdirk::methods::ImplicitEuler, S, 2>;
/// The implicit midpoint rule: order 2, A-stable, symplectic; conserves quadratic invariants.
pub type ImplicitMidpoint<S> = Esdirk<esdirk::methods::ImplicitMidpoint, S, 2>;
/// The trapezoidal rule of Crank and Nicolson: order 2, A-stable.
pub type CrankNicolson<S> = Esdirk<esdirk::methods::CrankNicolson, S, 2>;
/// TR-BDF2: order 2(3), L-stable; for loose tolerances and rough right-hand sides.
pub type TrBdf2<S> = Esdirk<esdirk::methods::TrBdf2, S, 3>;
/// KenCarp3: order 3(2), L-stable; an additive pair for [`Split`](crate::Split) fields.
pub type KenCarp3<S> = Esdirk<esdirk::methods::KenCarp3, S, 4>;
/// KenCarp4: order 4(3), L-stable; an additive pair for [`Split`](crate::Split) fields.
pub type KenCarp4<S> = Esdirk<esdirk::methods::KenCarp4, S, 6>;
/// KenCarp5: order 5(4), L-stable; an additive pair for [`Split`](crate::Split) fields.
pub type KenCarp5<S> = Esdirk<esdirk::methods::KenCarp5, S, 8>;
/// Kvaerno5: order 5(4), L-stable.
pub type Kvaerno5<S> = Esdirk<esdirk::methods::Kvaerno5, S, 7>;
