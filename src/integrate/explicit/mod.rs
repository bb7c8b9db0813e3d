//! Explicit Runge–Kutta methods: tableaux (data) and one loop that steps them all.

mod combine;
mod rk;
pub mod tableau;
pub mod tableaux;

pub use rk::ExplicitRk;

/// Euler's method: order 1. Gradient descent is this step.
pub type Euler<S> = ExplicitRk<tableaux::Euler, S, 1>;
/// Explicit midpoint: order 2.
pub type Midpoint<S> = ExplicitRk<tableaux::Midpoint, S, 2>;
/// Heun's second-order method (explicit trapezoidal rule), the common sampler of flow models.
pub type Heun<S> = ExplicitRk<tableaux::Heun, S, 2>;
/// Ralston's second-order method: least error bound of its kind.
pub type Ralston<S> = ExplicitRk<tableaux::Ralston, S, 2>;
/// The classical fourth-order method.
pub type Rk4<S> = ExplicitRk<tableaux::Rk4, S, 4>;
/// Shu–Osher strong-stability-preserving method of order 3.
pub type SspRk33<S> = ExplicitRk<tableaux::SspRk33, S, 3>;
/// Bogacki–Shampine 3(2): adaptive, for loose tolerances.
pub type Bs3<S> = ExplicitRk<tableaux::Bs3, S, 4>;
/// Dormand–Prince 5(4): adaptive; MATLAB's `ode45`, SciPy's `RK45`, Hairer's DOPRI5.
pub type Dopri5<S> = ExplicitRk<tableaux::Dopri5, S, 7>;
/// Tsitouras 5(4): adaptive; the default choice for non-stiff problems.
pub type Tsit5<S> = ExplicitRk<tableaux::Tsit5, S, 7>;
