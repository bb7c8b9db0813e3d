//! Games: several players' parameters on one vector, each going down its own loss. A GAN is such a game, and its
//! generator's part is the particle flow of the critic, pulled back to parameters.
//!
//! [`Gan`] is the field; [`GanLoss`] and [`Penalty`] are its parts. Any integrator drives it: Euler is simultaneous
//! gradient descent, RK4 is ODE-GAN.
//!
//! May import `nn` and what lies below it. A field never steps: there is no optimiser loop here.

mod gan;
mod loss;
mod penalty;

pub use gan::Gan;
pub use loss::GanLoss;
pub use penalty::{Penalty, PenaltyPoints};
