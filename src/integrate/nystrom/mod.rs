//! Runge–Kutta–Nyström methods for second-order systems `q″ = a(t, q)`: tableaux and one loop.
//!
//! Made for accelerations that do not depend on the velocity, as in mechanics with conservative forces, they reach an order
//! with far fewer evaluations than a Runge–Kutta method on the system of first order. Adaptive, on states of positions
//! followed by velocities ([`Half`](crate::Half)), best with a [`second_order`](crate::second_order) field.
//!
//! "HNW" is Hairer, Nørsett, Wanner, *Solving Ordinary Differential Equations I* (2nd edition, Springer 1993), here II.14.

mod dprkn12;
mod dprkn6;
mod dprkn8;
mod rkn;

pub use rkn::{Nystrom, NystromMethod, NystromTableau};

/// The catalogue of tableaux.
pub mod methods {
    pub use super::dprkn6::Dprkn6;
    pub use super::dprkn8::Dprkn8;
    pub use super::dprkn12::Dprkn12;
}

/// Dormand, El-Mikkawy, Prince 6(4): adaptive, five evaluations a step.
pub type Dprkn6<S> = Nystrom<methods::Dprkn6, S, 6>;
/// Dormand, El-Mikkawy, Prince 8(6): adaptive, eight evaluations a step.
pub type Dprkn8<S> = Nystrom<methods::Dprkn8, S, 9>;
/// Dormand, El-Mikkawy, Prince 12(10): adaptive, seventeen evaluations a step.
pub type Dprkn12<S> = Nystrom<methods::Dprkn12, S, 17>;
