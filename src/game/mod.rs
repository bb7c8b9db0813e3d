//! Games: several players' parameters on one vector, each going down its own loss. A GAN is such a game, and its
//! generator's part is the particle flow of the critic, pulled back to parameters.
//!
//! | what | its name |
//! |---|---|
//! | the field of both players | [`Gan`], with [`GanLoss`] ([`FDivergence`]), [`Penalty`], [`Regulariser`], [`Estimator`] |
//! | samples moved by a critic | [`DiscriminatorFlow`] |
//! | a flow of samples as one of parameters, or of latents | [`PullBack`], [`LatentFlow`] |
//! | why Euler spirals out and RK4 in | [`spectrum`], [`amplification`] |
//!
//! Any integrator drives them: Euler is simultaneous gradient descent, RK4 is ODE-GAN,
//! [`Alternating`](crate::integrate::Alternating) lets the players move in turn, [`Extragradient`](crate::integrate::Extragradient)
//! and [`Optimistic`](crate::integrate::Optimistic) look ahead, [`Clamped`](crate::integrate::Clamped) clips weights,
//! [`Ema`](crate::integrate::Ema) averages the generator.
//!
//! May import `nn` and what lies below it; `spectrum` sees `flow`. A field never steps: there is no optimiser loop here.

mod discriminator_flow;
mod divergence;
mod evaluation;
mod gan;
mod loss;
mod minibatch;
mod penalty;
mod pull_back;
mod regulariser;
mod spectrum;

pub use discriminator_flow::DiscriminatorFlow;
pub use divergence::FDivergence;
pub use evaluation::Estimator;
pub use gan::Gan;
pub use loss::GanLoss;
pub use penalty::{Penalty, PenaltyPoints};
pub use pull_back::{LatentFlow, PullBack};
pub use regulariser::Regulariser;
pub use spectrum::{amplification, spectrum};
