//! Explicit Runge–Kutta methods: tableaux (data) and one loop that steps them all.

mod combine;
pub mod low_storage;
mod rk;
pub mod tableau;
pub mod tableaux;

pub use low_storage::LowStorageRk;
pub use rk::ExplicitRk;

/// Euler's method: order 1. Gradient descent is this step.
pub type Euler<S> = ExplicitRk<tableaux::Euler, S, 1>;
/// The extragradient method, for games: order 1, contracting where a field rotates.
pub type Extragradient<S> = ExplicitRk<tableaux::Extragradient, S, 2>;
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
/// Shu–Osher type SSPRK(4,3) with an embedded error estimate: for hyperbolic problems under a step limit.
pub type SspRk43<S> = ExplicitRk<tableaux::SspRk43, S, 4>;
/// Kutta's 3/8 rule: order 4.
pub type Rk38<S> = ExplicitRk<tableaux::Rk38, S, 4>;
/// Carpenter–Kennedy's five-stage method of order 4 (with all its stages stored).
pub type CarpenterKennedy<S> = ExplicitRk<tableaux::CarpenterKennedy, S, 5>;
/// Carpenter–Kennedy's five-stage method of order 4 in two arrays.
pub type CarpenterKennedy2N<S> = LowStorageRk<tableaux::CarpenterKennedy, S, 5>;
/// Dormand–Prince 8(5,3), Hairer's DOP853: adaptive, for tight tolerances.
pub type Dop853<S> = ExplicitRk<tableaux::Dop853, S, 13>;
/// Verner's "most efficient" 6(5): adaptive.
pub type Vern6<S> = ExplicitRk<tableaux::Vern6, S, 9>;
/// Verner's "most efficient" 7(6): adaptive, for tolerances of 1e-6 to 1e-10.
pub type Vern7<S> = ExplicitRk<tableaux::Vern7, S, 10>;
/// Verner's "most efficient" 8(7): adaptive.
pub type Vern8<S> = ExplicitRk<tableaux::Vern8, S, 13>;
/// Verner's "most efficient" 9(8): adaptive, for the tightest tolerances.
pub type Vern9<S> = ExplicitRk<tableaux::Vern9, S, 16>;
